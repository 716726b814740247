"""Edges: sources of one token or none to attend to, windows wider than the source, p_t at both ends."""

import math
from itertools import product

import pytest
import torch
from reference_runs import parameter_gradients, run_model, run_steps
from tiny_models import Overrides, accepted, tiny_batch, tiny_model

from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.registries import CELLS, DECODERS, INITIAL_STATES, SCORES, WINDOWS
from nmt_attn.types import EOS, Batch

SCORED = list(SCORES)
LOCAL = ("local-m", "local-p")
SCORE_AND_WINDOW = pytest.mark.parametrize(("score", "window"), list(product(SCORED, WINDOWS)))


def model_of(score: str, window: str, more: Overrides | None = None) -> Seq2Seq:
    keys: Overrides = {"attention.score": score, "attention.window": window, "decoder.hidden": 6}
    return tiny_model(accepted(keys | (more or {})))


def everything_is_finite(model: Seq2Seq, batch: Batch) -> None:
    run = run_model(model, batch)
    for values in (run.logits, run.weights, run.loss, *parameter_gradients(model, run.loss).values()):
        assert values.isfinite().all()


@SCORE_AND_WINDOW
def test_a_source_of_one_token_gets_all_the_weight(score: str, window: str) -> None:
    model, batch = model_of(score, window), tiny_batch([1, 1], [3, 2])
    everything_is_finite(model, batch)
    if window != "local-p":
        assert run_model(model, batch).weights.eq(1).all()


@pytest.mark.parametrize("style", DECODERS)
@SCORE_AND_WINDOW
def test_nothing_to_attend_to_gives_no_weight_and_no_nan(score: str, window: str, style: str) -> None:
    more: Overrides = {"attention.attend_eos": False, "decoder.style": style}
    if window == "local-p":
        more["attention.renormalise"] = True
    model, batch = model_of(score, window, more), tiny_batch([1, 4], [3, 2])  # the first source is </s> alone
    everything_is_finite(model.float(), batch)
    weights = run_model(model, batch).weights
    assert weights[0].eq(0).all() and weights[1, :, :3].sum() > 0 and weights[1, :, 3].eq(0).all()


@SCORE_AND_WINDOW
def test_a_row_of_padding_alone_gives_no_weight_and_no_nan(score: str, window: str) -> None:
    model, batch = model_of(score, window), tiny_batch([3, 4], [3, 2])
    batch = batch._replace(src_lengths=torch.tensor([0, 4]))
    everything_is_finite(model, batch)
    assert run_model(model, batch).weights[0].eq(0).all()


@pytest.mark.parametrize("init", INITIAL_STATES)
def test_first_states_of_a_row_of_padding_are_finite(init: str) -> None:
    hidden = 3 if init == "last-forward" else 6
    model = model_of("general", "global", {"decoder.init": init, "decoder.hidden": hidden})
    batch = tiny_batch([3, 4], [3, 2])
    everything_is_finite(model, batch._replace(src_lengths=torch.tensor([0, 4])))


@pytest.mark.parametrize("cell", CELLS)
def test_where_eos_is_not_read_it_changes_nothing_and_no_words_leave_the_state_0(cell: str) -> None:
    keys = {"encoder.reads_eos": False, "attention.attend_eos": False, "encoder.layers": 2, "encoder.cell": cell}
    model, batch = model_of("general", "global", keys), tiny_batch([1, 4], [3, 2])  # the first source is </s> alone
    run = run_model(model, batch)
    everything_is_finite(model, batch)
    assert all(final[0].eq(0).all() and final[1].ne(0).all() for final in run.memory.final_hidden)
    assert run.memory.encoder_states[0].eq(0).all() and run.memory.encoder_states[1, 3].eq(0).all()
    with torch.no_grad():
        model.source_embedding.weight[EOS] += 5
    torch.testing.assert_close(run_model(model, batch).logits, run.logits, rtol=0, atol=0)


@pytest.mark.parametrize("half_width", [1, 2, 3, 7])
@pytest.mark.parametrize("source", [1, 2, 3, 4, 6])
def test_local_m_runs_from_the_left_end_to_the_right_end_and_stays_there(source: int, half_width: int) -> None:
    model = model_of("general", "local-m", {"attention.half_width": half_width})
    weights = run_model(model, tiny_batch([source], [8])).weights[0]  # T = 8 > S
    for t in range(8):
        centre = min(t, source - 1)
        seen = [j for j in range(source) if centre - half_width <= j <= centre + half_width]
        assert weights[t].nonzero().flatten().tolist() == seen
    torch.testing.assert_close(weights.sum(-1), torch.ones(8, dtype=torch.float64))


