"""Readers: files of parallel text as numbered pairs, line by line; nothing is judged or dropped here.

Lines are read by text_io.py, so numbers never shift; what is odd about a file is noted in the report.
"""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import DataError
from nmt_attn.text_io import byte_lines


class Fault(NamedTuple):
    """Why a line cannot be read as it stands, with a message that names its place."""

    reason: Literal["undecodable", "malformed"]
    message: str


class NumberedPair(NamedTuple):
    """A pair of texts without line ends: with U+FFFD in place of undecodable bytes, empty if malformed."""

    number: int
    source: str
    target: str
    fault: Fault | None = None


class Columns(NamedTuple):
    """Which columns of a TSV file, from 1."""

    source: int
    target: int


class Fields(NamedTuple):
    """Which fields of a record, by name or by names joined with dots."""

    source: str
    target: str


def read_files(source: Path, target: Path, report: CorpusReport) -> Iterator[NumberedPair]:
    """Line i of one file with line i of the other. Raises DataError if one file ends before the other."""
    report.source, report.target = str(source), str(target)
    source_lines, target_lines = byte_lines(source, report.note), byte_lines(target, report.note)
    for number, (one, other) in enumerate(zip_longest(source_lines, target_lines), start=1):
        if one is None:
            raise _unequal(source, target, number + sum(1 for _ in target_lines), number - 1)
        if other is None:
            raise _unequal(target, source, number + sum(1 for _ in source_lines), number - 1)
        yield _decoded_pair(number, one, other, report)


def read_tsv(path: Path, columns: Columns, report: CorpusReport) -> Iterator[NumberedPair]:
    """Two columns of a file of tab-separated ones; quotes mean nothing. A blank line is a blank pair."""
    report.source = report.target = str(path)
    needed = max(columns)
    for number, line in enumerate(byte_lines(path, report.note), start=1):
        cells = line.split(b"\t") if line.strip() else [b""] * needed
        if len(cells) < needed:
            message = f"{path}:{number}: expected at least {needed} tab-separated columns, got {len(cells)}"
            yield NumberedPair(number, "", "", Fault("malformed", message))
        else:
            yield _decoded_pair(number, cells[columns.source - 1], cells[columns.target - 1], report)


def read_jsonl(path: Path, fields: Fields, report: CorpusReport) -> Iterator[NumberedPair]:
    """Two fields of a file with one JSON object a line; null is a blank text, as is a blank line."""
    report.source = report.target = str(path)
    for number, line in enumerate(byte_lines(path, report.note), start=1):
        place = f"{path}:{number}"
        text, fault = _decode(line, place)
        try:
            record = json.loads(text) if text.strip() else dict.fromkeys(fields)
            pair = text_pair(number, _field(record, fields.source), _field(record, fields.target), report)
        except (ValueError, LookupError, RecursionError) as error:
            found = error.args[0] if isinstance(error, LookupError) else "no JSON"
            message = f"{place}: expected a JSON object with texts {fields.source!r} and {fields.target!r}, got {found}"
            yield NumberedPair(number, "", "", Fault("malformed", message))
        else:
            yield pair._replace(fault=fault or pair.fault)


def text_pair(number: int, source: str, target: str, report: CorpusReport) -> NumberedPair:
    """A pair of texts that do not come from lines: line breaks become blanks, half surrogate pairs U+FFFD."""
    if "\n" in source or "\n" in target:
        report.note("line breaks inside a text, read as blanks", number)
    fault = None
    texts = []
    for text, name in ((source, report.source), (target, report.target)):
        text = text.replace("\r\n", " ").replace("\n", " ")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            found = f"half a surrogate pair, U+{ord(text[error.start]):04X}"
            fault = Fault("undecodable", f"{name}:{number}: expected Unicode text, got {found}")
            text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        texts.append(text)
    return NumberedPair(number, texts[0], texts[1], fault)


def _decoded_pair(number: int, source: bytes, target: bytes, report: CorpusReport) -> NumberedPair:
    source_text, source_fault = _decode(source, f"{report.source}:{number}")
    target_text, target_fault = _decode(target, f"{report.target}:{number}")
    return NumberedPair(number, source_text, target_text, source_fault or target_fault)


def _decode(line: bytes, place: str) -> tuple[str, Fault | None]:
    try:
        return line.decode("utf-8"), None
    except UnicodeDecodeError as error:
        message = f"{place}: expected UTF-8 text, got the byte {line[error.start]:#04x}"
        return line.decode("utf-8", "replace"), Fault("undecodable", message)


def _field(record: Any, name: str) -> str:
    """The text of a field; of `translation`'s fields too. Raises LookupError with what was found instead."""
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
                raise LookupError(f"no {name!r}")
            value = value[part]
    if value is not None and not isinstance(value, str):
        raise LookupError(f"{type(value).__name__} in {name!r}")
    return value or ""


def _unequal(shorter: Path, longer: Path, most: int, least: int) -> DataError:
    return DataError(f"{shorter}:{least}: expected {most} lines, as in {longer}, got {least}")
