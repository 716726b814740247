"""Corpus inspection: what form the user's parallel text has, in which columns it is, and how many pairs there are.

Nothing is decided here about tokenizers (commands/init.py) and nothing is written.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.readers import NumberedPair
from nmt_attn.errors import DataError
from nmt_attn.text_formats import HEAD_BYTES, find_compression
from nmt_attn.text_io import byte_lines, open_binary

SAMPLE_LINES = 5000
"""Lines by which a form and the kind of a text are judged."""

LEXICON = " "
"""Divides a word from its symbols, which have blanks between them too, as CMUdict and Kaldi have it."""
_SEPARATORS = {
    "\t": "tabs",
    " ||| ": "' ||| '",
    ";": "semicolons",
    ",": "commas",
    LEXICON: "the first blank of a line",
}
_VARIANT = re.compile(r"\(\d+\)$")
_MOST_SYMBOLS = 200
"""Different symbols of a lexicon."""
_HEADER_WORDS = re.compile(
    r"source|target|src|tgt|trg|input|output|word|words|ipa|phones?|pronunciation|lemma|form|inflected|tags?|features"
    r"|sentence|translation|text|english|german|french|spanish|hindi|from|to|id|score|license|attribution|[a-z]{2}",
    re.IGNORECASE,
)
_TAGS = re.compile(r"([A-Z0-9]|[a-z]+=)[A-Za-z0-9;,.:|+/(){}*=_-]*")
TAG_SPLITS = ";|,+()"
"""Characters that stand between tags: V;PST, V|3|SG, NOM(3,SG), pos=V,tense=PST."""
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_ATTRIBUTION = re.compile(r"CC[- ]BY|https?://|tatoeba", re.IGNORECASE)


class Table(NamedTuple):
    """How the lines of a file are divided. Columns are numbered from 1."""

    separator: str
    has_header: bool
    columns: int  # of most lines
    source: int
    target: int
    tags: int | None = None  # the column of tags such as `V;PST`, which belong to the source
    tag_split: str = ""  # the characters between two tags
    others: tuple[str, ...] = ()  # what the columns are that are not read

    @property
    def is_plain(self) -> bool:
        """Whether `data.train.tsv` can read the file as it is."""
        return self.separator == "\t" and not self.has_header

    def text(self) -> str:
        """In words, for the summary of `init`."""
        tags = "" if self.tags is None else f", tags in column {self.tags}"
        others = f", not read: {'; '.join(self.others)}" if self.others else ""
        header = "a header line, " if self.has_header else ""
        return (
            f"{self.columns} columns, {_SEPARATORS[self.separator]} between them, {header}source in column "
            f"{self.source}, target in column {self.target}{tags}{others}"
        )


class Count(NamedTuple):
    """Sizes of a corpus, and a sample."""

    lines: int
    blank: int
    distinct_sources: int
    equal_sides: int  # pairs whose target is the source
    distinct_pairs: int
    faults: list[str]  # messages of the first lines that cannot be read
    sample: list[tuple[str, str]]


def count_pairs(pairs: Iterable[NumberedPair]) -> Count:
    """Reads all pairs once; the sample is the first ones that hold text, up to SAMPLE_LINES."""
    lines = blank = equal = 0
    sources: set[int] = set()
    distinct: set[int] = set()
    faults: list[str] = []
    sample: list[tuple[str, str]] = []
    for pair in pairs:
        lines += 1
        if pair.fault is not None:
            faults.append(pair.fault.message)
        elif not (pair.source.strip() and pair.target.strip()):
            blank += 1
        else:
            sources.add(hash(" ".join(pair.source.split())))
            distinct.add(hash((*pair.source.split(), "\t", *pair.target.split())))
            equal += pair.source.split() == pair.target.split()
            if len(sample) < SAMPLE_LINES:
                sample.append((pair.source, pair.target))
    return Count(lines, blank, len(sources), equal, len(distinct), faults, sample)


def describe_file(path: Path) -> str:
    """Compression and encoding, such as `gzip, UTF-8`. Raises DataError if it cannot be read or is no text."""
    with open_binary(path) as stream:
        compression = find_compression(stream.read(HEAD_BYTES))
    notes = _first_notes(path)
    encoding = "UTF-16" if any("UTF-16" in note for note in notes) else "UTF-8"
    odd = [note for note in ("byte-order mark", r"\r\n line ends") if any(note in found for found in notes)]
    return ", ".join([*([compression.name] if compression else []), encoding, *odd])


def require_utf8(path: Path) -> None:
    """Raises DataError, with what to do, if more than one line in a hundred is not UTF-8."""
    lines = list(islice(byte_lines(path, _silent), SAMPLE_LINES))
    bad = [number for number, line in enumerate(lines, 1) if "\ufffd" in line.decode("utf-8", "replace")]
    if len(bad) > 0.01 * len(lines):
        raise DataError(
            f"{path}:{bad[0]}: expected UTF-8 text, got other bytes in {len(bad)} of the first {len(lines)} lines "
            f"(if it is Latin-1: iconv -f ISO-8859-1 -t UTF-8 {path.name} > new file)"
        )


def inspect_table(path: Path, columns: Sequence[str]) -> Table:
    """How the file is divided; `columns` are those that the user has named, source and target. Raises DataError."""
    lines = _sample_lines(path)
    if not lines:
        raise DataError(f"{path}: expected lines with a source and a target, got no text")
    if lines[0].lstrip().startswith("{"):
        raise DataError(f"{path}: expected columns, got JSON in line 1 (use --jsonl {path})")
    separator = next((each for each in _SEPARATORS if _divides(lines, each)), None)
    if separator is None:
        raise DataError(
            f"{path}: expected columns with tabs, ' ||| ', semicolons or commas between them, got lines such as "
            f"{lines[0][:60]!r} (a text and its translation in two files: --source A --target B)"
        )
    rows = [row for line in lines if (row := split_row(line, separator))]
    width = _most_common(len(row) for row in rows)
    has_header = _is_header(rows[0]) and not _is_header(rows[-1])
    rows = [row for row in rows[has_header:] if len(row) == width]
    return _choose_columns(path, separator, rows, columns, has_header=has_header)


def split_row(line: str, separator: str) -> list[str]:
    """The cells of a line; quotes have a meaning beside commas and semicolons alone."""
    if separator == LEXICON:
        return _lexicon_row(line)
    if separator in ",;":
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
    return [cell.strip() for cell in line.split(separator)] if separator == " ||| " else line.split(separator)


def text_fields(record: Any, above: str = "") -> Iterator[str]:
    """The names of all texts in a record, joined with dots; those inside `translation` by their own names."""
    if isinstance(record, dict):
        for key, value in record.items():
            name = key if above in ("", "translation") else f"{above}.{key}"
            if isinstance(value, str):
                yield name
            else:
                yield from text_fields(value, name)


def inspect_json(path: Path, columns: Sequence[str]) -> tuple[str, str]:
    """The fields of source and target in a file of JSON lines. Raises DataError."""
    lines = _sample_lines(path)
    try:
        records = [json.loads(line) for line in lines[:20]]
    except (ValueError, RecursionError):
        records = []
    if not records or not isinstance(records[0], dict):
        found = repr(lines[0][:60]) if lines else "no line"
        if found.startswith("'["):
            found = f"one list of objects (jq -c '.[]' {quote(str(path))} > new file)"
        raise DataError(f"{path}: expected one JSON object a line, got {found}")
    return choose_fields(list(text_fields(records[0])), columns, str(path))


def choose_fields(names: list[str], columns: Sequence[str], where: str) -> tuple[str, str]:
    """Source and target among the fields that hold text. Raises DataError if that is not clear."""
    if columns:
        source, target = columns
        for name in columns:
            if name not in names:
                raise DataError(f"--columns: expected fields of {where} ({', '.join(names)}), got {name}")
        return source, target
    for source, target in _USUAL_FIELDS:
        if source in names and target in names:
            return source, target
    if len(names) == 2:
        return names[0], names[1]
    raise DataError(
        f"{where}: expected two fields with text, got {', '.join(names) or 'none'} (--columns SOURCE,TARGET says which)"
    )


_USUAL_FIELDS = (("source", "target"), ("src", "tgt"), ("input", "output"), ("word", "ipa"))


def _sample_lines(path: Path) -> list[str]:
    lines = (line.decode("utf-8", "replace") for line in byte_lines(path, _silent))
    return list(islice((line for line in lines if line.strip()), SAMPLE_LINES))


def _divides(lines: Sequence[str], separator: str) -> bool:
    """Whether nearly all lines have it; commas and semicolons are also text, and must divide all lines alike."""
    if separator == LEXICON:
        return _is_lexicon([row for line in lines if (row := _lexicon_row(line))])
    widths = [len(split_row(line, separator)) for line in lines]
    if separator in ",;":
        width = _most_common(widths)
        return 2 <= width <= 6 and widths.count(width) >= 0.95 * len(widths)
    return sum(width > 1 for width in widths) >= 0.8 * len(widths)


def _lexicon_row(line: str) -> list[str]:
    """A word, without the number of its variant, `read(2)`, and its symbols; empty without a word.

    Comments, after `;;;` or ` #`, are left out.
    """
    word, *symbols = ("" if line.startswith(";;;") else line.partition(" #")[0]).split(maxsplit=1) or [""]
    return [_VARIANT.sub("", word), *symbols] if word else []


def _is_lexicon(rows: Sequence[Sequence[str]]) -> bool:
    """Whether most words are different, and few of the symbols after them are."""
    words = {row[0] for row in rows}
    symbols = [symbol for row in rows for cell in row[1:] for symbol in cell.split()]
    types = len(set(symbols))
    has_symbols = sum(len(row) == 2 for row in rows) >= 0.95 * len(rows)
    return has_symbols and len(words) >= 0.5 * len(rows) and 5 * types <= len(symbols) and types <= _MOST_SYMBOLS


def _is_header(cells: Sequence[str]) -> bool:
    return all(_HEADER_WORDS.fullmatch(cell.strip()) for cell in cells)


def _choose_columns(
    path: Path, separator: str, rows: list[list[str]], columns: Sequence[str], *, has_header: bool
) -> Table:
    cells = [list(column) for column in zip(*rows, strict=True)]
    width = len(cells)
    if columns:
        chosen = [int(name) if name.isdecimal() else 0 for name in columns]
        if not all(1 <= number <= width for number in chosen):
            raise DataError(f"--columns: expected numbers from 1 to {width} of {path}, got {','.join(columns)}")
        return Table(separator, has_header, width, chosen[0], chosen[1])
    kinds = [_column_kind(column) if width > 2 else "text" for column in cells]
    texts = [number for number, kind in enumerate(kinds, 1) if kind == "text"]
    tags = next((number for number, kind in enumerate(kinds, 1) if kind == "tags"), None)
    if len(texts) != 2:
        found = ", ".join(f"{number}: {kind}" for number, kind in enumerate(kinds, 1))
        raise DataError(f"{path}: expected two columns of text, got {found} (--columns SOURCE,TARGET says which)")
    others = tuple(f"column {n} ({kind})" for n, kind in enumerate(kinds, 1) if kind not in ("text", "tags"))
    split = "" if tags is None else "".join(char for char in TAG_SPLITS if char in "".join(cells[tags - 1]))
    return Table(separator, has_header, width, texts[0], texts[1], tags, split, others)


def _column_kind(cells: Sequence[str]) -> str:
    """What a column of a table with more than two holds."""
    tests: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("numbers", _NUMBER.fullmatch),
        ("attribution", _ATTRIBUTION.search),
        ("tags", _TAGS.fullmatch),
    )
    for kind, test in tests:
        if sum(bool(test(cell)) for cell in cells) >= 0.95 * len(cells):
            return kind if kind != "tags" or _are_repeated(cells) else "text"
    return "text"


def _are_repeated(cells: Sequence[str]) -> bool:
    """Whether most tags occur more than once, as words of capitals do not."""
    tags = [tag for cell in cells for tag in re.split(f"[{re.escape(TAG_SPLITS)}]", cell) if tag]
    return len(set(tags)) <= 0.5 * len(tags)


def _most_common(values: Iterable[int]) -> int:
    found = list(values)
    return max(set(found), key=found.count)


def _first_notes(path: Path) -> list[str]:
    notes: list[str] = []
    for _ in islice(byte_lines(path, lambda text, number: notes.append(text)), 3):
        pass
    return notes


def _silent(text: str, number: int) -> None:
    """For files that are read again."""


def empty_report() -> CorpusReport:
    """A report for readers whose notes nobody needs."""
    return CorpusReport("data.train")
