"""`nmt-attn aer`: how well files of word alignments, of any aligner, match gold ones."""

from dataclasses import dataclass
from pathlib import Path

import typer

from nmt_attn.alignment.link_files import LinkFile, read_links, tell_of_stray_links
from nmt_attn.alignment.links import GoldLinks, score_links
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.tables import format_table
from nmt_attn.text_io import read_lines


@dataclass(frozen=True)
class AerOptions:
    """The command's options. With the texts, links out of range are told of."""

    found: tuple[LinkFile, ...]
    gold: LinkFile
    source: Path | None = None
    target: Path | None = None


def aer(options: AerOptions) -> None:
    """Prints a line a file. Raises UserError."""
    lengths = _lengths(options)
    gold = read_links(options.gold, None if lengths is None else len(lengths[0]))
    _check(options.gold, gold, "--gold-base", lengths)
    rows = []
    for file in options.found:
        found = read_links(file, len(gold))
        if len(found) != len(gold):
            raise DataError(
                f"{file.path}: expected {len(gold)} lines, as many as sentences in the gold file, got {len(found)}"
            )
        _check(file, found, "--base", lengths)
        links = [each.possible for each in found]
        scores = score_links(links, gold)
        rows.append([str(file.path), f"{sum(map(len, links)):,}", *(f"{value:.4f}" for value in scores)])
    typer.echo(format_table(["links of", "number", "precision", "recall", "F1", "AER"], rows))
    sure, possible = (sum(map(len, side)) for side in zip(*gold, strict=True)) if gold else (0, 0)
    typer.echo(f"{len(gold):,} sentences, {sure:,} sure links of {possible:,} possible ones")


def _lengths(options: AerOptions) -> list[list[int]] | None:
    """Words of each line of both sides."""
    if options.source is None or options.target is None:
        if options.source is not options.target:
            given, absent = ("source", "target") if options.target is None else ("target", "source")
            raise ConfigError(f"--{given}: expected --{absent} beside it, got {options.source or options.target} alone")
        return None
    sides = [[len(line.split()) for line in read_lines(path)] for path in (options.source, options.target)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{options.target}: expected {len(sides[0])} lines, as in {options.source}, got {len(sides[1])}"
        )
    return sides


def _check(file: LinkFile, links: list[GoldLinks], option: str, lengths: list[list[int]] | None) -> None:
    if lengths is None:
        return
    if len(links) != len(lengths[0]):
        raise DataError(f"{file.path}: expected {len(lengths[0])} lines, one a sentence of the text, got {len(links)}")
    tell_of_stray_links(file, links, option, *lengths)
