"""Every combination learns: score x window x order, a few hundred updates each on short sentences of the demo corpus.

Measured with three seeds on one core; the bounds leave a margin above the worst of the three. A model that has learned
nothing has a loss of log 327 = 5.8 nats per token; links along the diagonal, or at random, have an error rate of 0.80
on these sentences, so an error rate well below that has been learned from translations alone.

What holds, and what does not:
- Every combination brings the loss down, local windows of D = 2 too (the sentences have up to 6 words).
- Alignments: the word that is written next. In Luong's order too, where Luong et al. 2015 (footnote to section 5.4) saw
  content scores align the word just read, this holds here: taken for the word just read, the same links
  have error rates of 0.69 and more.
- `location` does not see the words, and `local-m` sees those near the diagonal, which Hindi's word order leaves: their
  alignments are worse than those of a score that sees all words, and so are their bounds. For location with local-p in
  Bahdanau's order none is claimed (0.76 in one run of three).
- Bahdanau's order aligns worse than the other two: its context passes through the recurrent state, so that a word can
  be read a step before it is written.
"""

from functools import cache
from typing import NamedTuple

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from nmt_attn.alignment.links import GoldLinks, Link, Links, score_links
from nmt_attn.config.model_section import ModelConfig
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.batching import collate, collate_source
from nmt_attn.data.codec import TextCodec, learn_codec
from nmt_attn.demo.corpus import DemoPair, demo_corpus
from nmt_attn.model.build import DECODERS, build_model
from nmt_attn.model.scores import SCORES
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.windows import WINDOWS
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.step_functions import ModelSteps
from nmt_attn.training.loss import token_loss
from nmt_attn.types import Batch

PAIRS, FEWEST_WORDS, MOST_SOURCE_WORDS, MOST_TARGET_WORDS = 1500, 3, 6, 8
UPDATES, BATCH_SENTENCES, RATE = 400, 32, 1e-2
STATE, EMBEDDING, HALF_WIDTH = 48, 32, 2


class Lesson(NamedTuple):
    """Sentence pairs in batches of about one length."""

    pairs: list[DemoPair]
    batches: list[Batch]
    source: TextCodec
    target_size: int


class Grade(NamedTuple):
    """What a model has learned."""

    loss: float  # nats per target token
    error_rate: float | None  # of alignments; None without attention


LOSS_BOUNDS = {
    "global": {"bahdanau": 0.2, "conditional": 0.1, "luong": 0.9},  # measured at most 0.09, 0.04, 0.60
    "local-m": {"bahdanau": 0.2, "conditional": 0.15, "luong": 1.2},  # 0.08, 0.07, 0.80
    "local-p": {"bahdanau": 0.4, "conditional": 0.15, "luong": 1.4},  # 0.19, 0.07, 0.91
}
LOSS_BOUNDS_WITHOUT_ATTENTION = {"bahdanau": 0.6, "conditional": 0.9, "luong": 2.0}  # 0.29, 0.49, 1.36
ERROR_BOUNDS = {
    "global": {"bahdanau": 0.62, "conditional": 0.40, "luong": 0.35},  # measured at most 0.53, 0.29, 0.23
    "local-m": {"bahdanau": 0.76, "conditional": 0.70, "luong": 0.64},  # 0.71, 0.63, 0.55
    "local-p": {"bahdanau": 0.75, "conditional": 0.56, "luong": 0.76},  # 0.67, 0.47, 0.71
}
"""Of scores that see the words."""
ERROR_BOUNDS_OF_LOCATION = {
    "global": {"bahdanau": 0.62, "conditional": 0.60, "luong": 0.76},  # 0.54, 0.50, 0.70
    "local-m": {"bahdanau": 0.72, "conditional": 0.68, "luong": 0.75},  # 0.64, 0.60, 0.68
    "local-p": {"conditional": 0.73, "luong": 0.70},  # 0.65, 0.61; Bahdanau's order up to 0.76: not claimed
}


@pytest.mark.slow
@pytest.mark.parametrize("order", sorted(DECODERS))
@pytest.mark.parametrize("window", sorted(WINDOWS))
@pytest.mark.parametrize("score", sorted(SCORES))
def test_every_combination_learns_to_translate_and_to_align(score: str, window: str, order: str) -> None:
    grade = taught(score, window, order)
    assert grade.loss < LOSS_BOUNDS[window][order]
    bound = (ERROR_BOUNDS_OF_LOCATION if score == "location" else ERROR_BOUNDS)[window].get(order)
    assert grade.error_rate is not None
    assert bound is None or grade.error_rate < bound


@pytest.mark.slow
@pytest.mark.parametrize("order", sorted(DECODERS))
def test_without_attention_it_learns_too(order: str) -> None:
    grade = taught("none", "global", order)
    assert grade.loss < LOSS_BOUNDS_WITHOUT_ATTENTION[order]
    assert grade.error_rate is None


@pytest.mark.slow
def test_links_along_the_diagonal_or_at_random_are_much_worse() -> None:
    pairs = lesson().pairs
    gold = [frozenset(pair.links) for pair in pairs]
    generator = torch.Generator().manual_seed(1)
    diagonal, random = [], []
    for pair in pairs:
        source, target = len(_words(pair.source)), len(_words(pair.target))
        steps = torch.linspace(0, source - 1, target).round().int().tolist()
        diagonal.append(_links(steps, pair))
        random.append(_links(torch.randint(source, (target,), generator=generator).tolist(), pair))
    for found in (diagonal, random):
        assert score_links(found, [GoldLinks(links, links) for links in gold]).error_rate > 0.78


