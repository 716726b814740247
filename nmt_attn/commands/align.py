"""`nmt-attn align`: a model's attention on given translations; and `nmt-attn score`: their log-probabilities.

`align` writes a line of links `i-j` for each pair to standard output, or a file in the format of its ending. Links
are those of the greatest weight of each target word, or of all weights from a threshold on; with a model of the other
direction, the links of both are symmetrised (alignment/symmetrise.py).
`score` writes a line for each pair: log-probability (natural, `</s>` included), tokens, perplexity per token; to a
.jsonl an object, with the tokens and the log-probability of each.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from tqdm import tqdm

from nmt_attn.alignment.formats import alignment_writer, by_target, pharaoh_line
from nmt_attn.alignment.link_files import check_threshold
from nmt_attn.alignment.links import Links, swap_sides
from nmt_attn.alignment.symmetrise import METHODS
from nmt_attn.alignment.weights import EosPolicy, WordAlignment, extract_links
from nmt_attn.errors import ConfigError
from nmt_attn.files import read_lines, read_parallel
from nmt_attn.find_model import find_model
from nmt_attn.runtime import choose_device
from nmt_attn.search.forced import ForcedPair, Shift, force_decode, perplexity
from nmt_attn.search.jsonl_output import ENDINGS, forced_record
from nmt_attn.search.translator import WINDOW_LINES, Translator, model_folder
from nmt_attn.text_io import or_standard, writing

METHOD = "grow-diag-final"
"""How two directions are symmetrised by default."""


@dataclass(frozen=True)
class AlignOptions:
    """The commands' options. None: the newest run, standard output."""

    model: Path | None
    source: Path
    target: Path
    output: Path | None = None
    shift: Shift = 0  # of `align` alone
    device: str = "auto"
    # of `align` alone, likewise
    threshold: float | None = None  # None: the greatest weight of each target word
    reverse: Path | None = None  # a model of the other direction
    symmetrise: str | None = None  # a name of METHODS; None: METHOD
    eos: EosPolicy | None = None  # None: kept

    @property
    def weights_path(self) -> Path | None:
        """The output, if it holds weights; None if it holds links."""
        path = or_standard(self.output)
        return None if path is None or path.suffix == ".pharaoh" else path


def align(options: AlignOptions) -> None:
    """Writes the alignment of each pair of lines. Raises UserError."""
    _check(options)
    sources, targets = _read_sides(options)
    translator = _load_attending(find_model(options.model), options)
    backward = None if options.reverse is None else _load_backward(model_folder(options.reverse), translator, options)
    pairs = _decoded(translator, sources, targets, with_alignments=True)
    alignments = (pair.alignment(options.shift) for pair in pairs)
    if options.weights_path is not None:
        with alignment_writer(options.weights_path, options.eos or "kept", None) as write:
            for number, alignment in enumerate(alignments, 1):
                write(number, 1, alignment)
        return
    with writing(or_standard(options.output)) as write_text:
        found: Iterator[Links] = (_links(alignment, options) for alignment in alignments)
        if backward is not None:
            found = _symmetrised(found, backward, sources, targets, options)
        for each in found:
            write_text(pharaoh_line(by_target(each)) + "\n")


def score(options: AlignOptions) -> None:
    """Writes log-probability, tokens and perplexity of each pair of lines; those of all to standard error."""
    sources, targets = _read_sides(options)
    translator = Translator.load(find_model(options.model), choose_device(options.device))
    total, tokens = 0.0, 0
    with writing(or_standard(options.output)) as write:
        pairs = _decoded(translator, sources, targets, with_alignments=False)
        for number, (source, target, pair) in enumerate(zip(sources, targets, pairs, strict=True), 1):
            if options.output is not None and options.output.name.endswith(ENDINGS):
                pieces = translator.codecs.target.pieces(target)
                write(json.dumps(forced_record(number, source, target, pieces, pair), ensure_ascii=False) + "\n")
            else:
                write(_score_line(pair))
            total, tokens = total + pair.log_prob, tokens + len(pair.token_log_probs)
    mean = f"perplexity {math.exp(min(-total / tokens, 700)):.4f}" if tokens else "no token"
    typer.echo(f"log-probability {total:.4f}, {tokens:,} target tokens, {mean}", err=True)


