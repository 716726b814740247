"""The traced step is the ordinary one, and its numbers are those of the papers' equations."""

from itertools import product
from typing import NamedTuple

import pytest
import torch
from tiny_models import TARGET_WORDS, Overrides, accepted, overridden, tiny_batch, tiny_model
from torch import Tensor

from nmt_attn.config.rules import contradictions
from nmt_attn.lab.trace import TracedStep, given_weights, score_terms, traced_step
from nmt_attn.model.build import DECODERS
from nmt_attn.model.coverage import COVERAGES
from nmt_attn.model.normalise import NORMALISERS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory, select_rows
from nmt_attn.model.transitions import TRANSITIONS
from nmt_attn.model.windows import WINDOWS
from nmt_attn.types import BOS


class Kind(NamedTuple):
    """What a step depends on."""

    score: str
    coverage: str = "none"
    normalise: str = "softmax"
    window: str = "global"
    style: str = "bahdanau"
    alignment: str = "soft"
    above: str = "none"  # or context: of two layers, which both read it

    @property
    def overrides(self) -> Overrides:
        """Keys below `model`."""
        keys: Overrides = {
            f"attention.{name}": value for name, value in self._asdict().items() if name not in ("style", "above")
        }
        keys |= {"decoder.style": self.style, "attention.bias": False}
        keys["decoder.hidden"] = 6 if self.score in ("dot", "scaled-dot") else 5  # M = 6
        if self.above == "context":
            keys |= {"decoder.layers": 2, "decoder.deep_context": True}
        if self.style == "luong" and self.alignment == "soft":
            keys["decoder.input_feeding"] = "attentional"
        return keys

    @property
    def is_accepted(self) -> bool:
        """Whether the configuration lets it through."""
        return contradictions(overridden(self.overrides)) == []


HARD = [Kind(score, style="luong", alignment=name) for score in SCORES for name in TRANSITIONS]
SOFT = [Kind(*each) for each in product(SCORES, ("none", *COVERAGES), NORMALISERS, WINDOWS, DECODERS)]
ABOVE = [
    Kind(*each, above="context") for each in product(("additive", "dot"), COVERAGES, ["softmax"], WINDOWS, DECODERS)
]
ABOVE += [Kind("general", style=style, above="context") for style in DECODERS]
SOFT, HARD = ([kind for kind in kinds if kind.is_accepted] for kinds in (SOFT + ABOVE, HARD))


def make(kind: Kind) -> tuple[Seq2Seq, Memory]:
    """A model with random weights, and two sentences that it has encoded."""
    model = tiny_model(accepted(kind.overrides)).eval()
    batch = tiny_batch([7, 3], [2, 2])
    return model, model.encode(batch.src_ids, batch.src_lengths)


def test_every_part_is_among_the_kinds() -> None:
    for part, names in enumerate([SCORES, ("none", *COVERAGES), NORMALISERS, WINDOWS, DECODERS]):
        assert {kind[part] for kind in SOFT} == set(names)
    assert {kind.alignment for kind in HARD} == set(TRANSITIONS)


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


def ids(kind: Kind) -> str:
    return "-".join(kind)


