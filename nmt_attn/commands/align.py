"""`nmt-attn align`: where a model looks while it reads translations that it is given; and `nmt-attn score`: how
likely it holds them.

`align` writes a line of links `i-j` for each pair to standard output, or a file in the format of its ending.
`score` writes a line for each pair: log-probability (natural, `</s>` included), tokens, perplexity per token.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from tqdm import tqdm

from nmt_attn.commands.runs import find_model
from nmt_attn.commands.streams import or_standard, writing
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.files import read_lines
from nmt_attn.runtime import choose_device
from nmt_attn.search.alignments import AlignmentRecord, EosPolicy, Write, alignment_writer, pharaoh_line
from nmt_attn.search.forced import ForcedPair, Shift, force_decode, perplexity
from nmt_attn.search.translator import WINDOW_LINES, Translator

EOS_POLICY: EosPolicy = "kept"
LINK_THRESHOLD = 0.0


@dataclass(frozen=True)
class AlignOptions:
    """The commands' options. None: the newest run, standard output."""

    model: Path | None
    source: Path
    target: Path
    output: Path | None = None
    shift: Shift = 0  # of `align` alone
    device: str = "auto"


def align(options: AlignOptions) -> None:
    """Writes the alignment of each pair of lines. Raises UserError."""
    sources, targets = _read_sides(options)
    translator = Translator.load(find_model(options.model), choose_device(options.device))
    if not translator.model.has_attention:
        raise ConfigError(f"align: expected a model with attention, got {translator.name} (attention.score: none)")
    with _alignment_writer(or_standard(options.output)) as write:
        for number, pair in enumerate(_decoded(translator, sources, targets, with_alignments=True), 1):
            write(AlignmentRecord(number, 1, pair.alignment(options.shift)))


def score(options: AlignOptions) -> None:
    """Writes log-probability, tokens and perplexity of each pair of lines; those of all to standard error."""
    sources, targets = _read_sides(options)
    translator = Translator.load(find_model(options.model), choose_device(options.device))
    total, tokens = 0.0, 0
    with writing(or_standard(options.output)) as write:
        for pair in _decoded(translator, sources, targets, with_alignments=False):
            value = perplexity([pair])
            # a blank source is shown to no model
            shown = "-" if value is None else f"{value:.4f}"
            write(f"{pair.log_prob:.4f}\t{len(pair.token_log_probs)}\t{shown}\n")
            total, tokens = total + pair.log_prob, tokens + len(pair.token_log_probs)
    mean = f"perplexity {math.exp(min(-total / tokens, 700)):.4f}" if tokens else "no token"
    typer.echo(f"log-probability {total:.4f}, {tokens:,} target tokens, {mean}", err=True)


def _read_sides(options: AlignOptions) -> tuple[list[str], list[str]]:
    sources, targets = read_lines(options.source), read_lines(options.target)
    if len(sources) != len(targets):
        raise DataError(
            f"{options.target}: expected {len(sources)} lines, as many as in {options.source}, got {len(targets)}"
        )
    return sources, targets


def _decoded(
    translator: Translator, sources: list[str], targets: list[str], *, with_alignments: bool
) -> Iterator[ForcedPair]:
    """A window at a time, so that weights of a large corpus are not held together."""
    is_shown = None if sys.stderr.isatty() else True
    with tqdm(total=len(sources), unit=" lines", file=sys.stderr, disable=is_shown, leave=False) as bar:
        for start in range(0, len(sources), WINDOW_LINES):
            window = slice(start, start + WINDOW_LINES)
            yield from force_decode(
                translator, sources[window], targets[window], with_alignments=with_alignments, progress=bar.update
            )


@contextmanager
def _alignment_writer(path: Path | None) -> Iterator[Write]:
    if path is not None:
        with alignment_writer(path, EOS_POLICY, LINK_THRESHOLD) as write:
            yield write
        return
    with writing(None) as write_text:
        yield lambda record: write_text(pharaoh_line(record.alignment, LINK_THRESHOLD))