def pushed(model: Seq2Seq, size: float) -> Seq2Seq:
    """The model with p_t = S sigmoid(size) whatever the query: tanh is always 1 and v_p = (size, 0, 0, ...)."""
    window = model.decoder.attention.window
    with torch.no_grad():
        window.vector.zero_()
        window.vector[0] = size
    window.projection.register_forward_hook(lambda module, args, result: torch.full_like(result, 20.0))
    return model


# Positions count from 1 and D = 2: p_t = 0 sees 1 and 2, p_t = S = 5 sees 3, 4 and 5.
@pytest.mark.parametrize(("size", "seen"), [(-1000.0, [0, 1]), (1000.0, [2, 3, 4])])
@pytest.mark.parametrize("renormalise", [False, True])
def test_p_t_at_both_ends(size: float, seen: list[int], renormalise: bool) -> None:
    model = model_of("general", "local-p", {"attention.half_width": 2, "attention.renormalise": renormalise})
    batch = tiny_batch([5], [3])
    everything_is_finite(pushed(model, size), batch)
    weights = run_model(model, batch).weights[0]
    assert all(row.nonzero().flatten().tolist() == seen for row in weights)


# D = 2 and S = 5: p_t = 1 sees 1, 2 and 3; p_t = S sigmoid(log 4) + 1 = 5 sees 3, 4 and 5; p_t = S + 1 sees 4 and 5.
@pytest.mark.parametrize(("size", "seen"), [(-1000.0, [0, 1, 2]), (math.log(4) + 1e-9, [2, 3, 4]), (1000.0, [3, 4])])
def test_p_t_of_luongs_own_code_at_both_ends(size: float, seen: list[int]) -> None:
    model = model_of("general", "local-p", {"attention.half_width": 2, "attention.position": "nmt.matlab"})
    batch = tiny_batch([5], [3])
    everything_is_finite(pushed(model, size), batch)
    weights = run_model(model, batch).weights[0]
    assert all(row.nonzero().flatten().tolist() == seen for row in weights)


def test_the_gaussian_peaks_at_the_position_next_to_p_t() -> None:
    # All scores 0, S = 4, sigmoid(0) S = 2: p_t lies on position 2, so column 1 keeps its share of the softmax, 1/3.
    model = model_of("general", "local-p", {"attention.sigma": 0.5})
    with torch.no_grad():
        model.decoder.attention.score.key_projection.weight.zero_()
    weights = run_model(pushed(model, 0.0), tiny_batch([4], [3])).weights[0]
    side = torch.exp(torch.tensor(-2.0)).item() / 3  # exp(-1 / (2 x 0.25)) / 3
    expected = torch.tensor([side, 1 / 3, side, 0], dtype=torch.float64).expand(3, 4)
    torch.testing.assert_close(weights, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gaussian_too_narrow_to_see_anything_gives_no_nan(dtype: torch.dtype) -> None:
    # p_t = S / 2 = 1.5 lies half way between two positions: exp(-(0.5 / 0.01)^2 / 2) is 0 in float32 and float64.
    model = model_of("general", "local-p", {"attention.sigma": 0.01, "attention.renormalise": True})
    everything_is_finite(pushed(model, 0.0).to(dtype), tiny_batch([3], [3]))


@pytest.mark.parametrize("position", ["paper", "nmt.matlab"])
@pytest.mark.parametrize("style", DECODERS)
@pytest.mark.parametrize("score", SCORED)
def test_the_gradient_reaches_v_p_and_w_p(score: str, style: str, position: str) -> None:
    keys = {"decoder.style": style, "attention.position": position}
    model, batch = model_of(score, "local-p", keys), tiny_batch([5, 2, 4], [3, 4, 2])
    gradients = parameter_gradients(model, run_model(model, batch).loss)
    window = model.decoder.attention.window
    assert gradients[window.vector].ne(0).all()
    assert gradients[window.projection.weight].ne(0).all()


@pytest.mark.parametrize("window", LOCAL)
def test_search_may_go_on_past_the_end_of_the_source(window: str) -> None:
    model, batch = model_of("general", window), tiny_batch([2, 3], [30, 4])
    for step in run_steps(model, batch):
        assert step.log_probs.isfinite().all()
