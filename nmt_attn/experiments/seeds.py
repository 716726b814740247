"""Seeds: one configuration trained with several seeds, as runs NAME-seed-1, NAME-seed-2, ... of run.dir.

    runs/NAME-seed-1/           a run like any other
    runs/logs/NAME-seed-1.log   what train said

The same command goes on after an interruption: each run does so by itself. Where a configuration is also varied, or a
run is to be known by its data and code, `nmt-attn sweep` does both (sweep.py).
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from statistics import fmean, stdev

import typer

from nmt_attn.config.data_paths import require_files
from nmt_attn.config.extends import find_config
from nmt_attn.config.schema import Config
from nmt_attn.errors import ConfigError
from nmt_attn.experiments.jobs import Job, Step, require_all, work_on
from nmt_attn.experiments.run_list import differing_between, read_run
from nmt_attn.experiments.run_state import is_locked
from nmt_attn.experiments.run_table import format_runs
from nmt_attn.experiments.slots import choose_slots
from nmt_attn.experiments.sweep import LOGS
from nmt_attn.model.seed_runs import seed_name
from nmt_attn.model.store import CONFIG
from nmt_attn.options.training import TrainOptions
from nmt_attn.screen import width_of
from nmt_attn.training.narration import say, say_corpus

OWN_KEYS = ("run.name", "run.seed", "run.threads")
"""What each run is started with, in place of what the options say."""


def train_seeds(path: Path, config: Config, options: TrainOptions) -> None:
    """Trains a run for each seed to its end, in processes of their own, and shows what has become of them.

    Raises UserError where a file of the data is missing or a run has failed, KeyboardInterrupt once all that were
    interrupted have saved.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            "--seeds: expected one process, got several (torchrun trains one run; --jobs N runs side by side)"
        )
    say_corpus(path, config)
    require_files(config, find_config(path), is_new=options.fresh)
    threads = config.run.threads if isinstance(config.run.threads, int) else 1
    slots = choose_slots([config], options.jobs, threads)
    seeds = range(config.run.seed, config.run.seed + (options.seeds or 1))
    jobs = [_job(options, path, config, seed, threads) for seed in seeds]
    folder = Path(config.run.dir)
    say(f"{len(jobs)} runs, {len(slots)} side by side; what they say: {folder / LOGS}")
    failed = work_on(jobs, slots, say)
    typer.echo(format_seeds([folder / job.name for job in jobs], width_of(sys.stdout)))
    require_all(failed, folder / LOGS)
    say(f"evaluate:  nmt-attn eval --model {quote(str(folder / config.run.name))} --seeds {len(jobs)}")


def _job(options: TrainOptions, path: Path, config: Config, seed: int, threads: int) -> Job:
    name = seed_name(config.run.name, seed)
    run = Path(config.run.dir) / name
    own = [f"run.name={name}", f"run.seed={seed}", f"run.threads={threads}"]
    kept = [each for each in options.overrides() if each.partition("=")[0].strip() not in OWN_KEYS]
    command = [sys.executable, "-m", "nmt_attn", "train", str(path)]
    command += [word for override in (*kept, *own) for word in ("--set", override)]
    command += ["--fresh"] * options.fresh + ["--accept-new-data"] * options.accept_new_data
    # Whether a finished run is at its end follows from its limits, which may be larger this time: train knows.
    step = Step(command, is_done=lambda: False, is_blocked=lambda: is_locked(run))
    return Job(name, [step], run.parent / LOGS / f"{name}.log")


def format_seeds(runs: Sequence[Path], width: int | None) -> str:
    """The runs that there are as a table, with the mean of their best values."""
    records = [read_run(run, run.parent) for run in runs if (run / CONFIG).is_file()]
    if not records:
        return "no run was begun"
    lines = [format_runs(records, differing_between(records), width)]
    values = [record.best for record in records if record.best is not None]
    if values:
        deviation = f", standard deviation {stdev(values):.2g}" if len(values) > 1 else ""
        lines.append(f"best validation {records[0].metric}: mean {fmean(values):.4g}{deviation}")
    return "\n".join(lines)
