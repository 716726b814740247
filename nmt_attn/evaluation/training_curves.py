"""Training curves: loss, first metric and learning rate of several runs, one above the other, as PNG, SVG or PDF.

What `log.jsonl` holds (nmt_attn/training/recorder.py): a line an update and a line a validation.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.errors import DataError
from nmt_attn.evaluation.fonts import missing_note
from nmt_attn.evaluation.metrics import METRICS, title_of
from nmt_attn.evaluation.pictures import GRID_COLOUR, drawing, save_figure, system_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHED_UPDATES = 50
"""The training loss is drawn as the mean over this many updates, or over a tenth of a run with few of them."""

LARGEST = 1e300
"""No number of a log comes near it; a larger whole number is none that can be drawn."""

Across = Literal["updates", "seconds"]
Numbers = NDArray[np.float64]


class Curve(NamedTuple):
    """Values over the course of training."""

    updates: Numbers
    seconds: Numbers  # of training, so far
    values: Numbers

    def across(self, across: Across) -> Numbers:
        """The abscissa of each value."""
        return self.updates if across == "updates" else self.seconds


class TrainingLog(NamedTuple):
    """One run's curves; empty where nothing was measured."""

    run: str
    training_loss: Curve  # nats per target token, of every update
    validation_loss: Curve
    learning_rate: Curve
    metric: str | None  # the first one by which the run was validated; None if by the loss alone
    validation_metric: Curve  # of greedy translations


def read_training_log(lines: Iterable[str], run: str) -> TrainingLog:
    """The curves in the lines of a log. Skips a line that a crash cut short. Raises DataError for a damaged one."""
    numbered = ((number, _record(line)) for number, line in enumerate(lines, 1))
    records = [_checked(record, f"{run}: log.jsonl:{number}") for number, record in numbered if record is not None]
    updates = [record for record in records if record.get("kind") == "update"]
    validations = [record for record in records if record.get("kind") == "validation"]
    so_far = np.cumsum([float(record["seconds"]) for record in updates])
    in_validation = [float(record["seconds"]) for record in validations]
    known = (key for record in validations for key in record if key in METRICS and record[key] is not None)
    metric = next(known, None)
    return TrainingLog(
        run,
        _curve(updates, so_far, "loss"),
        _curve(validations, in_validation, "loss"),
        _curve(updates, so_far, "learning_rate"),
        metric,
        _curve(validations, in_validation, metric or ""),
    )


def draw_training(logs: Sequence[TrainingLog], path: Path, across: Across = "updates") -> str | None:
    """Writes the picture; returns a note if a run's name could not be drawn.

    The first metric of each run has a plot. Raises DataError for another ending than pictures.FORMATS.
    """
    with drawing("".join(log.run for log in logs), path) as fonts:
        save_figure(_figure(logs, across), path)
    return missing_note(fonts)


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and {"update", "seconds"} <= record.keys() else None


def _checked(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record, if what is drawn of it are numbers, or null where it may be. Raises DataError."""
    for key in ("update", "seconds", "loss", "learning_rate", *(key for key in record if key in METRICS)):
        value = record.get(key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) > LARGEST
        if not is_number and (value is not None or key in ("update", "seconds")):
            raise DataError(f"{where}: expected a number as {key}, got {value!r:.80}")
    return record


def _curve(records: Sequence[dict[str, Any]], seconds: Sequence[float] | Numbers, key: str) -> Curve:
    points = [
        (record["update"], second, record[key])
        for record, second in zip(records, seconds, strict=True)
        if record.get(key) is not None
    ]
    return Curve(*np.array(points, np.float64).reshape(-1, 3).T)


def _figure(logs: Sequence[TrainingLog], across: Across) -> "Figure":
    from matplotlib.figure import Figure

    metrics = list(dict.fromkeys(log.metric for log in logs if log.metric is not None))
    rows = ["loss", *metrics, "rate"]
    figure = Figure(figsize=(8, 2 + 2.2 * len(rows)), layout="constrained")
    axes = dict(zip(rows, figure.subplots(len(rows), sharex=True), strict=True))
    for number, log in enumerate(logs):
        style = system_style(number)
        colour, marker = style["color"], style["marker"]
        smooth, updates = smoothed(log.training_loss)
        name = f"{log.run}, training" + (f", mean of {updates} updates" if updates > 1 else "")
        _draw(axes["loss"], smooth, across, color=colour, alpha=0.45, label=name)
        _draw(axes["loss"], log.validation_loss, across, color=colour, marker=marker, label=f"{log.run}, validation")
        if log.metric is not None:
            _draw(axes[log.metric], log.validation_metric, across, color=colour, marker=marker, label=log.run)
        _draw(axes["rate"], log.learning_rate, across, color=colour, label=log.run)
    titles = {"loss": "loss, nats per target token", "rate": "learning rate"}
    titles |= {name: f"validation {title_of(name)} (greedy)" for name in metrics}
    for row, each in axes.items():
        each.set_ylabel(titles[row])
        each.grid(color=GRID_COLOUR)
        each.set_axisbelow(True)
        each.set_ylim(bottom=0)
    axes["loss"].legend(frameon=False, fontsize=8)
    axes[rows[-1]].set_xlabel("updates" if across == "updates" else "seconds of training")
    return figure


def _draw(
    axes: "Axes",
    curve: Curve,
    across: Across,
    *,
    color: str,
    label: str,
    marker: str | None = None,
    alpha: float = 1.0,
) -> None:
    if len(curve.values):
        axes.plot(
            curve.across(across),
            curve.values,
            color=color,
            label=label,
            marker=marker,
            markersize=3,
            alpha=alpha,
            lw=1.3,
        )


def smoothed(curve: Curve) -> tuple[Curve, int]:
    """The means over windows of equally many updates, each at the middle of its window; and that number of updates.

    No window is cut at the ends: a mean over fewer updates, or beside its middle, would bend the curve. Skipped updates
    do not count.
    """
    window = max(1, min(SMOOTHED_UPDATES, len(curve.values) // 10))
    is_there = np.isfinite(curve.values)
    sums, counts = _window_sums(np.where(is_there, curve.values, 0), window), _window_sums(is_there, window)
    means = np.divide(sums, counts, out=np.full(len(sums), math.nan), where=counts > 0)
    return Curve(
        _window_sums(curve.updates, window) / window, _window_sums(curve.seconds, window) / window, means
    ), window


def _window_sums(values: NDArray[Any], window: int) -> Numbers:
    """The sums of each `window` neighbours [N - window + 1]."""
    sums: Numbers = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    return sums[window:] - sums[:-window]
