"""Screen: text that fits the terminal, which may be of any width, and colours where it has them.

Widths are columns of the terminal; None is no limit, as for a file or a pipe, whose readers want whole lines.
"""

import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import IO, Any, NamedTuple, TextIO

GAP = 2
"""Blanks between two columns of a table."""
_TURNS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # marks that turn the direction of what follows
_ESCAPES = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\t\n\r"}
_ESCAPES |= {code: f"\\u{code:04x}" for code in _TURNS}
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


class Column(NamedTuple):
    """A column of a table. Where there is no room, those of the highest `rank` go first; 0 always stays."""

    title: str
    rank: int = 0


def width_of(stream: IO[str]) -> int | None:
    """Columns of the terminal that the stream goes to; None if it goes to none."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # a terminal that does not say
        return 80


def has_colour(stream: IO[str]) -> bool:
    """Whether to colour text for the stream: a terminal that can, and a user who has not set NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


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


def escaped(text: str, *, with_colours: bool = False) -> str:
    """The text with `\\x1b` and the like written out, but for tabs and line ends; `with_colours` keeps colours."""
    if not with_colours:
        return text.translate(_ESCAPES)
    return "".join(part if place % 2 else part.translate(_ESCAPES) for place, part in enumerate(_COLOUR.split(text)))


class EscapingStream:
    """A text stream that writes `escaped` text to another stream, and is that stream in all else."""

    def __init__(self, stream: TextIO, *, with_colours: bool = False) -> None:
        self._stream = stream
        self._with_colours = with_colours

    def write(self, text: str) -> int:
        """Writes it without what a terminal would execute."""
        self._stream.write(escaped(text, with_colours=self._with_colours))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def protect_terminal() -> None:
    """Makes standard error escape; standard output too if it is a terminal (to a file, text goes as it is)."""
    if not isinstance(sys.stderr, EscapingStream):
        sys.stderr = EscapingStream(sys.stderr, with_colours=sys.stderr.isatty())
    if sys.stdout.isatty() and not isinstance(sys.stdout, EscapingStream):
        sys.stdout = EscapingStream(sys.stdout, with_colours=True)


def shortened(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits before an ellipsis."""
    if cells(text) <= width:
        return text
    end = next(end for end in range(len(text), -1, -1) if cells(text[:end]) < max(width, 1))
    return text[:end] + "…"


def fold(text: str, width: int | None) -> str:
    """The text with its lines broken between words."""
    if width is None:
        return text
    return "\n".join(_folded_line(line, width) for line in text.split("\n"))


def _folded_line(line: str, width: int) -> str:
    margin = " " * (len(line) - len(line.lstrip(" ")))
    return textwrap.fill(line, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)


def format_table(
    columns: Sequence[Column | str], rows: Sequence[Sequence[str]], width: int | None = None, note: str = ""
) -> str:
    """Columns two blanks apart, the first left-aligned, the others right-aligned; no trailing blanks.

    A table that is too wide gets titles of several lines, then loses columns, which a last line names (with `note`:
    where they can be found). Columns that stay are never cut, so that what cannot fit is wider than the terminal.
    """
    named = [column if isinstance(column, Column) else Column(column) for column in columns]
    kept = list(range(len(named)))
    body = [*rows]
    table = _lay_out([column.title for column in named], body, is_folded=False)
    while width is not None and widest(table) > width:
        table = _lay_out([named[i].title for i in kept], [[row[i] for i in kept] for row in body], is_folded=True)
        least = max(kept, key=lambda i: (named[i].rank, i))
        if widest(table) <= width or named[least].rank == 0:
            break
        rank = named[least].rank
        kept = [i for i in kept if named[i].rank != rank]
    dropped = dict.fromkeys(column.title for i, column in enumerate(named) if i not in kept)
    if dropped:
        table += "\n" + fold(f"no room for: {', '.join(dropped)}{note}", width)
    return table


def widest(text: str) -> int:
    """The columns of a terminal that its longest line takes."""
    return max(map(cells, text.split("\n")))


def _lay_out(titles: Sequence[str], rows: Sequence[Sequence[str]], *, is_folded: bool) -> str:
    heads = [[title] for title in titles]
    if is_folded:
        body = [max((cells(row[i]) for row in rows), default=0) for i in range(len(titles))]
        heads = [_folded_title(title, room) for title, room in zip(titles, body, strict=True)]
    height = max(map(len, heads))
    lines = [[""] * (height - len(head)) + head for head in heads]  # titles stand on their columns
    table = [*zip(*lines, strict=True), *rows]
    widths = [max(cells(line[i]) for line in table) for i in range(len(titles))]
    return "\n".join(_line(line, widths) for line in table)


def _folded_title(title: str, room: int) -> list[str]:
    longest = max(map(cells, title.split()), default=0)
    return textwrap.wrap(title, max(room, longest, 1), break_long_words=False, break_on_hyphens=False) or [""]


def _line(line: Sequence[str], widths: Sequence[int]) -> str:
    blanks = [" " * (width - cells(cell)) for cell, width in zip(line, widths, strict=True)]
    padded = [cell + blank if not i else blank + cell for i, (cell, blank) in enumerate(zip(line, blanks, strict=True))]
    return (" " * GAP).join(padded).rstrip()
