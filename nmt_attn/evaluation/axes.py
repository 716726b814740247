"""Axes: from where to where a plot's values go, with round numbers on the way."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from nmt_attn.evaluation.lengths import LengthRow

MOST_STEPS = 5
"""Between the ends of an axis."""
STEPS = [float(f"{digit}e{power}") for power in range(-3, 7) for digit in ("1", "2", "2.5", "5")]
ROUNDING = 1e-9
"""A value that lies so little beyond a tick lies on it: BLEU of a perfect output is 100.00000000000004."""
CUT_FROM = 50
"""Values that all lie above are drawn without the empty space below them, so that differences are seen."""
SHORTEST = 5
"""Of a cut axis."""


class Axis(NamedTuple):
    """Its ends are the first and the last tick."""

    ticks: tuple[float, ...]

    @property
    def bottom(self) -> float:
        return self.ticks[0]

    @property
    def top(self) -> float:
        return self.ticks[-1]

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the bottom and 1 at the top."""
        return (value - self.bottom) / (self.top - self.bottom)


def round_axis(low: float, high: float) -> Axis:
    """Ticks at multiples of 1, 2, 2.5 or 5 and powers of ten, around `low` and the greater `high`."""
    reach = (high - low) * (1 - ROUNDING)
    step = next(step for step in STEPS if reach <= MOST_STEPS * step)
    first, last = math.floor(low / step + ROUNDING), math.ceil(high / step - ROUNDING)
    return Axis(tuple(step * number for number in range(first, last + 1)))


def metric_axis(tables: Sequence[Sequence[LengthRow]], metric: str) -> Axis:
    """For values of 0-100 by length, their intervals with them: from 0, or from below them if all are high."""
    found = [each for rows in tables for row in rows for each in row.estimates if each.metric == metric]
    high = max([10.0, *(max(each.value, each.interval.high) for each in found)])
    low = min([high, *(min(each.value, each.interval.low) for each in found)])
    return round_axis(min(low, high - SHORTEST) if low > CUT_FROM else 0, high)
