"""Readers: parallel text from files or the `datasets` library as numbered pairs. No pair is dropped here.

Lines are read by text_io.py, so numbers never shift; what is odd about a file is noted in the report.

A dataset is a folder written by `save_to_disk`, or what `load_dataset` accepts. Its rows are numbered from 1. A side is
a column of text or a field of a record, such as WMT's `translation`.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

from nmt_attn.config.columns_section import ColumnName
from nmt_attn.config.messages import join_words
from nmt_attn.config.schema import CorpusConfig
from nmt_attn.data.columns import CLOSE, OPEN, SideColumns, field_of
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.text_io import byte_lines

_CODE = {".py": "a script"} | dict.fromkeys((".pkl", ".pickle", ".pt", ".pth", ".joblib", ".dill"), "a pickle")
"""Endings of files that could run code."""
_SAVED = ("state.json", "dataset_dict.json")
"""Files that identify a folder written by `save_to_disk`."""

_ROWS = 1000
"""Rows decoded at a time."""


class Sides(NamedTuple):
    """Where the two texts of a pair are."""

    source: SideColumns
    target: SideColumns

    @classmethod
    def of(cls, source: ColumnName, target: ColumnName) -> "Sides":
        """One column of text each."""
        return cls(SideColumns.one(source), SideColumns.one(target))


class Fault(NamedTuple):
    """Why a line is not valid, with a message that names the file and line."""

    reason: Literal["undecodable", "malformed"]
    message: str


class NumberedPair(NamedTuple):
    """A pair of texts without line ends: with U+FFFD in place of undecodable bytes, empty if malformed."""

    number: int
    source: str
    target: str
    fault: Fault | None = None


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


def read_tsv(path: Path, sides: Sides, report: CorpusReport) -> Iterator[NumberedPair]:
    """Columns, numbered from 1, of a tab-separated file; quotes have no meaning. A blank line is a blank pair."""
    report.source = report.target = str(path)
    numbers = [[int(column.name) for column in side.columns] for side in sides]
    needed = max(int(name) for side in sides for name in side.required)
    for number, line in enumerate(byte_lines(path, report.note), start=1):
        cells = line.split(b"\t") if line.strip() else [b""] * needed
        if len(cells) < needed:
            message = f"{path}:{number}: expected at least {needed} tab-separated columns, got {len(cells)}"
            yield NumberedPair(number, "", "", Fault("malformed", message))
            continue
        texts: list[str] = []
        faults: list[Fault] = []
        for side, columns in zip(sides, numbers, strict=True):
            found = [_decode(cells[i - 1], f"{path}:{number}") if i <= len(cells) else None for i in columns]
            faults += [each[1] for each in found if each is not None and each[1] is not None]
            texts.append(_side_text(side, [each and each[0] for each in found], number, report))
        yield NumberedPair(number, texts[0], texts[1], faults[0] if faults else None)


def read_jsonl(path: Path, sides: Sides, report: CorpusReport) -> Iterator[NumberedPair]:
    """Fields of a file with one JSON object per line; null and blank lines are blank texts.

    The columns of `sides` name the fields; dots lead to a field inside another.
    """
    report.source = report.target = str(path)
    names = join_words((repr(name) for side in sides for name in side.required), "and")
    for number, line in enumerate(byte_lines(path, report.note), start=1):
        place = f"{path}:{number}"
        text, fault = _decode(line, place)
        try:
            record = json.loads(text) if text.strip() else None
            texts = ["" if record is None else _of_record(record, side, number, report) for side in sides]
        except (ValueError, LookupError, RecursionError) as error:
            found = error.args[0] if isinstance(error, LookupError) else "no JSON"
            message = f"{place}: expected a JSON object with texts {names}, got {found}"
            yield NumberedPair(number, "", "", Fault("malformed", message))
        else:
            pair = text_pair(number, texts[0], texts[1], report)
            yield pair._replace(fault=fault or pair.fault)


def read_dataset(
    corpus: CorpusConfig, sides: Sides, *, folder: Path, cache: Path, report: CorpusReport
) -> Iterator[NumberedPair]:
    """The rows of `folder` if it exists, else of the hub's dataset of that name, cached in `cache`."""
    if folder.is_dir() and corpus.revision is not None:
        expected = f"null, as {folder} is a folder and not a dataset of the hub"
        raise ConfigError(f"{report.corpus}.revision: expected {expected}, got {corpus.revision}")
    table = _one_split(load_dataset(corpus, folder, cache), corpus, report.corpus)
    report.source = report.target = f"{corpus.dataset}[{corpus.split}]" if corpus.split else str(corpus.dataset)
    keys = (f"{report.corpus}.{name}" for name in Sides._fields)
    paths = [
        [_path(table, str(each.name), key) for each in side.columns] for side, key in zip(sides, keys, strict=True)
    ]
    number = 0
    columns = list(dict.fromkeys(path[0] for side in paths for path in side))
    for batch in table.with_format(None).select_columns(columns).iter(batch_size=_ROWS):
        cells = [zip(*(_texts(batch, path) for path in side), strict=True) for side in paths]
        for row in zip(*cells, strict=True):
            number += 1
            source, target = (_side_text(side, each, number, report) for side, each in zip(sides, row, strict=True))
            yield text_pair(number, source, target, report)