def _score_line(pair: ForcedPair) -> str:
    value = perplexity([pair])
    shown = "-" if value is None else f"{value:.4f}"  # a blank source is shown to no model
    return f"{pair.log_prob:.4f}\t{len(pair.token_log_probs)}\t{shown}\n"


def _check(options: AlignOptions) -> None:
    """Raises ConfigError for an option without effect."""
    if options.symmetrise is not None and options.reverse is None:
        raise ConfigError(f"--symmetrise: expected --reverse MODEL beside it, got {options.symmetrise} alone")
    if options.symmetrise is not None and options.symmetrise not in METHODS:
        raise ConfigError(f"--symmetrise: expected one of {', '.join(METHODS)}, got {options.symmetrise!r}")
    check_threshold(options.threshold, options.weights_path)
    if options.weights_path is None and options.eos is not None:
        raise ConfigError(
            f"--eos: expected --output with weights (.jsonl, .npz) beside it, got {options.eos} for links"
        )
    if options.weights_path is not None and options.reverse is not None:
        raise ConfigError(f"--reverse: expected links as output (.pharaoh), got {options.weights_path} for weights")


def _load_attending(folder: Path, options: AlignOptions) -> Translator:
    translator = Translator.load(folder, choose_device(options.device))
    if not translator.model.has_attention:
        raise ConfigError(f"align: expected a model with attention, got {translator.name} (attention.score: none)")
    return translator


def _load_backward(folder: Path, forward: Translator, options: AlignOptions) -> Translator:
    backward = _load_attending(folder, options)
    read, written = (codec.vocabulary.tokens for codec in forward.codecs)
    if read != written and backward.codecs.source.vocabulary.tokens == read:  # a shared vocabulary tells nothing
        raise ConfigError(
            f"--reverse: expected a model of the other direction, got {backward.name} (it reads the words that "
            f"{forward.name} reads)"
        )
    return backward


def _links(alignment: WordAlignment, options: AlignOptions) -> Links:
    return frozenset(extract_links(alignment, options.threshold))


def _symmetrised(
    found: Iterator[Links], backward: Translator, sources: list[str], targets: list[str], options: AlignOptions
) -> Iterator[Links]:
    """The links of each pair, symmetrised with those of a model that reads the targets."""
    method = METHODS[options.symmetrise or METHOD]
    pairs = _windows(backward, targets, sources, with_alignments=True)
    for forward, pair in zip(found, pairs, strict=True):
        yield method(forward, swap_sides(_links(pair.alignment(options.shift), options)))


def _read_sides(options: AlignOptions) -> tuple[list[str], list[str]]:
    _check_apart(options)
    sources = read_lines(options.source)
    return sources, read_parallel(options.target, len(sources), f"as many as in {options.source}")


def _check_apart(options: AlignOptions) -> None:
    """Raises ConfigError if the output would be written over a text that this command reads."""
    path = or_standard(options.output)
    if path is None or not path.is_file():  # a device or a pipe is not written over
        return
    for name, side in {"source": options.source, "target": options.target}.items():
        if path.resolve() == side.resolve():
            raise ConfigError(f"--output: expected another file than --{name}, got {path}")


def _decoded(
    translator: Translator, sources: list[str], targets: list[str], *, with_alignments: bool
) -> Iterator[ForcedPair]:
    """The same with a bar on a terminal."""
    is_shown = None if sys.stderr.isatty() else True
    with tqdm(total=len(sources), unit=" lines", file=sys.stderr, disable=is_shown, leave=False) as bar:
        yield from _windows(translator, sources, targets, with_alignments=with_alignments, progress=bar.update)


def _windows(
    translator: Translator,
    sources: list[str],
    targets: list[str],
    *,
    with_alignments: bool,
    progress: Callable[[int], object] = lambda lines: None,
) -> Iterator[ForcedPair]:
    """A window at a time, so that weights of a large corpus are not held together."""
    for start in range(0, len(sources), WINDOW_LINES):
        window = slice(start, start + WINDOW_LINES)
        yield from force_decode(
            translator, sources[window], targets[window], with_alignments=with_alignments, progress=progress
        )
