"""Cells and whole sequences against torch's own modules and against the looped cell."""

import pytest
import torch
from tiny_cells import HIDDEN, INPUTS, ROWS, STEPS, first_state, layer_of
from torch import Tensor, nn

from nmt_attn.model.cells import CELLS, RecurrentLayer
from nmt_attn.model.state import CellState


@pytest.fixture(autouse=True)
def _double() -> None:
    torch.manual_seed(3)


def looped(layer: RecurrentLayer, inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
    hidden, cells = [], []
    for step_inputs in inputs.unbind(1):
        state = layer.step(step_inputs, state)
        hidden.append(state.hidden)
        cells.append(state.cell)
    return torch.stack(hidden, 1), torch.stack(cells, 1) if layer.cell.has_cell else None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(CELLS))
def test_a_sequence_equals_its_steps_in_values_and_gradients(name: str) -> None:
    layer = layer_of(name)
    inputs = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64, requires_grad=True)
    state = first_state(layer.cell)
    leaves = [inputs, *(part for part in state if part is not None), *layer.parameters()]
    results = [layer(inputs, state), looped(layer, inputs, state)]
    gradients = []
    for hidden, cell in results:
        total = (hidden**2).sum() + (0 if cell is None else (cell**3).sum())
        gradients.append(torch.autograd.grad(total, leaves))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-11)


@pytest.mark.parametrize(("name", "reference"), [("gru", nn.GRU), ("lstm", nn.LSTM), ("rnn", nn.RNN)])
def test_a_layer_equals_torchs(name: str, reference: type[nn.RNNBase]) -> None:
    layer, theirs = layer_of(name), reference(INPUTS, HIDDEN, batch_first=True).double()
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(layer.input_to_gates.weight)
        theirs.bias_ih_l0.copy_(layer.input_to_gates.bias)
        theirs.weight_hh_l0.copy_(layer.cell.recurrent.weight)
        bias = layer.cell.recurrent.bias
        theirs.bias_hh_l0.copy_(torch.zeros_like(theirs.bias_hh_l0) if bias is None else bias)
    inputs = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64)
    state = first_state(layer.cell)
    start = tuple(part.unsqueeze(0) for part in state if part is not None)
    expected, _ = theirs(inputs, start if name == "lstm" else start[0])
    torch.testing.assert_close(layer(inputs, state)[0], expected, rtol=0, atol=1e-12)


def test_only_the_last_hidden_state_may_carry_a_gradient() -> None:
    layer = layer_of("lstm")
    inputs = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64)
    by_hidden, by_cell = (
        torch.autograd.grad(layer(inputs, first_state(layer.cell))[part][:, -1].sum(), layer.cell.recurrent.weight)[0]
        for part in (0, 1)
    )
    assert by_cell.abs().sum() > 0
    assert by_hidden.abs().sum() > 0
    assert not torch.allclose(by_cell, by_hidden)


def test_cho_resets_before_the_product_and_cudnn_after() -> None:
    # One unit, U = 2 for the candidate, no inputs, reset gate 1/2 (all other numbers 0): h = 1.
    # gru-cho: n = tanh(2 * (1/2 * 1)) = tanh(1);  gru with b = 3: n = tanh(1/2 * (2 * 1 + 3)) = tanh(2.5).
    # z = 1/2, so h' = (n + 1) / 2.
    cho, gru = CELLS["gru-cho"](1), CELLS["gru"](1)
    for cell in (cho, gru):
        nn.init.zeros_(cell.recurrent.weight)
        cell.recurrent.weight.data[2] = 2.0
    nn.init.zeros_(gru.recurrent.bias)
    gru.recurrent.bias.data[2] = 3.0
    state = CellState(torch.ones(1, 1), None)
    expected = (torch.tensor([1.0, 2.5]).tanh() + 1) / 2
    torch.testing.assert_close(cho(torch.zeros(1, 3), state).hidden.squeeze(), expected[0])
    torch.testing.assert_close(gru(torch.zeros(1, 3), state).hidden.squeeze(), expected[1])
