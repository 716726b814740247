"""What both sides of the parity suite know: the cases, the batch, and the file that a peer leaves for each case.

Runs in the environment of a peer too, so it needs no more than NumPy and torch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

WORDS = tuple(f"w{i}" for i in range(23))
"""Both vocabularies, beside the special tokens."""
SOURCE = ("w20 w6 w11 w0 w17 w8 w3", "w3 w7 w1 w12 w5", "w9 w9 w2", "w4")
TARGET = ("w1 w2", "w5 w19 w3 w7", "w8", "w10 w4 w22")
"""Sentences of unequal lengths, in one padded batch; the longest first, as joeynmt asks for."""
LONGEST = 12
"""Tokens of a translation at most."""
SIZE = 8
"""Of both directions of the encoder together, and of the decoder."""
EMBEDDING = 6
LAYERS = (1, 2, 4)
CELLS = ("gru", "lstm")
BEAM = 5


class Case(NamedTuple):
    """One model of a peer."""

    name: str  # of its files
    cell: str
    layers: int
    variant: str  # in the words of the peer


def cases(variants: Sequence[str]) -> Iterator[Case]:
    """Every depth and cell for each variant."""
    for variant in variants:
        for cell in CELLS:
            for layers in LAYERS:
                yield Case(f"{variant}-{cell}-{layers}", cell, layers, variant)


def random_weights(module: torch.nn.Module, seed: int) -> None:
    """Sets every weight of a model, so that no state is small; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)


def write_stages(path: Path, **stages: Any) -> None:
    """Writes the arrays and texts of one case.

    encoder_states [B, S, M], first_hidden [L, B, H], first_cell [L, B, H] (LSTM), weights [B, T, S], logits [B, T, V]
    in the order of `tokens`; greedy and beam: texts, beam_log_probs [B].
    """
    arrays = {name: each.detach().numpy() if isinstance(each, torch.Tensor) else np.array(each) for name, each in stages.items()}
    np.savez(path, **arrays)


def padded(rows: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    """Ids of several sentences [B, S], padded on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])


def text(ids: Sequence[int], tokens: Sequence[str], end: int) -> str:
    """The tokens of ids up to `end`."""
    ids = list(ids)
    return " ".join(tokens[i] for i in (ids[: ids.index(end)] if end in ids else ids))
