"""`nmt-attn explain`: one sentence, its translation, and where each word of it looked.

Colours go to a terminal only (and not where NO_COLOR is set); --html writes the page with the interactive view.
"""

import os
import sys
from dataclasses import replace

import typer

from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.artifacts import check_writable, write
from nmt_attn.evaluation.evaluation_inputs import find_subject
from nmt_attn.evaluation.html_page import render_report
from nmt_attn.evaluation.report_builder import PLACES, sentence_report
from nmt_attn.evaluation.terminal import Looks, format_looks, printable
from nmt_attn.options import ExplainOptions, SearchOptions
from nmt_attn.runtime import choose_device
from nmt_attn.search.alignments import WordAlignment
from nmt_attn.search.translator import Translator
from nmt_attn.types import EOS, SPECIAL_TOKENS, UNK


def explain(options: ExplainOptions) -> None:
    """Prints the translation and its alignment. Raises UserError."""
    if not options.sentence.strip():
        raise ConfigError(f"sentence: expected words, got {options.sentence!r}")
    if options.html is not None:
        check_writable(options.html)
    subject = find_subject(options.model)
    translator = Translator.load(subject.model, choose_device(options.device))
    attends = translator.model.has_attention
    request = translator.request(SearchOptions(beam=options.beam), with_alignments=attends)
    request = replace(request, nbest=min(len(PLACES), request.search.beam))
    [translation] = translator.translate_window([options.sentence], request)
    unknown = _unknown_pieces(translator, options.sentence)
    if unknown:
        typer.echo(f"not in the vocabulary, all the same to the model: {', '.join(unknown)}", err=True)
    best = translation.hypotheses[0]
    typer.echo(f"{printable(best.text)}\nlog-probability {best.log_prob:.3f}, {len(best.pieces)} tokens")
    if best.alignment is not None:
        typer.echo(f"\n{format_looks(_looks(best.alignment), use_colour=_use_colour())}")
    else:
        typer.echo(f"{translator.name}: no attention to show (attention.score: none)", err=True)
    if options.html is not None:
        write(options.html, render_report(sentence_report(subject.name, translation)))


def _unknown_pieces(translator: Translator, sentence: str) -> list[str]:
    source = translator.codecs.source
    pairs = zip(source.pieces(sentence), source.encode(sentence), strict=True)
    return list(dict.fromkeys(printable(piece) for piece, number in pairs if number == UNK))


def _looks(alignment: WordAlignment) -> Looks:
    end = SPECIAL_TOKENS[EOS]
    source, target = ([printable(word) for word in [*words, end]] for words in (alignment.source, alignment.target))
    return Looks(source, target, alignment.weights.numpy(force=True))


def _use_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
