"""`nmt-attn eval`: how good a model's translations are, and how that depends on the length of the source.

The figures go to standard output. A folder (by default `eval/` in the run) gets eval.json, the hypotheses, BLEU by
length and one sentence's alignment as pictures. Whatever can be refused is refused before translating.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import typer
from tqdm import tqdm

from nmt_attn.commands.runs import find_model
from nmt_attn.config import Config, CorpusConfig, DataConfig
from nmt_attn.config_file import load_config
from nmt_attn.data.corpus import read_test
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.pictures import FORMATS, Alignment, LengthCurve, draw_alignment, draw_lengths
from nmt_attn.evaluation.summary import Summary, as_json, summarise
from nmt_attn.evaluation.tables import format_summary
from nmt_attn.files import write_text
from nmt_attn.model.store import CONFIG
from nmt_attn.runtime import choose_device
from nmt_attn.search.translator import BEST, Translator
from nmt_attn.types import EOS, SPECIAL_TOKENS

FOLDER = "eval"
PICTURE_ENDINGS = (".png", ".svg")
PICTURE_WORDS = 10
"""The alignment picture shows the source sentence whose length is closest to this."""


@dataclass(frozen=True)
class EvaluateOptions:
    """The command's options. None: the newest run, its own test set, its own search, its own folder."""

    model: Path | None = None
    source: Path | None = None
    reference: Path | None = None
    beam: int | None = None
    report: Path | None = None  # folder for all files
    json: Path | None = None  # the figures once more, in a file of any name
    plot: Path | None = None  # BLEU by length once more, likewise
    device: str = "auto"


class Subject(NamedTuple):
    """What is evaluated: a model, alone or as the best one of a run."""

    name: str
    model: Path
    run: Path | None
    config: Config


class EvaluationSet(NamedTuple):
    """Sentences and their translations by people; `name` is for files."""

    name: str
    sources: list[str]
    references: list[str]


class Decoding(NamedTuple):
    """What the model made of the test set, and how long it took."""

    hypotheses: list[str]
    beam: int
    device: str
    seconds: float


def evaluate(options: EvaluateOptions) -> None:
    """Translates the test set, prints the figures and writes the files. Raises UserError."""
    _check_paths(options)
    subject = find_subject(options.model)
    test = _read_test_set(options, subject)
    folder = _choose_folder(options, subject, test)
    translator = Translator.load(subject.model, choose_device(options.device))
    decoding = _translate(translator, test, options.beam)
    _note(_speed_line(decoding))
    summary = summarise(subject.name, test.sources, decoding.hypotheses, test.references, subject.config.evaluate)
    typer.echo(f"{_title(summary, test, decoding)}\n\n{format_summary(summary)}")
    _write_figures(options, folder, summary, test, decoding)
    if folder is not None and translator.model.has_attention:
        _draw_one_alignment(translator, test, decoding, folder)


def find_subject(folder: Path | None) -> Subject:
    """The model meant by a run's or a model's folder, or by none; the run's configuration counts, if there is a run."""
    model = find_model(folder)
    run = model.parent if model.name == BEST and (model.parent / CONFIG).is_file() else None
    name = run or model
    return Subject(name.resolve().name, model, run, load_config(name / CONFIG, []))


def _check_paths(options: EvaluateOptions) -> None:
    if (options.source is None) != (options.reference is None):
        given, absent = ("source", "reference") if options.reference is None else ("reference", "source")
        raise ConfigError(f"--{given}: expected --{absent} beside it, got {getattr(options, given)} alone")
    if options.plot is not None and options.plot.suffix not in FORMATS:
        raise ConfigError(f"--plot: expected a name that ends in {', '.join(FORMATS)}, got {options.plot}")
    for path in (options.json, options.plot):
        if path is not None:
            _check_writable(path)
    if options.report is not None:
        _check_writable(options.report / "eval.json")


def _check_writable(path: Path) -> None:
    """Raises DataError if a file could not be written there, before the work that it is for."""
    if path.is_dir():
        raise DataError(f"{path}: expected a file that can be written, got a folder")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        found = "a folder without the right to write" if above.is_dir() else "a file"
        raise DataError(f"{path}: expected a folder that can be written to, got {above}, {found}")


def _read_test_set(options: EvaluateOptions, subject: Subject) -> EvaluationSet:
    """The files of the options, or the run's data.test."""
    config = subject.config
    if options.source is not None and options.reference is not None:
        files = CorpusConfig(source=str(options.source), target=str(options.reference))
        data = DataConfig(test=files, undecodable=config.data.undecodable)
        name = options.source.name.removesuffix(".gz")
    elif subject.run is not None:
        data, name = config.data, "test"
    else:
        raise ConfigError(
            f"{subject.model}: expected a run, which has a test set of its own, got a model folder "
            "(name a test set: --source FILE --reference FILE)"
        )
    corpus = read_test(config.model_copy(update={"data": data}))
    if corpus.report.notes:
        _note(corpus.report.text())
    if not corpus.pairs:
        raise DataError(f"{corpus.report.source}: expected at least 1 sentence, got 0")
    return EvaluationSet(name, [pair.source for pair in corpus.pairs], [pair.target for pair in corpus.pairs])


