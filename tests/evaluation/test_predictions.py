"""Predictions: aligned edits by hand and against the distance, several right texts, n-best lists, the table."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.evaluation.confusions import EXAMPLES, confusions, confusions_as_json
from nmt_attn.evaluation.edits import align, edit_distance, shown, split_symbols, written
from nmt_attn.evaluation.predictions import Guesses, Prediction, as_tsv, predict, top_accuracy


@pytest.mark.parametrize(
    ("gold", "guess", "edits"),
    [
        ("kitten", "sitting", "k→s e→i ∅→g"),
        ("", "ab", "∅→a ∅→b"),
        ("ab", "", "a→∅ b→∅"),
        ("abc", "abc", ""),
        ("abcd", "acd", "b→∅"),
        ("axb", "ayyb", "∅→y x→y"),  # two ways with two edits: the replacement is the later
        ("a b", "ab", "▁→∅"),
    ],
)
def test_edits_by_hand(gold: str, guess: str, edits: str) -> None:
    assert written(align(gold, guess)) == edits


@settings(deadline=None)
@given(st.text("abc", max_size=9), st.text("abcd", max_size=9))
def test_an_alignment_has_both_texts_and_as_many_edits_as_their_distance(gold: str, guess: str) -> None:
    edits = align(gold, guess)
    assert "".join(a for a, _ in edits) == gold and "".join(b for _, b in edits) == guess
    assert sum(a != b for a, b in edits) == edit_distance(gold, guess)


def test_symbols_without_a_separator_are_characters() -> None:
    assert split_symbols("  ab  c ", "") == ["a", "b", " ", "c"]
    assert split_symbols("t ʃ  a", " ") == ["t", "ʃ", "a"]
    assert split_symbols("a b+ c+", "+") == ["a b", "c"]


def test_a_mark_that_combines_is_shown_under_a_circle() -> None:
    assert written(align(list("e\u0301"), list("e"))) == "◌\u0301→∅"
    assert shown("") == "∅"


def phones(*lines: tuple[str, Sequence[str], Sequence[str]]) -> list[Prediction]:
    """Predictions of symbols between blanks, without log-probabilities."""
    sources, golds, guesses = zip(*lines, strict=True)
    return predict(sources, golds, [Guesses(texts) for texts in guesses], " ")


def test_any_of_several_golds_is_right_and_the_nearest_one_is_compared() -> None:
    read, wrong, split = phones(
        ("read", ["ɹ iː d", "ɹ ɛ d"], ["ɹ  ɛ d"]),
        ("tear", ["t ɪ ɹ", "t ɛ ə ɹ"], ["d ɛ ɹ", "t ɛ ə ɹ"]),
        ("it", ["ɪ t"], ["ɪt"]),
    )
    assert read.is_right and read.gold == "ɹ ɛ d" and read.other_golds == ("ɹ iː d",) and read.place == 1
    assert not wrong.is_right and wrong.place == 2
    assert written(wrong.edits) == "t→d ɪ→ɛ"  # two edits from either: the first one
    assert not split.is_right and written(split.edits) == "ɪ→∅ t→ɪt"


def test_accuracy_among_the_best_never_falls() -> None:
    predictions = phones(
        ("a", ["x"], ["x", "y"]), ("b", ["x"], ["y", "x"]), ("c", ["x"], ["y", "z"]), ("d", ["x"], ["x", "z"])
    )
    assert [(each.result.name, each.result.value) for each in top_accuracy(predictions, 3)] == [
        ("top-1", 50.0),
        ("top-2", 75.0),
        ("top-3", 75.0),
    ]


def test_the_table_has_a_cell_a_column() -> None:
    [one] = predict(["a\tb "], [["c d", "e"]], [Guesses(["c d"], -0.25)], "")
    assert as_tsv([one, Prediction("x", "y", "", (("y", ""),), is_right=False)]) == (
        "source\tgold\tguess\tright\tedits\tlog_prob\tplace\tother_golds\n"
        "a b\tc d\tc d\tyes\t\t-0.2500\t1\te\n"
        "x\ty\t\tno\ty→∅\t\t\t\n"
    )


def test_confusions_are_counted_over_all_lines() -> None:
    found = confusions(phones(*[("w", ["a b"], ["a c"])] * 5, ("v", ["b b"], ["b"]), ("u", ["a"], ["a d"])))
    first, *others = found.errors
    assert (first.gold, first.guess, first.times, first.gold_times, len(first.examples)) == ("b", "c", 5, 7, EXAMPLES)
    assert {(each.gold, each.guess, each.times) for each in others} == {("b", "", 1), ("", "d", 1)}
    assert next(each.gold_times for each in others if not each.gold) == 0
    symbols, matrix = found.matrix()
    assert symbols[:2] == ["b", "c"] and symbols[-1] == ""
    assert matrix[0][:2] == [1, 5] and matrix[0][-1] == 1 and matrix[-1][symbols.index("d")] == 1
    read = confusions_as_json(found)
    assert {"gold": "a", "guess": "a", "count": 6} in read["matrix"]
    assert sum(cell["count"] for cell in read["matrix"]) == sum(found.counts.values()) == 14
    assert read["errors"][0]["examples"][0] == {"source": "w", "gold": "a b", "guess": "a c"}
