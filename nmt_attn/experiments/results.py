"""Results of a sweep: one row a setting, with mean and standard deviation over its seeds, against the baseline.

The bootstrap draws sentences and, where a setting has several, seeds, so that p counts the luck of both. With one
seed it is the paired bootstrap of nmt_attn/evaluation/bootstrap.py.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.evaluation.bootstrap import RESAMPLES, SEED, resampled_values
from nmt_attn.evaluation.metrics import Measure, measure_system
from nmt_attn.experiments.measure_run import read_output
from nmt_attn.experiments.plan import Plan, Setting
from nmt_attn.experiments.run_state import best_validation, is_finished, progress_of
from nmt_attn.experiments.sweep import Member, Outcome, is_done

Status = Literal["done", "failed", "given up", "not done"]


class TrialResult(NamedTuple):
    """One run."""

    member: Member
    status: Status
    validation: float  # best value of training.metric; NaN without one
    seconds: float  # of training
    measures: tuple[Measure, ...]  # of evaluate.metrics; empty unless done
    references: tuple[str, ...]
    message: str = ""


class MetricRow(NamedTuple):
    """A metric of one setting."""

    name: str
    values: tuple[float, ...]  # of its seeds
    mean: float
    deviation: float | None  # over the seeds; None with one
    difference: float | None = None  # of the means, from the baseline
    p_value: float | None = None


class SettingRow(NamedTuple):
    """One setting."""

    number: int
    setting: Setting
    label: str
    is_baseline: bool
    seeds: tuple[int, ...]  # whose runs are done
    status: str  # done, or how many of its runs are not
    validation: float
    validation_metric: str
    metrics: tuple[MetricRow, ...]
    seconds: float  # of training, mean


def trial_results(plan: Plan, outcome: Outcome) -> list[TrialResult]:
    """What is known of each run. Raises CheckpointError for a damaged file."""
    return [_trial_result(member, outcome) for member in outcome.members]


def _trial_result(member: Member, outcome: Outcome) -> TrialResult:
    config, epoch = member.trial.config, outcome.given_up.get(member.trial.setting)
    progress = progress_of(member.run)
    best = best_validation(member.run, config.training.metric, epoch)
    seconds = math.nan if progress is None else progress.seconds
    if epoch is not None:
        return TrialResult(member, "given up", best, seconds, (), (), f"after {epoch} epochs")
    if not is_done(member):
        message = outcome.failed.get(member.run, "")
        status: Status = "failed" if message else "not done"
        return TrialResult(member, status, best, seconds, (), (), message)
    assert is_finished(member.run)
    output = read_output(member.output)
    measures = measure_system(output.hypotheses, output.references, config.evaluation, output.further).chosen
    return TrialResult(member, "done", best, seconds, measures, tuple(output.references))


def setting_rows(plan: Plan, results: Sequence[TrialResult]) -> list[SettingRow]:
    """A row for each setting, in the plan's order."""
    by_setting = [[each for each in results if each.member.trial.setting == i] for i in range(len(plan.settings))]
    baseline = [each for each in by_setting[plan.baseline] if each.status == "done"]
    return [_row(plan, number, found, baseline) for number, found in enumerate(by_setting)]


def _row(plan: Plan, number: int, found: Sequence[TrialResult], baseline: Sequence[TrialResult]) -> SettingRow:
    done = [each for each in found if each.status == "done"]
    known = [each.validation for each in found if not math.isnan(each.validation)]
    return SettingRow(
        number,
        plan.settings[number],
        plan.label(number),
        number == plan.baseline,
        tuple(each.member.trial.seed for each in done),
        _status(found),
        fmean(known) if known else math.nan,
        found[0].member.trial.config.training.metric,
        _metrics(done, baseline, is_baseline=number == plan.baseline),
        fmean([each.seconds for each in found if not math.isnan(each.seconds)] or [math.nan]),
    )


def _status(found: Sequence[TrialResult]) -> str:
    if all(each.status == "done" for each in found):
        return "done"
    if found[0].status == "given up":
        return f"given up {found[0].message}"
    others = [status for status in ("failed", "not done") if any(each.status == status for each in found)]
    return ", ".join(f"{sum(each.status == status for each in found)} {status}" for status in others)


def _metrics(
    done: Sequence[TrialResult], baseline: Sequence[TrialResult], *, is_baseline: bool
) -> tuple[MetricRow, ...]:
    rows = []
    for place, first in enumerate(done[0].measures if done else ()):
        measures = [each.measures[place] for each in done]
        values = tuple(each.result().value for each in measures)
        row = MetricRow(first.name, values, fmean(values), stdev(values) if len(values) > 1 else None)
        if baseline and not is_baseline and done[0].references == baseline[0].references:
            others = [each.measures[place] for each in baseline]
            difference, p_value = compare(others, measures)
            row = row._replace(difference=difference, p_value=p_value)
        rows.append(row)
    return tuple(rows)


def compare(baseline: Sequence[Measure], system: Sequence[Measure], resamples: int = RESAMPLES) -> tuple[float, float]:
    """Difference of the means over the seeds, and the probability of one as large if the two are equally good."""
    difference = fmean(each.result().value for each in system) - fmean(each.result().value for each in baseline)
    random = np.random.default_rng(SEED)
    drawn = _resampled_means(system, resamples, random) - _resampled_means(baseline, resamples, random)
    distances = np.abs(drawn)
    larger = int(np.count_nonzero(distances - distances.mean() >= abs(difference)))
    return difference, (larger + 1) / (resamples + 1)


def _resampled_means(measures: Sequence[Measure], resamples: int, random: np.random.Generator) -> NDArray[np.float64]:
    """The mean [R] over seeds drawn with replacement, of the metric over drawn sentences, the same for all measures."""
    values = np.stack([resampled_values(each.rows, each.value, resamples) for each in measures], 1)  # [R, K]
    chosen = random.integers(0, len(measures), values.shape)
    means: NDArray[np.float64] = np.take_along_axis(values, chosen, 1).mean(1)
    return means
