"""A model of another toolkit under the names of this package, before it becomes a model folder.

What a reader cannot express it says as a reason; all reasons are reported together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nmt_attn.errors import DataError
from nmt_attn.types import BOS, EOS, PAD, SPECIAL_TOKENS, UNK

NEVER = -1e9
"""Score of an output that the other model does not have: its probability is 0 to the last digit."""


class Reasons(list[str]):
    """Why a model cannot be expressed."""

    def unless(self, is_fine: bool, reason: str) -> None:
        """Adds the reason where something is not fine."""
        if not is_fine:
            self.append(reason)

    def check(self, path: Path) -> None:
        """Raises DataError with all of them, if there are any."""
        if self:
            raise DataError(f"{path}: expected a model that can be expressed here, got one with {'; '.join(self)}")


@dataclass(frozen=True)
class Side:
    """One vocabulary, in the other model's order, and how it spells the special tokens (None: it has none)."""

    tokens: Sequence[str]
    pad: str | None = "<pad>"
    unk: str | None = "<unk>"
    bos: str | None = "<s>"
    eos: str | None = "</s>"
    start: str | None = None
    """The word whose vector is read before the first one, where it is another than `bos`."""

    def spelled(self) -> dict[int, str | None]:
        """The spelling of each special token by its id here."""
        return {PAD: self.pad, UNK: self.unk, BOS: self.bos, EOS: self.eos}

    def order(self, reasons: Reasons) -> "Order":
        """Our tokens, and for each the number of its row in the other model's matrices, None where it has none."""
        place = {token: i for i, token in enumerate(self.tokens)}
        doubled = [token for token, count in Counter(self.tokens).items() if count > 1]
        reasons.unless(not doubled, f"tokens that its vocabulary has twice, such as {doubled[:1]}")
        own = {spelling for spelling in self.spelled().values() if spelling in place}
        rest = [token for token in self.tokens if token not in own]
        stray = [token for token in rest if token in SPECIAL_TOKENS or not token or "\n" in token]
        reasons.unless(not stray, f"words that stand for something else here: {stray[:3]}")
        rows = [place.get(spelling) if spelling is not None else None for spelling in self.spelled().values()]
        start = None if self.start is None else place.get(self.start)
        return Order((*SPECIAL_TOKENS, *rest), (*rows, *(place[token] for token in rest)), start=start)


@dataclass(frozen=True)
class Order:
    """Our tokens and the other model's rows."""

    tokens: tuple[str, ...]
    rows: tuple[int | None, ...]
    foreign: frozenset[str] = frozenset()
    """Tokens that it reads as <unk> and never writes."""
    start: int | None = None
    """The row that is read before the first word, where it is another than that of <s>."""

    def read(self) -> "Order":
        """For word vectors of the target side."""
        return self if self.start is None else replace(self, rows=(*self.rows[:BOS], self.start, *self.rows[BOS + 1 :]))

    def written(self) -> "Order":
        """For the output layer: without tokens that it never writes."""
        rows = (None if token in self.foreign else row for token, row in zip(self.tokens, self.rows, strict=True))
        return replace(self, rows=tuple(rows))

    def take(self, matrix: Tensor, missing: float = 0.0) -> Tensor:
        """Rows of a matrix or vector in our order."""
        index = torch.tensor([0 if row is None else row for row in self.rows])
        taken = matrix[index]
        taken[torch.tensor([row is None for row in self.rows])] = missing
        return taken


@dataclass
class ForeignModel:
    """What a reader makes of a file."""

    toolkit: str
    source: Side
    target: Side
    keys: dict[str, Any]
    """Of the configuration, below `model`."""
    weights: dict[str, Tensor]
    """By the names of this package; rows of words in the order of the other model's vocabulary."""
    kind: str = "word"
    """Of the tokenizer, where no subwords are given."""
    lowercase: bool = False
    notes: list[str] = field(default_factory=list)
    """What is left to the user."""


VOCABULARY_ROWS = {
    "source_embedding.weight": "source",
    "target_embedding.weight": "target",
    "output.weight": "target",
    "output.bias": "target",
}
"""Weights with a row for each word, and the side that it belongs to."""


class Taken:
    """The weights of another model; notes which were read, so that none is left out in silence."""

    def __init__(self, weights: Mapping[str, Tensor], path: Path) -> None:
        self.weights = dict(weights)
        self.path = path
        self.read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.weights

    def __call__(self, name: str) -> Tensor:
        """The weight of this name in float32. Raises DataError if there is none."""
        if name not in self.weights:
            raise DataError(f"{self.path}: expected a weight {name}, got none")
        self.read.add(name)
        return self.weights[name].detach().float()

    def leave(self, *beginnings: str) -> None:
        """Weights that have no part in what the model computes."""
        self.read |= {name for name in self.weights if name.startswith(beginnings)}

    def check(self, reasons: Reasons) -> None:
        """A reason for weights that nothing has read."""
        left = sorted(set(self.weights) - self.read)
        reasons.unless(not left, f"weights that nothing here stands for: {', '.join(left[:3])}")


def recurrent(
    taken: Taken, names: Sequence[str], inputs: str, cell: str, gate_cell: str, parts: Mapping[str, int] | None = None
) -> dict[str, Tensor]:
    """A cell of torch (weight_ih, weight_hh, bias_ih, bias_hh) -> W and U, their biases where `gate_cell` has them.

    `parts`: names of our matrices and how many columns of weight_ih belong to each, where not all are of `inputs`.
    """
    weight, recurrent_weight, bias, recurrent_bias = map(taken, names)
    found = {f"{cell}.recurrent.weight": recurrent_weight}
    columns = parts or {inputs: weight.shape[1]}
    for name, part in zip(columns, weight.split([*columns.values()], 1), strict=True):
        found[f"{name}.weight"] = part
    if gate_cell == "gru":  # b and U's bias are apart, as the candidate sees r * (U h + b)
        return {**found, f"{inputs}.bias": bias, f"{cell}.recurrent.bias": recurrent_bias}
    return {**found, f"{inputs}.bias": bias.double() + recurrent_bias.double()}  # rounded once, to what the model has


def torch_encoder(taken: Taken, root: str, *, layers: int, directions: int, cell: str) -> dict[str, Tensor]:
    """A stack of torch.nn.LSTM or GRU -> our encoder."""
    found: dict[str, Tensor] = {}
    for layer in range(layers):
        for direction in range(directions):
            ending = f"_l{layer}{'_reverse' * direction}"
            names = [f"{root}.{kind}{ending}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            ours = f"encoder.layers.{layer}.directions.{direction}.layer"
            found |= recurrent(taken, names, f"{ours}.input_to_gates", f"{ours}.cell", cell)
    return found


def luong_decoder(
    taken: Taken, names: Sequence[Sequence[str]], *, embedding: int, feed: int, cell: str
) -> dict[str, Tensor]:
    """Cells of torch, bottom first, by the names of their four weights -> our stack in Luong's order."""
    parts = {"decoder.embedding_to_gates": embedding, "decoder.feed_to_gates": feed}
    found = recurrent(taken, names[0], "decoder.embedding_to_gates", "decoder.bottom", cell, parts)
    for layer, each in enumerate(names[1:]):
        ours = f"decoder.upper.{layer}"
        found |= recurrent(taken, each, f"{ours}.input_to_gates", f"{ours}.cell", cell)
    return found
