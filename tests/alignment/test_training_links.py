"""Training links: read beside a corpus some lines of which are skipped."""

import pytest

from nmt_attn.alignment.link_files import TrainingLinks
from nmt_attn.alignment.links import Link
from nmt_attn.errors import DataError


def of(*lines: str) -> TrainingLinks:
    return TrainingLinks("a.links", iter(lines))


def test_each_pair_gets_the_sorted_links_of_its_own_line() -> None:
    links = of("1-0 0p1", "9-9", "", "2?0", "5-5")
    assert links.of_pair(1, "a b", "x y") == [Link(0, 1), Link(1, 0)]
    assert links.of_pair(3, "a", "x") == []
    assert links.of_pair(4, "a  b c", "x") == [Link(2, 0)]
    links.check_end(5)


@pytest.mark.parametrize("lines", [3, 5])
def test_another_number_of_lines_is_refused(lines: int) -> None:
    links = of("0-0", "0-0", "0-0", "0-0")
    links.of_pair(2, "a", "x")
    with pytest.raises(DataError, match=rf"^a\.links: expected {lines} lines, as in data.train, got 4"):
        links.check_end(lines)


def test_a_missing_line_a_bad_one_and_a_stray_link_are_refused_with_their_place() -> None:
    with pytest.raises(DataError, match=r"^a\.links: expected a line for each of data.train, got none for line 2"):
        of("0-0").of_pair(2, "a", "x")
    with pytest.raises(DataError, match=r"^a\.links:2: expected links such as 0-1, 0p1 or .* got '0:0'"):
        of("0-0", "0:0").of_pair(2, "a", "x")
    inside = "expected links inside 2 source and 1 target words, counted from 0, got"
    with pytest.raises(DataError, match=rf"^a\.links:1: {inside} 2-0"):
        of("0-0 2-0").of_pair(1, "a b", "x")
    with pytest.raises(DataError, match=rf"^a\.links:1: {inside} 0-1"):
        of("0-1").of_pair(1, "a b", "x")
