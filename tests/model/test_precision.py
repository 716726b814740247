"""Number formats: float64 is not rounded on the way, bfloat16 moves no window."""

import pytest
import torch
from reference_runs import parameter_gradients, run_model, run_steps
from tiny_models import Overrides, accepted, tiny_batch, tiny_model

from nmt_attn.registries import CELLS, DECODERS, SCORES, WINDOWS
from nmt_attn.runtime import autocast

CPU = torch.device("cpu")


@pytest.mark.parametrize("score", ["none", *SCORES])
@pytest.mark.parametrize("window", WINDOWS)
def test_float32_and_bfloat16_stay_near_float64(score: str, window: str) -> None:
    keys: Overrides = {"attention.score": score, "decoder.hidden": 6, "decoder.style": "luong"}
    if score != "none":
        keys["attention.window"] = window
    model, batch = tiny_model(accepted(keys)), tiny_batch([5, 2, 4], [3, 4, 2])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)  # small enough for bfloat16's three digits to mean something
    exact = run_model(model, batch).loss.item()
    model = model.float()
    assert run_model(model, batch).loss.item() == pytest.approx(exact, rel=1e-5)
    with autocast(CPU, torch.bfloat16):
        loss = run_model(model, batch).loss
    assert loss.item() == pytest.approx(exact, rel=1e-2)
    assert all(gradient.isfinite().all() for gradient in parameter_gradients(model, loss).values())


def test_log_probabilities_are_at_least_float32() -> None:
    model, batch = tiny_model(accepted({})), tiny_batch([5, 2], [3, 4])
    assert run_steps(model, batch)[0].log_probs.dtype == torch.float64
    with autocast(CPU, torch.bfloat16):
        assert run_steps(model.float(), batch)[0].log_probs.dtype == torch.float32


@pytest.mark.parametrize("style", DECODERS)
def test_local_m_in_bfloat16_sees_the_same_positions_far_out(style: str) -> None:
    # bfloat16 keeps 8 binary digits: 311 would be rounded to 312.
    keys = {"attention.window": "local-m", "attention.score": "general", "decoder.style": style}
    model, batch = tiny_model(accepted(keys)).float(), tiny_batch([320], [315])
    memory = model.encode(batch.src_ids, batch.src_lengths)
    state = model.start(memory)._replace(position=torch.tensor([310]))  # p_t = 311, from 1; D = 1
    with autocast(CPU, torch.bfloat16):
        weights = model.step(torch.tensor([5]), state, memory).weights
    assert weights[0].nonzero().flatten().tolist() == [309, 310, 311]


def test_local_p_keeps_p_t_in_float32_under_bfloat16() -> None:
    model = tiny_model(accepted({"attention.window": "local-p", "attention.score": "general"})).float()
    window = model.decoder.attention.window
    query = torch.zeros(1, 1, 5)  # sigmoid(0) = 1/2, p_t = 301 / 2: bfloat16 has no such number
    with autocast(CPU, torch.bfloat16):
        assert window.predict(query.bfloat16(), torch.tensor([301])).item() == 150.5


@pytest.mark.parametrize("init", ["zero", "last", "mean", "bridge", "backward-first"])
@pytest.mark.parametrize("style", DECODERS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_and_first_state_runs_in_bfloat16_and_carries_float32(cell: str, style: str, init: str) -> None:
    keys: Overrides = {"encoder.cell": cell, "decoder.cell": cell, "decoder.style": style, "decoder.init": init}
    if style == "luong":
        keys["decoder.input_feeding"] = "attentional"  # step by step, as search runs every style
    model, batch = tiny_model(accepted({**keys, "decoder.hidden": 6})).float(), tiny_batch([5, 2, 4], [3, 4, 2])
    with autocast(CPU, torch.bfloat16):
        assert run_model(model, batch).loss.isfinite()
        for step in run_steps(model, batch):
            assert all(layer.hidden.dtype == torch.float32 for layer in step.state.layers)
