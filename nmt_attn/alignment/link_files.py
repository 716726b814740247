"""Link files: word alignments on disk, those of a test set and those that training is given.

Links of a test set are gold ones or an aligner's; those that point outside their sentences are reported. Training links
are one Pharaoh line for each line of the training corpus: possible links, `ipj` or `i?j`, count as sure ones do, and
nothing is known about a pair whose line is empty.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import typer

from nmt_attn.alignment.formats import FORMATS, parse_pharaoh
from nmt_attn.alignment.links import GoldLinks, Link, Links, find_stray_links, is_inside, score_links
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.files import check_count
from nmt_attn.text_io import read_lines

LinkFormat = Literal["pharaoh", "naacl"]
"""The names of FORMATS that can be read."""


class LinkFile(NamedTuple):
    """A file of links; `first_index` None is the usual one of its format."""

    path: Path
    format: LinkFormat = "pharaoh"
    first_index: int | None = None
    is_swapped: bool = False  # the target's position comes first

    @property
    def base(self) -> int:
        """The number of a sentence's first word."""
        return FORMATS[self.format].first_index if self.first_index is None else self.first_index


def gold_file(
    path: Path | None, link_format: LinkFormat | None, first_index: int | None, *, is_swapped: bool
) -> LinkFile | None:
    """The file that --gold and its options describe; None without --gold. Raises ConfigError for the options alone."""
    given = {"format": link_format is not None, "base": first_index is not None, "swapped": is_swapped}
    if path is None and any(given.values()):
        alone = next(name for name, is_given in given.items() if is_given)
        raise ConfigError(f"--gold-{alone}: expected --gold FILE beside it, got it alone")
    return None if path is None else LinkFile(path, link_format or "pharaoh", first_index, is_swapped)


def read_links(file: LinkFile, sentences: int | None) -> list[GoldLinks]:
    """The links of each sentence, source first; `sentences` is their number where the format numbers them (NAACL).

    None: the greatest number in the file. Raises DataError.
    """
    read = FORMATS[file.format].read
    assert read is not None, "LinkFormat names formats that have a reader"
    links = read(read_lines(file.path), str(file.path), file.base, sentences)
    return [each.swapped() for each in links] if file.is_swapped else links


def warn_of_stray_links(
    file: LinkFile,
    links: Sequence[GoldLinks],
    option: str,
    source_lengths: Sequence[int],
    target_lengths: Sequence[int],
) -> None:
    """Reports on standard error how many links point outside their sentences. `option` sets where positions start."""
    stray = find_stray_links([each.possible for each in links], source_lengths, target_lengths)
    if not stray:
        return
    turned = find_stray_links([each.swapped().possible for each in links], source_lengths, target_lengths)
    number, link = stray[0]
    hint = ""
    if len(turned) < len(stray) and option.startswith("--gold"):
        hint = f"; with {_other_order(file)} {len(turned)} would be: does the target's position come first?"
    typer.echo(
        f"{file.path}: {len(stray)} links out of range, which count as never found; the first: sentence {number}, "
        f"{link.source}-{link.target} counted from 0, of {source_lengths[number - 1]} and {target_lengths[number - 1]} "
        f"words (positions were read as counted from {file.base}: {option}{hint})",
        err=True,
    )


def warn_of_swapped_gold(file: LinkFile, gold: Sequence[GoldLinks], found: Sequence[Links]) -> None:
    """Reports on standard error a gold file whose error rate is less than half as high with its sides swapped."""
    as_given = score_links(found, gold).error_rate
    turned = score_links(found, [each.swapped() for each in gold]).error_rate
    if turned < 0.5 * as_given:
        typer.echo(
            f"warning: {file.path} fits better swapped (with {_other_order(file)} the error rate is {turned:.4f} "
            f"instead of {as_given:.4f}): does the target's position come first?",
            err=True,
        )


def _other_order(file: LinkFile) -> str:
    """The option that exchanges the two positions of each link."""
    return "no --gold-swapped" if file.is_swapped else "--gold-swapped"


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
