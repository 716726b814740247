"""The trainer's observer: writes `log.jsonl`, TensorBoard events, checkpoints and the best models."""

import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.errors import DataError
from nmt_attn.files import write_text, writing_to
from nmt_attn.text_io import read_text
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.display import Display
from nmt_attn.training.events import Observer, UpdateEvent, ValidationEvent
from nmt_attn.training.run_folder import RunFolder
from nmt_attn.training.tensorboard import Draw, TensorBoardLog

Save = Callable[[Progress], None]


class Saves(NamedTuple):
    """Functions that save the model and the state of training."""

    best: Save  # the model, as the best one
    kept: Save  # the model, as one of the best
    checkpoint: Save  # the state of training


class RunRecorder(Observer):
    """Records all events after `progress` in `folder` and shows them on standard error.

    log.jsonl has one line per update and one per validation, with the fields of their events, of a validation also the
    metrics by their names; numbers that are not finite are null. Lines of updates after the checkpoint are dropped,
    because training will repeat these updates.
    """

    def __init__(
        self, folder: RunFolder, training: TrainingConfig, progress: Progress, saves: Saves, draw: Draw | None
    ) -> None:
        self._saves = saves
        self._path = folder.log
        self._log = _reopen_log(folder.log, progress.update)
        self._events = TensorBoardLog(folder.events, progress.update, draw)
        self._display = Display(training, progress)

    def __enter__(self) -> "RunRecorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.close()
        with suppress(DataError, OSError):  # the log was synced before the last checkpoint
            self._events.close()
            self._log.close()

    def updated(self, report: UpdateEvent) -> None:
        """Writes a line to the log and advances the bar."""
        self._write({"kind": "update", **report._asdict()})
        self._events.updated(report)
        self._display.updated(report)

    def validated(self, report: ValidationEvent) -> None:
        """Writes a line to the log and one to standard error."""
        fields = report._asdict()
        values = {name: score.value for name, score in fields.pop("scores").items()}
        self._write({"kind": "validation", **fields, **values})
        self._events.validated(report)
        self._display.validated(report)

    def best(self, progress: Progress) -> None:
        """Saves the model as the best so far."""
        self._saves.best(progress)

    def kept(self, progress: Progress) -> None:
        """Saves the model as one of the best."""
        self._saves.kept(progress)

    def checkpoint(self, progress: Progress) -> None:
        """Syncs the log to disk, then saves a checkpoint."""
        with writing_to(self._path):
            os.fsync(self._log.fileno())
        self._events.flush()
        self._saves.checkpoint(progress)

    def say(self, line: str) -> None:
        """Prints a line on standard error, above the bar."""
        self._display.say(line)

    def _write(self, record: dict[str, Any]) -> None:
        finite = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in record.items()
        }
        with writing_to(self._path):
            self._log.write(json.dumps(finite, ensure_ascii=False, allow_nan=False) + "\n")


def _reopen_log(path: Path, update: int) -> IO[str]:
    """Opens the log, line-buffered, without the lines after `update`, which training will write again."""
    if path.exists():
        text = read_text(path)
        kept = "".join(line + "\n" for line in text.split("\n") if _update_of(line) <= update)
        if kept != text:
            write_text(path, kept)
    with writing_to(path):
        return path.open("a", encoding="utf-8", newline="\n", buffering=1)


def _update_of(line: str) -> float:
    """The update of a line; infinity for a line truncated by a crash, or damaged, which is dropped."""
    try:
        return float(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return math.inf
