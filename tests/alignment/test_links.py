"""Links: error rate by hand, by counting lines, and against published figures; links out of range."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.alignment.formats import read_naacl, read_pharaoh
from nmt_attn.alignment.links import (
    GoldLinks,
    Link,
    find_stray_links,
    score_links,
)
from nmt_attn.errors import DataError
from nmt_attn.text_io import read_lines

DATA = Path(__file__).parents[3] / "shared" / "data"
A, B, C, D = Link(0, 0), Link(1, 2), Link(2, 1), Link(3, 4)


def folder(name: str) -> Path:
    """A corpus folder; the test is skipped by name where it is absent."""
    if not (DATA / name).is_dir():
        pytest.skip(f"shared/data/{name} is absent")
    return DATA / name


def test_error_rate_by_hand() -> None:
    # sure A B, possible also C; found A C D: A∩S = 1, A∩P = 2, |A| = 3, |S| = 2
    gold = GoldLinks(frozenset({A, B}), frozenset({A, B, C}))
    scores = score_links([frozenset({A, C, D})], [gold])
    assert scores == pytest.approx((2 / 3, 1 / 2, 2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2), 1 - 3 / 5))


def test_counts_are_summed_over_sentences() -> None:
    gold = [GoldLinks(frozenset({A}), frozenset({A})), GoldLinks(frozenset({B, C}), frozenset({B, C}))]
    # 1 of 1 and 1 of 1 found are right, 1 of 1 and 1 of 2 gold are found
    assert score_links([frozenset({A}), frozenset({B})], gold) == pytest.approx((1, 2 / 3, 4 / 5, 1 - 4 / 5))


def test_nothing_against_nothing_has_no_errors() -> None:
    assert score_links([frozenset()], [GoldLinks(frozenset(), frozenset())]).error_rate == 0


def test_no_links_found_is_all_wrong() -> None:
    assert score_links([frozenset()], [GoldLinks(frozenset({A}), frozenset({A}))]) == (0, 0, 0, 1)


def test_unequal_counts_are_refused_with_both() -> None:
    with pytest.raises(DataError, match="expected 1 sentences, as many as gold ones, got 2"):
        score_links([frozenset(), frozenset()], [GoldLinks(frozenset(), frozenset())])


@settings(max_examples=30, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1))
def test_gold_against_itself_is_perfect(pairs: set[tuple[int, int]]) -> None:
    links = frozenset(Link(*pair) for pair in pairs)
    assert score_links([links], [GoldLinks(links, links)]) == (1, 1, 1, 0)


def test_stray_links_are_found_not_crashed_on() -> None:
    links = [frozenset({A, B}), frozenset({A, C, D})]
    assert find_stray_links(links, [2, 3], [3, 5]) == [(2, D)]
    assert find_stray_links(links, [1, 4], [3, 4]) == [(1, B), (2, D)]


def test_swapping_twice_changes_nothing() -> None:
    gold = GoldLinks(frozenset({B}), frozenset({B, C, D}))
    assert gold.swapped() == GoldLinks(frozenset({C}), frozenset({C, B, Link(4, 3)}))
    assert gold.swapped().swapped() == gold


def test_figures_of_a_real_excerpt_follow_from_common_lines() -> None:
    """The first 20 sentences of the Hansards of NAACL 2003 (Mihalcea and Pedersen), as awesome-align aligns them.

    From neulab/awesome-align, examples/enfr.*. A link a line, `sort -u` leaves 140 sure and 370 possible gold links and
    180 found ones; `comm -12` counts 135 and 177 in common.
    """
    here = Path(__file__).parent
    gold = read_pharaoh(read_lines(here / "hansards.gold"), "gold", 1)
    output = read_pharaoh(read_lines(here / "hansards.awesome-align.out"), "output")
    assert (sum(len(each.sure) for each in gold), sum(len(each.possible) for each in gold)) == (140, 370)
    precision, recall = 177 / 180, 135 / 140
    f1, error_rate = 2 * precision * recall / (precision + recall), 1 - (135 + 177) / (180 + 140)
    scores = score_links([each.sure for each in output], gold)
    assert scores == pytest.approx((precision, recall, f1, error_rate))


# The whole files, where they are: awesome-align's authors publish error rates of 4.1 and 37.4 percent.
@pytest.mark.parametrize(("pair", "figures"), [("enfr", (0.9627, 0.9542, 0.0407)), ("jaen", (0.7274, 0.5501, 0.3736))])
def test_known_error_rates_of_a_real_aligner(pair: str, figures: tuple[float, float, float]) -> None:
    root = folder("align-naacl")
    gold = read_pharaoh(read_lines(root / f"{pair}.gold"), "gold", 1)
    output = read_pharaoh(read_lines(root / f"{pair}.awesome-align.out"), "output")
    scores = score_links([each.sure for each in output], gold)
    assert (scores.precision, scores.recall, scores.error_rate) == pytest.approx(figures, abs=5e-5)


def test_stray_links_of_a_real_gold_file() -> None:
    root = folder("align-naacl")
    gold = read_pharaoh(read_lines(root / "jaen.gold"), "gold", 1)
    sides = [line.split("|||") for line in read_lines(root / "jaen.src-tgt")]
    lengths = [[len(side[i].split()) for side in sides] for i in (0, 1)]
    stray = find_stray_links([each.possible for each in gold], *lengths)
    assert [sentence for sentence, _ in stray] == [351, 351, 354, 354, 355, 356]


def test_naacl_and_pharaoh_files_of_the_same_links_agree() -> None:
    root = folder("align-es-en")
    named = read_naacl(read_lines(root / "gold.001-100.key"), "key", 1, 100)
    lined = read_pharaoh(read_lines(root / "gold.001-100.en-es.pharaoh"), "pharaoh")
    assert named == lined
    assert sum(len(each.sure) for each in named) == 2924


# Lines in common with the gold file, counted by `sort -u` and `comm -12`, of the 2,960 that each output has.
@pytest.mark.parametrize(("model", "common"), [(1, 652), (2, 1315)])
def test_figures_of_ibm_models_follow_from_common_lines(model: int, common: int) -> None:
    root = folder("align-es-en")
    gold, output = (
        read_naacl(read_lines(root / name), name, 1, 100) for name in ("gold.001-100.key", f"ibm{model}.001-100.out")
    )
    scores = score_links([each.sure for each in output], gold)
    found = sum(len(each.sure) for each in output)
    assert scores[:3] == pytest.approx((common / found, common / 2924, 2 * common / (found + 2924)))
