"""Deep transition: several cells in a row at each step of a layer.

    s_t^1 = cell_1(s_{t-1}^L, W x_t);   s_t^k = cell_k(s_t^{k-1}, b_k) for k = 2 .. L;   s_t = s_t^L

Miceli Barone et al. 2017 (arXiv 1707.07631), after Pascanu et al. 2014 (arXiv 1312.6026). Only the first cell has
inputs from outside; an LSTM's cell state goes through all of them. In the conditional order they stand in place of its
second cell (nmt_attn/model/conditional.py), as in nematus and Marian.
"""

import torch
from torch import Tensor, nn

from nmt_attn.model.cells import Cell
from nmt_attn.model.initialise import Scheme
from nmt_attn.model.state import CellState


class Transition(nn.Module):
    """A cell whose gates see b + U h alone."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        cell.leave_inputs()
        self.cell = cell
        self.input_bias = nn.Parameter(torch.empty(cell.gates * cell.hidden))  # b

    def initialise(self, scheme: Scheme) -> None:
        """Its first numbers: b is a bias, where no W stands beside it."""
        scheme.gate_bias(self.input_bias, self.cell.gates, self.cell.forget_gate)

    def forward(self, state: CellState) -> CellState:
        """state of N rows -> the next one."""
        after: CellState = self.cell(self.input_bias.expand(len(state.hidden), -1), state)
        return after


class DeepTransition(Cell):
    """Cells in a row, as one cell; U stands in each of them."""

    def __init__(self, first: Cell, others: list[Cell]) -> None:
        nn.Module.__init__(self)
        self.hidden, self.gates = first.hidden, first.gates
        self.has_cell, self.forget_gate = first.has_cell, first.forget_gate
        self.first = first
        self.transitions = nn.ModuleList(map(Transition, others))

    def initialise(self, scheme: Scheme) -> None:
        """Nothing: each cell describes its own numbers."""

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        state = self.first(gate_inputs, state)
        for transition in self.transitions:
            state = transition(state)
        return state


def in_a_row(cells: list[Cell]) -> Cell:
    """The cells of a layer, of which only the first has inputs, as one."""
    return DeepTransition(cells[0], cells[1:]) if len(cells) > 1 else cells[0]
