"""Cells with a backward by hand against the plain loop over steps."""

import pytest
import torch
from tiny_cells import INPUTS, ROWS, STEPS, first_state, layer_of
from torch import Tensor

from nmt_attn.fast.recurrence import LOOPS
from nmt_attn.fast.training import PARTS, TRAINING
from nmt_attn.fast.views import view
from nmt_attn.model.cells import CELLS, RecurrentLayer
from nmt_attn.model.state import CellState


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(3)


def test_gru_and_lstm_are_written_by_hand() -> None:
    assert {PARTS[CELLS[name]] for name in ("gru", "lstm")} == set(LOOPS)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_a_sequence_equals_the_plain_one_in_values_and_gradients(name: str) -> None:
    layer = layer_of(name)
    fast = view(layer, TRAINING)
    inputs = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64, requires_grad=True)
    state = first_state(layer.cell)
    leaves = [inputs, *(part for part in state if part is not None), *layer.parameters()]
    results = [fast(inputs, state), layer(inputs, state)]
    gradients = []
    for hidden, cell in results:
        total = (hidden**2).sum() + (0 if cell is None else (cell**3).sum())
        gradients.append(torch.autograd.grad(total, leaves))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-11)


def gradient(layer: RecurrentLayer, part: int, inputs: Tensor, state: CellState) -> Tensor:
    result: Tensor = layer(inputs, state)[part]
    return torch.autograd.grad(result[:, -1].sum(), layer.cell.recurrent.weight)[0]


@pytest.mark.parametrize("part", [0, 1], ids=["hidden", "cell"])
def test_the_last_hidden_or_cell_state_alone_may_carry_a_gradient(part: int) -> None:
    layer = layer_of("lstm")
    inputs, state = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64), first_state(layer.cell)
    ours, theirs = (gradient(each, part, inputs, state) for each in (view(layer, TRAINING), layer))
    assert ours.abs().sum() > 0
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)
