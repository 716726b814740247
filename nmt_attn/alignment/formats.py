"""Formats: word alignments as text and arrays, one reader and one writer for each format that has one.

    pharaoh    one sentence pair a line: `i-j` is a sure link, `ipj` and `i?j` are possible ones, source position first
    naacl      one link a line: `sentence i j [S|P] [confidence]`, sure by default; sentences count from 1
    jsonl      one object a line: sentence, hypothesis, source, target, weights (4 decimals), eos
    npz        arrays source_I_K, target_I_K (text) and weights_I_K (float32) of sentence I, hypothesis K; and `eos`

A model that copies adds `copied` (`copied_I_K`), the share of each target word that was copied (1 - p_gen).

Sentences and hypotheses count from 1; weights are [target words, source words]. `eos` says whether `</s>` is kept, as
the last word of both sides, or dropped; rows are not rescaled then. A Pharaoh file has no `</s>`: a target word whose
greatest weight is on the source's `</s>`, or 0, has no link.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn import registries
from nmt_attn.alignment.links import GoldLinks, Link
from nmt_attn.alignment.weights import EosPolicy, WeightMatrix, WordAlignment, extract_links
from nmt_attn.errors import DataError
from nmt_attn.files import replacing, replacing_text, shown
from nmt_attn.registry import Registry

DECIMALS = 4
"""Of a weight in JSON."""
_POSITION = r"(\d{1,7})"  # no sentence has more words
PHARAOH_LINK = re.compile(rf"{_POSITION}([-p?]){_POSITION}", re.ASCII)
NAACL_LINE = re.compile(rf"(\d{{1,9}})\s+{_POSITION}\s+{_POSITION}(?:\s+([SP]))?(?:\s+[\d.]+)?", re.ASCII)
LEAST_LARGEST, SENTENCES_A_LINE = 100_000, 100
"""Sentences that a NAACL file may name where no text says how many there are: the first number, and the second for each
of its lines."""

Read = Callable[[Sequence[str], str, int, int | None], list[GoldLinks]]
"""(lines, the file's name for messages, number of a sentence's first word, sentences or None) -> links. `DataError`."""
WriteAlignment = Callable[[int, int, WordAlignment], object]
"""Writes the weights of a sentence (from 1, the line's number) and a hypothesis (from 1)."""
OpenWriter = Callable[[Path, EosPolicy, float | None], AbstractContextManager[WriteAlignment]]


class Format(NamedTuple):
    """What can be done with a format; None: nothing in this package does it."""

    read: Read | None
    write: OpenWriter | None
    first_index: int = 0  # the usual number of a sentence's first word


def parse_pharaoh(line: str, where: str, first_index: int = 0) -> GoldLinks:
    """The links of a line. With `first_index` 1, position 0 stands for no word and its links are left out.

    `where` is the place of the line, for messages. Raises DataError.
    """
    sure: set[Link] = set()
    possible: set[Link] = set()
    for text in line.split():
        match = PHARAOH_LINK.fullmatch(text)
        if match is None:
            raise DataError(f"{where}: expected links such as 0-1, 0p1 or 0?1, got {shown(text)}")
        links = _links_from_0(int(match[1]), int(match[3]), first_index)
        possible |= links
        if match[2] == "-":
            sure |= links
    return GoldLinks(frozenset(sure), frozenset(possible))


def pharaoh_line(links: Iterable[Link]) -> str:
    """The links as a Pharaoh line without its end, in the order given, all sure: `0-1 1-0`."""
    return " ".join(f"{source}-{target}" for source, target in links)


def by_target(links: Iterable[Link]) -> list[Link]:
    """Sorted by target position, then source position: the order of the Pharaoh files that models write."""
    return sorted(links, key=lambda link: (link.target, link.source))


def read_pharaoh(
    lines: Iterable[str], name: str, first_index: int = 0, sentences: int | None = None
) -> list[GoldLinks]:
    """The links of each line. The number of `sentences` is that of the lines."""
    return [parse_pharaoh(line, f"{name}:{number}", first_index) for number, line in enumerate(lines, 1)]


def read_naacl(lines: Sequence[str], name: str, first_index: int = 1, sentences: int | None = None) -> list[GoldLinks]:
    """The links of each of `sentences` sentences; None: the greatest number in the file.

    Lines come in any order; a sentence without lines has no links. The rest is as in `parse_pharaoh`.
    """
    count = _greatest_number(lines, name) if sentences is None else sentences
    sure: list[set[Link]] = [set() for _ in range(count)]
    possible: list[set[Link]] = [set() for _ in range(count)]
    for number, line in enumerate(lines, 1):
        match = NAACL_LINE.fullmatch(line.strip())
        if match is None:
            raise DataError(f"{name}:{number}: expected `sentence i j [S|P]`, got {shown(line)}")
        sentence, source, target = (int(match[group]) for group in (1, 2, 3))
        if not 1 <= sentence <= count:
            raise DataError(f"{name}:{number}: expected a sentence from 1 to {count}, got {sentence}")
        links = _links_from_0(source, target, first_index)
        possible[sentence - 1] |= links
        if match[4] != "P":
            sure[sentence - 1] |= links
    return [GoldLinks(frozenset(s), frozenset(p)) for s, p in zip(sure, possible, strict=True)]


def matrix_as_json(matrix: WeightMatrix) -> dict[str, object]:
    """source, target, weights and, where words are copied, copied, with DECIMALS decimals, for `json.dump`."""
    weights = [[round(weight, DECIMALS) for weight in row] for row in matrix.weights.tolist()]
    found: dict[str, object] = {"source": matrix.source, "target": matrix.target, "weights": weights}
    if matrix.copied is not None:
        found["copied"] = [round(share, DECIMALS) for share in matrix.copied.tolist()]
    return found


def alignment_writer(path: Path, eos: EosPolicy, threshold: float | None) -> AbstractContextManager[WriteAlignment]:
    """A block that writes alignments to `path`, whole or not at all; the format is that of the file's ending.

    `threshold` is that of `extract_links`. Memory does not grow with the file. Raises DataError for another ending.
    """
    known = {f".{name}": each.write for name, each in FORMATS.items() if each.write is not None}
    if path.suffix not in known:
        raise DataError(f"{path}: expected a name that ends in {' or '.join(known)}, got {path.suffix!r}")
    return known[path.suffix](path, eos, threshold)


@contextmanager
def _jsonl_writer(path: Path, eos: EosPolicy, threshold: float | None) -> Iterator[WriteAlignment]:
    def write(sentence: int, hypothesis: int, alignment: WordAlignment) -> None:
        matrix = matrix_as_json(alignment.matrix(eos))
        line = {"sentence": sentence, "hypothesis": hypothesis, **matrix, "eos": eos}
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    with replacing_text(path) as stream:
        yield write


@contextmanager
def _npz_writer(path: Path, eos: EosPolicy, threshold: float | None) -> Iterator[WriteAlignment]:
    def add(name: str, array: NDArray[np.generic]) -> None:
        content = io.BytesIO()
        np.lib.format.write_array(content, array, allow_pickle=False)
        archive.writestr(f"{name}.npy", content.getbuffer())

    def write(sentence: int, hypothesis: int, alignment: WordAlignment) -> None:
        matrix = alignment.matrix(eos)
        add(f"source_{sentence}_{hypothesis}", np.array(matrix.source, dtype=np.str_))
        add(f"target_{sentence}_{hypothesis}", np.array(matrix.target, dtype=np.str_))
        add(f"weights_{sentence}_{hypothesis}", matrix.weights)
        if matrix.copied is not None:
            add(f"copied_{sentence}_{hypothesis}", matrix.copied)

    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        add("eos", np.array(eos))
        yield write


@contextmanager
def _pharaoh_writer(path: Path, eos: EosPolicy, threshold: float | None) -> Iterator[WriteAlignment]:
    def write(sentence: int, hypothesis: int, alignment: WordAlignment) -> None:
        stream.write(pharaoh_line(extract_links(alignment, threshold)) + "\n")

    with replacing_text(path) as stream:
        yield write


JSONL = Format(None, _jsonl_writer)
NPZ = Format(None, _npz_writer)
PHARAOH = Format(read_pharaoh, _pharaoh_writer)
NAACL = Format(read_naacl, None, first_index=1)
FORMATS: Registry[Format] = registries.ALIGNMENT_FORMATS
"""By name; the name with a dot before it is the ending of files that are written."""


def _links_from_0(source: int, target: int, first_index: int) -> set[Link]:
    """The link counted from 0; empty if one side is the null word."""
    link = Link(source - first_index, target - first_index)
    return {link} if min(link) >= 0 else set()


def _greatest_number(lines: Sequence[str], name: str) -> int:
    """Of the sentences that lines begin with; the reader refuses what is no number, naming its line.

    Raises DataError for one with far more sentences than lines: what is kept of each would fill the memory.
    """
    firsts = [match[0] for line in lines if (match := re.match(r"\s*\d{1,9}(?!\d)", line, re.ASCII))]
    greatest = max(map(int, firsts), default=0)
    most = LEAST_LARGEST + SENTENCES_A_LINE * len(lines)
    if greatest > most:
        raise DataError(f"{name}: expected sentences up to {most:,} from {len(lines):,} lines, got {greatest:,}")
    return greatest
