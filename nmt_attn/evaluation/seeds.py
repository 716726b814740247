"""Seeds: systems that differ in their seed alone as one, with the luck of the seed beside that of the sentences.

The mean over K seeds of a metric, its standard deviation, and a bootstrap that draws sentences and, where there are
several, seeds. With one seed it is that of nmt_attn/evaluation/bootstrap.py.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.bootstrap import RESAMPLES, SEED, Interval, middle, resampled_values
from nmt_attn.evaluation.metrics import Measure, Statistics, SystemMeasures
from nmt_attn.evaluation.summary import Summary, as_json, summarise


class SeedMetric(NamedTuple):
    """A metric of systems that differ in their seed."""

    name: str
    values: tuple[float, ...]  # of the seeds
    mean: float
    deviation: float | None  # standard deviation over the seeds; None with one
    interval: Interval  # of the mean
    difference: float | None = None  # of the means, from the baseline
    p_value: float | None = None  # probability of a difference at least as large if the two are equally good


class SeedGroup(NamedTuple):
    """Systems that differ in their seed, as one; a system without others, such as an ensemble, is a group of one."""

    name: str
    systems: tuple[str, ...]
    metrics: tuple[SeedMetric, ...]
    summary: Summary  # of the means; its intervals are over sentences alone


def seed_metric_as_json(metric: SeedMetric) -> dict[str, Any]:
    """The metric as plain values, for `json.dump`."""
    return {**metric._asdict(), "interval": [metric.interval.low, metric.interval.high]}


def seed_group_as_json(group: SeedGroup) -> dict[str, Any]:
    """The same of a group."""
    by_length = as_json(group.summary)["by_length"]
    metrics = [seed_metric_as_json(metric) for metric in group.metrics]
    return {"name": group.name, "systems": list(group.systems), "metrics": metrics, "by_length": by_length}


def seed_groups(
    groups: Sequence[tuple[str, Sequence[int]]],
    measured: Sequence[tuple[str, SystemMeasures]],
    sources: Sequence[str],
    config: EvaluateConfig,
) -> list[SeedGroup]:
    """The groups, each a name and the places of its systems, against the first one. All on the same sentences."""
    found: list[SeedGroup] = []
    baseline: list[SystemMeasures] = []
    for name, places in groups:
        measures = [measured[place][1] for place in places]
        metrics = seed_metrics([each.chosen for each in measures], [each.chosen for each in baseline])
        summary = summarise(name, sources, _mean_of_systems(measures), config)
        found.append(SeedGroup(name, tuple(measured[place][0] for place in places), metrics, summary))
        baseline = baseline or measures
    return found


def seed_metrics(
    seeds: Sequence[Sequence[Measure]], baseline: Sequence[Sequence[Measure]] = ()
) -> tuple[SeedMetric, ...]:
    """Each metric of the seeds; against the baseline's seeds, if there are some. Outer: seeds; inner: metrics."""
    others: list[Sequence[Measure]] = [*zip(*baseline, strict=True)] if baseline else []
    return tuple(
        _metric(measures, others[place] if others else ()) for place, measures in enumerate(zip(*seeds, strict=True))
    )


def _metric(measures: Sequence[Measure], baseline: Sequence[Measure]) -> SeedMetric:
    values = tuple(each.result().value for each in measures)
    interval = middle(_resampled_means(measures, RESAMPLES, np.random.default_rng(SEED)))
    metric = SeedMetric(measures[0].name, values, fmean(values), stdev(values) if len(values) > 1 else None, interval)
    if not baseline:
        return metric
    difference, p_value = compare(baseline, measures)
    return metric._replace(difference=difference, p_value=p_value)


def compare(baseline: Sequence[Measure], system: Sequence[Measure], resamples: int = RESAMPLES) -> tuple[float, float]:
    """Difference of the means over the seeds, and the probability of one as large if the two are equally good."""
    difference = fmean(each.result().value for each in system) - fmean(each.result().value for each in baseline)
    random = np.random.default_rng(SEED)
    drawn = _resampled_means(system, resamples, random) - _resampled_means(baseline, resamples, random)
    distances = np.abs(drawn)
    larger = int(np.count_nonzero(distances - distances.mean() >= abs(difference)))
    return difference, (larger + 1) / (resamples + 1)


def mean_measure(measures: Sequence[Measure]) -> Measure:
    """The mean of K systems under one metric as a measure of its own: rows [N, K F], the systems' side by side."""

    def value(total: Statistics) -> float:
        parts = np.split(total, len(measures))
        return fmean(each.value(part) for each, part in zip(measures, parts, strict=True))

    return replace(measures[0], rows=np.concatenate([each.rows for each in measures], axis=1), value=value)


def _mean_of_systems(systems: Sequence[SystemMeasures]) -> SystemMeasures:
    """Means of the metrics; of BLEU's parts, which count tokens, the sums."""
    first = systems[0].bleu
    bleu = replace(first, rows=np.sum([each.bleu.rows for each in systems], axis=0))
    return SystemMeasures(
        bleu, tuple(mean_measure(each) for each in zip(*(one.chosen for one in systems), strict=True))
    )


def _resampled_means(measures: Sequence[Measure], resamples: int, random: np.random.Generator) -> NDArray[np.float64]:
    """The mean [R] over seeds drawn with replacement, of the metric over drawn sentences, the same for all measures."""
    values = np.stack([resampled_values(each.rows, each.value, resamples) for each in measures], 1)  # [R, K]
    chosen = random.integers(0, len(measures), values.shape)
    means: NDArray[np.float64] = np.take_along_axis(values, chosen, 1).mean(1)
    return means
