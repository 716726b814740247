"""Edits: how many characters must be inserted, deleted or replaced to turn one text into another."""


def edit_distance(first: str, second: str) -> int:
    """Levenshtein 1966: the fewest single-character edits from one text to the other.

    Myers 1999, "A fast bit-vector algorithm for approximate string matching based on dynamic programming", in the
    form of Hyyrö 2001. A column of the table of distances is kept as its differences from row to row, in two
    integers of as many bits as `first` has characters, so that a column costs a dozen operations.
    """
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for row, character in enumerate(first):
        places[character] = places.get(character, 0) | 1 << row
    everywhere = (1 << len(first)) - 1
    last_row = 1 << (len(first) - 1)
    up, down = everywhere, 0  # rows where the distance is one more, one less than in the row above
    distance = len(first)
    for character in second:
        equal = places.get(character, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down  # rows where it is no more than diagonally before
        right_up = down | ~(diagonal | up) & everywhere  # rows where it grew, shrank from the column before
        right_down = up & diagonal
        distance += bool(right_up & last_row) - bool(right_down & last_row)
        right_up = right_up << 1 | 1
        right_down = right_down << 1
        up = (right_down | ~(diagonal | right_up)) & everywhere
        down = right_up & diagonal & everywhere
    return distance
