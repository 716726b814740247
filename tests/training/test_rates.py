"""The rate of every update of a training whose schedule was set on the command line, against tables by hand.

12 updates, 5 an epoch, from the rate 0.8. The functions themselves: test_schedule.py.
"""

import math
from pathlib import Path
from typing import NamedTuple

import pytest
from tiny_training import EPOCH, start

from nmt_attn.config.file import load_config
from nmt_attn.training.schedule import SCHEDULES

UPDATES = 12


class Case(NamedTuple):
    """What is set beside the schedule, and the rates that follow."""

    keys: tuple[str, ...]
    rates: list[float]


COSINES = [1, 0.965926, 0.866025, 0.707107, 0.5, 0.258819]  # of 0, 15, 30, 45, 60, 75 degrees; 12 updates are 180

CASES = {
    "constant": Case((), [0.8] * 12),
    # BLEU rises until update 5 and falls until update 10: one cut, from update 11 on.
    "plateau": Case(("training.metric=bleu",), [0.8] * 10 + [0.4] * 2),
    # Luong et al. 2015, 4.1: halved at the start of every epoch after the first.
    "halving": Case(("training.halve_after_epochs=1",), [0.8] * 5 + [0.4] * 5 + [0.2] * 2),
    # tensorflow/nmt's luong5: 5 halvings over the last 6 updates, after 7.2, 8.4, 9.6, 10.8 and 12.
    "step-halving": Case(
        ("training.decay_after=0.5", "training.decay_times=5"), [0.8] * 8 + [0.4] + [0.2] + [0.1] + [0.05]
    ),
    # luong10: after 6.6, 7.2, 7.8, 8.4, 9, 9.6, 10.2, 10.8, 11.4 and 12.
    "step-halving, luong10": Case(
        ("training.decay_after=0.5", "training.decay_times=10"),
        [0.8] * 7 + [0.8 / 2, 0.8 / 8, 0.8 / 32, 0.8 / 64, 0.8 / 256],
    ),
    # luong234: 4 halvings over the last third, after 9, 10, 11 and 12.
    "step-halving, luong234": Case(
        ("training.decay_after=0.6666666666666666", "training.decay_times=4"), [0.8] * 9 + [0.4, 0.2, 0.1]
    ),
    # Up to the warm-up in a straight line, then 0.8 sqrt(4 / update).
    "inverse-sqrt": Case(
        ("training.warmup_updates=4",), [0.2, 0.4, 0.6, 0.8] + [1.6 / math.sqrt(update) for update in range(5, 13)]
    ),
    "cosine": Case((), [0.4 * (1 + c) for c in COSINES] + [0.4] + [0.4 * (1 - c) for c in COSINES[:0:-1]]),
    "linear": Case((), [0.8 * left / 12 for left in range(12, 0, -1)]),
}


def test_every_schedule_is_there() -> None:
    assert {name.partition(",")[0] for name in CASES} == SCHEDULES.keys()


@pytest.mark.parametrize("name", CASES)
def test_the_rate_of_every_update_is_that_of_the_table(name: str, tmp_path: Path) -> None:
    file, case = tmp_path / "empty.yaml", CASES[name]
    file.write_text("")
    limits = ["training.epochs=null", f"training.updates={UPDATES}", "training.learning_rate=0.8"]
    config = load_config(file, [f"training.schedule={name.partition(',')[0]}", *limits, *case.keys])
    keys = config.training.model_dump(exclude={"batch_tokens", "validate_translation"})
    session = start(bleu=iter([9.0, 8.0, 7.0]).__next__, **keys)
    session.run()
    assert [report.update for report in session.watcher.validations] == [EPOCH, 2 * EPOCH, UPDATES]
    assert [report.learning_rate for report in session.watcher.updates] == pytest.approx(case.rates, rel=1e-5)
