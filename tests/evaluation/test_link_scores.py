"""Intervals of the alignment error rate, against draws counted by hand."""

import numpy as np
import pytest

from nmt_attn.alignment.links import GoldLinks, Link
from nmt_attn.evaluation.bootstrap import RESAMPLES, SEED
from nmt_attn.evaluation.link_scores import judge_links

RIGHT, WRONG = frozenset({Link(0, 0)}), frozenset({Link(5, 5)})
GOLD = GoldLinks(RIGHT, RIGHT)


def test_the_interval_is_that_of_the_share_of_wrong_sentences() -> None:
    """With one link a sentence, right or wrong, the error rate of a draw is its share of wrong sentences."""
    found = [WRONG] * 10 + [RIGHT] * 30
    scores, interval = judge_links(found, [GOLD] * 40)
    assert scores.error_rate == pytest.approx(0.25)
    drawn = np.random.default_rng(SEED).integers(0, 40, size=(RESAMPLES, 40))
    shares = np.sort((drawn < 10).mean(axis=1))
    assert (interval.low, interval.high) == pytest.approx((shares[25], shares[-26]))
    # the normal approximation: 1.96 sqrt(p (1 - p) / 40)
    assert interval.half_width == pytest.approx(0.134, abs=0.02)


def test_equal_sentences_leave_nothing_to_chance() -> None:
    assert judge_links([WRONG | RIGHT] * 7, [GOLD] * 7).interval == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_a_corpus_without_sentences_has_no_errors() -> None:
    scores, interval = judge_links([], [])
    assert (scores.error_rate, *interval) == (0, 0, 0, 0)
