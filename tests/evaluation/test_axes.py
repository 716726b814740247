"""Axes: round ticks by hand, and where a metric's axis begins."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.evaluation.axes import MOST_STEPS, Axis, metric_axis, round_axis
from nmt_attn.evaluation.bootstrap import Interval
from nmt_attn.evaluation.lengths import Bucket, Estimate, LengthRow


def row(value: float, low: float, high: float) -> LengthRow:
    """A bucket's BLEU with its interval."""
    return LengthRow(Bucket("1-10", 1, 10), 70, (Estimate("BLEU", value, Interval(low, high, value)),), 1.0)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, (0, 20, 40, 60, 80, 100)),
        (0, 100.00000000000001, (0, 20, 40, 60, 80, 100)),  # BLEU of a perfect output
        (85.2, 99.9, (85, 90, 95, 100)),  # 15 in steps of 5; of 2.5 there would be 6
        (0, 2.4, (0, 0.5, 1, 1.5, 2, 2.5)),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert round_axis(low, high).ticks == pytest.approx(ticks)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1000), st.floats(0.1, 1000))
def test_ticks_surround_the_values_in_a_few_steps(low: float, reach: float) -> None:
    axis = round_axis(low, low + reach)
    assert axis.bottom <= low + 1e-6 and axis.top >= low + reach - 1e-6
    assert 2 <= len(axis.ticks) <= MOST_STEPS + 2


def test_shares_run_from_the_bottom_to_the_top() -> None:
    assert [Axis((80.0, 90.0, 100.0)).share(value) for value in (80, 85, 100)] == [0, 0.25, 1]


def test_a_low_value_anywhere_keeps_the_zero() -> None:
    assert metric_axis([[row(98, 97, 99)], [row(49, 48, 50)]], "BLEU").bottom == 0


def test_high_values_have_no_empty_space_below() -> None:
    # from 85.2 to 99.9 with intervals
    assert metric_axis([[row(98, 97, 99.9)], [row(90, 85.2, 93)]], "BLEU").ticks == (85, 90, 95, 100)


def test_equal_values_still_have_an_axis() -> None:
    assert metric_axis([[row(100, 100, 100)]], "BLEU").ticks == (95, 96, 97, 98, 99, 100)
    assert metric_axis([[row(0, 0, 0)]], "BLEU").ticks == (0, 2, 4, 6, 8, 10)


def test_buckets_without_sentences_do_not_matter() -> None:
    empty = LengthRow(Bucket(">10", 11, None), 0, (), None)
    assert metric_axis([[row(98, 97, 99), empty]], "BLEU").bottom > 0
    assert metric_axis([[empty]], "BLEU").bottom == 0
