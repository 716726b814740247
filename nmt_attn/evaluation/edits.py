"""Edits: how far two texts are apart, in characters or in symbols such as phones."""

import unicodedata
from collections.abc import Sequence


def split_symbols(text: str, separator: str) -> list[str]:
    """The symbols of a text, without the white space around them.

    `separator` " " is any white space; with "" each character is one, and white space between words a blank.
    """
    if separator == "":
        return list(" ".join(text.split()))
    if separator == " ":
        return text.split()
    return [" ".join(symbol.split()) for symbol in text.split(separator) if symbol.strip()]


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Levenshtein 1966: the fewest edits of single characters, or symbols, from one text to the other.

    Myers 1999, "A fast bit-vector algorithm for approximate string matching based on dynamic programming", in the
    form of Hyyrö 2001. A column of the table of distances is kept as its differences from row to row, in two
    integers of as many bits as `first` has characters or symbols, so that a column costs a dozen operations.
    """
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for row, symbol in enumerate(first):
        places[symbol] = places.get(symbol, 0) | 1 << row
    everywhere = (1 << len(first)) - 1
    last_row = 1 << (len(first) - 1)
    up, down = everywhere, 0  # rows where the distance is one more, one less than in the row above
    distance = len(first)
    for symbol in second:
        equal = places.get(symbol, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down  # rows where it is no more than diagonally before
        right_up = down | ~(diagonal | up) & everywhere  # rows where it grew, shrank from the column before
        right_down = up & diagonal
        distance += bool(right_up & last_row) - bool(right_down & last_row)
        right_up = right_up << 1 | 1
        right_down = right_down << 1
        up = (right_down | ~(diagonal | right_up)) & everywhere
        down = right_up & diagonal & everywhere
    return distance


Edit = tuple[str, str]
"""A symbol of the gold text and what the guess has in its place; "" is none."""


def align(gold: Sequence[str], guess: Sequence[str]) -> tuple[Edit, ...]:
    """The symbols of both side by side, with the fewest edits; of these, with replacements late rather than early."""
    start = _common(gold, guess)
    end = _common(gold[start:][::-1], guess[start:][::-1])
    middle = _align_all(gold[start : len(gold) - end], guess[start : len(guess) - end])
    same = [(symbol, symbol) for symbol in gold]
    return (*same[:start], *middle, *same[len(gold) - end :])


def written(edits: Sequence[Edit]) -> str:
    """What differs, such as `a→b ∅→c d→∅`: a replaced, c too many, d missing."""
    return " ".join(f"{shown(gold)}→{shown(guess)}" for gold, guess in edits if gold != guess)


def shown(symbol: str) -> str:
    """A symbol for the eye: `∅` for none, `▁` for a blank, `◌` under a mark that would combine with what is before."""
    if symbol and unicodedata.combining(symbol[0]):
        return f"◌{symbol}"
    return "▁".join(symbol.split(" ")) if symbol else "∅"


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """How many symbols both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))


def _align_all(gold: Sequence[str], guess: Sequence[str]) -> list[Edit]:
    """By the whole table of distances (Wagner and Fischer 1974), read from its end."""
    table = [list(range(len(guess) + 1))]
    for row, symbol in enumerate(gold, start=1):
        above, line = table[-1], [row]
        for column, other in enumerate(guess):
            line.append(min(above[column] + (symbol != other), above[column + 1] + 1, line[column] + 1))
        table.append(line)
    edits: list[Edit] = []
    row, column = len(gold), len(guess)
    while row or column:
        here = table[row][column]
        if row and column and here == table[row - 1][column - 1] + (gold[row - 1] != guess[column - 1]):
            row, column = row - 1, column - 1
            edits.append((gold[row], guess[column]))
        elif row and here == table[row - 1][column] + 1:
            row -= 1
            edits.append((gold[row], ""))
        else:
            column -= 1
            edits.append(("", guess[column]))
    return edits[::-1]
