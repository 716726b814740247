"""`nmt-attn translate`: lines in, their translations out; by the way their score, their alignments, the n-best.

Whatever can be refused is refused before the first line is read.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeVar

import typer
from tqdm import tqdm

from nmt_attn.alignment.formats import WriteAlignment, alignment_writer
from nmt_attn.alignment.link_files import check_threshold
from nmt_attn.alignment.weights import EosPolicy
from nmt_attn.config.file import load_config
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.metrics import measure
from nmt_attn.files import check_count, read_lines
from nmt_attn.find_model import find_model, precision_override
from nmt_attn.model.store import CONFIG
from nmt_attn.runtime import choose_device
from nmt_attn.search.ensemble import Combination, EnsembleTranslator
from nmt_attn.search.jsonl_output import jsonl_writer
from nmt_attn.search.lexical_constraints import encode_phrases
from nmt_attn.search.sampling import Sampling
from nmt_attn.search.shortlist import merge, read_shortlist
from nmt_attn.search.translation import Translation
from nmt_attn.search.translator import WINDOW_LINES, Translator
from nmt_attn.search.unk_replacement import UnkReplacement, read_dictionary
from nmt_attn.text_io import check_readable, count_lines, or_standard, read_windows, writing

EOS_POLICY: EosPolicy = "kept"
Companion = TypeVar("Companion")


@dataclass(frozen=True)
class TranslateOptions:
    """The command's options. None: the newest run, standard input and output, the configuration's numbers."""

    # where from and where to
    models: tuple[Path, ...] = ()  # several search as one
    input: Path | None = None
    output: Path | None = None
    reference: Path | None = None
    alignments: Path | None = None
    threshold: float | None = None  # of links in `alignments`; None: the greatest weight of each target word
    details: Path | None = None  # everything about every hypothesis
    # how to search
    ensemble: Combination | None = None  # None: linear
    beam: int | None = None
    nbest: int | None = None  # None: the best translation alone, without numbers
    overrides: tuple[str, ...] = ()  # search.key=value
    prefix: Path | None = None  # how each translation begins
    constraints: Path | None = None  # what must appear in each, tab-separated
    # samples; None: as `Sampling` has it
    is_sampled: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    # what becomes of `<unk>`
    replace_unknown: bool = False
    dictionary: Path | None = None  # means `replace_unknown` too
    # on what
    is_short: bool = False  # only likely words are forced_record
    batch_size: int | None = None
    device: str = "auto"
    precision: str | None = None

    def unknown_words(self) -> UnkReplacement | None:
        """How they are replaced; None if they stay. Raises DataError for a dictionary that cannot be read."""
        if self.dictionary is not None:
            return UnkReplacement(read_dictionary(self.dictionary))
        return UnkReplacement() if self.replace_unknown else None

    def sampling(self) -> Sampling | None:
        """How translations are drawn; None if they are searched for. Raises ConfigError."""
        given = {name: getattr(self, name) for name in ("temperature", "top_k", "top_p", "seed")}
        given = {name: value for name, value in given.items() if value is not None}
        if given and not self.is_sampled:
            name, value = next(iter(given.items()))
            raise ConfigError(f"--{name.replace('_', '-')}: expected --sample beside it, got {value} alone")
        return replace(Sampling(), **given) if self.is_sampled else None


@dataclass
class _Notes:
    """What is said at the end, in numbers of lines."""

    cut: int = 0
    undecodable: int = 0


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


def translate(options: TranslateOptions) -> None:
    """Translates the input, line by line, and scores it if there is a reference. Raises UserError."""
    options = replace(options, input=or_standard(options.input), output=or_standard(options.output))
    references, prefixes, constraints = _check_inputs(options)
    unknown = options.unknown_words()
    folders = [find_model(model) for model in options.models or (None,)]
    translator = _load(folders, options)
    request = translator.request(
        beam=options.beam,
        nbest=1 if options.nbest is None else options.nbest,
        with_alignments=options.alignments is not None or (options.details is not None and translator.has_attention),
        batch_sentences=options.batch_size,
        unknown=unknown,
        sampling=options.sampling(),
        with_constraints=constraints is not None,
        shortlist=merge([read_shortlist(folder) for folder in folders]) if options.is_short else None,
    )
    for number, phrases in enumerate(constraints or (), 1):
        encode_phrases(phrases, translator.codecs.target, f"{options.constraints}:{number}")
    texts: list[str] = []
    with _open_outputs(options) as outputs, _bar(options) as bar:
        notes = _Notes()
        done = 0
        for window in read_windows(options.input, WINDOW_LINES):
            count = len(window.lines)
            translations = translator.translate_window(
                window.lines,
                request,
                bar.update,
                prefixes=_next(prefixes, done, count, options.prefix),
                constraints=_next(constraints, done, count, options.constraints),
                first_line=done + 1,
            )
            outputs.write(done + 1, translations)
            done += len(window.lines)
            notes.undecodable += window.undecodable_lines
            notes.cut += sum(not translation.hypotheses[0].is_finished for translation in translations)
            if references is not None:
                texts += [translation.text for translation in translations]
        _check_counts(done, prefixes, options.prefix, options)
        _check_counts(done, constraints, options.constraints, options)
    _say(notes)
    if references is not None:
        _check_counts(done, references, options.reference, options)
        _say_score(texts, references, load_config(folders[0] / CONFIG, []).evaluate)


def _next(found: Sequence[Companion] | None, done: int, lines: int, path: Path | None) -> Sequence[Companion] | None:
    """Those of the next `lines` lines."""
    if found is None:
        return None
    if len(found) < done + lines:
        raise DataError(f"{path}: expected a line for each line of the input, got {len(found)}")
    return found[done : done + lines]


def _load(folders: Sequence[Path], options: TranslateOptions) -> Translator:
    if options.ensemble is not None and len(folders) == 1:
        raise ConfigError("--ensemble: expected two models or more (--model A --model B), got 1")
    width = () if options.beam is None or options.beam <= 1 else (f"search.beam={options.beam}",)  # for the other keys
    overrides = (*options.overrides, *width, *precision_override(options.precision))
    members = [Translator.load(folder, choose_device(options.device), overrides) for folder in folders]
    return EnsembleTranslator(members, options.ensemble or "linear") if len(members) > 1 else members[0]


@contextmanager
def _open_outputs(options: TranslateOptions) -> Iterator[_Outputs]:
    with ExitStack() as stack:
        write_alignment = None
        if options.alignments is not None:
            write_alignment = stack.enter_context(alignment_writer(options.alignments, EOS_POLICY, options.threshold))
        write_details = None if options.details is None else stack.enter_context(jsonl_writer(options.details))
        write_text = stack.enter_context(writing(options.output))
        yield _Outputs(write_text, write_alignment, write_details, is_list=options.nbest is not None)


def _bar(options: TranslateOptions) -> "tqdm[NoReturn]":
    """Counts sentences on standard error, if that is a terminal and the translations are not written to it."""
    is_shown = sys.stderr.isatty() and (options.output is not None or not sys.stdout.isatty())
    lines = count_lines(options.input) if is_shown and options.input is not None else None
    return tqdm(total=lines, unit=" sentences", file=sys.stderr, disable=not is_shown)


class _Companions(NamedTuple):
    """Files of one line for each of the input; None where there is none."""

    references: list[str] | None
    prefixes: list[str] | None
    constraints: list[list[str]] | None


def _check_inputs(options: TranslateOptions) -> _Companions:
    """Raises DataError if there are not as many as lines of the input; what can be read only once is counted later."""
    _check_apart(options)
    _check_threshold(options)
    if options.input is not None:
        check_readable(options.input)
    companions = _Companions(
        None if options.reference is None else read_lines(options.reference),
        None if options.prefix is None else read_lines(options.prefix),
        None if options.constraints is None else _read_phrases(options.constraints),
    )
    lines = None if options.input is None or companions == (None, None, None) else count_lines(options.input)
    if lines is not None:
        _check_counts(lines, companions.references, options.reference, options)
        _check_counts(lines, companions.prefixes, options.prefix, options)
        _check_counts(lines, companions.constraints, options.constraints, options)
    return companions


def _read_phrases(path: Path) -> list[list[str]]:
    """Those of each line, between tabs."""
    return [[phrase for phrase in line.split("\t") if phrase.strip()] for line in read_lines(path)]


def _check_apart(options: TranslateOptions) -> None:
    """Raises ConfigError if a file would be written over another that this command reads or writes."""
    named = {name: getattr(options, name) for name in ("input", "reference", "prefix", "constraints", "dictionary")}
    for name in ("output", "alignments", "details"):
        path: Path | None = getattr(options, name)
        if path is None or (path.exists() and not path.is_file()):
            continue  # a device or a pipe is not written over
        for other, known in named.items():
            if known is not None and path.resolve() == known.resolve():
                raise ConfigError(f"--{name}: expected another file than --{other}, got {path}")
        named[name] = path


def _check_threshold(options: TranslateOptions) -> None:
    if options.threshold is not None and options.alignments is None:
        raise ConfigError(f"--threshold: expected --alignments FILE.pharaoh beside it, got {options.threshold:g} alone")
    has_links = options.alignments is None or options.alignments.suffix == ".pharaoh"
    check_threshold(options.threshold, None if has_links else options.alignments)


def _check_counts(lines: int, found: Sequence[object] | None, path: Path | None, options: TranslateOptions) -> None:
    if found is not None:
        check_count(path, len(found), lines, f"as many as in {options.input or 'standard input'}")


def _say(notes: _Notes) -> None:
    if notes.undecodable > 0:
        typer.echo(f"note: lines that are not UTF-8, read with U+FFFD in it: {notes.undecodable}", err=True)
    if notes.cut > 0:
        typer.echo(f"note: translations cut at the greatest length (search.max_length_factor): {notes.cut}", err=True)


def _say_score(texts: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> None:
    result = measure("bleu", texts, references, config).result()
    typer.echo(f"{result.name} {result.value:.2f} {result.signature}", err=True)
