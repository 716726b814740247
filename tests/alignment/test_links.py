"""Links: both file formats, error rate by hand and against published figures."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.alignment.links import (
    GoldLinks,
    Link,
    StrayLink,
    find_stray_links,
    read_naacl,
    read_pharaoh,
    score_links,
    swap_sides,
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


@pytest.mark.parametrize("first_index", [0, 1])
def test_pharaoh_tells_sure_from_possible(first_index: int) -> None:
    text = " ".join(
        f"{link.source + first_index}{mark}{link.target + first_index}"
        for link, mark in zip((A, B, C), "-p?", strict=True)
    )
    gold = read_pharaoh([text, ""], "gold", first_index=first_index)
    assert gold == [GoldLinks(frozenset({A}), frozenset({A, B, C})), GoldLinks(frozenset(), frozenset())]


@pytest.mark.parametrize("wrong", ["3=4", "3-", "-3-4", "3-4-5", "a-b", "3- 4"])
def test_pharaoh_names_a_bad_link_and_its_line(wrong: str) -> None:
    with pytest.raises(DataError, match=f"gold:2: expected links such as .* got '{wrong.split()[0]}'"):
        read_pharaoh(["0-0", f"0-0 {wrong}"], "gold", first_index=0)


def test_naacl_lines_come_in_any_order() -> None:
    gold = read_naacl(["0003 2 3 S", "1 1 1", "0003 3 2 P 0.7"], "gold", sentences=3, first_index=1)
    assert gold[0] == GoldLinks(frozenset({A}), frozenset({A}))
    assert gold[1] == GoldLinks(frozenset(), frozenset())
    assert gold[2] == GoldLinks(frozenset({B}), frozenset({B, C}))


def test_links_to_no_word_are_left_out() -> None:
    assert read_naacl(["1 0 2", "1 1 1"], "gold", sentences=1, first_index=1) == [
        GoldLinks(frozenset({A}), frozenset({A}))
    ]
    assert read_pharaoh(["0-2 1-1"], "gold", first_index=1) == [GoldLinks(frozenset({A}), frozenset({A}))]


@pytest.mark.parametrize("wrong", ["1 2", "1 2 3 X", "one 2 3", ""])
def test_naacl_names_a_bad_line(wrong: str) -> None:
    with pytest.raises(DataError, match=f"gold:2: expected `sentence i j .* got '{wrong}'"):
        read_naacl(["1 1 1", wrong], "gold", sentences=1, first_index=1)


@pytest.mark.parametrize("sentence", [0, 8])
def test_naacl_names_a_sentence_that_is_not_there(sentence: int) -> None:
    with pytest.raises(DataError, match=f"gold:1: expected a sentence from 1 to 7, got {sentence}"):
        read_naacl([f"{sentence} 1 1"], "gold", sentences=7, first_index=1)


def test_stray_links_are_found_not_crashed_on() -> None:
    links = [frozenset({A, B}), frozenset({A, C, D})]
    assert find_stray_links(links, [2, 3], [3, 5]) == [StrayLink(2, D)]
    assert find_stray_links(links, [1, 4], [3, 4]) == [StrayLink(1, B), StrayLink(2, D)]


def test_swapping_twice_changes_nothing() -> None:
    gold = GoldLinks(frozenset({B}), frozenset({B, C, D}))
    assert swap_sides(gold) == GoldLinks(frozenset({C}), frozenset({C, B, Link(4, 3)}))
    assert swap_sides(swap_sides(gold)) == gold


# Error rates, precision and recall of awesome-align's stored outputs; its authors publish 4.1 and 37.4 percent.
@pytest.mark.parametrize(("pair", "figures"), [("enfr", (0.9627, 0.9542, 0.0407)), ("jaen", (0.7274, 0.5501, 0.3736))])
def test_known_error_rates_of_a_real_aligner(pair: str, figures: tuple[float, float, float]) -> None:
    root = folder("align-naacl")
    gold = read_pharaoh(read_lines(root / f"{pair}.gold"), "gold", first_index=1)
    output = read_pharaoh(read_lines(root / f"{pair}.awesome-align.out"), "output", first_index=0)
    scores = score_links([each.sure for each in output], gold)
    assert (scores.precision, scores.recall, scores.error_rate) == pytest.approx(figures, abs=5e-5)


def test_stray_links_of_a_real_gold_file() -> None:
    root = folder("align-naacl")
    gold = read_pharaoh(read_lines(root / "jaen.gold"), "gold", first_index=1)
    sides = [line.split("|||") for line in read_lines(root / "jaen.src-tgt")]
    lengths = [[len(side[i].split()) for side in sides] for i in (0, 1)]
    stray = find_stray_links([each.possible for each in gold], *lengths)
    assert [each.sentence for each in stray] == [351, 351, 354, 354, 355, 356]


def test_naacl_and_pharaoh_files_of_the_same_links_agree() -> None:
    root = folder("align-es-en")
    named = read_naacl(read_lines(root / "gold.001-100.key"), "key", sentences=100, first_index=1)
    lined = read_pharaoh(read_lines(root / "gold.001-100.en-es.pharaoh"), "pharaoh", first_index=0)
    assert named == lined
    assert sum(len(each.sure) for each in named) == 2924


# Lines in common with the gold file, counted by `sort -u` and `comm -12`, of the 2,960 that each output has.
@pytest.mark.parametrize(("model", "common"), [(1, 652), (2, 1315)])
def test_figures_of_ibm_models_follow_from_common_lines(model: int, common: int) -> None:
    root = folder("align-es-en")
    gold, output = (
        read_naacl(read_lines(root / name), name, sentences=100, first_index=1)
        for name in ("gold.001-100.key", f"ibm{model}.001-100.out")
    )
    scores = score_links([each.sure for each in output], gold)
    found = sum(len(each.sure) for each in output)
    assert scores[:3] == pytest.approx((common / found, common / 2924, 2 * common / (found + 2924)))
