"""Edits: how far two texts are apart, in characters or in symbols such as phones."""

from collections.abc import Sequence


def split_symbols(text: str, separator: str) -> list[str]:
    """The symbols of a text, without the white space around them; `separator` " " is any white space."""
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