@pytest.mark.parametrize("kind", [*SOFT, *HARD], ids=ids)
@torch.no_grad()
def test_the_traced_step_is_the_ordinary_step_bit_for_bit(kind: Kind) -> None:
    model, memory = make(kind)
    state, ids = model.start(memory), torch.full((2,), BOS)
    for _ in range(3):
        traced, ordinary = (step(model, ids, state, memory) for step in (traced_step, type(model).step))
        pairs = zip(leaves(ordinary), leaves((traced.log_probs, traced.weights, traced.state)), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
        state, ids = ordinary.state, ordinary.log_probs.argmax(-1)
    assert not any(module._forward_hooks for module in model.modules())  # nothing stays


@pytest.mark.parametrize("kind", SOFT, ids=ids)
@torch.no_grad()
def test_the_numbers_are_those_of_the_equations(kind: Kind) -> None:
    model, memory = make(kind)
    for before, traced in run(model, memory, 3):
        look = traced.look
        assert look is not None
        scores = look.scores.masked_fill(look.scores.isnan(), -1e9)
        normalised = NORMALISERS[kind.normalise]().probabilities(scores).masked_fill(look.scores.isnan(), 0.0)
        torch.testing.assert_close(look.softmax, normalised)
        weights = normalised if look.gaussian is None else normalised * look.gaussian
        torch.testing.assert_close(look.weights, weights)
        states = memory.encoder_states.repeat_interleave(2, 0)
        assert look.context is not None
        torch.testing.assert_close(look.context, (look.weights.unsqueeze(1) @ states).squeeze(1))
        layer = 0 if kind.above == "context" else -1
        query = {"bahdanau": before.layers[layer].hidden, "luong": traced.state.layers[layer].hidden}.get(kind.style)
        if query is not None:
            assert torch.equal(look.query, query)
        assert (traced.attentional_state is not None) == (kind.style == "luong")
        assert (look.coverage is None) == (kind.coverage == "none")
        if look.coverage is not None and before.coverage is not None:
            assert torch.equal(look.coverage, before.coverage)


@pytest.mark.parametrize("above", ["none", "context"])
@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("window", sorted(WINDOWS))
@torch.no_grad()
def test_given_weights_make_the_context(window: str, style: str, above: str) -> None:
    model, memory = make(Kind("general", window=window, style=style, above=above))
    given = given_weights([0, 3, 0, 1, 0, 0, 0])
    for _, traced in run(model, memory, 2, given):
        assert traced.look is not None and traced.look.context is not None
        states = memory.encoder_states.repeat_interleave(2, 0)
        torch.testing.assert_close(traced.look.context, 0.75 * states[:, 1] + 0.25 * states[:, 3])
        torch.testing.assert_close(traced.weights, given.double().expand(4, -1))
        assert not torch.equal(traced.look.own_weights, traced.weights)


@pytest.mark.parametrize("style", sorted(DECODERS))
@torch.no_grad()
def test_given_weights_are_what_coverage_counts(style: str) -> None:
    model, memory = make(Kind("additive", "sum", style=style))
    given = given_weights([1, 0, 0, 1, 0, 0, 0])
    mask = memory.mask.repeat_interleave(2, 0).double()
    for t, (_, traced) in enumerate(run(model, memory, 3, given)):
        assert traced.look is not None and traced.look.coverage is not None and traced.state.coverage is not None
        torch.testing.assert_close(traced.look.coverage.squeeze(2), t * given.double() * mask)
        torch.testing.assert_close(traced.state.coverage.squeeze(2), (t + 1) * given.double() * mask)


@pytest.mark.parametrize("alignment", sorted(TRANSITIONS))
@torch.no_grad()
def test_a_given_prior_sums_the_words_of_hard_attention(alignment: str) -> None:
    model, memory = make(Kind("general", style="luong", alignment=alignment))
    given = given_weights([1, 3, 0, 0, 0, 0, 0])
    for before, traced in run(model, memory, 3, given):
        look, after = traced.look, traced.state.alignment
        assert look is not None and after is not None
        of_position = after.emissions.exp()  # p(word | a_t = j)
        torch.testing.assert_close(traced.log_probs.exp(), 0.25 * of_position[:, 0] + 0.75 * of_position[:, 1])
        assert look.scores.isnan().equal(~memory.mask.repeat_interleave(2, 0))
        if alignment == "hard":
            softmax = look.scores.masked_fill(look.scores.isnan(), -1e9).softmax(1)
            torch.testing.assert_close(look.own_weights, softmax)
        if alignment == "monotonic" and bool(before.position[0] > 0):
            assert look.own_weights[:, 0].lt(1).all()  # from position 1 there is no way back


@pytest.mark.parametrize("kind", [Kind("additive", style=style) for style in sorted(DECODERS)] + HARD[:1], ids=ids)
@torch.no_grad()
def test_the_models_own_weights_given_back_change_nothing(kind: Kind) -> None:
    model, memory = make(kind)
    one = select_rows(memory, torch.tensor([0]))
    state, ids = model.start(one), torch.full((1,), BOS)
    own = traced_step(model, ids, state, one)
    again = traced_step(model, ids, state, one, own.weights[0])
    torch.testing.assert_close(again.log_probs, own.log_probs)


@pytest.mark.parametrize(
    "kind", [kind for kind in SOFT if kind[2:5] == ("softmax", "global", "bahdanau") and kind.above == "none"], ids=ids
)
@torch.no_grad()
def test_the_terms_of_a_score_add_up_to_it(kind: Kind) -> None:
    model, memory = make(kind)
    one = select_rows(memory, torch.tensor([0]))
    state, ids = model.start(one), torch.full((1,), BOS)
    for _ in range(2):  # nothing is covered before the first look
        traced = traced_step(model, ids, state, one)
        state = traced.state
    look = traced.look
    assert look is not None
    terms = score_terms(model, look, one, 2)
    if kind.score == "location":
        assert terms is None
    elif "scaled" not in kind.score:
        assert terms is not None
        factors = terms if kind.score in ("dot", "general") else terms[:, [0, 2]]
        torch.testing.assert_close(factors.prod(-1).sum(), look.scores[0, 2])
