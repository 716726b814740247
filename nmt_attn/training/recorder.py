"""Recorder: what a run leaves behind and what one sees of it: `log.jsonl`, the progress bar, checkpoints, best/."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tqdm import tqdm

from nmt_attn.config import TrainingConfig
from nmt_attn.errors import DataError
from nmt_attn.files import read_lines, reason, write_text
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.trainer import UpdateReport, ValidationReport

SMOOTHING = 0.05
"""Weight of the newest update in the loss and the speed that the bar shows."""

Save = Callable[[Progress], None]


class Recorder:
    """The trainer's observer. A bar only where standard error is a terminal; otherwise a line per validation."""

    def __init__(
        self, log: Path, config: TrainingConfig, epoch_batches: int, progress: Progress, *, best: Save, checkpoint: Save
    ) -> None:
        self._save_best = best
        self._save_checkpoint = checkpoint
        self._log = _reopen_log(log, progress.update)
        self._loss: float | None = None
        self._speed: float | None = None
        total = planned_updates(config, epoch_batches)
        self._bar = tqdm(
            total=total,
            initial=progress.update,
            unit="update",
            disable=None if sys.stderr.isatty() else True,
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        self._log.close()

    def updated(self, report: UpdateReport) -> None:
        """One line in the log; the bar moves."""
        self._write({"kind": "update", **report._asdict()})
        self._loss = _smooth(self._loss, report.loss)
        self._speed = _smooth(self._speed, report.target_tokens / max(report.seconds, 1e-9))
        self._bar.set_description(f"epoch {report.epoch}", refresh=False)
        self._bar.set_postfix_str(
            f"loss {self._loss:.3f}, ppl {perplexity(self._loss)}, {self._speed:,.0f} tokens/s", refresh=False
        )
        self._bar.update()

    def validated(self, report: ValidationReport) -> None:
        """One line in the log and one for the reader."""
        self._write({"kind": "validation", **report._asdict()})
        bleu = "" if report.bleu is None else f", BLEU {report.bleu:.2f} (greedy)"
        mark = " *" if report.is_best else ""
        self.say(
            f"update {report.update}, epoch {report.epoch}, {report.seconds:.0f} s: "
            f"training loss {report.training_loss:.3f}; "
            f"validation loss {report.loss:.3f}, perplexity {perplexity(report.loss)}{bleu}{mark}"
        )

    def best(self, progress: Progress) -> None:
        """The model is the best so far."""
        self._save_best(progress)

    def checkpoint(self, progress: Progress) -> None:
        """The log reaches the disk before the checkpoint that stands for it."""
        self._log.flush()
        self._save_checkpoint(progress)

    def say(self, line: str) -> None:
        """A line on standard error, above the bar."""
        self._bar.write(line, file=sys.stderr)

    def _write(self, record: dict[str, Any]) -> None:
        try:
            self._log.write(json.dumps(record, ensure_ascii=False) + "\n")
        except OSError as error:
            raise DataError(
                f"{self._log.name}: expected a place that can be written to, got {reason(error)}"
            ) from error


def planned_updates(config: TrainingConfig, epoch_batches: int) -> int | None:
    """How many updates the limits allow; None where only time limits them."""
    limits = [config.updates, config.epochs and config.epochs * epoch_batches]
    return min((limit for limit in limits if limit is not None), default=None)


def perplexity(loss: float) -> str:
    """exp of a loss in nats per token, with digits that can be read."""
    value = math.exp(min(loss, 50))
    return f"{value:.2f}" if value < 1000 else f"{value:.3g}"


def _smooth(before: float | None, now: float) -> float:
    return now if before is None else before + SMOOTHING * (now - before)


def _reopen_log(path: Path, update: int) -> IO[str]:
    """The log without what was written after `update`, which training will write again."""
    if path.exists():
        kept = [line for line in read_lines(path) if _update_of(line) <= update]
        write_text(path, "".join(line + "\n" for line in kept))
    try:
        return path.open("a", encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"{path}: expected a place that can be written to, got {reason(error)}") from error


def _update_of(line: str) -> float:
    """The update that a line tells of; a line cut short by a crash belongs to none that is kept."""
    try:
        return float(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError):
        return math.inf
