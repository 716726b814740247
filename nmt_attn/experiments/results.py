"""Results of a sweep: one row a setting, with mean and standard deviation over its seeds, against the baseline.

The bootstrap counts the luck of the sentences and of the seeds: nmt_attn/evaluation/seeds.py.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from nmt_attn.evaluation.metrics import Measure, measure_system
from nmt_attn.evaluation.seeds import SeedMetric, seed_metrics
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
    metrics: tuple[SeedMetric, ...]
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
        message = outcome.failed.get(member.run.name, "")
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
) -> tuple[SeedMetric, ...]:
    is_comparable = baseline and done and not is_baseline and done[0].references == baseline[0].references
    others = [each.measures for each in baseline] if is_comparable else []
    return seed_metrics([each.measures for each in done], others)
