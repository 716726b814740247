"""Terminal: exact lines, columns of any script, and no control characters."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt_attn.alignment.weights import WeightMatrix
from nmt_attn.evaluation.terminal import format_alignment
from nmt_attn.screen import cells, escaped, printable

MATRIX = WeightMatrix(
    ["Turn", "off", "</s>"],
    ["बंद", "करो", "好", "x"],
    np.array([[0.3, 0.62, 0.08], [1, 0, 0], [0, 0, 1], [0, 0, 0]], np.float32),
)


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("बंद", 2), ("करो", 3), ("好", 2), ("e\u0301", 1), ("", 0)])
def test_columns_of_a_text(text: str, width: int) -> None:
    assert cells(text) == width


def test_source_words_stand_above_their_shades_and_the_strongest_are_named() -> None:
    assert format_alignment(MATRIX, 60, use_colour=False) == (
        "     Turn off </s>\n"
        "बंद   ▒▒▒▒ ███ ░░░░  off 0.62, Turn 0.30, </s> 0.08\n"
        "करो  ████ ·   ·     Turn 1.00\n"
        "好   ·    ·   ████  </s> 1.00\n"
        "x    ·    ·   ·"
    )  # fmt: skip


def test_colour_is_all_that_colour_adds() -> None:
    plain, coloured = (format_alignment(MATRIX, 60, use_colour=use) for use in (False, True))
    assert "\x1b[38;5;39m▒▒▒▒\x1b[0m \x1b[38;5;39m███\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_a_long_source_has_a_column_a_word_and_a_ruler() -> None:
    weights = np.zeros((1, 23), np.float32)
    weights[0, 0], weights[0, 9], weights[0, 22] = 0.5, 0.3, 0.2
    matrix = WeightMatrix([f"w{i}" for i in range(23)], ["y"], weights)
    assert format_alignment(matrix, 60, use_colour=False) == (
        "   1        10        20\n"
        "y  ▓········▒············░  w0 0.50, w9 0.30, w22 0.20"
    )  # fmt: skip
    assert format_alignment(matrix, 40, use_colour=False) == (
        "   1        19\ny  ▓···▒······░  w0 0.50, w9 0.30\neach column is 2 source words, the greatest weight of them"
    )


@given(st.integers(1, 90), st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal(words: int, width: int) -> None:
    weights = np.full((2, words), 1 / words, np.float32)
    matrix = WeightMatrix(["longish"] * words, ["a", "x" * 30], weights)
    lines = format_alignment(matrix, width, use_colour=False).split("\n")
    assert max(map(cells, lines[:3])) <= width


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31m\x07ब") == "a\ufffd[31m\ufffdब"


def test_what_a_terminal_would_execute_is_written_out() -> None:
    assert escaped("a\x1b[31m\x9b\u202e\tb\r\n") == "a\\x1b[31m\\x9b\\u202e\tb\r\n"
    assert escaped("\x1b[31mred\x1b]0;t\x07", with_colours=True) == "\x1b[31mred\\x1b]0;t\\x07"
