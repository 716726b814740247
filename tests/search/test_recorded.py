"""A search of fixed size gives what beam search gives. A recorder that does the work again stands in for the GPU's.

On the pretended device: tests/test_pretended_gpu.py; recorded for a real one: tests/test_gpu.py.
"""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from recorders import Repeating
from tiny_models import Overrides, accepted, tiny_batch, tiny_model

from nmt_attn.fast.graphs import Replay
from nmt_attn.fast.search import for_search
from nmt_attn.model.build import DECODERS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.windows import WINDOWS
from nmt_attn.search import recorded as module
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.recorded import RecordedSearch, covers
from nmt_attn.search.sampling import Sampling
from nmt_attn.search.step_functions import ModelSteps
from nmt_attn.search.token_rules import TokenRules

CPU = torch.device("cpu")
PLAIN = BeamOptions(beam=3, wanted=2, ranking=RANKINGS["average"](1.0), with_weights=True)


class Pair:
    """Both searches with one model."""

    def __init__(self, overrides: Overrides, recorder: Repeating | None = None, *, seed: int = 1) -> None:
        model = tiny_model(accepted(overrides), seed=seed).eval()
        with torch.no_grad():
            model.output.bias[3] += 1.0  # so that some translations end by themselves
        self.model = for_search(model, "fp32")
        self.recorded = RecordedSearch(self.model, recorder or Repeating(CPU))

    @torch.inference_mode()
    def check(self, lengths: list[int], options: BeamOptions, shortest: int = 0, longest: int = 12) -> None:
        batch = tiny_batch(lengths, [2] * len(lengths))
        most = torch.tensor([longest - place % 3 for place in range(len(lengths))])
        limits = Limits(most.clamp(max=shortest), most)
        assert covers(limits, options)
        found = self.recorded.search(batch.src_ids, batch.src_lengths, limits, options)
        steps = ModelSteps(self.model, self.model.encode(batch.src_ids, batch.src_lengths))
        expected = beam_search(steps, limits, options)
        for ours, theirs in zip(found, expected, strict=True):
            assert list(map(plain_fields, ours)) == list(map(plain_fields, theirs))
            for mine, other in zip(ours, theirs, strict=True):
                assert mine.log_prob == pytest.approx(other.log_prob, abs=1e-12)
                assert mine.rank == pytest.approx(other.rank, abs=1e-12)
                assert mine.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-12)
                assert (mine.weights is None) == (other.weights is None) == (not options.with_weights)
                if mine.weights is not None and other.weights is not None:
                    torch.testing.assert_close(mine.weights, other.weights, rtol=0, atol=1e-12)


def plain_fields(hypothesis: Hypothesis) -> tuple[tuple[int, ...], bool]:
    return hypothesis.ids, hypothesis.is_finished


@pytest.mark.parametrize(
    ("score", "window", "style"),
    [*product(sorted(SCORES), sorted(WINDOWS), sorted(DECODERS)), ("none", "global", "bahdanau")],
)
def test_every_score_window_and_order(score: str, window: str, style: str) -> None:
    keys: Overrides = {"attention.score": score, "attention.window": window, "decoder.style": style}
    if score in ("dot", "scaled-dot"):
        keys["decoder.hidden"] = 6
    Pair(keys).check([4, 2, 5], PLAIN)


MODELS: list[Overrides] = [
    {"decoder.style": "luong", "attention.coverage": "neural"},
    {"decoder.style": "conditional", "attention.coverage": "linguistic", "attention.window": "local-m"},
    {"decoder.style": "luong", "decoder.cell": "lstm", "decoder.input_feeding": "attentional", "decoder.layers": 2},
    {"decoder.style": "luong", "decoder.cell": "gru-cho", "decoder.input_feeding": "context"},
    {"decoder.style": "bahdanau", "decoder.cell": "rnn", "decoder.readout": "maxout"},
    {"decoder.style": "bahdanau", "decoder.layers": 2, "decoder.deep_context": True},
    {"decoder.style": "luong", "decoder.layers": 2, "decoder.deep_context": True},
    {"decoder.style": "luong", "decoder.context_gate": "both", "decoder.input_feeding": "attentional"},
]


@pytest.mark.parametrize("overrides", MODELS, ids=str)
@pytest.mark.parametrize("name", sorted(RANKINGS))
def test_every_ranking_and_limit(name: str, overrides: Overrides) -> None:
    ranking, lengths = RANKINGS[name](0.7), [3, 6, 2, 5, 4]
    for seed, (beam, wanted) in enumerate([(1, 1), (2, 1), (5, 5), (12, 3)]):
        pair = Pair(overrides, seed=seed)
        options = replace(PLAIN, beam=beam, wanted=wanted, ranking=ranking, with_weights=beam != 2)
        for lookahead, (shortest, longest) in product([None, 2, 0], [(0, 12), (3, 9), (2, 2), (0, 30)]):
            pair.check(lengths, replace(options, lookahead=lookahead), shortest, longest)
        pair.check(lengths, replace(options, token_rules=TokenRules(forbid_unknown=True)))


def test_a_shape_is_recorded_once() -> None:
    recorder = Repeating(CPU)
    pair = Pair({}, recorder)
    for lengths in ([4, 2, 5], [3, 8, 6], [7, 7]):
        pair.check(lengths, PLAIN)
    assert recorder.recorded == 4  # of three and of two sentences, beginning and step; sources of up to 8 words are one
    pair.check([4, 2, 5], replace(PLAIN, beam=2))
    assert recorder.recorded == 6


def test_the_shape_used_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Repeating(CPU)
    pair = Pair({}, recorder)
    pair.check([4, 2], PLAIN)
    [first] = pair.recorded._recorded.values()
    monkeypatch.setattr(module, "MOST_BYTES", 2 * first.bytes)
    for sentences, kept in ((3, [3]), (2, [2]), (1, [2, 1])):  # of three sentences they are larger than of two
        pair.check([4, 2, 5][:sentences], PLAIN)
        assert [shape.sentences for shape in pair.recorded._recorded] == kept
    assert recorder.forgotten == 4


class Failing(Repeating):
    """Cannot record."""

    def record(self, work: Any) -> Replay:
        work()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")


def test_after_a_failed_recording_search_goes_on_step_by_step() -> None:
    pair = Pair({}, Failing(CPU))
    said = r"^search goes on without CUDA graphs, as a recording failed \(operation not permitted .* capturing\)$"
    with pytest.warns(UserWarning, match=said):
        pair.check([4, 2, 5], PLAIN)
    pair.check([4, 2], PLAIN)


@pytest.mark.parametrize(
    "options",
    [
        replace(PLAIN, groups=2),
        replace(PLAIN, beam=1, sampling=Sampling()),
        replace(PLAIN, coverage_penalty=0.2),
        replace(PLAIN, token_rules=TokenRules(no_repeat_ngram=2)),
        replace(PLAIN, token_rules=TokenRules(repetition_penalty=1.5)),
    ],
    ids=str,
)
def test_what_it_does_not_cover(options: BeamOptions) -> None:
    limits = Limits(torch.tensor([0]), torch.tensor([5]))
    assert covers(limits, PLAIN) and not covers(limits, options)


def test_prefixes_are_not_covered() -> None:
    limits = Limits(torch.tensor([0]), torch.tensor([5]), prefixes=torch.tensor([[4]]))
    assert not covers(limits, PLAIN)
