"""TensorBoard: scalars and pictures of a run, if it is installed (`pip install nmt-attn[tensorboard]`)."""

import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmt_attn.files import writing_to
from nmt_attn.training.events import UpdateEvent, ValidationEvent

Draw = Callable[[], NDArray[np.floating]]
"""Returns a picture [height, width, 3] with values from 0 to 1."""


class TensorBoardLog:
    """Scalars over updates, in `folder`; writes nothing if TensorBoard is not installed.

    At each validation, `draw` (if given) makes a picture of the attention weights. Scalars that an earlier start wrote
    after `update` are hidden, because training will repeat these updates.
    """

    def __init__(self, folder: Path, update: int, draw: Draw | None) -> None:
        self._folder = folder
        self._draw = draw
        self._writer = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._hook = threading.excepthook
            threading.excepthook = self._leave_to_next_call
            with writing_to(folder):
                self._writer = SummaryWriter(str(folder), purge_step=update + 1)

    def updated(self, report: UpdateEvent) -> None:
        """Logs loss, gradient norm, learning rate, speeds and padding of one update."""
        self._add("training/loss", report.loss, report.update)
        if report.alignment_loss is not None:
            self._add("training/alignment_loss", report.alignment_loss, report.update)
        self._add("training/gradient_norm", report.gradient_norm, report.update)
        self._add("training/learning_rate", report.learning_rate, report.update)
        for side, tokens in (("source", report.source_tokens), ("target", report.target_tokens)):
            self._add(f"training/{side}_tokens_per_second", tokens / max(report.seconds, 1e-9), report.update)
        self._add("training/padding_share", report.padding_share, report.update)

    def validated(self, report: ValidationEvent) -> None:
        """Logs loss, metrics and a picture of one validation, with the validated weights."""
        self._add("validation/loss", report.loss, report.update)
        for name, score in report.scores.items():
            self._add(f"validation/{name}", score.value, report.update)
        if self._writer is not None and self._draw is not None:
            picture = self._draw()
            with writing_to(self._folder):
                self._writer.add_image("validation/alignment", picture, report.update, dataformats="HWC")

    def flush(self) -> None:
        """Flushes to disk."""
        if self._writer is not None:
            with writing_to(self._folder):
                self._writer.flush()

    def close(self) -> None:
        """Flushes and closes."""
        if self._writer is not None:
            try:
                with writing_to(self._folder):
                    self._writer.close()
            finally:
                threading.excepthook = self._hook

    def _leave_to_next_call(self, arguments: threading.ExceptHookArgs) -> None:
        """What the thread that writes cannot write is an error of the next call: Python need not print it too."""
        if not (
            isinstance(arguments.exc_value, OSError) and type(arguments.thread).__module__.startswith("tensorboard")
        ):
            self._hook(arguments)

    def _add(self, name: str, value: float, update: int) -> None:
        if self._writer is not None:
            with writing_to(self._folder):
                self._writer.add_scalar(name, value, update)
