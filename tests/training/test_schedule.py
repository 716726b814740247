"""Every schedule's rate against tables derived by hand. All start from the rate 0.8."""

import itertools
import math
from typing import Any

import pytest

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.training.schedule import DECAYS, SCHEDULES, Moment, learning_rate

RATE = 0.8


def rate_at(moment: Moment, **keys: Any) -> float:
    return learning_rate(moment, TrainingConfig(learning_rate=RATE, **keys))


def after_updates(done: int, limit: int) -> Moment:
    """The update that follows `done` of `limit` updates, in the first epoch."""
    return Moment(update=done + 1, epoch=1, progress=done / limit, stalls=0)


# Each line: what the update is, and its rate.
TABLES: dict[str, list[tuple[Moment, float]]] = {
    "constant": [
        (Moment(1, 1, 0.0, 0), 0.8),
        (Moment(99, 9, 0.9, 5), 0.8),
    ],
    "plateau": [  # 0.8 / 2^stalls
        (Moment(1, 1, 0.0, 0), 0.8),
        (Moment(50, 2, 0.5, 1), 0.4),
        (Moment(99, 9, 0.9, 3), 0.1),
    ],
    "halving": [  # after epoch 5 (the default): epoch 6 has 1/2, epoch 7 has 1/4
        (Moment(1, 1, 0.0, 0), 0.8),
        (Moment(500, 5, 0.41, 0), 0.8),
        (Moment(501, 6, 0.42, 0), 0.4),
        (Moment(601, 7, 0.5, 0), 0.2),
        (Moment(901, 10, 0.75, 0), 0.025),
    ],
    "step-halving": [  # after 1/2, 4 times: at 5/8, 6/8, 7/8 (and at the end, which no update sees)
        (Moment(1, 1, 0.0, 0), 0.8),
        (Moment(501, 1, 0.5, 0), 0.8),
        (Moment(625, 1, 0.624, 0), 0.8),
        (Moment(626, 1, 0.625, 0), 0.4),
        (Moment(751, 1, 0.75, 0), 0.2),
        (Moment(876, 1, 0.875, 0), 0.1),
        (Moment(1000, 1, 0.999, 0), 0.1),
    ],
    "inverse-sqrt": [  # 0.8 / sqrt(update) without a warm-up
        (Moment(1, 1, 0.0, 0), 0.8),
        (Moment(4, 1, 0.1, 0), 0.4),
        (Moment(16, 1, 0.2, 0), 0.2),
        (Moment(64, 1, 0.3, 0), 0.1),
    ],
    "cosine": [  # 0.4 (1 + cos(pi p)): cos is 1, 1/2, 0, -1/2, -1 at p = 0, 1/3, 1/2, 2/3, 1
        (Moment(1, 1, 0.0, 0), 0.8),
        (Moment(34, 1, 1 / 3, 0), 0.6),
        (Moment(51, 1, 0.5, 0), 0.4),
        (Moment(67, 1, 2 / 3, 0), 0.2),
        (Moment(101, 1, 1.0, 0), 0.0),
    ],
    "linear": [
        (Moment(1, 1, 0.0, 0), 0.8),
        (Moment(26, 1, 0.25, 0), 0.6),
        (Moment(76, 1, 0.75, 0), 0.2),
        (Moment(101, 1, 1.0, 0), 0.0),
    ],
}


def test_every_schedule_has_a_table() -> None:
    assert TABLES.keys() == SCHEDULES.keys()


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_rates_are_those_of_the_table(name: str) -> None:
    found = [rate_at(moment, schedule=name) for moment, _ in TABLES[name]]
    assert found == pytest.approx([rate for _, rate in TABLES[name]], abs=1e-12)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_warm_up_rises_in_a_straight_line_from_nothing(name: str) -> None:
    early = [Moment(update, 1, 0.0, 0) for update in (1, 2, 3, 4)]
    found = [rate_at(moment, schedule=name, warmup_updates=4) for moment in early]
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_warm_up_and_inverse_square_root_meet() -> None:
    # Vaswani et al.: rise to the warm-up, then fall like 1 / sqrt(update): sqrt(4 / 16) = 1/2, sqrt(4 / 64) = 1/4.
    found = [rate_at(Moment(update, 1, 0.0, 0), schedule="inverse-sqrt", warmup_updates=4) for update in (4, 16, 64)]
    assert found == pytest.approx([0.8, 0.4, 0.2])


@pytest.mark.parametrize("name", sorted(SCHEDULES.keys() - {"constant"}))
def test_no_schedule_falls_below_the_minimum(name: str) -> None:
    late = Moment(update=10**9, epoch=99, progress=1.0, stalls=99)
    assert rate_at(late, schedule=name, minimum_rate=0.05) == pytest.approx(0.05, rel=1e-12)


def test_warm_up_starts_below_the_minimum() -> None:
    assert rate_at(Moment(1, 1, 0.0, 0), schedule="cosine", minimum_rate=0.5, warmup_updates=8) == pytest.approx(0.1)


def test_decay_factor_and_start_of_halving_are_configured() -> None:
    assert rate_at(Moment(9, 2, 0.1, 2), schedule="plateau", decay_factor=0.1) == pytest.approx(0.008)
    # Luong et al. 2015, 4.1, with dropout: 12 epochs, halved after 8.
    epochs = [rate_at(Moment(9, epoch, 0.1, 0), schedule="halving", halve_after_epochs=8) for epoch in (8, 9, 12)]
    assert epochs == pytest.approx([0.8, 0.4, 0.05])


# tensorflow/nmt with 12,000 updates: where decay starts, after how many updates each halving follows.
TENSORFLOW_NMT = {
    "luong5": ({"decay_after": 1 / 2, "decay_times": 5}, 6000, 1200),
    "luong10": ({"decay_after": 1 / 2, "decay_times": 10}, 6000, 600),
    "luong234": ({"decay_after": 2 / 3, "decay_times": 4}, 8000, 1000),
}


@pytest.mark.parametrize("name", sorted(TENSORFLOW_NMT))
def test_step_halving_is_that_of_tensorflow_nmt(name: str) -> None:
    keys, start, every = TENSORFLOW_NMT[name]
    for done in range(0, 12_000, 100):
        halvings = max(0, done - start) // every
        found = rate_at(after_updates(done, 12_000), schedule="step-halving", **keys)
        assert found == pytest.approx(RATE / 2**halvings), done


# ---- decays


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
