"""Minimum Bayes risk against sums that are written out, with sacreBLEU's own sentence scores as the metric."""

from collections import Counter
from math import exp

import numpy as np
import pytest
import sacrebleu
from tiny_translators import LINES, make_translator

from nmt_attn.config.schema import EvaluateConfig, SearchConfig
from nmt_attn.errors import ConfigError
from nmt_attn.registries import METRICS
from nmt_attn.search.minimum_bayes_risk import expected_metrics, pairwise_metric
from nmt_attn.search.translation import TranslatedHypothesis

TEXTS = ["the dog sees the cat in the house", "the dog sees a cat", "a cat sees", "the house", "dogs"]
EVALUATE = EvaluateConfig()
SACREBLEU = {"bleu": sacrebleu.sentence_bleu, "chrf": sacrebleu.sentence_chrf, "ter": sacrebleu.sentence_ter}


@pytest.mark.parametrize("metric", METRICS)
def test_each_text_suits_itself_best(metric: str) -> None:
    values = pairwise_metric(TEXTS, metric, EVALUATE)
    assert values.shape == (5, 5)
    assert (values.max(1) == values.diagonal()).all()
    assert (values < values.diagonal()[:, None]).sum() == 20
    assert len(np.unique(values.diagonal().round(9))) == 1


@pytest.mark.parametrize("metric", SACREBLEU)
def test_values_are_those_of_sacrebleu_for_one_sentence(metric: str) -> None:
    sign = -1 if metric == "ter" else 1
    theirs = [[sign * SACREBLEU[metric](text, [other]).score for other in TEXTS] for text in TEXTS]
    np.testing.assert_allclose(pairwise_metric(TEXTS, metric, EVALUATE), theirs, rtol=1e-12)


def test_the_expected_metric_is_the_sum_over_shares() -> None:
    """exact: 100 where equal. Weights 1, e and e^2; "a" occurs twice and has 1 + e^2 of them."""
    values = expected_metrics(["a", "b", "a"], [0.0, 1.0, 2.0], "exact", EVALUATE)
    total = 1 + exp(1) + exp(2)
    assert values == pytest.approx({"a": 100 * (1 + exp(2)) / total, "b": 100 * exp(1) / total})
    errors = expected_metrics(["a b", "a"], [0.0, 0.0], "per", EVALUATE)  # edits per symbol of the other: 1/1 and 1/2
    assert errors == pytest.approx({"a b": -50.0, "a": -25.0})


def by_hand(found: tuple[TranslatedHypothesis, ...], shares: list[float]) -> dict[str, float]:
    """The expected chrF of each text."""
    values = {
        each.text: sum(
            share * sacrebleu.sentence_chrf(each.text, [other.text]).score
            for other, share in zip(found, shares, strict=True)
        )
        for each in found
    }
    return {text: value / sum(shares) for text, value in values.items()}


@pytest.mark.parametrize("model", ["bahdanau", "monotonic"])
def test_of_the_beam_the_most_like_the_others_comes_first(model: str) -> None:
    plain = make_translator(model, search=SearchConfig(beam=4, max_length_factor=1.5))
    chosen = make_translator(model, search=SearchConfig(beam=4, max_length_factor=1.5, mbr="chrf"))
    moved = 0
    for before, after in zip(plain.translate(LINES, nbest=4), chosen.translate(LINES, nbest=2), strict=True):
        if not before.source.strip():
            assert after.text == ""
            continue
        expected = by_hand(before.hypotheses, [exp(each.log_prob) for each in before.hypotheses])
        best = sorted(expected.values(), reverse=True)[:2]
        assert [each.rank for each in after.hypotheses] == pytest.approx(best)
        assert [expected[each.text] for each in after.hypotheses] == pytest.approx(best)
        moved += after.text != before.text
    assert moved > 0


def test_samples_count_alike_and_as_often_as_they_were_drawn() -> None:
    """The effect of search.mbr_samples: that many are drawn, the same as without mbr."""
    plain = make_translator(search=SearchConfig(max_length_factor=1.5))
    chosen = make_translator(search=SearchConfig(max_length_factor=1.5, mbr="chrf", mbr_samples=6))
    lines = ["das Haus", "die Katze"]
    drawn = plain.translate(lines, sample=True, nbest=6, seed=3)
    found = chosen.translate(lines, sample=True, seed=3)
    for samples, after in zip(drawn, found, strict=True):
        counts = Counter(each.text for each in samples.hypotheses)
        distinct = tuple({each.text: each for each in samples.hypotheses}.values())
        expected = by_hand(distinct, [float(counts[each.text]) for each in distinct])
        assert len(after.hypotheses) == 1
        assert after.rank == pytest.approx(max(expected.values()))
        assert expected[after.text] == pytest.approx(after.rank)


def test_one_translation_leaves_no_choice() -> None:
    translator = make_translator(search=SearchConfig(mbr="bleu"))
    with pytest.raises(ConfigError, match=r"search.mbr: expected 'none' with search.beam 1, .* got 'bleu'"):
        translator.translate(LINES, beam=1)
    assert len(translator.translate(["das Haus"], sample=True)[0].hypotheses) == 1
