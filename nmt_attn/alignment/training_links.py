"""Training links: given word alignments of the training corpus, one Pharaoh line for each of its lines.

Possible links, `ipj` or `i?j`, count as sure ones do. A line without links is a pair of which nothing is known.
"""

from collections.abc import Iterator
from itertools import islice

from nmt_attn.alignment.formats import parse_pharaoh
from nmt_attn.alignment.links import Link, is_inside
from nmt_attn.errors import DataError
from nmt_attn.files import check_count


class TrainingLinks:
    """The lines of links beside a corpus, read once from front to back; `name` is their file's, for messages."""

    def __init__(self, name: str, lines: Iterator[str]) -> None:
        self._name = name
        self._lines = lines
        self._taken = 0

    def of_pair(self, number: int, source: str, target: str) -> list[Link]:
        """The sorted links of the pair on line `number` (from 1, greater than before).

        Raises DataError if there is no such line, if it cannot be read, or if a link points outside the pair.
        """
        line = next(islice(self._lines, number - 1 - self._taken, None), None)
        if line is None:
            raise DataError(f"{self._name}: expected a line for each of data.train, got none for line {number}")
        self._taken = number
        where = f"{self._name}:{number}"
        links = sorted(parse_pharaoh(line, where).possible)
        lengths = len(source.split()), len(target.split())  # as every tokenizer counts words
        for link in links:
            if not is_inside(link, *lengths):
                inside = f"{lengths[0]} source and {lengths[1]} target words, counted from 0"
                raise DataError(f"{where}: expected links inside {inside}, got {link.source}-{link.target}")
        return links

    def check_end(self, lines: int) -> None:
        """Raises DataError unless there are exactly `lines` lines. Reads the rest."""
        count = self._taken + sum(1 for _ in self._lines)
        check_count(self._name, count, lines, "as in data.train")
