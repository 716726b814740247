"""Bootstrap: how a metric varies over test sets of the same kind, and whether systems differ by more than chance.

Sentences are drawn with replacement, as many as there are, 1,000 times; the metric of every draw comes from the sum
of the drawn rows (nmt_attn/evaluation/metrics.py). Intervals as in Koehn 2004, "Statistical significance tests for
machine translation evaluation"; the paired test shifts the differences to mean 0, as Riezler and Maxwell 2005 do.
With the default seed the numbers are those of sacreBLEU's `--confidence` and `--paired-bs`.
Differs: a resampled difference as large as the real one counts as chance, so that a system against itself has p = 1;
sacreBLEU, which counts only larger ones, says 0.001.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.evaluation.metrics import Measure, Statistics, SystemMeasures

RESAMPLES = 1000
SEED = 12345
"""sacreBLEU's own default."""

DRAWS_AT_ONCE = 1 << 22
"""Sentence numbers held in memory at once; bounds memory, changes no number."""


class Interval(NamedTuple):
    """The middle 95% of the resampled values."""

    low: float
    high: float
    mean: float

    @property
    def half_width(self) -> float:
        """The number after ± in sacreBLEU's output."""
        return (self.high - self.low) / 2


class MetricComparison(NamedTuple):
    """A system against a baseline on the same sentences, under one metric."""

    metric: str
    difference: float  # system - baseline
    p_value: float  # probability of a difference at least as large if the two are equally good


class SystemComparison(NamedTuple):
    """A system against the baseline."""

    system: str
    baseline: str
    metrics: tuple[MetricComparison, ...]  # of `evaluate.metrics`, in its order


def compare_systems(systems: Sequence[tuple[str, SystemMeasures]]) -> tuple[SystemComparison, ...]:
    """Each named system but the first against the first. All on the same sentences and metrics."""
    (baseline, first), *others = systems
    return tuple(
        SystemComparison(
            name, baseline, tuple(paired_bootstrap(a, b) for a, b in zip(first.chosen, system.chosen, strict=True))
        )
        for name, system in others
    )


def resampled_totals(rows: Statistics, resamples: int = RESAMPLES, seed: int = SEED) -> Statistics:
    """totals [R, F]: sums of N rows drawn with replacement from rows [N, F]."""
    sentences = len(rows)
    random = np.random.default_rng(seed)
    at_once = max(1, DRAWS_AT_ONCE // sentences)
    totals = []
    for start in range(0, resamples, at_once):
        drawn = random.integers(0, sentences, size=(min(at_once, resamples - start), sentences))
        counts = np.stack([np.bincount(row, minlength=sentences) for row in drawn])
        totals.append(counts.astype(np.float64) @ rows)
    return np.concatenate(totals)


def resampled_values(
    rows: Statistics, value: Callable[[Statistics], float], resamples: int = RESAMPLES, seed: int = SEED
) -> NDArray[np.float64]:
    """The metric of every resample [R]; `value` takes summed rows [F]."""
    return np.array([value(total) for total in resampled_totals(rows, resamples, seed)])


def middle(values: NDArray[np.float64]) -> Interval:
    """The interval without the lowest and the highest fortieth of the values."""
    ordered = np.sort(values)
    outside = len(ordered) // 40
    return Interval(float(ordered[outside]), float(ordered[-1 - outside]), float(ordered.mean()))


def confidence_interval(measure: Measure, chosen: NDArray[np.bool_] | None = None, seed: int = SEED) -> Interval:
    """The 95% interval of the metric over all sentences, or over the chosen ones [N] (at least one)."""
    rows = measure.rows if chosen is None else measure.rows[chosen]
    return middle(resampled_values(rows, measure.value, seed=seed))


def paired_bootstrap(
    baseline: Measure, system: Measure, resamples: int = RESAMPLES, seed: int = SEED
) -> MetricComparison:
    """Whether the system differs from the baseline. Both measures: one metric, the same sentences in one order."""
    assert baseline.signature == system.signature and len(baseline.rows) == len(system.rows)
    difference = system.result().value - baseline.result().value
    # one seed for both: the same sentences are drawn for the two systems
    drawn = np.abs(
        resampled_values(system.rows, system.value, resamples, seed)
        - resampled_values(baseline.rows, baseline.value, resamples, seed)
    )
    larger = int(np.count_nonzero(drawn - drawn.mean() >= abs(difference)))
    return MetricComparison(system.name, difference, (larger + 1) / (resamples + 1))
