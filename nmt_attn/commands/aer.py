"""`nmt-attn aer`: how well files of word alignments, of any aligner, match gold ones."""

from dataclasses import dataclass
from pathlib import Path

import typer

from nmt_attn.alignment.link_files import LinkFile, read_links, warn_of_stray_links
from nmt_attn.alignment.links import GoldLinks, score_links
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.tables import format_table
from nmt_attn.files import check_count, read_lines, read_parallel


@dataclass(frozen=True)
class AerOptions:
    """The command's options. With the texts, links out of range are reported."""

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
        check_count(file.path, len(found), len(gold), "as many as sentences in the gold file")
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
    sources = read_lines(options.source)
    targets = read_parallel(options.target, len(sources), f"as in {options.source}")
    return [[len(line.split()) for line in side] for side in (sources, targets)]


def _check(file: LinkFile, links: list[GoldLinks], option: str, lengths: list[list[int]] | None) -> None:
    if lengths is None:
        return
    check_count(file.path, len(links), len(lengths[0]), "one a sentence of the text")
    warn_of_stray_links(file, links, option, *lengths)
