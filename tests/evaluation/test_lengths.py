"""Lengths: buckets cover every sentence once, and their figures are those of their sentences alone."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.bootstrap import confidence_interval
from nmt_attn.evaluation.lengths import (
    MOST_BUCKETS,
    GroupRow,
    by_length,
    choose_bounds,
    make_buckets,
    make_prefixes,
    up_to_length,
)
from nmt_attn.evaluation.metrics import measure, measure_system

CONFIG = EvaluateConfig(tokenize="none")


def copies(lengths: list[int]) -> list[str]:
    """One sentence of distinct words for each length."""
    return [" ".join(f"w{i}" for i in range(length)) for length in lengths]


def rows_of(lengths: list[int], hypotheses: list[str], bounds: tuple[int, ...]) -> list[GroupRow]:
    """The table by length; the reference is the source itself."""
    sources = copies(lengths)
    return by_length(sources, measure_system(hypotheses, sources, CONFIG), bounds)


def test_buckets_are_named_by_their_words() -> None:
    assert [bucket.name for bucket in make_buckets((10, 20, 60))] == ["1-10", "11-20", "21-60", ">60"]


def test_prefixes_end_with_everything() -> None:
    assert [bucket.name for bucket in make_prefixes((10, 20))] == ["<=10", "<=20", "all"]


@pytest.mark.parametrize("bounds", [(20, 10), (10, 10), ()])
def test_bounds_that_do_not_grow_are_refused(bounds: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"evaluate.length_buckets: .* got \[{', '.join(map(str, bounds))}\]"):
        make_buckets(bounds)


def test_bounds_belong_to_the_lower_bucket() -> None:
    lengths = [4, 5, 6, 9, 10, 11, 12]
    rows = rows_of(lengths, copies(lengths), (5, 10))
    assert [(row.bucket.name, row.sentences) for row in rows] == [("1-5", 2), ("6-10", 3), (">10", 2)]


def test_sources_without_words_have_their_own_row() -> None:
    rows = rows_of([0, 4, 0, 7], copies([0, 4, 0, 7]), (5, 10))
    assert [(row.bucket.name, row.sentences) for row in rows] == [("0", 2), ("1-5", 1), ("6-10", 1), (">10", 0)]


def test_an_empty_bucket_has_no_figures() -> None:
    rows = rows_of([4], copies([4]), (5, 10))
    assert (rows[1].sentences, rows[1].estimates, rows[1].length_ratio) == (0, (), None)


def test_a_bucket_is_measured_alone() -> None:
    # the short bucket is perfect; in the long one the second sentence lost its last 5 of 10 words
    lengths = [4, 5, 8, 10]
    rows = rows_of(lengths, copies([4, 5, 8, 5]), (6,))
    short, long = rows
    assert short.estimates[0].result.value == pytest.approx(100)
    alone = measure("bleu", copies([8, 5]), copies([8, 10]), CONFIG)
    assert long.estimates[0] == (alone.result(), confidence_interval(alone))
    assert (short.length_ratio, long.length_ratio) == (1.0, 13 / 18)


def test_cumulative_rows_end_with_the_whole_corpus() -> None:
    lengths = [4, 5, 8, 10]
    sources, hypotheses = copies(lengths), copies([4, 3, 8, 5])
    system = measure_system(hypotheses, sources, CONFIG)
    rows = up_to_length(sources, system, (4, 8))
    assert [(row.bucket.name, row.sentences) for row in rows] == [("<=4", 1), ("<=8", 3), ("all", 4)]
    assert rows[-1].estimates[0].result.value == pytest.approx(system.bleu.result().value)


def test_few_sentences_are_marked() -> None:
    rows = rows_of([3] * 49 + [8] * 50, copies([3] * 49 + [8] * 50), (5,))
    assert [row.is_small for row in rows] == [True, False]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=9), st.sets(st.integers(1, 9), min_size=1, max_size=3))
def test_every_sentence_is_in_one_bucket(lengths: list[int], bounds: set[int]) -> None:
    rows = rows_of(lengths, copies(lengths), tuple(sorted(bounds)))
    assert sum(row.sentences for row in rows) == len(lengths)


@pytest.mark.slow
def test_three_thousand_sentences_take_under_two_seconds() -> None:
    lengths = [1 + i % 70 for i in range(3000)]
    system = measure_system(copies(lengths), copies(lengths), CONFIG)
    start = time.perf_counter()
    by_length(copies(lengths), system, (10, 20, 30, 40, 50, 60))
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("lengths", "bounds"),
    [
        ([*range(2, 71)], (10, 20, 30, 40, 50, 60)),
        ([*range(2, 15)], (2, 4, 6, 8, 10, 12)),  # 13 of 14 words at least, in steps of 1 too many buckets
        ([1, 1, 1], (1,)),  # words, one a line
        ([1, *range(5, 36)], (1, 5, 10, 15, 20, 25, 30)),
        ([3] * 99 + [400], (3,)),  # a single long sentence makes no steps of 100
        ([3, 3], (3,)),
        ([1, 2], (1,)),
        ([], (1,)),
        ([0, 0], (1,)),
    ],
)
def test_bounds_are_round_and_suit_the_data(lengths: list[int], bounds: tuple[int, ...]) -> None:
    assert choose_bounds(np.array(lengths, dtype=np.int64)) == bounds


@given(st.lists(st.integers(0, 500), max_size=40))
def test_chosen_bounds_rise_and_leave_nothing_beyond_the_longest(lengths: list[int]) -> None:
    bounds = choose_bounds(np.array(lengths, dtype=np.int64))
    assert list(bounds) == sorted(set(bounds)) and len(bounds) <= MOST_BUCKETS + 1
    assert not [bound for bound in bounds[:-1] if bound >= max(lengths, default=0)]
