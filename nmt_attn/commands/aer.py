"""`nmt-attn aer`: how well files of word alignments, of any aligner, match gold ones."""

import sys

import typer

from nmt_attn.alignment.link_files import LinkFile, read_links, warn_of_stray_links, warn_of_swapped_gold
from nmt_attn.alignment.links import GoldLinks
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.link_scores import judge_links
from nmt_attn.evaluation.tables import LINKS_HELP, format_links, link_cells
from nmt_attn.files import check_count
from nmt_attn.options.evaluation import AerOptions
from nmt_attn.screen import fold, width_of
from nmt_attn.text_io import read_parallel


def aer(options: AerOptions) -> None:
    """Prints a line for each file. Raises UserError."""
    lengths = _lengths(options)
    gold_file = LinkFile(options.gold, options.gold_format or "pharaoh", options.gold_base, options.gold_swapped)
    gold = read_links(gold_file, None if lengths is None else len(lengths[0]))
    _check(gold_file, gold, "--gold-base", lengths)
    rows = []
    for path in options.found:
        file = LinkFile(path, options.format or "pharaoh", options.base)
        found = read_links(file, len(gold))
        check_count(file.path, len(found), len(gold), "as many as sentences in the gold file")
        _check(file, found, "--base", lengths)
        links = [each.possible for each in found]
        warn_of_swapped_gold(gold_file, gold, links)
        rows.append([str(file.path), f"{sum(map(len, links)):,}", *link_cells(judge_links(links, gold))])
    width = width_of(sys.stdout)
    typer.echo(format_links(["links of", "number"], rows, width))
    sure, possible = (sum(map(len, side)) for side in zip(*gold, strict=True)) if gold else (0, 0)
    typer.echo(f"{len(gold):,} sentences, {sure:,} sure links of {possible:,} possible ones\n{fold(LINKS_HELP, width)}")


def _lengths(options: AerOptions) -> list[list[int]] | None:
    """Words of each line of both sides."""
    if options.source is None or options.target is None:
        if options.source is not options.target:
            given, absent = ("source", "target") if options.target is None else ("target", "source")
            raise ConfigError(f"--{given}: expected --{absent} beside it, got {options.source or options.target} alone")
        return None
    return [[len(line.split()) for line in side] for side in read_parallel(options.source, options.target)]


def _check(file: LinkFile, links: list[GoldLinks], option: str, lengths: list[list[int]] | None) -> None:
    if lengths is None:
        return
    check_count(file.path, len(links), len(lengths[0]), "one a sentence of the text")
    warn_of_stray_links(file, links, option, *lengths)
