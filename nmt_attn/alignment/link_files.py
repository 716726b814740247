"""Link files: word alignments on disk, gold ones and those of aligners, and a warning about links to missing words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import typer

from nmt_attn.alignment.formats import FORMATS
from nmt_attn.alignment.links import GoldLinks, find_stray_links
from nmt_attn.errors import ConfigError
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

    None: as many as the greatest number in the file. Raises DataError.
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


def _other_order(file: LinkFile) -> str:
    """The option that exchanges the two positions of each link."""
    return "no --gold-swapped" if file.is_swapped else "--gold-swapped"
