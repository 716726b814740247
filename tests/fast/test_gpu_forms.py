"""Every form of a GPU equals the plain one, by the definitions of its operations, on a CPU in float64."""

from itertools import product

import pytest
import torch
from reference_runs import run_steps
from test_equal_to_plain import EVERY, batch, close, model_of, results

from nmt_attn.fast.gpu.forms import GPU
from nmt_attn.fast.views import view
from nmt_attn.model.build import DECODERS
from nmt_attn.model.cells import CELLS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.windows import WINDOWS

FEW = pytest.mark.parametrize(
    ("score", "window", "style", "cell"),
    [
        *product(["additive"], ["global"], sorted(DECODERS), sorted(CELLS)),
        *product(sorted(SCORES), ["global"], ["conditional"], ["gru-cho"]),
        *product(["general"], sorted(WINDOWS), ["luong"], ["lstm"]),
        ("none", "global", "bahdanau", "gru"),
    ],
)


@FEW
def test_training_gives_the_values_and_gradients_of_the_plain_model(
    score: str, window: str, style: str, cell: str
) -> None:
    model = model_of(score, window, style, cell)
    parameters = list(model.parameters())
    close(results(view(model, GPU), parameters), results(model, parameters), 1e-10)


@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_layers_above_the_bottom_one_too(style: str, cell: str) -> None:
    model = model_of("additive", "global", style, cell, **{"decoder.layers": 2, "encoder.layers": 2})
    parameters = list(model.parameters())
    close(results(view(model, GPU), parameters), results(model, parameters), 1e-10)


@pytest.mark.slow
@EVERY
def test_every_training_gives_them(score: str, window: str, style: str, cell: str) -> None:
    test_training_gives_the_values_and_gradients_of_the_plain_model(score, window, style, cell)


@torch.inference_mode()
@FEW
def test_search_steps_as_the_plain_model(score: str, window: str, style: str, cell: str) -> None:
    model = model_of(score, window, style, cell).eval()
    close(run_steps(view(model, GPU), batch()), run_steps(model, batch()), 1e-12)


def test_every_form_is_met_here() -> None:
    views = [
        view(model_of("additive", "global", style, cell, **{"decoder.layers": 2}), GPU)
        for style in DECODERS
        for cell in CELLS
    ]
    assert {type(module) for each in views for module in each.modules()} >= set(GPU.values())
