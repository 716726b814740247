"""Statistics of attention: every number by hand on matrices of a few words."""

import math

import numpy as np
import pytest

from nmt_attn.alignment.links import GoldLinks, Link
from nmt_attn.evaluation.attention_statistics import attention_statistics

# 2 target words and </s>, 3 source words and </s>
FIRST = np.array([[1.0, 0, 0, 0], [0, 0.5, 0, 0.5], [0, 0, 0, 1]])
# 1 target word and </s>, 5 source words and </s>; weights that sum to 1/2, as those of local-p may
SECOND = np.array([[0.25, 0, 0, 0, 0.25, 0], [0, 0, 0, 0, 0, 1]])
NOTHING = np.empty((0, 0))


def gold(*pairs: tuple[int, int]) -> GoldLinks:
    links = frozenset(Link(*pair) for pair in pairs)
    return GoldLinks(links, links)


def test_entropy_is_the_mean_over_words_and_positions() -> None:
    found = attention_statistics([FIRST, NOTHING, SECOND])
    assert found is not None
    # 0, ln 2 and, scaled, ln 2
    assert (found.words, found.entropy) == (3, pytest.approx(2 * math.log(2) / 3))
    assert found.entropy_by_position == (
        (1, 2, pytest.approx(math.log(2) / 2)),
        (2, 1, pytest.approx(math.log(2))),
    )


def test_shares_are_of_all_weight() -> None:
    found = attention_statistics([FIRST, SECOND])
    assert found is not None
    # of 1 + 1 + 1/2: </s> has 1/2; in FIRST all else lies within 2 of the diagonal, in SECOND (centre: word 3) both do
    assert found.end_share == pytest.approx(0.5 / 2.5)
    assert found.diagonal_share == pytest.approx(2 / 2.5)


def test_weight_far_from_the_diagonal_does_not_count() -> None:
    # 2 target words, 8 source words: centres 1.5 and 5.5; words 7 and 2 lie 5.5 and 3.5 away
    far = np.zeros((3, 9))
    far[0, 7] = far[1, 2] = 1
    near = np.zeros((3, 9))
    near[0, 3] = near[1, 4] = 1
    assert [attention_statistics([each]).diagonal_share for each in (far, near)] == [0, 1]  # type: ignore[union-attr]


def test_gold_is_counted_over_words_that_have_a_link() -> None:
    # word 0 looks at 0 (gold: 0 or 2), word 1 at 1 before </s> (gold: 2); the link of word 7 is out of range
    found = attention_statistics([FIRST, SECOND], [gold((0, 0), (2, 0), (2, 1), (0, 7)), gold()])
    assert found is not None and found.gold_share == pytest.approx(1 / 2)


def test_without_gold_or_without_words_there_is_none() -> None:
    found = attention_statistics([FIRST])
    assert found is not None and found.gold_share is None
    assert attention_statistics([NOTHING, np.zeros((2, 3))]) is None
