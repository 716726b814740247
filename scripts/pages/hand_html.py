"""The tables of docs/worked-example.md: each number carries its name, and the colour of what it is.

A number is `<b class="s" data-q="b1.s.0">`: the first one of Bahdanau's state at the first word. The page's script
marks all places of a number that is pointed at, and a test recomputes each by its name.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from pages.hand_numbers import CHOSEN, STEPS, TARGET, WORDS, Numbers

KINDS = {
    "h": "h Uah",
    "s": "s s0 Us Was Uos sum",
    "e": "e x tanh exp",
    "a": "a",
    "c": "c ah Cc Coc",
    "r": "r tt Fr Wcs",
    "y": "y Wy Voy z p",
}
"""Colour -> the last part of the names that have it; parameters have none."""
COLOUR = {name: kind for kind, names in KINDS.items() for name in names.split()}
SHOWN = (*range(1, STEPS), 0)
"""The order in which the words that can be written are shown."""


class Row(NamedTuple):
    """A row of a table: what it is, its numbers, and whether a line stands above it."""

    label: str
    cells: Sequence[str]
    is_result: bool = False


def word(number: int, *, is_written: bool = True) -> str:
    """Of the target, as it stands in HTML; 0 is `<s>` where it is read, `</s>` where it is written."""
    return escape("</s>" if is_written and number == 0 else TARGET[number])


def sign(number: float, digits: int) -> str:
    """As it is printed, with a real minus and no minus before 0."""
    text = f"{number:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def symbol(kind: str, letter: str, below: str = "") -> str:
    """`s` with its index, in the colour of its kind."""
    index = f"<sub>{below}</sub>" if below else ""
    return f'<i class="{kind}">{letter}{index}</i>'


class Writer:
    """Writes numbers by their names."""

    def __init__(self, numbers: Numbers) -> None:
        self._flat = {name: values.flatten().tolist() for name, values in numbers.items()}

    def number(self, name: str, place: int = 0, digits: int | None = None) -> str:
        """One number; one decimal if it was chosen, else three."""
        kind = COLOUR.get(name.rpartition(".")[2], "k")
        origin = "s0" if name in ("b0.s", "l0.s") else name
        if digits is None:
            digits = 1 if origin in CHOSEN or name == "l0.r" else 3
        return f'<b class="{kind}" data-q="{origin}.{place}">{sign(self._flat[name][place], digits)}</b>'

    def numbers(self, name: str, size: int, row: int = 0) -> list[str]:
        """A row of a matrix with rows of this size, or a vector."""
        return [self.number(name, row * size + place) for place in range(size)]

    def vector(self, name: str, size: int, row: int = 0) -> str:
        """The numbers of a vector beside each other in a coloured strip."""
        kind = COLOUR.get(name.rpartition(".")[2], "k")
        return f'<span class="v {kind}">{" ".join(self.numbers(name, size, row))}</span>'

    def share(self, name: str, place: int) -> str:
        """A cell whose coloured part is as wide as the number says."""
        kind = COLOUR[name.rpartition(".")[2]]
        style = f"--p:{100 * self._flat[name][place]:.1f}%"
        return f'<td class="share {kind}" style="{style}">{self.number(name, place)}</td>'

    def products(self, terms: Iterable[tuple[str, int, str, int]], result: str, place: int = 0) -> str:
        """`a × b + ... = c`, of numbers by name and place."""
        parts = " + ".join(f"{self.number(a, i)} × {self.number(b, j)}" for a, i, b, j in terms)
        return f'<p class="sum">{parts} = {self.number(result, place)}</p>'

    def matrix(self, title: str, name: str, size: int, rows: Sequence[str]) -> str:
        """A small table with named rows."""
        return table(title, [Row(label, cells(self.numbers(name, size, r))) for r, label in enumerate(rows)])

    def ledger(self, title: str, parts: Sequence[tuple[str, str]], size: int, *, results: int) -> str:
        """Rows that are added up, column by column; the last ones are results. Parts are labels and names."""
        first = len(parts) - results
        rows = [Row(label, cells(self.numbers(name, size)), r >= first) for r, (label, name) in enumerate(parts)]
        return table(title, rows)


def cells(numbers: Iterable[str]) -> list[str]:
    """Numbers as cells."""
    return [f"<td>{number}</td>" for number in numbers]


def table(title: str, rows: Sequence[Row], head: Sequence[tuple[str, int]] = ()) -> str:
    """Rows below a caption; `head` has a label and a width for each group of columns."""
    kind = "by-hand" if rows[0].label else "by-hand plain"
    lines = [f'<table class="{kind}"><caption>{title}</caption>']
    if head:
        lines.append("<thead><tr>" + "".join(_head(label, width) for label, width in head) + "</tr></thead>")
    for row in rows:
        mark = ' class="result"' if row.is_result else ""
        label = f'<th scope="row">{row.label}</th>' if row.label else ""
        lines.append(f"<tr{mark}>{label}{''.join(row.cells)}</tr>")
    return "".join([*lines, "</table>"])


def _head(label: str, width: int) -> str:
    return f'<th scope="col" colspan="{width}">{label}</th>' if label else f'<td colspan="{width}"></td>'


def card(title: str, place: int, text: str, *parts: str) -> str:
    """One operation of one order: its number in that order, what happens, and the numbers."""
    head = f'<p class="what"><span class="tag">{title}</span> <span class="no">{place}</span> {text}</p>'
    return f'<div class="card">{head}{"".join(parts)}</div>'


def pair(*sides: str) -> str:
    """Two things beside each other; below each other on a phone."""
    return f'<div class="pair">{"".join(sides)}</div>'


def by_word(head: Sequence[tuple[str, int]], title: str, rows: Sequence[Sequence[str]], words: Sequence[str]) -> str:
    """A table with a row for each source word."""
    named = [Row(name, row) for name, row in zip(words, rows, strict=True)]
    return table(title, named, [("", 1), *head] if head else ())


def source_rows(*columns: Sequence[str]) -> list[list[str]]:
    """Cells of each source word, from columns that have one entry a word."""
    return [list(entries) for entries in zip(*columns, strict=True)]


WORD_NAMES = [f"<em>{name}</em>" for name in WORDS]
