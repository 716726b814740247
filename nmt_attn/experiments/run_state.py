"""Run state: how far a run has come, as its files say. Nothing here changes a run."""

import fcntl
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from nmt_attn.errors import CheckpointError
from nmt_attn.evaluation.metrics import is_error
from nmt_attn.text_io import read_lines
from nmt_attn.training.checkpoint import Progress, checkpoint_paths, read_progress
from nmt_attn.training.run_folder import CHECKPOINTS, LOG

TAIL_BYTES = 4096
"""More than the last line of a log has."""


class Validation(NamedTuple):
    """One validation of a run."""

    epoch: int  # the last one that was begun before it
    values: dict[str, float]  # loss, metrics and whatever else the log has, by name


class LogEnd(NamedTuple):
    """An update."""

    update: int
    epoch: int


def progress_of(run: Path) -> Progress | None:
    """The newest state of training that can be read; None if there is none."""
    for path in checkpoint_paths(run / CHECKPOINTS):
        try:
            return read_progress(path)
        except CheckpointError:
            continue
    return None


def is_finished(run: Path) -> bool:
    """Whether a limit or the end of patience was reached."""
    progress = progress_of(run)
    return progress is not None and progress.is_finished


def is_locked(run: Path) -> bool:
    """Whether a process trains the run."""
    if not run.is_dir():
        return False
    descriptor = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def current_epoch(run: Path) -> int:
    """The epoch of the last whole line of the log; 0 if there is none."""
    end = log_end(run)
    return 0 if end is None else end.epoch


def log_end(run: Path) -> LogEnd | None:
    """The last update in the log, which may be ahead of the last checkpoint; None if there is none."""
    path = run / LOG
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = stream.read().split(b"\n")[:-1]
    records = [record for record in map(_record, lines) if record.get("kind") == "update"]
    return LogEnd(int(records[-1]["update"]), int(records[-1]["epoch"])) if records else None


def validations(run: Path) -> list[Validation]:
    """All validations in the log."""
    if not (run / LOG).is_file():
        return []
    records = map(_record, read_lines(run / LOG))
    return [
        Validation(int(record["epoch"]), {name: _number(value) for name, value in record.items()})
        for record in records
        if record.get("kind") == "validation"
    ]


def best_validation(run: Path, metric: str, epoch: int | None = None) -> float:
    """The best validation value up to the end of an epoch; NaN if there is none."""
    found = [each for each in validations(run) if epoch is None or each.epoch <= epoch]
    known = [value for each in found if not math.isnan(value := each.values.get(metric, math.nan))]
    return (min if is_error(metric) else max)(known, default=math.nan)


def _record(line: str | bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:  # cut short by a crash
        return {}
    return record if isinstance(record, dict) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
