"""Columns: several cells of a row become the text of one side; cells of tags become symbols of their own.

    hablar | V;PST;3;SG        ->  hablar ⟦V⟧ ⟦PST⟧ ⟦3⟧ ⟦SG⟧

A tag is written between white square brackets, U+27E6 and U+27E7, and is one piece of every tokenizer that has tags
(nmt_attn/data/tags.py). Other text cannot become one: in the cells of such a corpus both brackets are read as `[` and
`]`. White space inside a tag is written `▁`.

    de | guten Tag              ->  ⟦@de⟧ guten Tag

A label, of a column `as: tag`, is the one tag that each text must have and that training must know, such as the
language of a multilingual model. It begins with `@`; another tag that does gets `_` before it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nmt_attn.config.columns_section import ColumnConfig, ColumnName, ColumnsConfig
from nmt_attn.data.subwords import BLANK
from nmt_attn.errors import DataError
from nmt_attn.files import shown

OPEN, CLOSE = "⟦", "⟧"
TAG = re.compile(rf"{OPEN}[^\s{OPEN}{CLOSE}]+{CLOSE}")
LABEL = re.compile(rf"{OPEN}@[^\s{OPEN}{CLOSE}]+{CLOSE}")

_PLAIN = str.maketrans(OPEN + CLOSE, "[]")


class Column(NamedTuple):
    """Where a part of a text is."""

    name: ColumnName  # number from 1, or name of a field
    is_tags: bool = False
    split: str = ""  # each of these characters stands between two tags
    default: str | None = None  # None: a row must have the column
    is_label: bool = False  # its tag is one that each text must have

    def part(self, cell: str | None) -> str:
        """The cell as a part of the text; None: the row has no such column."""
        if cell is None or not cell.strip():
            cell = self.default or ""
        if self.is_label:
            return label_of(cell) if cell.strip() else ""
        return " ".join(f"{OPEN}{tag}{CLOSE}" for tag in self._tags(cell)) if self.is_tags else cell.strip()

    def _tags(self, cell: str) -> list[str]:
        cells = re.split(f"[{re.escape(self.split)}]", cell) if self.split else [cell]
        tags = [BLANK.join(tag.split()) for tag in cells if tag.strip()]
        return [f"_{tag}" if tag.startswith("@") else tag for tag in tags]


class SideColumns(NamedTuple):
    """The columns of one side, in the order of their text."""

    columns: tuple[Column, ...]

    @classmethod
    def one(cls, name: ColumnName) -> "SideColumns":
        """A side that is one column of text."""
        return cls((Column(name),))

    @property
    def has_tags(self) -> bool:
        """Whether some column holds tags."""
        return any(column.is_tags for column in self.columns)

    @property
    def required(self) -> list[ColumnName]:
        """The columns without which a row cannot be read."""
        return [column.name for column in self.columns if column.default is None]

    def text(self, cells: Sequence[str | None]) -> str:
        """The text of a row's cells, one for each column; empty if the columns of text are, or the label is."""
        if len(self.columns) == 1 and self.required:
            return cells[0] or ""
        if self.has_tags:
            cells = [cell and cell.translate(_PLAIN) for cell in cells]
        parts = [column.part(cell) for column, cell in zip(self.columns, cells, strict=True)]
        pairs = [*zip(self.columns, parts, strict=True)]
        if not any(part for column, part in pairs if not column.is_tags):
            return ""
        if any(column.is_label and not part for column, part in pairs):
            return ""
        return " ".join(part for part in parts if part)

    def has_brackets(self, cells: Sequence[str | None]) -> bool:
        """Whether brackets in the cells are read as others."""
        return self.has_tags and any(cell is not None and (OPEN in cell or CLOSE in cell) for cell in cells)

    def default_tags(self) -> tuple[str, str]:
        """The tags of a text without any, before and after it."""
        first = next(place for place, column in enumerate(self.columns) if not column.is_tags)
        parts = [column.part(None) if column.is_tags else "" for column in self.columns]
        return " ".join(filter(None, parts[:first])), " ".join(filter(None, parts[first:]))

    def with_label(self, label: str) -> "SideColumns":
        """The same with this label where a row has none."""
        return SideColumns(tuple(each._replace(default=label) if each.is_label else each for each in self.columns))

    def labelled(self, text: str) -> str:
        """A text with the default label, where its column stands; a text that is blank or has one stays as it is."""
        words = text.split()
        label = next((column.default for column in self.columns if column.is_label), None)
        if label is None or not words or any(map(LABEL.fullmatch, words)):
            return text
        is_first = next(column.is_label for column in self.columns if column.is_label or not column.is_tags)
        return f"{label_of(label)} {text}" if is_first else f"{text} {label_of(label)}"

    def of_line(self, line: str, where: str) -> str:
        """The text of a line of tab-separated cells, or of a JSON object if the columns have names.

        Raises DataError, beginning with `where`, if one is missing.
        """
        if not line.strip():
            return ""
        if not isinstance(self.columns[0].name, int):
            return self._of_json(line, where)
        cells = line.split("\t")
        needed = max(int(name) for name in self.required) if self.required else 0
        if len(cells) < needed:
            raise DataError(f"{where}: expected at least {needed} tab-separated columns, got {len(cells)}")
        numbers = [int(column.name) for column in self.columns]
        return self.text([cells[number - 1] if number <= len(cells) else None for number in numbers])

    def of_record(self, record: Mapping[ColumnName, str], where: str) -> str:
        """The text of a record whose keys are the columns. Raises DataError if one is missing, unknown or no text."""
        known = [column.name for column in self.columns]
        unknown = [name for name in record if name not in known]
        missing = [name for name in self.required if name not in record]
        if unknown or missing:
            names, got = (
                ", ".join(map(repr, known)),
                f"no {shown(str(missing[0]))}" if missing else shown(str(unknown[0])),
            )
            raise DataError(f"{where}: expected a record of {names}, got {got}")
        for name, value in record.items():
            if not isinstance(value, str):
                raise DataError(f"{where}[{shown(str(name))}]: expected text, got {type(value).__name__}")
        return self.text([record.get(name) for name in known])

    def _of_json(self, line: str, where: str) -> str:
        try:
            record = json.loads(line)
            return self.text([field_of(record, str(column.name), column.default) for column in self.columns])
        except (ValueError, LookupError, RecursionError) as error:
            names = ", ".join(map(repr, self.required)) or "columns"
            found = error.args[0] if isinstance(error, LookupError) else "no JSON"
            raise DataError(f"{where}: expected a JSON object with texts {names}, got {found}") from error


