"""Encoders as a GPU runs them, on the CPU in float64, against the plain encoder: values and gradients."""

import pytest
import torch
from tiny_models import Overrides, accepted, tiny_model
from torch import Tensor

from nmt_attn.fast.gpu.forms import GPU
from nmt_attn.fast.gpu.whole import LayerWeights, run_cell
from nmt_attn.fast.views import view
from nmt_attn.model.cells import CELLS, RecurrentLayer
from nmt_attn.model.encoder import Encoder


def results(encoder: Encoder, inputs: Tensor) -> list[Tensor]:
    encoded = encoder(inputs, torch.tensor([4, 1, 5]))
    is_real = torch.arange(5) < torch.tensor([4, 1, 5]).unsqueeze(1)
    states = encoded.states * is_real.unsqueeze(2)
    parts = [states, *encoded.final_hidden, *encoded.final_cell]
    loss = sum((part * torch.arange(part.numel(), dtype=part.dtype).view_as(part).sin()).sum() for part in parts)
    weights = [inputs, *encoder.parameters()]
    return [*(part.detach() for part in parts), *torch.autograd.grad(loss, weights)]  # type: ignore[list-item]


NO_EOS = {"encoder.reads_eos": False, "attention.attend_eos": False, "encoder.layers": 2}


STACKED = [{"encoder.layers": 3, "encoder.bidirectional": kind} for kind in ("separate", "alternating")]


@pytest.mark.parametrize(
    "more", [{}, {"encoder.layers": 2}, {"encoder.bidirectional": False}, NO_EOS, *STACKED], ids=str
)
@pytest.mark.parametrize("cell", ["gru", "gru-cho", "lstm"])
def test_an_encoder_is_the_plain_one(cell: str, more: Overrides) -> None:
    encoder = tiny_model(
        accepted({"encoder.cell": cell, "decoder.cell": cell, "decoder.init": "bridge", **more})
    ).encoder
    inputs = torch.randn(3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    plain, ours = results(encoder, inputs), results(view(encoder, GPU), inputs)
    for wanted, found in zip(plain, ours, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_cell_in_one_call_is_the_cell(name: str) -> None:
    generator = torch.Generator().manual_seed(2)
    layer = RecurrentLayer(CELLS[name](5), 3).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    inputs = torch.randn(2, 4, 3, dtype=torch.float64, generator=generator)
    start = [torch.randn(2, 5, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(2)]
    state = layer.zero_state(inputs[:, 0])._replace(hidden=start[0])
    state = state._replace(cell=start[1]) if name == "lstm" else state
    recurrent = layer.cell.recurrent
    weights = LayerWeights(layer.input_to_gates.weight, layer.input_to_gates.bias, recurrent.weight, recurrent.bias)
    expected, _ = layer(inputs, state)
    found = run_cell(type(layer.cell), weights, inputs, *state, torch.float64).states
    variables = [*layer.parameters(), start[0]]
    slope = torch.randn(expected.shape, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for mine, wanted in zip(
        *(torch.autograd.grad((made * slope).sum(), variables) for made in (found, expected)), strict=True
    ):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-12)
