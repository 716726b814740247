"""Terminal: exact lines, columns of any script, and no control characters."""

import numpy as np
import pytest

from nmt_attn.alignment.weights import WeightMatrix
from nmt_attn.evaluation.terminal import cells, format_alignment, printable

MATRIX = WeightMatrix(
    ["Turn", "off", "</s>"],
    ["बंद", "करो", "好", "x"],
    np.array([[0.3, 0.62, 0.08], [1, 0, 0], [0, 0, 1], [0, 0, 0]], np.float32),
)


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("बंद", 2), ("करो", 3), ("好", 2), ("e\u0301", 1), ("", 0)])
def test_columns_of_a_text(text: str, width: int) -> None:
    assert cells(text) == width


def test_without_colour_words_and_weights_are_named_most_first() -> None:
    assert format_alignment(MATRIX, use_colour=False) == (
        "बंद   off 0.62, Turn 0.30, </s> 0.08\n"
        "करो  Turn 1.00\n"
        "好   </s> 1.00\n"
        "x"
    )  # fmt: skip


def test_with_colour_the_source_stands_on_every_line() -> None:
    first, second, _, last = format_alignment(MATRIX, use_colour=True).split("\n")
    turn, off, end = "\x1b[48;5;153;38;5;16mTurn", "\x1b[48;5;69;38;5;231moff", "\x1b[48;5;195;38;5;16m</s>"
    assert first.startswith(f"बंद   {turn}\x1b[0m {off}\x1b[0m {end}\x1b[0m  off 0.62")
    assert "\x1b[48;5;27;38;5;231mTurn\x1b[0m off </s>" in second
    assert last == "x    Turn off </s>"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31m\x07ब") == "a\ufffd[31m\ufffdब"