def text_pair(number: int, source: str, target: str, report: CorpusReport) -> NumberedPair:
    """A pair of texts not read from lines: line breaks become blanks, lone surrogates U+FFFD."""
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


def _of_record(record: Any, side: SideColumns, number: int, report: CorpusReport) -> str:
    """The text of one side. Raises LookupError with what was found instead of a field."""
    cells = [field_of(record, str(column.name), column.default) for column in side.columns]
    return _side_text(side, cells, number, report)


def _side_text(side: SideColumns, cells: Sequence[str | None], number: int, report: CorpusReport) -> str:
    if side.has_brackets(cells):
        report.note(f"{OPEN} or {CLOSE} in a text, read as [ or ], as they mark tags", number)
    return side.text(cells)


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


def _unequal(shorter: Path, longer: Path, most: int, least: int) -> DataError:
    return DataError(f"{shorter}:{least}: expected {most} lines, as in {longer}, got {least}")


def load_dataset(corpus: CorpusConfig, folder: Path, cache: Path) -> Any:
    """A dataset, or a dict of splits."""
    name = str(folder) if folder.is_dir() else str(corpus.dataset)
    if not folder.is_dir() and (name.count("/") > 1 or name.startswith((".", "/", "~"))):
        raise DataError(f"{folder}: expected a folder, got no such file or directory")
    _refuse_code(folder)
    import datasets
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]  # not in its __all__

    datasets.disable_progress_bars()
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # else each of its tries to reach the Hub is a line
    try:
        if any((folder / file).is_file() for file in _SAVED):
            return datasets.load_from_disk(str(folder))
        place = str(cache / "datasets")
        return datasets.load_dataset(name, corpus.subset, split=corpus.split, revision=corpus.revision, cache_dir=place)
    except Exception as error:  # the library and its network layers raise many types
        found = (str(error) or type(error).__name__).split("\n")[0]
        raise DataError(f"{corpus.dataset}: expected a dataset that can be loaded, got: {found}") from error


def _refuse_code(folder: Path) -> None:
    """Raises DataError for a file in the folder that holds a program, or what some library runs when it reads it."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _CODE and path.is_file():
            raise DataError(f"{path}: expected a dataset of data alone, got {_CODE[path.suffix.lower()]} (remove it)")


def _one_split(loaded: Any, corpus: CorpusConfig, where: str) -> Any:
    got = corpus.split or "none"
    if isinstance(loaded, dict):
        if corpus.split is None and len(loaded) == 1:
            return next(iter(loaded.values()))
        if corpus.split not in loaded:
            raise ConfigError(f"{where}.split: expected one of {', '.join(sorted(loaded))}, got {got}")
        return loaded[corpus.split]
    if corpus.split not in (None, str(loaded.split)):
        raise ConfigError(f"{where}.split: expected {loaded.split or 'none'}, all that {corpus.dataset} has, got {got}")
    return loaded


def _path(table: Any, name: str, where: str) -> list[str]:
    """The path to a text in each row, beginning with the column."""
    schema = table.features.arrow_schema
    paths = _text_paths([], schema)
    for path in ([name], ["translation", name], name.split(".")):
        if path in paths:
            return path
    known = ", ".join(".".join(path) for path in paths) or "none"
    raise ConfigError(f"{where}: expected one of the texts in the dataset ({known}), got {name}")


def _text_paths(outer: list[str], fields: Any) -> list[list[str]]:
    import pyarrow as pa

    paths = []
    for field in fields:
        path = [*outer, field.name]
        if pa.types.is_struct(field.type):
            paths += _text_paths(path, field.type)
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            paths.append(path)
    return paths


def _texts(batch: dict[str, list[Any]], path: list[str]) -> Iterator[str]:
    for value in batch[path[0]]:
        for name in path[1:]:
            value = value[name] if value is not None else None
        yield value or ""
