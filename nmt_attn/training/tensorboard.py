"""Events: the figures of a run for TensorBoard, where that is installed (`pip install nmt-attn[tensorboard]`)."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmt_attn.files import writing_to
from nmt_attn.training.events import UpdateReport, ValidationReport

Draw = Callable[[], NDArray[np.floating]]
"""Draws a picture [height, width, 3], from 0 to 1."""


class Events:
    """Scalars over updates, in `folder`; without TensorBoard nothing is written and nothing is said.

    At each validation `draw`, if there is one, makes a picture of the model's attention.

    What an earlier start wrote about updates after `update` is hidden, as training will make those again.
    """

    def __init__(self, folder: Path, update: int, draw: Draw | None) -> None:
        self._folder = folder
        self._draw = draw
        self._writer = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard.writer import SummaryWriter

            with writing_to(folder):
                self._writer = SummaryWriter(str(folder), purge_step=update + 1)

    def updated(self, report: UpdateReport) -> None:
        """Loss, gradient, rate, speeds and padding of one update."""
        self._add("training/loss", report.loss, report.update)
        if report.alignment_loss is not None:
            self._add("training/alignment_loss", report.alignment_loss, report.update)
        self._add("training/gradient_norm", report.gradient_norm, report.update)
        self._add("training/learning_rate", report.learning_rate, report.update)
        for side, tokens in (("source", report.source_tokens), ("target", report.target_tokens)):
            self._add(f"training/{side}_tokens_per_second", tokens / max(report.seconds, 1e-9), report.update)
        self._add("training/padding_share", report.padding_share, report.update)

    def validated(self, report: ValidationReport) -> None:
        """Loss, BLEU, chrF and picture of one validation, of the model as it is."""
        for name in ("loss", "bleu", "chrf"):
            if (value := getattr(report, name)) is not None:
                self._add(f"validation/{name}", value, report.update)
        if self._writer is not None and self._draw is not None:
            picture = self._draw()
            with writing_to(self._folder):
                self._writer.add_image("validation/alignment", picture, report.update, dataformats="HWC")

    def flush(self) -> None:
        """To the disk."""
        if self._writer is not None:
            with writing_to(self._folder):
                self._writer.flush()

    def close(self) -> None:
        """The last figures reach the disk too."""
        if self._writer is not None:
            with writing_to(self._folder):
                self._writer.close()

    def _add(self, name: str, value: float, update: int) -> None:
        if self._writer is not None:
            with writing_to(self._folder):
                self._writer.add_scalar(name, value, update)
