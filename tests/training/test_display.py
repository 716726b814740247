"""What one sees: lines without a terminal, a bar on one."""

import io
import math
import sys

import pytest

from nmt_attn.training import display as module
from nmt_attn.training.display import Averages, Display, perplexity
from nmt_attn.training.events import UpdateEvent, ValidationEvent


def update_report(update: int = 1, loss: float = 2.0, target_tokens: int = 600, share_done: float = 0.1) -> UpdateEvent:
    return UpdateEvent(
        update,
        epoch=3,
        loss=loss,
        gradient_norm=0.7,
        learning_rate=0.001,
        sentences=30,
        source_tokens=400,
        target_tokens=target_tokens,
        padding_share=0.1,
        seconds=0.5,
        share_done=share_done,
        is_skipped=math.isnan(loss),
    )


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Terminal(io.StringIO):
    """A screen."""

    def isatty(self) -> bool:
        return True


def test_each_validation_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(planned=10, done=0)
    display.updated(update_report())
    # exp(2.4) = 11.02
    display.validated(ValidationEvent(5, 1, 2.6, 2.4, bleu=17.258, chrf=41.5, seconds=63.0, is_best=True, misses=0))
    display.validated(ValidationEvent(9, 2, 2.5, 2.5, bleu=None, chrf=None, seconds=64.0, is_best=False, misses=1))
    display.validated(ValidationEvent(9, 2, math.nan, 2.5, bleu=None, chrf=None, seconds=64.0, is_best=False, misses=1))
    display.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.split("\n") == [
        "update 5, epoch 1, 01:03: training loss 2.600, validation loss 2.400, perplexity 11.02, "
        "BLEU 17.26, chrF 41.50 (greedy) *",
        "update 9, epoch 2, 01:04: training loss 2.500, validation loss 2.500, perplexity 12.18",
        "update 9, epoch 2, 01:04: no training loss (every update was skipped), "
        "validation loss 2.500, perplexity 12.18",
        "",
    ]


def test_without_a_terminal_a_line_a_minute_says_that_training_is_alive(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Display(planned=10, done=0)
    for seconds in (0, 30, 60):
        clock.now = 1000.0 + seconds
        display.updated(update_report(share_done=0.1 + seconds / 300))
    assert capsys.readouterr().err == ""
    clock.now = 1061.0
    display.updated(update_report(update=4, share_done=0.4))
    # 61 s for three tenths of the training: twice as long for the other six. Speeds: 400 / 0.5 s and 600 / 0.5 s.
    assert capsys.readouterr().err == (
        "update 4, epoch 3: loss 2.000, perplexity 7.39, source 800 and target 1,200 tokens/s, padding 10.0%, "
        "02:02 left\n"
    )
    display.updated(update_report(update=5, share_done=0.5))
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    display = Display(planned=10, done=2)
    display.updated(update_report(share_done=0.3))
    clock.now += 30
    display.updated(update_report(share_done=0.6))
    display.close()
    last = screen.getvalue().split("\r")[-1]
    assert last.startswith("epoch 3  40%|")
    assert (
        "| 4/10, loss 2.000, perplexity 7.39, source 800 and target 1,200 tokens/s, padding 10.0%, 00:40 left" in last
    )


def test_without_planned_updates_the_bar_still_counts(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    display = Display(planned=None, done=2)
    display.updated(update_report())
    display.close()
    assert "3/?" in screen.getvalue()


def test_averages_weigh_the_newest_most() -> None:
    averages = Averages()
    averages.add(update_report(loss=1.0, target_tokens=100))
    assert averages.text() == "loss 1.000, perplexity 2.72, source 800 and target 200 tokens/s, padding 10.0%"
    averages.add(update_report(loss=2.0, target_tokens=200))
    # Weights 0.05 x 0.95 and 0.05, of 0.0975 together: (0.95 + 2) / 1.95 = 1.513 and, per 0.5 s, 302.6 tokens/s.
    assert averages.text() == "loss 1.513, perplexity 4.54, source 800 and target 303 tokens/s, padding 10.0%"


def test_a_skipped_update_leaves_the_averages_as_they_are() -> None:
    averages = Averages()
    averages.add(update_report(loss=math.nan))
    assert averages.text() == "no finite loss yet"
    averages.add(update_report(loss=1.0))
    averages.add(update_report(loss=math.nan))
    assert "loss 1.000" in averages.text()


@pytest.mark.parametrize(
    ("loss", "expected"), [(0.0, "1.00"), (2.0, "7.39"), (9.0, "8.1e+03"), (1e9, "5.18e+21"), (math.nan, "nan")]
)
def test_perplexity_can_be_read(loss: float, expected: str) -> None:
    assert perplexity(loss) == expected
