"""What both sides of the parity check know: the cases, the batch, and the file that a peer leaves for each case.

Runs in the environment of a peer too, so it needs no more than NumPy and torch.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

WORDS = tuple(f"w{i}" for i in range(23))
"""Both vocabularies, beside the special tokens."""
SOURCE = ("w20 w6 w11 w0 w17 w8 w3", "w3 w7 w1 w12 w5", "w9 w9 w2", "w4")
TARGET = ("w1 w2", "w5 w19 w3 w7", "w8", "w10 w4 w22")
"""Sentences of unequal lengths, in one padded batch; the longest first, as joeynmt asks for."""
LONGEST = 40
"""Tokens of a translation at most."""
SIZE = 8
"""Of both directions of the encoder together, and of the decoder."""
EMBEDDING = 6
LAYERS = (1, 2, 4)
CELLS = ("gru", "lstm")
BEAM = 5
UPDATES, SENTENCES, RATE = 60, 16, 0.02
"""Of a short training: translations of a model with random weights repeat one word and seldom end."""
RARE = -30.0
"""Score of special tokens that a peer would write too."""

Lines = Sequence[str]


class Case(NamedTuple):
    """One model of a peer."""

    name: str  # of its files
    cell: str
    layers: int
    variant: str  # in the words of the peer


def cases(variants: Lines, folder: Path) -> Iterator[Case]:
    """Every depth and cell for each variant, but for those that the folder has."""
    for variant, cell, layers in product(variants, CELLS, LAYERS):
        case = Case(f"{variant}-{cell}-{layers}", cell, layers, variant)
        if not (folder / f"{case.name}.npz").exists():
            yield case


def random_weights(module: torch.nn.Module, seed: int) -> None:
    """Sets every weight of a model, so that no state is small; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)


def examples() -> Iterator[list[str]]:
    """The lines of each update of a short training, the longest first."""
    generator = np.random.default_rng(1)
    for _ in range(UPDATES):
        lengths = sorted(generator.integers(1, 8, SENTENCES).tolist(), reverse=True)
        yield [" ".join(generator.choice(WORDS, length)) for length in lengths]


def learn(model: torch.nn.Module, logits: Callable[[Lines, Lines], torch.Tensor], tokens: Lines, end: int) -> None:
    """Trains a model a little to copy lines of up to 7 words; `logits`: of sources and targets -> [B, T, V]."""
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    for lines in examples():
        wanted = padded(ids_of(lines, tokens, after=[end]), -100)
        loss = torch.nn.functional.cross_entropy(logits(lines, lines).flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def write_stages(path: Path, **stages: Any) -> None:
    """Writes the arrays and texts of one case.

    encoder_states [B, S, M], first_hidden [L, B, H], first_cell [L, B, H] (LSTM), weights [B, T, S], logits [B, T, V]
    in the order of `tokens`; greedy and beam: texts; beam_log_probs [B]; beam_ended [B] bool: with `</s>` or not.
    """
    arrays = {name: each.detach().numpy() if isinstance(each, torch.Tensor) else each for name, each in stages.items()}
    named: dict[str, Any] = {name: np.array(each) for name, each in arrays.items()}
    np.savez(path, **named)


def padded(rows: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    """Ids of several sentences [B, S], padded on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])


def ids_of(lines: Lines, tokens: Lines, before: Sequence[int] = (), after: Sequence[int] = ()) -> Any:
    """The ids of each line's words in a list of tokens, between two lists of ids."""
    return [[*before, *(tokens.index(word) for word in line.split()), *after] for line in lines]


def text(ids: Sequence[int], tokens: Lines, end: int) -> str:
    """The tokens of ids up to `end`."""
    ids = list(ids)
    return " ".join(tokens[i] for i in (ids[: ids.index(end)] if end in ids else ids))
