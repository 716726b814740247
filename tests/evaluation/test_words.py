"""Words: F1 by frequency and telling n-grams by hand, and F1 of all words as the harmonic mean of their counts."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.evaluation.words import compare_ngrams, ngrams_as_json, word_f1, words_as_json

REFERENCES = ["the cat sat", "the dog ran off"]
TRAINING = Counter({"the": 2000, "cat": 12, "dog": 1, "sat": 1})


def test_f1_by_frequency_by_hand() -> None:
    rows = word_f1(["the the cat", "the dog ran"], REFERENCES, TRAINING)
    # 0: ran right, off missing: P 1/1, R 1/2; 1: dog right, sat missing: P 1/1, R 1/2; the: 2 of 3 written, 2 of 2
    found = [(row.bucket.name, row.words, row.precision, row.recall, row.f1.result.value) for row in rows]
    assert found == [
        ("0", 2, 100.0, 50.0, pytest.approx(200 / 3)),
        ("1", 2, 100.0, 50.0, pytest.approx(200 / 3)),
        ("10-99", 1, 100.0, 100.0, 100.0),
        (">999", 2, pytest.approx(200 / 3), 100.0, 80.0),
    ]
    assert words_as_json(rows)[3]["in_training"] == ">999" and words_as_json(rows)[3]["f1"] == 80.0


def test_a_range_without_words_has_no_row_and_one_that_is_only_written_has() -> None:
    [row] = word_f1(["new"], [""], Counter({"new": 1}))
    assert (row.bucket.name, row.words, row.precision, row.f1.result.value) == ("1", 0, 0.0, 0.0)
    assert word_f1([""], [""], Counter()) == ()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.text("ab ", max_size=6), st.text("abc ", max_size=6)), min_size=1, max_size=4))
def test_the_ranges_hold_every_word_once(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = zip(*pairs, strict=True)
    rows = word_f1(hypotheses, references, Counter({"a": 1, "b": 30}))
    assert sum(row.words for row in rows) == sum(len(text.split()) for text in references)


def test_ngrams_that_one_system_has_right_by_hand() -> None:
    found = compare_ngrams(("a", "b"), ["the cat sat", "a dog"], ["the cow sat", "the dog ran"], REFERENCES)
    # first: the, cat, sat, the cat, cat sat, the cat sat, dog; second: the 2, sat, dog, ran, the dog, dog ran, 3-gram
    assert [(each.ngram, each.first, each.second) for each in found.better_first] == [
        (ngram, 1, 0) for ngram in ("cat", "cat sat", "the cat", "the cat sat")
    ]
    assert [(each.ngram, each.first, each.second) for each in found.better_second] == [
        *((ngram, 0, 1) for ngram in ("dog ran", "ran", "the dog", "the dog ran")),
        ("the", 1, 2),
    ]
    assert ngrams_as_json(found)["better_second"][-1] == {"ngram": "the", "first": 1, "second": 2}


def test_ngrams_are_right_no_oftener_than_the_reference_has_them() -> None:
    found = compare_ngrams(("a", "b"), ["x x x"], ["x"], ["x x"])
    assert [(each.ngram, each.first, each.second) for each in found.better_first] == [("x x", 1, 0), ("x", 2, 1)]
    assert found.better_second == ()
