"""Small layers of each kind of cell, and first states for them."""

import torch
from torch import nn

from nmt_attn.model.cells import CELLS, Cell, RecurrentLayer
from nmt_attn.model.state import CellState

ROWS, STEPS, INPUTS, HIDDEN = 2, 5, 3, 7


def layer_of(name: str) -> RecurrentLayer:
    """In float64, with weights large enough to matter."""
    layer = RecurrentLayer(CELLS[name](HIDDEN), INPUTS).double()
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -0.7, 0.7)
    return layer


def first_state(cell: Cell) -> CellState:
    """[ROWS, HIDDEN], at random, and wanting gradients."""
    hidden, other = (torch.randn(ROWS, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return CellState(hidden, other if cell.has_cell else None)