def label_of(cell: str) -> str:
    """How a label is written in a text."""
    return f"{OPEN}@{BLANK.join(cell.split())}{CLOSE}"


def field_of(record: Any, name: str, default: str | None = None) -> str:
    """The text of a field, also inside `translation`, else the default. Raises LookupError with what was found."""
    if not isinstance(record, dict):
        raise LookupError(type(record).__name__)
    value: Any = record
    if name in record:
        value = record[name]
    else:
        inner = record.get("translation")
        path = ["translation", name] if isinstance(inner, dict) and name in inner else name.split(".")
        for part in path:
            if not isinstance(value, dict) or part not in value:
                if default is not None:
                    return default
                raise LookupError(f"no {shown(name)}")
            value = value[part]
    if value is not None and not isinstance(value, str):
        raise LookupError(f"{type(value).__name__} in {shown(name)}")
    return value or ""


def source_columns(config: ColumnsConfig) -> SideColumns | None:
    """The columns of the source side; None where the corpora say themselves what their source is."""
    if config.source is None:
        return None
    given = config.source if isinstance(config.source, tuple) else (config.source,)
    return SideColumns(tuple(_column(each) for each in given))


def _column(given: ColumnName | ColumnConfig) -> Column:
    if not isinstance(given, ColumnConfig):
        return Column(given)
    return Column(given.column, given.as_ != "text", given.split or "", given.default, given.as_ == "tag")
