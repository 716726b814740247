"""Decays against numbers derived by hand."""

import itertools
import math

import pytest

from nmt_attn.training.decay import DECAYS


@pytest.mark.parametrize(
    ("name", "update", "expected"),
    [
        ("linear", 0, 1),
        ("linear", 2, 0.8),
        ("linear", 10, 0),
        ("linear", 99, 0),
        ("exponential", 0, 1),
        ("exponential", 5, 0.6065306597),  # 1 / sqrt(e)
        ("exponential", 10, 0.3678794412),  # 1 / e
        ("inverse-sigmoid", 0, 10 / 11),
        ("inverse-sigmoid", 10, 10 / (10 + math.e)),
        ("inverse-sigmoid", 10**9, 0),  # not an overflow
    ],
)
def test_what_is_left_after_some_updates_at_scale_10(name: str, update: int, expected: float) -> None:
    assert DECAYS[name](update, 10) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", sorted(DECAYS))
def test_every_decay_falls_from_1_to_0(name: str) -> None:
    values = [DECAYS[name](update, 7) for update in range(0, 400, 3)]
    assert 0.85 < values[0] <= 1
    assert all(0 <= later <= sooner for sooner, later in itertools.pairwise(values))
    assert values[-1] < 1e-20
