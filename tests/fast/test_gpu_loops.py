"""The loops of a GPU, by their definitions, against the decoders' own forward: values and gradients in float64."""

from itertools import product

import pytest
import torch
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import Tensor

from nmt_attn.fast.gpu.forms import GPU
from nmt_attn.fast.views import view
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.runtime import autocast

STYLES: dict[str, Overrides] = {
    "bahdanau": {},
    "conditional": {},
    "luong": {"decoder.input_feeding": "attentional"},
}
CASES = [
    *product(STYLES, ("gru", "gru-cho", "lstm"), ("additive", "general")),
    ("bahdanau", "gru", "scaled-dot"),
    ("luong", "lstm", "normed-additive"),
    ("conditional", "gru", "concat"),
]


def results(model: Seq2Seq) -> list[Tensor | None]:
    """Readouts, weights, and gradients of a loss that sees both."""
    torch.manual_seed(5)
    readouts, weights = model(tiny_batch([4, 2, 5], [3, 6, 1]))
    exact, seen = readouts.to(weights.values.dtype), weights.dense()
    loss = (exact**2).sum() + (seen * torch.arange(seen.numel()).view_as(seen).sin()).sum()
    gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return [exact.detach(), seen.detach(), *gradients]


def model_of(style: str, cell: str, score: str, **more: object) -> Seq2Seq:
    keys: Overrides = {"decoder.style": style, "decoder.cell": cell, "encoder.cell": cell, "attention.score": score}
    if score == "scaled-dot":
        keys["decoder.hidden"] = 6
    return tiny_model(accepted({**keys, **STYLES[style], **more}))


@pytest.mark.parametrize(("style", "cell", "score"), CASES)
def test_a_loop_is_the_decoder(style: str, cell: str, score: str) -> None:
    model = model_of(style, cell, score)
    for plain, ours in zip(results(model), results(view(model, GPU)), strict=True):
        assert (plain is None) == (ours is None)
        if plain is not None:
            torch.testing.assert_close(ours, plain, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "more",
    [
        {"decoder.input_feeding": "context"},
        {"decoder.attentional_dropout": 0.3},
        {"decoder.readout": "deep"},
        {"decoder.attentional_activation": "none"},
        {"decoder.attentional_bias": True},
    ],
    ids=str,
)
def test_luongs_loop_knows_every_option(more: Overrides) -> None:
    model = model_of("luong", "lstm", "general", **more)
    model.train()
    for plain, ours in zip(results(model), results(view(model, GPU)), strict=True):
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "more",
    [
        {"decoder.layers": 2},
        {"decoder.layers": 3, "decoder.dropout": 0.4},
        {"decoder.layers": 3, "decoder.residual": True},
        {"decoder.layers": 4, "decoder.residual": True, "decoder.dropout": 0.4, "decoder.attentional_dropout": 0.3},
        {"decoder.layers": 2, "decoder.input_feeding": "context"},
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", ["gru", "gru-cho", "lstm"])
def test_luongs_loop_has_any_number_of_layers(cell: str, more: Overrides) -> None:
    for score in ("additive", "general"):
        model = model_of("luong", cell, score, **more)
        model.train()
        ours = view(model, GPU)
        for plain, mine in zip(results(model), results(ours), strict=True):
            torch.testing.assert_close(mine, plain, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("style", "cell"), [*product(STYLES, ("gru", "gru-cho", "lstm"))])
def test_in_bf16_a_loop_is_as_near_to_float32_as_the_decoder_is(style: str, cell: str) -> None:
    model = model_of(style, cell, "additive").float()
    exact = results(model)
    with autocast(torch.device("cpu"), torch.bfloat16):
        plain, ours = results(model), results(view(model, GPU))
    for wanted, theirs, mine in zip(exact, plain, ours, strict=True):
        if wanted is not None:
            assert theirs is not None and mine is not None
            size = float(wanted.abs().max())
            assert float((mine - wanted).abs().max()) <= max(2 * float((theirs - wanted).abs().max()), 0.06 * size)
