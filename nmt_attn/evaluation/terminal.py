"""Terminal: an alignment as lines of text, one a target word, with the source words coloured by weight."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.weights import WeightMatrix

LEAST_WEIGHT = 0.05
"""Words with less weight are neither coloured nor listed."""
RAMP = ((0.2, 195, 16), (0.4, 153, 16), (0.6, 111, 16), (0.8, 69, 231), (1.0, 27, 231))
"""Up to a weight: background and text colour, of the 256 standard terminal colours."""


def format_alignment(matrix: WeightMatrix, *, use_colour: bool) -> str:
    """A line a target word: the word; with colour, the source sentence; its source words by weight, greatest first."""
    width = max((cells(word) for word in matrix.target), default=0)
    lines = []
    for word, row in zip(matrix.target, matrix.weights, strict=True):
        parts = [word + " " * (width - cells(word))]
        if use_colour:
            parts.append(" ".join(_coloured(each, weight) for each, weight in zip(matrix.source, row, strict=True)))
        parts.append(_named(matrix.source, row))
        lines.append("  ".join(parts))
    return "\n".join(line.rstrip() for line in lines)


def cells(text: str) -> int:
    """How many columns of a terminal the text takes: marks none, wide characters two."""
    return sum(
        0
        if unicodedata.category(each) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(each) in "WF"
        else 1
        for each in text
    )


def printable(text: str) -> str:
    """The text with U+FFFD for each control character, which a terminal might execute."""
    return "".join("\ufffd" if unicodedata.category(each) == "Cc" else each for each in text)


def _coloured(word: str, weight: float) -> str:
    if weight < LEAST_WEIGHT:
        return word
    background, letters = next((colours[1:] for colours in RAMP if weight <= colours[0]), RAMP[-1][1:])
    return f"\x1b[48;5;{background};38;5;{letters}m{word}\x1b[0m"


def _named(source: Sequence[str], row: NDArray[np.floating]) -> str:
    order = np.argsort(-row, kind="stable")
    return ", ".join(f"{source[place]} {row[place]:.2f}" for place in order if row[place] >= LEAST_WEIGHT)
