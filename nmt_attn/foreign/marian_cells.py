"""Cells of Marian and nematus, one or several in a row at a step, under our names.

Matrices are written from left to right, x W. The gates of a GRU, U [H, 2H], stand apart from its candidate, Ux [H, H];
its gates r, z are in our order, those of an LSTM are f, i, g, o. Only the first of several cells in a row has W.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt_attn.foreign.foreign_model import Taken

CELLS = {"gru": "gru", "gru-nematus": "gru", "lstm": "lstm", "tanh": "rnn"}
"""Our name of each cell of Marian."""


class CellReader:
    """Takes the cells of one side."""

    def __init__(self, taken: Taken, cell: str, hidden: int) -> None:
        self.taken = taken
        self.kind = CELLS[cell]
        self.hidden = hidden  # H

    def row(self, names: Sequence[str], inputs: str, ours: str, *, is_final: bool = False) -> dict[str, Tensor]:
        """Cells in a row by Marian's names, the first with inputs; `inputs`, `ours`: where they stand here.

        `is_final`: the bias of a GRU's candidate stands beside U h.
        """
        first, *others = names
        root = f"{ours}.first" if others else ours
        found = {f"{inputs}.weight": self._gates(f"{first}_W")}
        found |= self._recurrent(first, f"{inputs}.bias", root, is_final=is_final)
        for place, name in enumerate(others):
            root = f"{ours}.transitions.{place}"
            found |= self._recurrent(name, f"{root}.input_bias", f"{root}.cell", is_final=is_final)
        return found

    def _recurrent(self, name: str, bias: str, ours: str, *, is_final: bool) -> dict[str, Tensor]:
        """U and the bias of the gates, which is split in two where a part of it stands beside U h."""
        found = {f"{ours}.recurrent.weight": self._gates(f"{name}_U")}
        whole = self.taken(f"{name}_b").flatten()
        if self.kind != "gru":
            return {**found, bias: self._in_order(whole)}
        whole = torch.cat([whole, self.taken(f"{name}_bx").flatten()])
        beside = torch.zeros_like(whole)
        if is_final:
            beside[2 * self.hidden :] = whole[2 * self.hidden :]
        return {**found, bias: whole - beside, f"{ours}.recurrent.bias": beside}

    def _gates(self, name: str) -> Tensor:
        """[G x H, inputs]."""
        if self.kind == "gru":
            return torch.cat([self.taken(name).T, self.taken(f"{name}x").T])
        return self._in_order(self.taken(name).T)

    def _in_order(self, rows: Tensor) -> Tensor:
        """Gates of an LSTM in our order; of others as they are."""
        if self.kind != "lstm":
            return rows
        forget, insert, candidate, output = rows.chunk(4)
        return torch.cat([insert, forget, candidate, output])
