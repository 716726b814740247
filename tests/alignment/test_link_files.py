"""Link files: options that describe one, and the warning about links to missing words."""

from pathlib import Path

import pytest

from nmt_attn.alignment.link_files import LinkFile, LinkFormat, gold_file, warn_of_stray_links
from nmt_attn.alignment.links import GoldLinks, Link
from nmt_attn.errors import ConfigError
from nmt_attn.options.evaluation import AlignOptions

GOLD = Path("gold")


def test_a_gold_file_is_pharaoh_counted_from_0_unless_said_otherwise() -> None:
    assert gold_file(None, None, None, is_swapped=False) is None
    plain, other = gold_file(GOLD, None, None, is_swapped=False), gold_file(GOLD, "naacl", 0, is_swapped=True)
    assert plain == (GOLD, "pharaoh", None, False) and plain.base == 0
    assert other == (GOLD, "naacl", 0, True) and other.base == 0
    assert LinkFile(GOLD, "naacl").base == 1


@pytest.mark.parametrize(
    ("link_format", "first_index", "is_swapped", "option"),
    [("naacl", None, False, "format"), (None, 0, False, "base"), (None, None, True, "swapped")],
)
def test_an_option_about_a_gold_file_needs_one(
    link_format: LinkFormat | None, first_index: int | None, is_swapped: bool, option: str
) -> None:
    with pytest.raises(ConfigError, match=f"^--gold-{option}: expected --gold FILE beside it"):
        gold_file(None, link_format, first_index, is_swapped=is_swapped)
    assert gold_file(GOLD, link_format, first_index, is_swapped=is_swapped) is not None


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01])
def test_a_threshold_is_a_weight(threshold: float) -> None:
    with pytest.raises(ConfigError, match=f"expected a weight above 0 and up to 1, got {threshold:g}"):
        AlignOptions(GOLD, GOLD, threshold=threshold)


def test_a_threshold_is_for_links_only() -> None:
    for fine in (0.01, 1.0, None):
        AlignOptions(GOLD, GOLD, threshold=fine)
    AlignOptions(GOLD, GOLD, output=Path("a.npz"))
    with pytest.raises(ConfigError, match=r"expected links as output \(\.pharaoh\), got a\.npz for weights"):
        AlignOptions(GOLD, GOLD, output=Path("a.npz"), threshold=0.5)


def test_stray_links_are_counted_and_the_first_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    inside = GoldLinks(frozenset(), frozenset({Link(0, 1)}))
    outside = GoldLinks(frozenset(), frozenset({Link(2, 1), Link(1, 3), Link(0, 0)}))
    warn_of_stray_links(LinkFile(GOLD), [inside, inside], "--base", [1, 1], [2, 2])
    assert capsys.readouterr().err == ""
    warn_of_stray_links(LinkFile(GOLD, first_index=1), [inside, outside], "--base", [1, 2], [2, 3])
    assert capsys.readouterr().err == (
        "gold: 2 links out of range, which count as never found; the first: sentence 2, 1-3 counted from 0, of 2 and 3 "
        "words (positions were read as counted from 1: --base)\n"
    )


@pytest.mark.parametrize(("is_swapped", "option"), [(False, "--gold-swapped"), (True, "no --gold-swapped")])
def test_links_that_fit_better_swapped_are_recognised(
    is_swapped: bool, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    turned = GoldLinks(frozenset(), frozenset({Link(3, 0), Link(4, 1)}))
    warn_of_stray_links(LinkFile(GOLD, is_swapped=is_swapped), [turned], "--gold-base", [2], [5])
    told = capsys.readouterr().err
    assert f"--gold-base; with {option} 0 would be: does the target's position come first?)" in told