@pytest.mark.slow
def test_a_wide_beam_finds_no_translation_that_ranks_lower_than_that_of_greedy_search() -> None:
    """On sentences that it has not been taught. A beam of 20 is wide enough here; one of 5 may miss a few."""
    model, material = trained("additive", "global", "bahdanau"), lesson()
    lines = [material.source.encode(pair.source) for pair in demo_corpus("test") if _is_short(pair)]
    ranking = RANKINGS["average"](1.0)
    src_ids, src_lengths, *_ = collate_source(lines)
    lengths = torch.full_like(src_lengths, 2 * MOST_TARGET_WORDS)
    ranks: dict[int, list[float]] = {}
    with torch.no_grad():
        for beam in (1, 5, 20):
            steps = ModelSteps(model, model.encode(src_ids, src_lengths))
            limits = Limits(torch.zeros_like(lengths), lengths)
            found = beam_search(steps, limits, BeamOptions(beam, 1, ranking, with_weights=False))
            ranks[beam] = [best.rank for [best] in found]
    worse = {beam: sum(wide < one - 1e-5 for wide, one in zip(ranks[beam], ranks[1], strict=True)) for beam in (5, 20)}
    assert worse[20] == 0
    assert worse[5] <= len(lines) / 20
    assert sum(ranks[1]) < sum(ranks[5]) <= sum(ranks[20]) + 1e-5


@cache
def lesson() -> Lesson:
    """The first short pairs of the demo corpus."""
    short = (pair for pair in demo_corpus("train") if _is_short(pair))
    pairs = sorted(
        (next(short) for _ in range(PAIRS)), key=lambda pair: (len(_words(pair.target)), len(_words(pair.source)))
    )
    settings = TokenizerConfig(lowercase=True)
    source = learn_codec((pair.source for pair in pairs), settings, "source")
    target = learn_codec((pair.target for pair in pairs), settings, "target")
    batches = [
        collate([source.encode(pair.source) for pair in some], [target.encode(pair.target) for pair in some])
        for some in (pairs[i : i + BATCH_SENTENCES] for i in range(0, PAIRS, BATCH_SENTENCES))
    ]
    return Lesson(pairs, batches, source, target.size)


def _is_short(pair: DemoPair) -> bool:
    source, target = len(_words(pair.source)), len(_words(pair.target))
    return FEWEST_WORDS <= source <= MOST_SOURCE_WORDS and target <= MOST_TARGET_WORDS


def _words(text: str) -> list[str]:
    return text.split()


def taught(score: str, window: str, order: str) -> Grade:
    """How good a small model is after the lesson."""
    return _grade(trained(score, window, order), lesson())


def trained(score: str, window: str, order: str) -> Seq2Seq:
    """A small model after the lesson. It starts from 0, so that only attention tells it of the source."""
    model_config = _config(score, window, order)
    material = lesson()
    torch.manual_seed(1)
    model = build_model(model_config, material.source.size, material.target_size, positions=MOST_SOURCE_WORDS + 1)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    chosen: list[int] = []
    for update in range(UPDATES):
        chosen = chosen or torch.randperm(len(material.batches)).tolist()
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, 2 * (1 - update / UPDATES))
        batch = material.batches[chosen.pop()]
        loss = token_loss(model(batch)[0], model.output, batch.tgt_out, smoothing=0.0)
        optimizer.zero_grad()
        (loss.total / batch.tgt_lengths.sum()).backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def _config(score: str, window: str, order: str) -> ModelConfig:
    has_attention = score != "none"
    attention: dict[str, object] = {"score": score}
    if has_attention:
        attention |= {"window": window, "half_width": HALF_WIDTH}
    sizes = {"embedding": EMBEDDING, "dropout": 0.0}
    return ModelConfig.model_validate(
        {
            "encoder": {"hidden": STATE // 2, **sizes},
            "attention": attention,
            "decoder": {"style": order, "hidden": STATE, "init": "zero" if has_attention else "bridge", **sizes},
        }
    )


@torch.no_grad()
def _grade(model: Seq2Seq, material: Lesson) -> Grade:
    """Loss and alignment error rate over the whole lesson, every target given (forced decoding)."""
    total, tokens = 0.0, 0
    found: list[Links] = []
    for number, batch in enumerate(material.batches):
        readouts, weights = model(batch)
        loss = token_loss(readouts, model.output, batch.tgt_out, smoothing=0.0)
        total, tokens = total + loss.total.item(), tokens + int(batch.tgt_lengths.sum())
        rows = weights.dense().argmax(-1).tolist()  # [B][T] source positions
        some = material.pairs[number * BATCH_SENTENCES : (number + 1) * BATCH_SENTENCES]
        found += [_links(row, pair) for row, pair in zip(rows, some, strict=True)]
    if not model.has_attention:
        return Grade(total / tokens, None)
    gold = [frozenset(pair.links) for pair in material.pairs]
    return Grade(total / tokens, score_links(found, [GoldLinks(links, links) for links in gold]).error_rate)


def _links(best: list[int], pair: DemoPair) -> Links:
    """Each target word with the source word of the greatest weight; none if that is `</s>`."""
    source, target = _words(pair.source), _words(pair.target)
    return frozenset(Link(i, j) for j, i in enumerate(best[: len(target)]) if i < len(source))
