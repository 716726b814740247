"""Run lists: the runs in a folder, what is known of each, and which of their keys differ. Nothing is changed."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from safetensors import SafetensorError, safe_open

from nmt_attn.config.key_paths import defaults, value_keys
from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.errors import CheckpointError, UserError
from nmt_attn.experiments.outputs import TABLE
from nmt_attn.experiments.run_state import is_locked, log_end, progress_of
from nmt_attn.model.store import BEST, CONFIG, WEIGHTS
from nmt_attn.text_io import read_text
from nmt_attn.training.checkpoint import checkpoint_paths
from nmt_attn.training.run_folder import CHECKPOINTS, LOG, PREVIOUS

DEPTH = 3
"""Folders below the one that is searched: runs/SWEEP/RUN, and one more to sort them by."""
NOT_COMPARED = ("run.name", "run.dir", "data.cache", "training.metric")
"""Keys that say where files lie, which differ between any two runs, and the one that is a column of the list."""
SECTIONS = ("model", "training", "tokenizer", "data", "search", "evaluate", "run")
"""The sections in the order in which their keys are listed: what a run is about comes first."""

State = Literal["training", "finished", "interrupted", "given up", "failed", "no checkpoints"]


class RunRecord(NamedTuple):
    """A run."""

    path: Path
    name: str  # its place below the folder that was searched
    state: State
    message: str  # of a sweep: why it has failed, or when it was given up
    updates: int
    epoch: int  # the last one that was begun
    metric: str  # training.metric
    best: float | None  # its best validation value; None before the first one
    seconds: float  # of training, as of the last checkpoint
    parameters: int | None  # None before the first checkpoint
    written: float  # when the log or a checkpoint was last written, seconds since 1970
    keys: Mapping[str, Any]  # the resolved configuration by path: `model.attention.score`


def find_runs(folder: Path) -> list[Path]:
    """All runs in the folder and at most DEPTH folders down, in order of their paths; or the folder itself.

    Raises CheckpointError for a folder that is not there.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise CheckpointError(f"{folder}: expected a folder with runs, got {found} (train one: nmt-attn train demo)")
    found_runs = {path.resolve(): path for path in _walk(folder, DEPTH)}
    return sorted(found_runs.values())


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    if _is_run(folder):
        yield folder
    elif depth and os.access(folder, os.R_OK | os.X_OK):
        for below in sorted(folder.iterdir()):
            if below.is_dir() and not below.name.startswith("."):
                yield from _walk(below, depth - 1)


def _is_run(folder: Path) -> bool:
    """Whether it has a configuration and something of a training; a model folder has weights beside it."""
    if not (folder / CONFIG).is_file() or (folder / WEIGHTS).exists():
        return False
    return any((folder / name).exists() for name in (CHECKPOINTS, LOG, BEST, PREVIOUS))


def read_run(path: Path, folder: Path) -> RunRecord:
    """What the files of a run say. Raises UserError if its configuration cannot be read."""
    keys = read_keys(path / CONFIG)
    progress, end = progress_of(path), log_end(path)
    state, message = _state(path)
    is_ahead = end is not None and (progress is None or state == "training")
    updates, epoch = (end.update, end.epoch) if is_ahead and end else (0, 0)
    if progress is not None and not is_ahead:
        updates, epoch = progress.update, progress.epoch - (progress.batch == 0)
    best = None if progress is None or progress.best is None else abs(progress.best)  # greater is better: negated
    return RunRecord(
        path,
        path.name if path == folder else str(path.relative_to(folder)),
        state,
        message,
        updates,
        epoch,
        str(keys["training.metric"]),
        best if best is None or math.isfinite(best) else None,
        0.0 if progress is None else progress.seconds,
        _parameters(path),
        _written(path),
        keys,
    )


def read_keys(path: Path) -> dict[str, Any]:
    """Every key of a resolved configuration; one that an earlier version did not have is at its default."""
    tree, _ = parse_yaml(read_text(path), str(path))
    usual = defaults().model_dump(mode="json")
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: expected the configuration of a run, got something else")
    return {key: _value(tree, key, _value(usual, key)) for key in value_keys()}


def _value(tree: Any, path: str, otherwise: Any = None) -> Any:
    for key in path.split("."):
        if not isinstance(tree, dict) or key not in tree:
            return otherwise
        tree = tree[key]
    return tree


def _state(run: Path) -> tuple[State, str]:
    if is_locked(run):
        return "training", ""
    progress = progress_of(run)
    if progress is not None and progress.is_finished:
        return "finished", ""
    status, message = _of_sweep(run)
    if status == "given up" or status == "failed":
        return status, message
    if progress is None and (run / BEST / WEIGHTS).is_file():
        return "no checkpoints", ""
    return "interrupted", ""


def _of_sweep(run: Path) -> tuple[Any, str]:
    """What became of the run in the sweep that it is one of, with its message; nothing if it is of none."""
    try:
        table = json.loads(read_text(run.parent / f"{TABLE}.json"))
        found = {Path(each["run"]).name: (each["status"], str(each["message"])) for each in table["runs"]}
    except (UserError, ValueError, KeyError, TypeError):
        return None, ""
    return found.get(run.name, (None, ""))


def _parameters(run: Path) -> int | None:
    """Parameters of the best model, or of the newest checkpoint, whose header alone is read."""
    for path in (run / BEST / WEIGHTS, *checkpoint_paths(run / CHECKPOINTS)):
        try:
            with safe_open(path, framework="pt") as stream:
                names = [name for name in stream.keys() if path.name == WEIGHTS or name.startswith("model.")]  # noqa: SIM118
                return sum(math.prod(stream.get_slice(name).get_shape()) for name in names)
        except (SafetensorError, OSError):
            continue
    return None


def _written(run: Path) -> float:
    paths = [run / CONFIG, run / LOG, *checkpoint_paths(run / CHECKPOINTS)[:1]]
    return max(path.stat().st_mtime for path in paths if path.exists())


def differing_from_defaults(runs: Sequence[RunRecord]) -> list[str]:
    """The keys that some run has at another value than the default."""
    usual = defaults().model_dump(mode="json")
    return [key for key in _keys(runs) if any(run.keys[key] != _value(usual, key) for run in runs)]


def differing_between(runs: Sequence[RunRecord]) -> list[str]:
    """The keys that two of the runs have at different values."""
    return [key for key in _keys(runs) if any(run.keys[key] != runs[0].keys[key] for run in runs)]


def _keys(runs: Sequence[RunRecord]) -> list[str]:
    keys = [key for key in (runs[0].keys if runs else ()) if key not in NOT_COMPARED]
    return sorted(keys, key=lambda key: SECTIONS.index(key.partition(".")[0]))
