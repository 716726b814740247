"""Sweeps: every run of a plan is trained once and measured, whatever ends the sweep in between.

    runs/NAME/LABEL-KEY/           a run; KEY stands for its configuration, its data and the code (keys.py)
    runs/NAME/configs/RUN.yaml     the resolved configuration that it is trained with
    runs/NAME/outputs/KEY.json     translations by its best model
    runs/NAME/logs/RUN.log         what train said
    runs/NAME/table.*              the result (outputs.py)

What is done follows from these files alone, so that a sweep that was killed goes on by the same command. Successive
halving is synchronous: a choice is made when all runs have come to its epoch, from values in their logs, so that it
does not depend on which run was faster. That is why this is not Optuna: its pruner decides as trials arrive, and a
trial that was killed cannot go on there.
"""

import fcntl
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from nmt_attn.config.file import dump_config
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.metrics import is_error
from nmt_attn.experiments.jobs import Job, Note, Slot, Step, work_on
from nmt_attn.experiments.keys import measure_key, training_key
from nmt_attn.experiments.plan import Halving, Plan, Trial, label
from nmt_attn.experiments.run_state import best_validation, current_epoch, is_finished, is_locked
from nmt_attn.files import write_text, writing_to
from nmt_attn.model.store import CONFIG
from nmt_attn.text_io import read_text

CONFIGS, LOGS, OUTPUTS, RECORD = "configs", "logs", "outputs", "sweep.json"
LONGEST_LABEL = 60


class Member(NamedTuple):
    """A trial with its places. Trials that differ in their search alone have one run."""

    trial: Trial
    run: Path
    config: Path
    output: Path
    log: Path


class Outcome(NamedTuple):
    """What has become of the trials of a plan."""

    members: Sequence[Member]
    failed: dict[str, str]  # by the name of a run that has failed: the last line it said
    given_up: dict[int, int]  # the epoch after which a setting was given up


def members_of(plan: Plan) -> list[Member]:
    """The runs of a plan with their folders, which need not be there. Raises DataError for data that is not."""
    runs: dict[str, Path] = {}
    return [_member(plan, trial, runs) for trial in plan.trials]


def _member(plan: Plan, trial: Trial, runs: dict[str, Path]) -> Member:
    """The places of a trial; `runs` are the folders by key that were given to others before."""
    key = training_key(trial.config)
    if key not in runs:
        known = sorted(path for path in plan.folder.glob(f"*-{key}") if path.is_dir())
        runs[key] = known[0] if known else plan.folder / f"{_short_label(plan, trial)}-{key}"
    run, output = runs[key], measure_key(trial.config, plan.part)
    named = trial.config.run.model_copy(update={"name": run.name})
    return Member(
        trial._replace(config=trial.config.model_copy(update={"run": named})),
        run,
        plan.folder / CONFIGS / f"{output}.yaml",
        plan.folder / OUTPUTS / f"{output}.json",
        plan.folder / LOGS / f"{run.name}.log",
    )


def _short_label(plan: Plan, trial: Trial) -> str:
    """`score-general-hidden-64-seed-1`: a beginning for the name of a run's folder."""
    values = {key.rpartition(".")[2]: value for key, value in plan.settings[trial.setting].items()}
    words = re.sub(r"[^\w.]+", "-", label(values)) if values else ""
    return f"{words[:LONGEST_LABEL]}-seed-{trial.seed}".lstrip("-.")


def run_sweep(plan: Plan, slots: Sequence[Slot], threads: int, note: Note) -> Outcome:
    """Trains and measures what is not done yet. Raises KeyboardInterrupt when interrupted, DataError, ConfigError."""
    members = members_of(plan)
    with _locked(plan):
        for member in members:
            text = dump_config(member.trial.config)
            if not member.config.is_file() or read_text(member.config) != text:
                write_text(member.config, text)
        failed: dict[str, str] = {}
        given_up: dict[int, int] = {}
        for epoch in plan.halving.after_epochs if plan.halving is not None else ():
            left = [member for member in members if member.trial.setting not in given_up]
            jobs = [_training(member, threads, epoch) for member in _by_run(left)]
            failed |= work_on([job for job in jobs if job.name not in failed], slots, note)
            given_up |= _choose(left, plan.halving, epoch, note) if plan.halving is not None else {}
        left = [member for member in members if member.trial.setting not in given_up]
        jobs = [_whole(plan, members_of_run, threads) for members_of_run in _groups(left)]
        failed |= work_on([job for job in jobs if job.name not in failed], slots, note)
    return Outcome(members, failed, given_up)


def is_done(member: Member) -> bool:
    """Whether the run is finished and measured."""
    return member.output.is_file() and is_finished(member.run)


def _by_run(members: Sequence[Member]) -> list[Member]:
    return list({member.run: member for member in members}.values())


def _groups(members: Sequence[Member]) -> list[list[Member]]:
    return [[member for member in members if member.run == run] for run in dict.fromkeys(each.run for each in members)]


def _training(member: Member, threads: int, epoch: int | None = None) -> Job:
    """The run is trained to its end, or until it has gone past the epoch."""

    def is_past() -> bool:
        return epoch is not None and current_epoch(member.run) > epoch

    command = [sys.executable, "-m", "nmt_attn", "train", str(member.config), "--threads", str(threads)]
    step = Step(
        command,
        is_done=lambda: is_past() or is_finished(member.run),
        must_stop=is_past,
        is_blocked=lambda: is_locked(member.run),
    )
    return Job(member.run.name, [step], member.log)


def _whole(plan: Plan, members: Sequence[Member], threads: int) -> Job:
    """The run is trained to its end; then its best model translates, once for each search."""
    job = _training(members[0], threads)
    measures = [_measuring(plan, member) for member in {member.output: member for member in members}.values()]
    return job._replace(steps=[*job.steps, *measures])


def _measuring(plan: Plan, member: Member) -> Step:
    device = member.trial.config.run.device
    places = [str(member.run), str(member.config), plan.part, device, str(member.output)]
    command = [sys.executable, "-m", "nmt_attn.experiments.measure_run", *places]
    return Step(command, is_done=member.output.is_file)


def _choose(members: Sequence[Member], halving: Halving, epoch: int, note: Note) -> dict[int, int]:
    """The settings to give up after the epoch: all but the best, by the mean over the seeds."""
    values: dict[int, float] = {}
    for setting in dict.fromkeys(member.trial.setting for member in members):
        found = [
            best_validation(member.run, halving.metric, epoch) for member in members if member.trial.setting == setting
        ]
        values[setting] = fmean(found)
    sign = 1 if is_error(halving.metric) else -1
    ranked = sorted(values, key=lambda setting: (math.isnan(values[setting]), sign * values[setting], setting))
    keep = math.ceil(len(ranked) / halving.factor)
    note(f"after {epoch} epochs: {keep} of {len(ranked)} settings go on")
    return dict.fromkeys(ranked[keep:], epoch)


@contextmanager
def _locked(plan: Plan) -> Iterator[None]:
    """Creates the sweep's folder and locks it. Raises ConfigError for another folder, DataError for one in use."""
    folder = plan.folder
    if folder.is_dir() and not (folder / RECORD).is_file() and any(folder.iterdir()):
        found = "a run" if (folder / CONFIG).is_file() else "a folder of something else"
        raise ConfigError(
            f"{folder}: expected a sweep's folder or none, got {found} (name gives the sweep another one)"
        )
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{folder}: expected a sweep that no other process works on, got one that is") from error
        if not (folder / RECORD).is_file():
            write_text(folder / RECORD, "{}\n")
        yield
    finally:
        os.close(lock)
