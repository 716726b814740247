"""How well found links match gold ones, with the interval of the error rate over sentences drawn anew."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nmt_attn.alignment.links import AlignmentScores, GoldLinks, Links, count_links, scores_of
from nmt_attn.evaluation.bootstrap import Interval, middle, resampled_values


class LinkScores(NamedTuple):
    """Of one kind of links, over a whole corpus."""

    scores: AlignmentScores
    interval: Interval  # of the error rate


def judge_links(found: Sequence[Links], gold: Sequence[GoldLinks]) -> LinkScores:
    """The scores, and the 95% interval of the error rate. Raises DataError if the numbers of sentences differ."""
    counts = count_links(found, gold)
    scores = scores_of(counts.sum(axis=0))
    if not len(counts):
        return LinkScores(scores, Interval(*[scores.error_rate] * 3))
    rates = resampled_values(counts.astype(np.float64), lambda total: scores_of(total).error_rate)
    return LinkScores(scores, middle(rates))
