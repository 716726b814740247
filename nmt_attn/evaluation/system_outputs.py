"""System outputs: translations of the test set, by a model or read from a file, and what a model adds to them.

During training, the attention on one pair of the validation corpus is drawn. Its translation is the reference, so that
the pictures of a training differ in the attention alone.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from tqdm import tqdm

from nmt_attn.alignment.links import GoldLinks, Links, score_links, swap_sides
from nmt_attn.alignment.symmetrise import METHODS
from nmt_attn.alignment.weights import WordAlignment, argmax_links, threshold_links
from nmt_attn.config.schema import EvaluateConfig, SearchConfig
from nmt_attn.data.prepare import PreparedData
from nmt_attn.evaluation.attention_statistics import attention_statistics
from nmt_attn.evaluation.evaluation_inputs import ONE_A_SENTENCE, EvaluatedModel, EvaluationSet, without_factors
from nmt_attn.evaluation.lengths import units_of
from nmt_attn.evaluation.link_scores import LinkScores, judge_links
from nmt_attn.evaluation.pictures import alignment_pixels
from nmt_attn.evaluation.predictions import Guesses, Prediction, predict
from nmt_attn.evaluation.summary import Summary
from nmt_attn.files import check_count
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.options.translation import SearchOptions
from nmt_attn.search.alignment_units import Units, alignment_units, check_reverse
from nmt_attn.search.ensemble import EnsembleTranslator
from nmt_attn.search.forced import ForcedPair, Shift, force_decode, perplexity
from nmt_attn.search.request import Request
from nmt_attn.search.translation import Translation
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_lines

PICTURE_WORDS = 10
"""The alignment picture shows the source sentence whose length is closest to this."""
SHIFT_MATTERS = 0.01
"""The other shift is reported where it lowers the error rate by more than this."""


class Wanted(NamedTuple):
    """What the models' search is asked for."""

    overrides: Sequence[str]  # all keys of search that options set, with which models are loaded
    keys: Sequence[str]  # those of `--set`, for the record
    shown: int  # translations of a sentence with alignments, as many as the beam gives; 0: none
    evaluate: EvaluateConfig  # how metrics count, and how many translations are looked through for a right one


class Decoding(NamedTuple):
    """How a model's output was made, and how long it took."""

    beam: int
    device: str
    seconds: float
    keys: tuple[str, ...] = ()  # of search that are not the model's own

    def text(self) -> str:
        """In words, such as `beam 5, search.mbr=bleu`."""
        return ", ".join((f"beam {self.beam}", *self.keys))


class SystemOutput(NamedTuple):
    """A system on the test set. Fields that only a model has are None or empty for a file."""

    name: str
    hypotheses: list[str]
    decoding: Decoding | None = None
    translations: Sequence[Translation] = ()  # with n-best lists and, if the model attends, alignments
    forced: Sequence[ForcedPair] | None = None  # of the references
    has_attention: bool = False
    units: Units = "words"  # that the alignments of `forced` are between
    shown_sentence: int | None = None  # for a picture, from 0
    shown_alignment: WordAlignment | None = None


def predictions_of(output: SystemOutput, test: EvaluationSet, separator: str) -> list[Prediction]:
    """The output beside what was right."""
    if output.translations:
        guesses = [Guesses([one.text for one in each.hypotheses], each.log_prob) for each in output.translations]
    else:
        guesses = [Guesses([text]) for text in output.hypotheses]
    return predict(test.sources, test.golds(), guesses, separator)


class LinkOptions(NamedTuple):
    """How links are extracted from attention."""

    shift: Shift
    threshold: float


def run_model(
    model: EvaluatedModel, translator: Translator, test: EvaluationSet, wanted: Wanted, shown: int | None
) -> SystemOutput:
    """Translates the test set and force-decodes its references.

    `shown` is the sentence for a picture; None: one of middle length. An ensemble translates, and nothing else.
    """
    is_single = not isinstance(translator, EnsembleTranslator)
    attends = is_single and translator.has_attention
    units = alignment_units(translator.codecs.source, test.sources)
    request = translator.request(SearchOptions(), with_alignments=attends and wanted.shown > 0)
    beam = request.search.beam
    nbest = max(1, wanted.evaluate.top, min(wanted.shown, beam))
    request = replace(request, nbest=nbest, units=units, evaluate=wanted.evaluate)
    with tqdm(
        total=(1 + is_single) * len(test.sources), unit=" lines", file=sys.stderr, disable=None, leave=False
    ) as bar:
        start = time.perf_counter()
        translations = translator.translate_window(test.sources, request, progress=bar.update)
        seconds = time.perf_counter() - start
        forced = (
            force_decode(
                translator, test.sources, test.references, with_alignments=attends, units=units, progress=bar.update
            )
            if is_single
            else None
        )
    hypotheses = [each.text for each in translations]
    decoding = Decoding(request.search.beam, translator.model.output.weight.device.type, seconds, tuple(wanted.keys))
    typer.echo(_speed_line(hypotheses, decoding), err=True)
    number = choose_sentence(test.sources, hypotheses) if shown is None else shown
    alignment = _shown_alignment(translator, request, test, number) if attends else None
    return SystemOutput(
        model.name,
        hypotheses,
        decoding,
        translations,
        forced,
        attends,
        units,
        None if alignment is None else number,
        alignment,
    )


