"""`nmt-attn translate`: lines in, their translations out; on request their score, their alignments, the n-best.

Whatever can be refused is refused before the first line is read.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, NoReturn

import typer
from tqdm import tqdm

from nmt_attn.alignment.formats import WriteAlignment, alignment_writer
from nmt_attn.alignment.weights import EosPolicy
from nmt_attn.data.columns import SideColumns
from nmt_attn.data.corpus_warnings import unknown_factors, unknown_source, unknown_tags
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.metrics import measure
from nmt_attn.files import check_apart, or_standard, writing
from nmt_attn.model.seed_runs import find_seed_runs
from nmt_attn.model.store import find_model
from nmt_attn.options.keys import search_keys
from nmt_attn.options.translation import TranslateOptions
from nmt_attn.runtime import choose_device
from nmt_attn.search.alignment_units import alignment_units
from nmt_attn.search.ensemble import load_translator
from nmt_attn.search.jsonl_output import jsonl_writer
from nmt_attn.search.lexical_constraints import encode_phrases, split_phrases
from nmt_attn.search.request import WINDOW_LINES, Request
from nmt_attn.search.shortlist import merge, read_shortlist
from nmt_attn.search.translation import Translation
from nmt_attn.search.translator import Translator
from nmt_attn.search.unk_replacement import read_dictionary
from nmt_attn.text_io import check_readable, count_lines, read_lines, read_windows

EOS_POLICY: EosPolicy = "kept"


def translate(options: TranslateOptions) -> None:
    """Translates the input, line by line, and scores it if there are references. Raises UserError."""
    overrides = search_keys(options.set, options.beam, options.precision)
    texts = _read_texts(options)
    device = choose_device(options.device)
    folders = _find_models(options.model, options.seeds)
    translator = load_translator(folders, options.ensemble or "linear", device, overrides)
    if options.columns and translator.columns is None:
        raise ConfigError(f"--columns: expected a model that was trained with data.columns, got {translator.name}")
    texts = texts._replace(columns=translator.columns_for(options.tag))
    request = translator.request(
        options,
        with_alignments=options.alignments is not None or (options.details is not None and translator.has_attention),
        with_constraints=texts.constraints is not None,
        dictionary=texts.dictionary,
        shortlist=merge([read_shortlist(folder) for folder in folders]) if options.shortlist else None,
    )
    if texts.constraints is not None:
        for number, line in enumerate(texts.constraints.lines, 1):
            encode_phrases(split_phrases(line), translator.codecs.target, f"{options.constraints}:{number}")
    with _open_outputs(options) as outputs, _bar(texts.input, or_standard(options.output)) as bar:
        notes = _translate_windows(texts, translator, request, outputs, bar.update)
    _say(notes)
    if texts.references:
        for reference in texts.references:
            reference.check(notes.lines, texts.input)
        first, *further = (reference.lines for reference in texts.references)
        result = measure("bleu", notes.translations, first, translator.evaluate, further).result()
        typer.echo(f"{result.name} {result.value:.2f} {result.signature}", err=True)


def _find_models(models: Sequence[Path], seeds: int | None) -> list[Path]:
    """The model folders that search as one; with --seeds those of the seeds of each."""
    named = models or (None,)
    if seeds is None:
        return [find_model(model) for model in named]
    return [find_model(run) for model in named for run in find_seed_runs(model, seeds).runs]


class _Companion(NamedTuple):
    """A file with one line for each line of the input."""

    path: Path
    lines: list[str]

    def part(self, start: int, count: int) -> list[str]:
        """The lines that belong to `count` lines of the input, after the first `start`. Raises DataError."""
        if len(self.lines) < start + count:
            raise DataError(f"{self.path}: expected a line for each line of the input, got {len(self.lines)}")
        return self.lines[start : start + count]

    def check(self, lines: int, source: Path | None) -> None:
        """Raises DataError unless there is one line for each line of the source."""
        if lines != len(self.lines):
            name = source or "standard input"
            raise DataError(f"{self.path}: expected {lines} lines, as many as in {name}, got {len(self.lines)}")


class _Texts(NamedTuple):
    """What is translated, and what the files beside it hold."""

    input: Path | None  # None: standard input
    references: Sequence[_Companion]
    prefix: _Companion | None
    constraints: _Companion | None
    dictionary: Mapping[str, str] | None
    has_columns: bool
    columns: SideColumns | None = None  # of the model


def _read_texts(options: TranslateOptions) -> _Texts:
    """The files beside the input. Raises UserError if they cannot be used; standard input is counted later."""
    dictionary = None if options.dictionary is None else read_dictionary(options.dictionary)
    named = {name: getattr(options, name) for name in ("prefix", "constraints")}
    source, output = or_standard(options.input), or_standard(options.output)
    if source is not None:
        check_readable(source)
    companions = [None if path is None else _Companion(path, read_lines(path)) for path in named.values()]
    references = [_Companion(path, read_lines(path)) for path in options.reference]
    lines = count_lines(source) if source is not None and any([*references, *companions]) else None
    for companion in (*references, *companions):
        if companion is not None and lines is not None:
            companion.check(lines, source)
    for reference in options.reference or (None,):
        check_apart(
            {"input": source, "reference": reference, **named, "dictionary": options.dictionary},
            {"output": output, "alignments": options.alignments, "details": options.details},
        )
    prefix, constraints = companions
    return _Texts(source, references, prefix, constraints, dictionary, options.columns)


class _Outputs(NamedTuple):
    """Where translations go."""

    write_text: Callable[[str], object]
    write_alignment: WriteAlignment | None
    write_details: Callable[[int, Translation], object] | None
    is_list: bool

    def write(self, first_line: int, translations: Sequence[Translation]) -> None:
        """Writes the translations of the lines from `first_line` on, with all that belongs to them."""
        numbered = list(enumerate(translations, first_line))
        self.write_text("".join(self._text(line, translation) for line, translation in numbered))
        for line, translation in numbered:
            if self.write_details is not None:
                self.write_details(line, translation)
            if self.write_alignment is not None:
                self._write_alignments(line, translation, self.write_alignment)

    def _write_alignments(self, line: int, translation: Translation, write: WriteAlignment) -> None:
        for place, hypothesis in enumerate(translation.hypotheses, 1):
            assert hypothesis.alignment is not None, "asked for in the request"
            write(line, place, hypothesis.alignment)

    def _text(self, line: int, translation: Translation) -> str:
        if not self.is_list:
            return f"{translation.text}\n"
        return "".join(
            f"{line} ||| {hypothesis.text} ||| {hypothesis.log_prob:.4f} ||| {hypothesis.rank:.4f}\n"
            for hypothesis in translation.hypotheses
        )


@contextmanager
def _open_outputs(options: TranslateOptions) -> Iterator[_Outputs]:
    with ExitStack() as stack:
        write_alignment = None
        if options.alignments is not None:
            write_alignment = stack.enter_context(alignment_writer(options.alignments, EOS_POLICY, options.threshold))
        write_details = None if options.details is None else stack.enter_context(jsonl_writer(options.details))
        write_text = stack.enter_context(writing(or_standard(options.output)))
        yield _Outputs(write_text, write_alignment, write_details, is_list=options.nbest is not None)


def _bar(source: Path | None, output: Path | None) -> "tqdm[NoReturn]":
    """Counts sentences on standard error, if that is a terminal and the translations are not written to it."""
    is_shown = sys.stderr.isatty() and (output is not None or not sys.stdout.isatty())
    lines = count_lines(source) if is_shown and source is not None else None
    return tqdm(total=lines, unit=" sentences", file=sys.stderr, disable=not is_shown)


@dataclass
class _Notes:
    """What is known at the end. Translations are kept only where there are references."""

    lines: int
    cut: int
    undecodable: int
    translations: list[str]
    warning: str | None = None  # about the first window
    unknown_tags: Counter[str] = field(default_factory=Counter)
    unknown_factors: Counter[str] = field(default_factory=Counter)


def _translate_windows(
    texts: _Texts, translator: Translator, request: Request, outputs: _Outputs, progress: Callable[[int], object]
) -> _Notes:
    notes = _Notes(0, 0, 0, [])
    for window in read_windows(texts.input, WINDOW_LINES):
        start, count = notes.lines, len(window.lines)
        lines = _of_columns(window.lines, texts, start + 1)
        notes.unknown_tags.update(unknown_tags(translator.codecs, lines))
        notes.unknown_factors.update(unknown_factors(translator.codecs, lines))
        if start == 0:
            notes.warning = unknown_source(translator.codecs, lines)
            if request.with_alignments:
                request = replace(request, units=alignment_units(translator.codecs.source, lines))
        constraints = None if texts.constraints is None else texts.constraints.part(start, count)
        translations = translator.translate_window(
            lines,
            request,
            progress,
            prefixes=None if texts.prefix is None else texts.prefix.part(start, count),
            constraints=None if constraints is None else list(map(split_phrases, constraints)),
            first_line=start + 1,
        )
        outputs.write(start + 1, translations)
        notes.lines += count
        notes.undecodable += window.undecodable_lines
        notes.cut += sum(not translation.hypotheses[0].is_finished for translation in translations)
        if texts.references:
            notes.translations += [translation.text for translation in translations]
    for companion in (texts.prefix, texts.constraints):
        if companion is not None:
            companion.check(notes.lines, texts.input)
    return notes


def _of_columns(lines: Sequence[str], texts: _Texts, first_line: int) -> Sequence[str]:
    """The texts of the lines, the first of which has this number."""
    columns = texts.columns
    if columns is None:
        return lines
    if not texts.has_columns:
        return [columns.labelled(line) for line in lines]
    name = texts.input or "standard input"
    return [columns.of_line(line, f"{name}:{number}") for number, line in enumerate(lines, first_line)]


def _say(notes: _Notes) -> None:
    if notes.warning is not None:
        typer.echo(f"warning: {notes.warning}", err=True)
    for what, unknown in (("tags", notes.unknown_tags), ("factors", notes.unknown_factors)):
        if unknown:
            names = ", ".join(sorted(unknown))
            typer.echo(
                f"note: {what} that training has not seen, read as <unk>: {names} ({unknown.total()} in all)", err=True
            )
    if notes.undecodable > 0:
        typer.echo(f"note: lines that are not UTF-8, read with U+FFFD in it: {notes.undecodable}", err=True)
    if notes.cut > 0:
        typer.echo(f"note: translations cut at the greatest length (search.max_length_factor): {notes.cut}", err=True)
