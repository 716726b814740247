"""Events: the figures of a run for TensorBoard, where that is installed (`pip install nmt-attn[tensorboard]`)."""

from importlib.util import find_spec
from pathlib import Path

from nmt_attn.files import writing_to
from nmt_attn.training.reports import UpdateReport, ValidationReport


class Events:
    """Scalars over updates, in `folder`; without TensorBoard nothing is written and nothing is said.

    What an earlier start wrote about updates after `update` is hidden, as training will make those again.
    """

    def __init__(self, folder: Path, update: int) -> None:
        self._folder = folder
        self._writer = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard.writer import SummaryWriter

            with writing_to(folder):
                self._writer = SummaryWriter(str(folder), purge_step=update + 1)

    def updated(self, report: UpdateReport) -> None:
        """Loss, gradient and rate of one update."""
        self._add("training/loss", report.loss, report.update)
        self._add("training/gradient_norm", report.gradient_norm, report.update)
        self._add("training/learning_rate", report.learning_rate, report.update)
        speed = report.target_tokens / max(report.seconds, 1e-9)
        self._add("training/target_tokens_per_second", speed, report.update)

    def validated(self, report: ValidationReport) -> None:
        """Loss, BLEU and chrF of one validation."""
        for name in ("loss", "bleu", "chrf"):
            if (value := getattr(report, name)) is not None:
                self._add(f"validation/{name}", value, report.update)

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
