"""Links: word alignments as sets of links, and how well the links found match gold ones.

    precision = |A ∩ P| / |A|        recall = |A ∩ S| / |S|        F1 = their harmonic mean
    AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|)

with A the found links, S the sure and P the possible gold links, S inside P. Och and Ney 2003, "A systematic
comparison of various statistical alignment models", Computational Linguistics 29(1), sec. 6.
Positions count from 0 everywhere but in files, whose readers take the number of the first word.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.files import check_count


class Link(NamedTuple):
    """A source word and a target word that translate each other; positions from 0."""

    source: int
    target: int

    def swapped(self) -> "Link":
        """The link of the other direction."""
        return Link(self.target, self.source)


Links = frozenset[Link]


class GoldLinks(NamedTuple):
    """One sentence's gold links; the sure ones are among the possible ones."""

    sure: Links
    possible: Links

    def swapped(self) -> "GoldLinks":
        """The links of the other direction."""
        return GoldLinks(swap_sides(self.sure), swap_sides(self.possible))


class AlignmentScores(NamedTuple):
    """How well found links match gold ones, over a whole corpus: four numbers of 0-1."""

    precision: float
    recall: float
    f1: float
    error_rate: float


def swap_sides(links: Links) -> Links:
    """The same links of the other direction."""
    return frozenset(link.swapped() for link in links)


def find_stray_links(
    links: Sequence[Links], source_lengths: Sequence[int], target_lengths: Sequence[int]
) -> list[tuple[int, Link]]:
    """Links outside their sentence pair, in the order of the sentences. Lengths in words."""
    return [
        (number, link)
        for number, (each, source, target) in enumerate(zip(links, source_lengths, target_lengths, strict=True), 1)
        for link in sorted(each)
        if not is_inside(link, source, target)
    ]


def is_inside(link: Link, source_length: int, target_length: int) -> bool:
    """Whether a sentence pair of these lengths, in words, has both words of the link."""
    return link.source < source_length and link.target < target_length


def score_links(found: Sequence[Links], gold: Sequence[GoldLinks]) -> AlignmentScores:
    """Precision, recall, F1 and error rate; a share of nothing is 0. Raises DataError if the counts differ."""
    return scores_of(count_links(found, gold).sum(axis=0))


def count_links(found: Sequence[Links], gold: Sequence[GoldLinks]) -> NDArray[np.int64]:
    """counts [N, 4] of N sentences: |A|, |S|, |A ∩ S|, |A ∩ P|. Raises DataError if the numbers of sentences differ."""
    check_count("links", len(found), len(gold), "as many as gold ones", unit="sentences")
    rows = [
        (len(links), len(each.sure), len(links & each.sure), len(links & each.possible))
        for links, each in zip(found, gold, strict=True)
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def scores_of(counts: NDArray[np.number]) -> AlignmentScores:
    """The scores of summed counts [4]."""
    found, sure, found_sure, found_possible = map(float, counts)
    precision, recall = _share(found_possible, found), _share(found_sure, sure)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    either = found + sure  # a corpus without links on either side has no errors
    error_rate = 1 - (found_sure + found_possible) / either if either else 0.0
    return AlignmentScores(precision, recall, f1, error_rate)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
