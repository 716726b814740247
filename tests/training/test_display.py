"""What one sees: lines without a terminal, a bar on one."""

import io
import math
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.screen import cells
from nmt_attn.training import display as module
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.display import Averages, Display, Segment, perplexity, progress_line
from nmt_attn.training.events import TextScore, UpdateEvent, ValidationEvent


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


def text_of(averages: Averages) -> str:
    return ", ".join(part.text for part in averages.parts())


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
    display = Display(TrainingConfig(epochs=None, updates=10), Progress())
    display.updated(update_report())
    scores = {"wer": TextScore("WER", 17.258, is_error=True), "exact": TextScore("exact", 82.742, is_error=False)}
    # exp(2.4) = 11.02
    display.validated(ValidationEvent(5, 1, 2.6, 2.4, scores=scores, seconds=63.0, is_best=True, misses=0))
    display.validated(ValidationEvent(9, 2, 2.5, 2.5, scores={}, seconds=64.0, is_best=False, misses=1))
    display.validated(ValidationEvent(9, 2, math.nan, 2.5, scores={}, seconds=64.0, is_best=False, misses=1))
    display.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.split("\n") == [
        "update 5, epoch 1, 01:03: training loss 2.600, validation loss 2.400, perplexity 11.02, "
        "WER 17.26, exact 82.74 (greedy) *",
        "update 9, epoch 2, 01:04: training loss 2.500, validation loss 2.500, perplexity 12.18",
        "update 9, epoch 2, 01:04: no training loss (every update was skipped), "
        "validation loss 2.500, perplexity 12.18",
        "",
    ]


def test_without_a_terminal_a_line_a_minute_says_that_training_is_alive(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Display(TrainingConfig(epochs=None, updates=10), Progress())
    for seconds in (0, 30, 60):
        clock.now = 1000.0 + seconds
        display.updated(update_report(share_done=0.1 + seconds / 300))
    assert capsys.readouterr().err == ""
    clock.now = 1061.0
    display.updated(update_report(update=4, share_done=0.4))
    # 61 s for three tenths of the training: twice as long for the other six. Speeds: 400 / 0.5 s and 600 / 0.5 s.
    assert capsys.readouterr().err == (
        "40% done, epoch 3, update 4/10, 01:01 elapsed, 02:02 left, loss 2.000, perplexity 7.39, "
        "source 800 tokens/s, target 1,200 tokens/s, padding 10.0%, patience 0/10\n"
    )
    display.updated(update_report(update=5, share_done=0.5))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (60, " 60% █████████······  01:33 elapsed, 00:40 left, loss 2.000"),
        (80, " 60% ████████▍·····  epoch 3/5, update 4, 01:33 elapsed, 00:40 left, loss 2.000"),
        (
            140,
            " 60% ████████████········  epoch 3/5, update 4, 01:33 elapsed, 00:40 left, loss 2.000, "
            "perplexity 7.39, target 1,200 tokens/s, patience 2/6",
        ),
    ],
)
def test_a_terminal_gets_a_bar_that_fits(width: int, line: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(module, "width_of", lambda stream: width)
    monkeypatch.setenv("NO_COLOR", "1")
    display = Display(TrainingConfig(epochs=5, patience=6, minutes=3), Progress(seconds=63.0, misses=2))
    display.updated(update_report(update=3, share_done=0.3))
    clock.now += 30
    display.updated(update_report(update=4, share_done=0.6))  # 30 s for three tenths: 40 s for the other four
    display.close()
    assert screen.getvalue().split("\r")[-1].rstrip("\n ") == line


def test_the_bar_is_coloured_where_the_terminal_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    display = Display(TrainingConfig(), Progress())
    display.updated(update_report(share_done=0.5))
    display.validated(ValidationEvent(5, 1, 2.6, 2.4, scores={}, seconds=63.0, is_best=True, misses=0))
    display.close()
    assert "\x1b[36m█" in screen.getvalue()
    assert "\x1b[1;32m*\x1b[0m" in screen.getvalue()


@given(st.floats(0, 1), st.integers(20, 200), st.booleans())
def test_a_progress_line_fits_and_loses_the_least_important_first(share: float, width: int, has_colour: bool) -> None:
    parts = [Segment(rank, f"part {rank}" + "." * rank) for rank in (3, 1, 0, 2)]
    line = progress_line(share, parts, width, has_colour=has_colour)
    assert cells(re.sub(r"\x1b\[[\d;]*m", "", line)) <= width
    assert line.startswith("100%") is (share == 1)
    shown = [part.rank for part in parts if part.text in line]
    assert sorted(shown) == list(range(len(shown)))


def test_averages_weigh_the_newest_most() -> None:
    averages = Averages()
    averages.add(update_report(loss=1.0, target_tokens=100))
    assert text_of(averages) == "loss 1.000, perplexity 2.72, source 800 tokens/s, target 200 tokens/s, padding 10.0%"
    averages.add(update_report(loss=2.0, target_tokens=200))
    # Weights 0.05 x 0.95 and 0.05, of 0.0975 together: (0.95 + 2) / 1.95 = 1.513 and, per 0.5 s, 302.6 tokens/s.
    assert text_of(averages) == "loss 1.513, perplexity 4.54, source 800 tokens/s, target 303 tokens/s, padding 10.0%"


def test_a_skipped_update_leaves_the_averages_as_they_are() -> None:
    averages = Averages()
    averages.add(update_report(loss=math.nan))
    assert text_of(averages) == "no finite loss yet"
    averages.add(update_report(loss=1.0))
    averages.add(update_report(loss=math.nan))
    assert "loss 1.000" in text_of(averages)


@pytest.mark.parametrize(
    ("loss", "expected"), [(0.0, "1.00"), (2.0, "7.39"), (9.0, "8.1e+03"), (1e9, "5.18e+21"), (math.nan, "nan")]
)
def test_perplexity_can_be_read(loss: float, expected: str) -> None:
    assert perplexity(loss) == expected
