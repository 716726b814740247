"""Progress of training on standard error: a bar on a terminal, else an occasional line."""

import math
import sys
import time
from dataclasses import dataclass
from typing import NamedTuple

from tqdm import tqdm

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.screen import cells, fold, has_colour, width_of
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.events import UpdateEvent, ValidationEvent

NEWEST_WEIGHT = 0.05
"""Weight of the newest update in the running averages."""

QUIET_SECONDS = 60
"""Without a terminal, the longest time between two lines during training."""

MOST_CELLS, LEAST_CELLS = 30, 8
"""Columns of the bar, where there is room."""

_FILL, _BEST, _PLAIN = "\x1b[36m", "\x1b[1;32m", "\x1b[0m"
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Segment(NamedTuple):
    """A piece of the line; where there is no room, those of the highest `rank` go first."""

    rank: int
    text: str


@dataclass
class Averages:
    """Exponential running averages over the updates; all 0 before the first."""

    loss: float = 0.0  # nats per target token
    source_tokens: float = 0.0  # per update
    target_tokens: float = 0.0
    padding_share: float = 0.0  # 0 to 1
    seconds: float = 0.0
    weight: float = 0.0  # sum of the weights so far, which approaches 1

    def add(self, report: UpdateEvent) -> None:
        """Adds one update. Skipped updates have no loss and are ignored."""
        if report.is_skipped:
            return
        for name in ("loss", "source_tokens", "target_tokens", "padding_share", "seconds"):
            before = getattr(self, name)
            setattr(self, name, before + NEWEST_WEIGHT * (getattr(report, name) - before))
        self.weight += NEWEST_WEIGHT * (1 - self.weight)

    def parts(self) -> list[Segment]:
        """Loss, perplexity, speeds and padding."""
        if not self.weight:
            return [Segment(2, "no finite loss yet")]
        loss, seconds = self.loss / self.weight, max(self.seconds, 1e-9)
        return [
            Segment(2, f"loss {loss:.3f}"),
            Segment(7, f"perplexity {perplexity(loss)}"),
            Segment(8, f"source {self.source_tokens / seconds:,.0f} tokens/s"),
            Segment(6, f"target {self.target_tokens / seconds:,.0f} tokens/s"),
            Segment(9, f"padding {self.padding_share / self.weight:.1%}"),
        ]


class Display:
    """Shows events as they happen. `progress` is that of the start, `training` has the limits.

    The share done is that of the limit which is nearest: updates, epochs or minutes. Patience may end training before.
    """

    def __init__(self, training: TrainingConfig, progress: Progress) -> None:
        self._limits = training
        self._seconds, self._misses = progress.seconds, progress.misses
        self._averages = Averages()
        self._started = self._spoken = time.monotonic()
        self._first: tuple[float, float] | None = None  # clock and share done after the first update
        self._colour = has_colour(sys.stderr)
        self._bar = tqdm(
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
            file=sys.stderr,
            bar_format="{desc}",
        )

    def updated(self, report: UpdateEvent) -> None:
        """Advances the bar; without a terminal, prints an occasional line."""
        self._averages.add(report)
        parts = [*self._counts(report), *self._times(report.share_done), *self._averages.parts(), *self._patience()]
        if not self._bar.disable:
            width = (width_of(sys.stderr) or 80) - 1  # a full last column would begin a new line
            line = progress_line(report.share_done, parts, width, has_colour=self._colour)
            self._bar.set_description_str(line, refresh=False)
            self._bar.update()
        elif time.monotonic() - self._spoken > QUIET_SECONDS:
            self.say(", ".join([f"{report.share_done:.0%} done", *(part.text for part in parts)]))

    def validated(self, report: ValidationEvent) -> None:
        """Prints one line, with a star if the model is the best so far."""
        self._misses = report.misses
        scores = "".join(f", {score.title} {score.value:.2f}" for score in report.scores.values())
        greedy = " (greedy)" if scores else ""
        mark = f"{_BEST}*{_PLAIN}" if self._colour else "*"
        star = f" {mark}" if report.is_best else ""
        self.say(
            f"update {report.update}, epoch {report.epoch}, {tqdm.format_interval(report.seconds)}: "
            f"{_training_loss(report.training_loss)}, "
            f"validation loss {report.loss:.3f}, perplexity {perplexity(report.loss)}{scores}{greedy}{star}"
        )

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self._spoken = time.monotonic()
        self._bar.write(fold(line, width_of(sys.stderr)), file=sys.stderr)

    def close(self) -> None:
        """Closes the bar and leaves it on the screen."""
        self._bar.close()

    def _counts(self, report: UpdateEvent) -> list[Segment]:
        limits = self._limits
        return [
            Segment(3, f"epoch {report.epoch}" + _of(limits.epochs)),
            Segment(4, f"update {report.update:,}" + _of(limits.updates)),
        ]

    def _times(self, share: float) -> list[Segment]:
        """Time of all starts so far, and the time left, estimated from the share done since the second update."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, share
        started, first_share = self._first
        elapsed = Segment(1, f"{tqdm.format_interval(round(self._seconds + now - self._started))} elapsed")
        if share <= first_share:
            return [elapsed]
        left = round((1 - share) * (now - started) / (share - first_share))
        return [elapsed, Segment(0, f"{tqdm.format_interval(left)} left")]

    def _patience(self) -> list[Segment]:
        patience = self._limits.patience
        return [] if patience is None else [Segment(5, f"patience {self._misses}/{patience}")]


def progress_line(share: float, parts: list[Segment], width: int, *, has_colour: bool) -> str:
    """` 42% ████▌     03:10 elapsed, 04:21 left, loss 2.310` in at most `width` columns, without the least important.

    What is left of the width is the bar's.
    """
    kept = list(parts)
    percent = f"{math.floor(share * 100):3d}%"  # 100% is the end, and nothing before
    while True:
        text = ", ".join(part.text for part in kept)
        room = width - cells(f"{percent}   {text}")
        if room >= LEAST_CELLS or not kept:
            break
        kept.remove(max(kept))
    return f"{percent} {_bar(share, max(0, min(room, MOST_CELLS)), has_colour=has_colour)}  {text}".rstrip()


def _bar(share: float, width: int, *, has_colour: bool) -> str:
    full, rest = divmod(round(share * width * 8), 8)
    fill = "█" * full + (_EIGHTHS[rest] if rest else "")
    empty = "·" * (width - len(fill))
    return f"{_FILL}{fill}{_PLAIN}{empty}" if has_colour else f"{fill}{empty}"


def _of(limit: int | None) -> str:
    return "" if limit is None else f"/{limit:,}"


def _training_loss(loss: float) -> str:
    return "no training loss (every update was skipped)" if math.isnan(loss) else f"training loss {loss:.3f}"


def perplexity(loss: float) -> str:
    """exp of a loss in nats per token, in readable digits."""
    value = math.exp(min(loss, 50))
    return f"{value:.2f}" if value < 1000 else f"{value:.3g}"
