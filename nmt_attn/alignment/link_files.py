"""Link files: word alignments on disk, gold ones and those of aligners, and what in them points at no word."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import typer

from nmt_attn.alignment.links import GoldLinks, find_stray_links, read_naacl, read_pharaoh, swap_sides
from nmt_attn.errors import ConfigError
from nmt_attn.text_io import read_lines

LinkFormat = Literal["pharaoh", "naacl"]
FIRST_INDICES: dict[LinkFormat, int] = {"pharaoh": 0, "naacl": 1}
"""Where positions usually start in each format."""


class LinkFile(NamedTuple):
    """A file of links; `first_index` None is the usual one of its format."""

    path: Path
    format: LinkFormat = "pharaoh"
    first_index: int | None = None
    is_swapped: bool = False  # the target's position comes first

    @property
    def base(self) -> int:
        """The number of a sentence's first word."""
        return FIRST_INDICES[self.format] if self.first_index is None else self.first_index


def gold_file(
    path: Path | None, link_format: LinkFormat | None, first_index: int | None, *, is_swapped: bool
) -> LinkFile | None:
    """The file that --gold and the options about it mean; None without any. Raises ConfigError for these alone."""
    given = {"format": link_format is not None, "base": first_index is not None, "swapped": is_swapped}
    if path is None and any(given.values()):
        alone = next(name for name, is_given in given.items() if is_given)
        raise ConfigError(f"--gold-{alone}: expected --gold FILE beside it, got it alone")
    return None if path is None else LinkFile(path, link_format or "pharaoh", first_index, is_swapped)


def read_links(file: LinkFile, sentences: int | None) -> list[GoldLinks]:
    """The links of each sentence, source first. `sentences` are how many there must be in a NAACL file's numbering.

    None: as many as its greatest number. Raises DataError.
    """
    lines, name = read_lines(file.path), str(file.path)
    if file.format == "naacl":
        count = _greatest_number(lines) if sentences is None else sentences
        links = read_naacl(lines, name, sentences=count, first_index=file.base)
    else:
        links = read_pharaoh(lines, name, first_index=file.base)
    return [swap_sides(each) for each in links] if file.is_swapped else links


def tell_of_stray_links(
    file: LinkFile,
    links: Sequence[GoldLinks],
    option: str,
    source_lengths: Sequence[int],
    target_lengths: Sequence[int],
) -> None:
    """Says on standard error how many links point at no word. `option` is the one that states where positions start."""
    stray = find_stray_links([each.possible for each in links], source_lengths, target_lengths)
    if not stray:
        return
    number, link = stray[0]
    typer.echo(
        f"{file.path}: {len(stray)} links out of range, which count as never found; the first: sentence {number}, "
        f"{link.source}-{link.target} counted from 0, of {source_lengths[number - 1]} and {target_lengths[number - 1]} "
        f"words (positions were read as counted from {file.base}: {option})",
        err=True,
    )


def _greatest_number(lines: Sequence[str]) -> int:
    """Of the sentences that lines begin with; what is no number is refused later, with its line."""
    firsts = (line.split()[:1] for line in lines)
    return max((int(first[0]) for first in firsts if first and first[0].isascii() and first[0].isdigit()), default=0)
