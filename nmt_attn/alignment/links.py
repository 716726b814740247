"""Links: gold word alignments, and how well found links match them.

    precision = |A ∩ P| / |A|        recall = |A ∩ S| / |S|        F1 = their harmonic mean
    AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|)

with A the found links, S the sure and P the possible gold links, S inside P. Och and Ney 2003, "A systematic
comparison of various statistical alignment models", Computational Linguistics 29(1), sec. 6.
Positions count from 0 everywhere but in files, where the reader is told where they start.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nmt_attn.errors import DataError

PHARAOH_LINK = re.compile(r"(\d+)([-p?])(\d+)", re.ASCII)

NAACL_LINE = re.compile(r"(\d+)\s+(\d+)\s+(\d+)(?:\s+([SP]))?(?:\s+[\d.]+)?", re.ASCII)


class Link(NamedTuple):
    """A source word and a target word that belong together."""

    source: int
    target: int


Links = frozenset[Link]


class GoldLinks(NamedTuple):
    """One sentence's gold links; the sure ones are among the possible ones."""

    sure: Links
    possible: Links


class StrayLink(NamedTuple):
    """A link to a word that the sentence does not have."""

    sentence: int  # from 1, as editors count lines
    link: Link


class AlignmentScores(NamedTuple):
    """How well found links match gold ones, over a whole corpus: four numbers of 0-1."""

    precision: float
    recall: float
    f1: float
    error_rate: float


class LinkCounts(NamedTuple):
    """Sizes of A, S, A ∩ S and A ∩ P, summed over sentences."""

    found: int
    sure: int
    found_sure: int
    found_possible: int


def read_pharaoh(lines: Iterable[str], name: str, *, first_index: int) -> list[GoldLinks]:
    """Gold links, one sentence a line: `i-j` is sure, `ipj` and `i?j` are possible; source position first.

    `first_index` 0 or 1 is the number of a sentence's first word; with 1, position 0 stands for no word and its links
    are left out. `name` is the file's, for messages. Raises DataError.
    """
    return [_pharaoh_line(line, f"{name}:{number}", first_index) for number, line in enumerate(lines, 1)]


def read_naacl(lines: Iterable[str], name: str, *, sentences: int, first_index: int) -> list[GoldLinks]:
    """Gold links, one link a line: `sentence i j [S|P] [confidence]`, sure if not said; sentences count from 1.

    Lines come in any order; a sentence without links has none. The rest is as in `read_pharaoh`.
    """
    sure: list[set[Link]] = [set() for _ in range(sentences)]
    possible: list[set[Link]] = [set() for _ in range(sentences)]
    for number, line in enumerate(lines, 1):
        match = NAACL_LINE.fullmatch(line.strip())
        if match is None:
            raise DataError(f"{name}:{number}: expected `sentence i j [S|P]`, got {line!r}")
        sentence, source, target = (int(match[group]) for group in (1, 2, 3))
        if not 1 <= sentence <= sentences:
            raise DataError(f"{name}:{number}: expected a sentence from 1 to {sentences}, got {sentence}")
        links = _numbered(source, target, first_index)
        possible[sentence - 1] |= links
        if match[4] != "P":
            sure[sentence - 1] |= links
    return [GoldLinks(frozenset(s), frozenset(p)) for s, p in zip(sure, possible, strict=True)]


def swap_sides(gold: GoldLinks) -> GoldLinks:
    """The same links of the other direction; for files that name the target position first."""
    sure, possible = (frozenset(Link(link.target, link.source) for link in links) for links in gold)
    return GoldLinks(sure, possible)


def find_stray_links(
    links: Sequence[Links], source_lengths: Sequence[int], target_lengths: Sequence[int]
) -> list[StrayLink]:
    """Links outside their sentence pair, in the order of the sentences. Lengths in words."""
    return [
        StrayLink(number, link)
        for number, (each, source, target) in enumerate(zip(links, source_lengths, target_lengths, strict=True), 1)
        for link in sorted(each)
        if link.source >= source or link.target >= target
    ]


def score_links(found: Sequence[Links], gold: Sequence[GoldLinks]) -> AlignmentScores:
    """Precision, recall, F1 and error rate; a share of nothing is 0. Raises DataError if the counts differ."""
    if len(found) != len(gold):
        raise DataError(f"links: expected {len(gold)} sentences, as many as gold ones, got {len(found)}")
    counts = _count(found, gold)
    precision = _share(counts.found_possible, counts.found)
    recall = _share(counts.found_sure, counts.sure)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    # a corpus without links on either side has no errors
    either = counts.found + counts.sure
    error_rate = 1 - (counts.found_sure + counts.found_possible) / either if either else 0.0
    return AlignmentScores(precision, recall, f1, error_rate)


def _count(found: Sequence[Links], gold: Sequence[GoldLinks]) -> LinkCounts:
    pairs = list(zip(found, gold, strict=True))
    return LinkCounts(
        sum(len(links) for links in found),
        sum(len(each.sure) for each in gold),
        sum(len(links & each.sure) for links, each in pairs),
        sum(len(links & each.possible) for links, each in pairs),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _pharaoh_line(line: str, where: str, first_index: int) -> GoldLinks:
    sure: set[Link] = set()
    possible: set[Link] = set()
    for text in line.split():
        match = PHARAOH_LINK.fullmatch(text)
        if match is None:
            raise DataError(f"{where}: expected links such as 0-1, 0p1 or 0?1, got {text!r}")
        links = _numbered(int(match[1]), int(match[3]), first_index)
        possible |= links
        if match[2] == "-":
            sure |= links
    return GoldLinks(frozenset(sure), frozenset(possible))


def _numbered(source: int, target: int, first_index: int) -> set[Link]:
    """The link counted from 0; empty if one side is the null word."""
    link = Link(source - first_index, target - first_index)
    return {link} if min(link) >= 0 else set()