def _choose_folder(options: EvaluateOptions, subject: Subject, test: EvaluationSet) -> Path | None:
    """Where the files go: as asked; else into the run, a foreign test set into a folder of its own; else nowhere."""
    if options.report is not None:
        return options.report
    if subject.run is None:
        return None
    folder = subject.run / FOLDER if options.source is None else subject.run / FOLDER / test.name
    _check_writable(folder / "eval.json")
    return folder


def _translate(translator: Translator, test: EvaluationSet, beam: int | None) -> Decoding:
    request = translator.request(beam=beam, nbest=1, with_alignments=False, batch_sentences=None)
    device = translator.model.output.weight.device.type
    with tqdm(total=len(test.sources), unit=" lines", file=sys.stderr, disable=None, leave=False) as bar:
        start = time.perf_counter()
        translations = translator.translate_window(test.sources, request, progress=bar.update)
        seconds = time.perf_counter() - start
    return Decoding([each.text for each in translations], request.search.beam, device, seconds)


def _speed_line(decoding: Decoding) -> str:
    sentences = len(decoding.hypotheses)
    words = sum(len(text.split()) for text in decoding.hypotheses)
    return (
        f"decoding: {sentences:,} sentences in {decoding.seconds:.1f} s on {decoding.device}, "
        f"{sentences / decoding.seconds:,.0f} sentences/s, {words / decoding.seconds:,.0f} target words/s"
    )


def _title(summary: Summary, test: EvaluationSet, decoding: Decoding) -> str:
    return f"{summary.system} on {test.name}: {summary.sentences:,} sentences, beam {decoding.beam}"


def _write_figures(
    options: EvaluateOptions, folder: Path | None, summary: Summary, test: EvaluationSet, decoding: Decoding
) -> None:
    figures = {
        "test_set": test.name,
        "beam": decoding.beam,
        "device": decoding.device,
        "decoding_seconds": decoding.seconds,
        **as_json(summary),
    }
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    curve = LengthCurve(
        f"{summary.system}, beam {decoding.beam}", summary.by_length, summary.estimates[0].result.signature
    )
    metric = summary.estimates[0].result.name
    if folder is not None:
        _write(folder / "eval.json", text)
        _write(folder / f"{test.name}.hyp.txt", "".join(f"{line}\n" for line in decoding.hypotheses))
    if options.json is not None:
        _write(options.json, text)
    plots = [folder / f"{metric.lower()}-by-length{ending}" for ending in PICTURE_ENDINGS] if folder else []
    for path in [*plots, *([options.plot] if options.plot else [])]:
        _drawn(path, draw_lengths([curve], path, metric))


def _draw_one_alignment(translator: Translator, test: EvaluationSet, decoding: Decoding, folder: Path) -> None:
    """The picture of one sentence, if there is one whose translation has words."""
    number = choose_sentence(test.sources, decoding.hypotheses)
    if number is None:
        return
    [translation] = translator.translate([test.sources[number]], beam=decoding.beam, with_alignments=True)
    weights = translation.hypotheses[0].alignment
    assert weights is not None, "alignments were asked for"
    end = SPECIAL_TOKENS[EOS]
    title = f"{test.name}, line {number + 1}"
    alignment = Alignment([*weights.source, end], [*weights.target, end], weights.weights.numpy(force=True), title)
    for ending in PICTURE_ENDINGS:
        path = folder / f"alignment-{number + 1}{ending}"
        _drawn(path, draw_alignment(alignment, path))


def choose_sentence(sources: Sequence[str], hypotheses: Sequence[str]) -> int | None:
    """The first sentence of about PICTURE_WORDS words with a translation; None if nothing was translated."""
    lengths = np.array([len(source.split()) for source in sources])
    distance = np.where([bool(text.strip()) for text in hypotheses], abs(lengths - PICTURE_WORDS), np.inf)
    return int(distance.argmin()) if np.isfinite(distance).any() else None


def _write(path: Path, text: str) -> None:
    write_text(path, text)
    _note(f"wrote {path}")


def _drawn(path: Path, note: str | None) -> None:
    _note(f"wrote {path}")
    if note is not None:
        _note(f"{path.name}: {note}")


def _note(text: str) -> None:
    typer.echo(text, err=True)
