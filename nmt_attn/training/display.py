"""Progress of training on standard error: a bar on a terminal, else an occasional line."""

import math
import sys
import time
from dataclasses import dataclass

from tqdm import tqdm

from nmt_attn.training.events import UpdateEvent, ValidationEvent

NEWEST_WEIGHT = 0.05
"""Weight of the newest update in the running averages."""

QUIET_SECONDS = 60
"""Without a terminal, the longest time between two lines during training."""

_BAR = "{desc} {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt}{postfix}"


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

    def text(self) -> str:
        """For example `loss 2.310, perplexity 10.07, source 9,100 and target 9,800 tokens/s, padding 3.1%`."""
        if not self.weight:
            return "no finite loss yet"
        loss, seconds = self.loss / self.weight, max(self.seconds, 1e-9)
        return (
            f"loss {loss:.3f}, perplexity {perplexity(loss)}, "
            f"source {self.source_tokens / seconds:,.0f} and target {self.target_tokens / seconds:,.0f} tokens/s, "
            f"padding {self.padding_share / self.weight:.1%}"
        )


class Display:
    """Shows events as they happen. `planned`: total number of updates; None if only time limits it."""

    def __init__(self, planned: int | None, done: int) -> None:
        self._averages = Averages()
        self._first: tuple[float, float] | None = None  # clock and share done after the first update
        self._spoken = time.monotonic()
        is_terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=planned,
            initial=done,
            disable=not is_terminal,
            dynamic_ncols=True,
            file=sys.stderr,
            bar_format=_BAR,
        )

    def updated(self, report: UpdateEvent) -> None:
        """Advances the bar; without a terminal, prints an occasional line."""
        self._averages.add(report)
        status = self._averages.text() + self._time_left(report.share_done)
        if not self._bar.disable:
            self._bar.set_description_str(f"epoch {report.epoch}", refresh=False)
            self._bar.set_postfix_str(status, refresh=False)
            self._bar.update()
        elif time.monotonic() - self._spoken > QUIET_SECONDS:
            self.say(f"update {report.update}, epoch {report.epoch}: {status}")

    def validated(self, report: ValidationEvent) -> None:
        """Prints one line, with a star if the model is the best so far."""
        scores = "" if report.bleu is None else f", BLEU {report.bleu:.2f}, chrF {report.chrf:.2f} (greedy)"
        star = " *" if report.is_best else ""
        self.say(
            f"update {report.update}, epoch {report.epoch}, {tqdm.format_interval(report.seconds)}: "
            f"{_training_loss(report.training_loss)}, "
            f"validation loss {report.loss:.3f}, perplexity {perplexity(report.loss)}{scores}{star}"
        )

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self._spoken = time.monotonic()
        self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """Closes the bar and leaves it on the screen."""
        self._bar.close()

    def _time_left(self, share: float) -> str:
        """Estimate from the share done since the first update of this start; empty before the second update."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, share
        started, first_share = self._first
        if share <= first_share:
            return ""
        return f", {tqdm.format_interval(round((1 - share) * (now - started) / (share - first_share)))} left"


def _training_loss(loss: float) -> str:
    return "no training loss (every update was skipped)" if math.isnan(loss) else f"training loss {loss:.3f}"


def perplexity(loss: float) -> str:
    """exp of a loss in nats per token, in readable digits."""
    value = math.exp(min(loss, 50))
    return f"{value:.2f}" if value < 1000 else f"{value:.3g}"
