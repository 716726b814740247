"""Comparison: whether a system differs from the first one by more than chance."""

from collections.abc import Sequence
from typing import NamedTuple

from nmt_attn.evaluation.bootstrap import paired_bootstrap
from nmt_attn.evaluation.metrics import SystemMeasures


class MetricComparison(NamedTuple):
    """A system against the baseline under one metric."""

    metric: str
    difference: float  # system - baseline
    p_value: float  # of the paired bootstrap (nmt_attn/evaluation/bootstrap.py)


class SystemComparison(NamedTuple):
    """A system against the baseline."""

    system: str
    baseline: str
    metrics: tuple[MetricComparison, ...]  # of `evaluate.metrics`, in its order


class NamedMeasures(NamedTuple):
    """A system's name and its output under the configured metrics."""

    system: str
    measures: SystemMeasures


def compare_systems(systems: Sequence[NamedMeasures]) -> tuple[SystemComparison, ...]:
    """Each system but the first against the first. All of the same sentences and metrics."""
    baseline, *others = systems
    return tuple(_compare(baseline, other) for other in others)


def _compare(baseline: NamedMeasures, system: NamedMeasures) -> SystemComparison:
    pairs = zip(baseline.measures.chosen, system.measures.chosen, strict=True)
    found = [(first.name, paired_bootstrap(first, second)) for first, second in pairs]
    return SystemComparison(
        system.system, baseline.system, tuple(MetricComparison(name, *comparison) for name, comparison in found)
    )
