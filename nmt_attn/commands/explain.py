"""`nmt-attn explain`: one sentence, its translation, and the attention of each of its words.

Colours go to a terminal only (and not where NO_COLOR is set); --html writes the page with the interactive view.
"""

import sys
from dataclasses import replace

import typer

from nmt_attn.alignment.weights import WeightMatrix, WordAlignment
from nmt_attn.data.corpus_warnings import unknown_factors, unknown_source
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.artifacts import check_writable, write
from nmt_attn.evaluation.evaluation_inputs import locate_model
from nmt_attn.evaluation.html_page import render_report
from nmt_attn.evaluation.report_builder import NBEST_LABELS, sentence_report
from nmt_attn.evaluation.terminal import format_alignment
from nmt_attn.files import shown
from nmt_attn.options.translation import ExplainOptions, SearchOptions
from nmt_attn.runtime import choose_device
from nmt_attn.screen import fold, has_colour, printable, width_of
from nmt_attn.search.translator import Translator
from nmt_attn.types import UNK

PIPE_WIDTH = 100
"""Columns of the matrix where no terminal says how many it has."""


def explain(options: ExplainOptions) -> None:
    """Prints the translation and its alignment. Raises UserError."""
    if not options.sentence.strip():
        raise ConfigError(f"sentence: expected words, got {shown(options.sentence)}")
    if options.html is not None:
        check_writable(options.html)
    model = locate_model(options.model)
    translator = Translator.load(model.folder, choose_device(options.device))
    attends = translator.model.has_attention
    request = translator.request(SearchOptions(beam=options.beam), with_alignments=attends)
    request = replace(request, nbest=min(len(NBEST_LABELS), request.search.beam))
    [translation] = translator.translate_window([options.sentence], request)
    unknown = _unknown_pieces(translator, options.sentence)
    if unknown:
        typer.echo(f"not in the vocabulary, all the same to the model: {', '.join(unknown)}", err=True)
    if warning := unknown_source(translator.codecs, [options.sentence]):
        typer.echo(f"warning: {warning}", err=True)
    best = translation.hypotheses[0]
    width = width_of(sys.stdout) or PIPE_WIDTH
    typer.echo(f"{fold(printable(best.text), width)}\nlog-probability {best.log_prob:.3f}, {len(best.pieces)} tokens")
    if best.alignment is not None:
        matrix = _printable_matrix(best.alignment)
        typer.echo(f"\n{format_alignment(matrix, width, use_colour=has_colour(sys.stdout))}")
        if matrix.copied is not None:
            pairs = zip(matrix.target, matrix.copied.tolist(), strict=True)
            shares = ", ".join(f"{word} {share:.2f}" for word, share in pairs)
            typer.echo(f"\n{fold(f'copied with probability (1 - p_gen): {shares}', width)}")
    else:
        typer.echo(f"{translator.name}: no attention to show (attention.score: none)", err=True)
    if options.html is not None:
        write(options.html, render_report(sentence_report(model.name, translation)))


def _unknown_pieces(translator: Translator, sentence: str) -> list[str]:
    source = translator.codecs.source
    pairs = zip(source.pieces(sentence), source.encode(sentence), strict=True)
    unknown = (piece for piece, number in pairs if source.vocabulary.word_id(number) == UNK)
    return list(dict.fromkeys(map(printable, [*unknown, *unknown_factors(translator.codecs, [sentence])])))


def _printable_matrix(alignment: WordAlignment) -> WeightMatrix:
    matrix = alignment.matrix()
    source, target = ([printable(word) for word in words] for words in (matrix.source, matrix.target))
    return WeightMatrix(source, target, matrix.weights, matrix.copied)
