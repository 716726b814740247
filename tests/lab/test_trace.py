"""The traced step is the ordinary one, and its numbers are those of the papers' equations."""

from itertools import product

import pytest
import torch
from tiny_models import TARGET_WORDS, accepted, tiny_batch, tiny_model
from torch import Tensor

from nmt_attn.lab.trace import TracedStep, given_weights, score_terms, traced_step
from nmt_attn.model.build import DECODERS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory, select_rows
from nmt_attn.model.windows import WINDOWS
from nmt_attn.types import BOS

KINDS = sorted(product(SCORES, WINDOWS, DECODERS))


def make(score: str, window: str, style: str) -> tuple[Seq2Seq, Memory]:
    """A model with random weights, and two sentences that it has encoded."""
    config = accepted(
        {
            "attention.score": score,
            "attention.window": window,
            "decoder.style": style,
            "decoder.hidden": 6 if score in ("dot", "scaled-dot") else 5,  # M = 6
            "attention.bias": False,
        }
        | ({"decoder.input_feeding": "attentional"} if style == "luong" else {})
    )
    model = tiny_model(config).eval()
    batch = tiny_batch([7, 3], [2, 2])
    return model, model.encode(batch.src_ids, batch.src_lengths)


def leaves(record: object) -> list[Tensor]:
    """All tensors of a record, in order."""
    if isinstance(record, Tensor):
        return [record]
    return [leaf for part in record for leaf in leaves(part)] if isinstance(record, tuple) else []


def run(
    model: Seq2Seq, memory: Memory, steps: int, given: Tensor | None = None
) -> list[tuple[DecoderState, TracedStep]]:
    """Steps of two hypotheses a sentence, and the states before them."""
    generator = torch.Generator().manual_seed(3)
    state = model.start(memory)
    state = select_rows(state, torch.tensor([0, 0, 1, 1]))
    ids, found = torch.full((4,), BOS), []
    for _ in range(steps):
        traced = traced_step(model, ids, state, memory, given)
        found.append((state, traced))
        state = traced.state
        ids = torch.randint(4, TARGET_WORDS, (4,), generator=generator)
    return found


@pytest.mark.parametrize(("score", "window", "style"), KINDS)
@torch.no_grad()
def test_the_traced_step_is_the_ordinary_step_bit_for_bit(score: str, window: str, style: str) -> None:
    model, memory = make(score, window, style)
    state, ids = model.start(memory), torch.full((2,), BOS)
    for _ in range(3):
        traced, ordinary = (step(model, ids, state, memory) for step in (traced_step, Seq2Seq.step))
        pairs = zip(leaves(ordinary), leaves((traced.log_probs, traced.weights, traced.state)), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
        state, ids = ordinary.state, ordinary.log_probs.argmax(-1)
    assert not any(module._forward_hooks for module in model.modules())  # nothing stays


@pytest.mark.parametrize(("score", "window", "style"), KINDS)
@torch.no_grad()
def test_the_numbers_are_those_of_the_equations(score: str, window: str, style: str) -> None:
    model, memory = make(score, window, style)
    for before, traced in run(model, memory, 3):
        look = traced.look
        assert look is not None
        softmax = look.scores.masked_fill(look.scores.isnan(), -torch.inf).softmax(-1).nan_to_num(0.0)
        torch.testing.assert_close(look.softmax, softmax)
        weights = softmax if look.gaussian is None else softmax * look.gaussian
        torch.testing.assert_close(look.weights, weights)
        states = memory.encoder_states.repeat_interleave(2, 0)
        torch.testing.assert_close(look.context, (look.weights.unsqueeze(1) @ states).squeeze(1))
        query = {"bahdanau": before.layers[-1].hidden, "luong": traced.state.layers[-1].hidden}.get(style)
        if query is not None:
            assert torch.equal(look.query, query)
        assert (traced.attentional_state is not None) == (style == "luong")


@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("window", sorted(WINDOWS))
@torch.no_grad()
def test_given_weights_make_the_context(window: str, style: str) -> None:
    model, memory = make("general", window, style)
    given = given_weights([0, 3, 0, 1, 0, 0, 0])
    for _, traced in run(model, memory, 2, given):
        assert traced.look is not None
        states = memory.encoder_states.repeat_interleave(2, 0)
        torch.testing.assert_close(traced.look.context, 0.75 * states[:, 1] + 0.25 * states[:, 3])
        torch.testing.assert_close(traced.weights, given.double().expand(4, -1))
        assert not torch.equal(traced.look.own_weights, traced.weights)


@pytest.mark.parametrize("style", sorted(DECODERS))
@torch.no_grad()
def test_the_models_own_weights_given_back_change_nothing(style: str) -> None:
    model, memory = make("additive", "global", style)
    one = select_rows(memory, torch.tensor([0]))
    state, ids = model.start(one), torch.full((1,), BOS)
    own = traced_step(model, ids, state, one)
    again = traced_step(model, ids, state, one, own.weights[0])
    torch.testing.assert_close(again.log_probs, own.log_probs)


@pytest.mark.parametrize("score", sorted(SCORES))
@torch.no_grad()
def test_the_terms_of_a_score_add_up_to_it(score: str) -> None:
    model, memory = make(score, "global", "bahdanau")
    look = traced_step(model, torch.full((2,), BOS), model.start(memory), memory).look
    assert look is not None
    terms = score_terms(model, look.query[0], memory, 2)
    if score == "location":
        assert terms is None
    elif "scaled" not in score:
        assert terms is not None
        factors = terms[:, [0, 2]] if "dot" not in score and score != "general" else terms
        torch.testing.assert_close(factors.prod(-1).sum(), look.scores[0, 2])