def read_output(path: Path, name: str, test: EvaluationSet) -> SystemOutput:
    """A system known by its output alone, one line a sentence. Raises DataError.

    Where sources are joined, a file with a line for each of the test set serves too: each first one counts.
    """
    lines = read_lines(path)
    if test.lines is not None and len(lines) == test.lines_in_all:
        lines = [lines[line] for line in test.lines]
    check_count(path, len(lines), len(test.sources), ONE_A_SENTENCE)
    return SystemOutput(name, lines)


def add_model_results(
    summary: Summary,
    output: SystemOutput,
    gold: Sequence[GoldLinks] | None,
    options: LinkOptions,
    reverse: Sequence[Links],
) -> Summary:
    """The summary with perplexity, alignment scores and attention statistics, where the system has them.

    `reverse` holds the links of a model of the other direction, or nothing.
    """
    if output.forced is None:
        return summary
    summary = summary._replace(perplexity=perplexity(output.forced))
    if not output.has_attention:
        return summary
    alignments = [pair.alignment(options.shift) for pair in output.forced]
    weights = [each.array() for each in alignments]
    scores = {} if gold is None else _score(output, alignments, gold, options, reverse)
    return summary._replace(alignments=scores, attention=attention_statistics(weights, gold, output.units))


def reverse_links(
    translator: Translator, test: EvaluationSet, forward: EvaluatedModel | None, options: LinkOptions
) -> list[Links]:
    """The argmax links of a model from the references' language into the sources', as (source, target).

    Raises ConfigError if it writes single words as letters where `forward` reads them whole, or the other way round.
    """
    test = without_factors(test, forward)
    units = alignment_units(translator.codecs.target, test.sources)
    if forward is not None:
        has_letters = forward.config.tokenizer.kinds[0] == "char" and units_of(test.sources).name == "characters"
        check_reverse(forward.name, "pieces" if has_letters else "words", translator.name, units)
    pairs = force_decode(translator, test.references, test.sources, with_alignments=True, units=units)
    return [swap_sides(links) for links in _argmax([pair.alignment(options.shift) for pair in pairs])]


def choose_sentence(sources: Sequence[str], hypotheses: Sequence[str]) -> int | None:
    """The first sentence of about PICTURE_WORDS words with a translation; None if nothing was translated."""
    lengths = np.array([len(source.split()) for source in sources])
    distance = np.where([bool(text.strip()) for text in hypotheses], abs(lengths - PICTURE_WORDS), np.inf)
    return int(distance.argmin()) if np.isfinite(distance).any() else None


def _score(
    output: SystemOutput,
    alignments: Sequence[WordAlignment],
    gold: Sequence[GoldLinks],
    options: LinkOptions,
    reverse: Sequence[Links],
) -> dict[str, LinkScores]:
    best = _argmax(alignments)
    wide = [frozenset(threshold_links(each, options.threshold)) for each in alignments]
    kinds = {"argmax": best, f"threshold {options.threshold:g}": wide}
    if reverse:
        kinds["argmax, reverse model"] = list(reverse)
        for name, method in METHODS.items():
            kinds[name] = [method(forward, backward) for forward, backward in zip(best, reverse, strict=True)]
    scores = {name: judge_links(found, gold) for name, found in kinds.items()}
    _report_better_shift(output, scores["argmax"].scores.error_rate, gold, options.shift)
    return scores


def _report_better_shift(output: SystemOutput, error_rate: float, gold: Sequence[GoldLinks], shift: Shift) -> None:
    assert output.forced is not None
    other: Shift = 0 if shift else 1
    rate = score_links(_argmax([pair.alignment(other) for pair in output.forced]), gold).error_rate
    if rate < error_rate - SHIFT_MATTERS:
        typer.echo(
            f"{output.name}: with --shift {other} the alignment error rate is {rate:.4f}, not {error_rate:.4f}",
            err=True,
        )


def _argmax(alignments: Sequence[WordAlignment]) -> list[Links]:
    return [frozenset(argmax_links(each)) for each in alignments]


def _shown_alignment(
    translator: Translator, request: Request, test: EvaluationSet, number: int | None
) -> WordAlignment | None:
    if number is None:
        return None
    request = replace(request, nbest=1, with_alignments=True, units=None)
    [translation] = translator.translate_window([test.sources[number]], request)
    alignment = translation.hypotheses[0].alignment
    assert alignment is not None, "asked for"
    return alignment if alignment.weights.numel() else None


def _speed_line(hypotheses: Sequence[str], decoding: Decoding) -> str:
    sentences = len(hypotheses)
    words = sum(len(text.split()) for text in hypotheses)
    return (
        f"decoding: {sentences:,} sentences in {decoding.seconds:.1f} s on {decoding.device}, "
        f"{sentences / decoding.seconds:,.0f} sentences/s, {words / decoding.seconds:,.0f} target words/s"
    )


def validation_picture(data: PreparedData, model: Seq2Seq) -> Callable[[], NDArray[np.floating]] | None:
    """Draws the picture [height, width, 3], from 0 to 1, of the model as it is when called.

    None if the model has no attention, or no sentence a translation.
    """
    texts = data.valid.texts()
    number = choose_sentence([text.source for text in texts], [text.target for text in texts])
    if number is None or not model.has_attention:
        return None
    text = texts[number]

    def draw() -> NDArray[np.floating]:
        translator = Translator(model, data.codecs, SearchConfig())
        units = alignment_units(data.codecs.source, [text.source])
        [pair] = force_decode(translator, [text.source], [text.target], with_alignments=True, units=units)
        return alignment_pixels(pair.alignment(shift=0).matrix(), f"data.valid, pair {number + 1}")

    return draw
