"""Terminal: an alignment as a matrix of shades, one line a target word, at any width."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.weights import WeightMatrix
from nmt_attn.screen import cells, shortened

LEAST_WEIGHT = 0.05
"""Words with less weight are neither shaded nor named."""
MOST_NAMED = 3
"""Source words that are named beside a target word."""
RAMP = ((0.2, "░"), (0.4, "▒"), (0.6, "▓"), (1.0, "█"))
"""Up to a weight, its shade: the denser the more, on dark terminals and on light ones."""
_COLOUR, _PLAIN = "\x1b[38;5;39m", "\x1b[0m"

_LONGEST_WORD = 16
_ROOM_TO_NAME = 22
"""Columns that are kept free for the names of the strongest source words."""
_GAP = "  "


def format_alignment(matrix: WeightMatrix, width: int, *, use_colour: bool) -> str:
    """A line a target word: the word, a shade for each source word, and its strongest source words by weight.

    Where they fit, the source words stand above their shades; else each has one column, and a ruler counts them. A
    source that is longer than the strip shares columns, each of which shows the greatest weight of its words.
    """
    words = [shortened(word, _LONGEST_WORD) for word in matrix.target]
    margin = max(map(cells, words), default=0)
    room = max(width - margin - len(_GAP), 1)
    heads, sizes, per_column = _columns(matrix.source, room)
    gap = " " if per_column == 1 and max(sizes) > 1 else ""
    left = room - sum(sizes) - len(gap) * (len(sizes) - 1) - len(_GAP)
    lines = [" " * margin + _GAP + heads]
    for word, row in zip(words, matrix.weights, strict=True):
        shades = [row[i : i + per_column].max() for i in range(0, len(row), per_column)]
        strip = gap.join(_shade(shade, size, use_colour=use_colour) for shade, size in zip(shades, sizes, strict=True))
        padded = word + " " * (margin - cells(word))
        lines.append(_GAP.join([padded, strip, _named(matrix.source, row, left)]))
    note = f"each column is {per_column} source words, the greatest weight of them" if per_column > 1 else ""
    return "\n".join(line.rstrip() for line in [*lines, *([note] if note else [])])


def _columns(source: Sequence[str], room: int) -> tuple[str, list[int], int]:
    """The line above the strip, the width of each of its columns, and how many source words share one."""
    sizes = [max(cells(word), 2) for word in source]
    if sum(sizes) + len(sizes) - 1 + _ROOM_TO_NAME <= room:
        return " ".join(word + " " * (size - cells(word)) for word, size in zip(source, sizes, strict=True)), sizes, 1
    most = max(room - _ROOM_TO_NAME, room // 2, 1)
    per_column = -(-len(source) // most)
    count = -(-len(source) // per_column)
    return _ruler(count, per_column), [1] * count, per_column


def _ruler(count: int, per_column: int) -> str:
    """`1        10        20`: the number of a source word over its column, from 1; every tenth column."""
    ruler = "1"
    for column in range(9, count, 10):
        number = str(column * per_column + 1)
        ruler += " " * (column - len(ruler)) + number
    return ruler


def _shade(weight: float, size: int, *, use_colour: bool) -> str:
    if weight < LEAST_WEIGHT:
        return "·" + " " * (size - 1)
    shade = next((shade for limit, shade in RAMP if weight <= limit), RAMP[-1][1]) * size
    return f"{_COLOUR}{shade}{_PLAIN}" if use_colour else shade


def _named(source: Sequence[str], row: NDArray[np.floating], room: int) -> str:
    """`off 0.62, Turn 0.30`: as many of the strongest as there is room for, at least one."""
    strongest = [place for place in np.argsort(-row, kind="stable")[:MOST_NAMED] if row[place] >= LEAST_WEIGHT]
    text = ""
    for place in strongest:
        weight = f" {row[place]:.2f}"
        if not text:
            text = shortened(source[place], max(room - len(weight), 2)) + weight
        elif cells(longer := f"{text}, {source[place]}{weight}") <= room:
            text = longer
    return text
