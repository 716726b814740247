"""`nmt-attn align`: where a model looks while it reads translations that it is given.

It writes a line of links `i-j` for each pair to standard output, or a file in the format of its ending. Links are the
greatest weight of each target word, or all from a threshold on; where every source is one word that the model reads
letter by letter, they are between letters and symbols. With a model of the other direction beside it, the
links of both are symmetrised (alignment/symmetrise.py).
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from tqdm import tqdm

from nmt_attn.alignment.formats import alignment_writer, by_target, pharaoh_line
from nmt_attn.alignment.links import Links, swap_sides
from nmt_attn.alignment.symmetrise import METHODS
from nmt_attn.alignment.weights import WordAlignment, extract_links
from nmt_attn.data.corpus_warnings import unknown_source
from nmt_attn.errors import ConfigError
from nmt_attn.files import check_apart, or_standard, shown, writing
from nmt_attn.model.store import find_model, model_folder
from nmt_attn.options.evaluation import AlignOptions
from nmt_attn.runtime import choose_device
from nmt_attn.search.alignment_units import Units, alignment_units, check_reverse
from nmt_attn.search.forced import ForcedPair, Shift, force_decode_windows, plain_texts
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_parallel

METHOD = "grow-diag-final"
"""How two directions are symmetrised, by default."""


def align(options: AlignOptions) -> None:
    """Writes the alignment of each pair of lines. Raises UserError."""
    output = or_standard(options.output)
    if options.symmetrise is not None and options.symmetrise not in METHODS:
        raise ConfigError(f"--symmetrise: expected one of {', '.join(METHODS)}, got {shown(options.symmetrise)}")
    check_apart({"source": options.source, "target": options.target}, {"output": output})
    sources, targets = read_parallel(options.source, options.target)
    translator = _load_attending(find_model(options.model), options.device)
    if warning := unknown_source(translator.codecs, sources):
        typer.echo(f"warning: {warning}", err=True)
    backward = None if options.reverse is None else _load_backward(options.reverse, translator, options.device)
    shift: Shift = 1 if options.shift else 0
    written = targets if backward is None else plain_texts(backward, targets)
    units = alignment_units(translator.codecs.source, sources)
    if backward is not None:
        check_reverse(translator.name, units, backward.name, alignment_units(backward.codecs.target, sources))
    alignments = (pair.alignment(shift) for pair in _decoded(translator, sources, written, units))
    if options.weights_path is not None:
        with alignment_writer(options.weights_path, options.eos or "kept", None) as write:
            for number, alignment in enumerate(alignments, 1):
                write(number, 1, alignment)
        return
    with writing(output) as write_text:
        found: Iterator[Links] = (_links(alignment, options.threshold) for alignment in alignments)
        if backward is not None:
            plain = plain_texts(translator, sources)
            pairs = force_decode_windows(backward, targets, plain, with_alignments=True, units=units)
            others = (_links(pair.alignment(shift), options.threshold) for pair in pairs)
            found = _symmetrised(found, others, options.symmetrise or METHOD)
        for each in found:
            write_text(pharaoh_line(by_target(each)) + "\n")


def _load_attending(folder: Path, device: str) -> Translator:
    translator = Translator.load(folder, choose_device(device))
    if not translator.model.has_attention:
        raise ConfigError(f"align: expected a model with attention, got {translator.name} (attention.score: none)")
    return translator


def _load_backward(folder: Path, forward: Translator, device: str) -> Translator:
    backward = _load_attending(model_folder(folder), device)
    read, written = (codec.vocabulary.tokens for codec in forward.codecs)
    if read != written and backward.codecs.source.vocabulary.tokens == read:  # a shared vocabulary tells nothing
        raise ConfigError(
            f"--reverse: expected a model of the other direction, got {backward.name} (it reads the words that "
            f"{forward.name} reads)"
        )
    return backward


def _decoded(translator: Translator, sources: list[str], targets: list[str], units: Units) -> Iterator[ForcedPair]:
    """With a bar on a terminal."""
    with tqdm(total=len(sources), unit=" lines", file=sys.stderr, disable=None, leave=False) as bar:
        yield from force_decode_windows(
            translator, sources, targets, with_alignments=True, units=units, progress=bar.update
        )


def _links(alignment: WordAlignment, threshold: float | None) -> Links:
    return frozenset(extract_links(alignment, threshold))


def _symmetrised(forward: Iterator[Links], backward: Iterator[Links], method: str) -> Iterator[Links]:
    """The links of each pair, symmetrised with those of a model that reads the targets."""
    for found, others in zip(forward, backward, strict=True):
        yield METHODS[method](found, swap_sides(others))
