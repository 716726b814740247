"""`nmt-attn eval`: how good translations are, how that depends on the length of the source, and where attention goes.

One model or several, or files of translations, on one test set. The results go to standard output; a folder (by
default `eval/` in the run, if there is one model) gets the files. Bad input is refused before translating.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from nmt_attn.alignment.link_files import gold_file
from nmt_attn.alignment.links import GoldLinks, Links
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.data.corpus_warnings import SAMPLE_LINES, is_swapped, unknown_source
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.artifacts import EvaluationResults, OutputPaths, check_writable, write, write_artifacts
from nmt_attn.evaluation.bootstrap import compare_systems
from nmt_attn.evaluation.detail_tables import format_details
from nmt_attn.evaluation.details import add_details
from nmt_attn.evaluation.evaluation_inputs import (
    EvaluatedModel,
    EvaluationSet,
    built_in_gold,
    evaluation_config,
    joined,
    locate_model,
    read_gold,
    read_test_set,
)
from nmt_attn.evaluation.html_page import render_report
from nmt_attn.evaluation.metrics import measure_system
from nmt_attn.evaluation.pictures import FORMATS
from nmt_attn.evaluation.report_builder import evaluation_report
from nmt_attn.evaluation.summary import summarise
from nmt_attn.evaluation.system_outputs import (
    LinkOptions,
    NBest,
    SystemOutput,
    add_model_results,
    read_output,
    reverse_links,
    run_model,
)
from nmt_attn.evaluation.tables import (
    format_alignments,
    format_attention,
    format_groups,
    format_lengths_of_systems,
    format_summary,
    format_systems,
)
from nmt_attn.options import EvalOptions
from nmt_attn.runtime import choose_device, precision_override
from nmt_attn.screen import width_of
from nmt_attn.search.forced import Shift
from nmt_attn.search.translator import Translator
from nmt_attn.types import SentencePair

FOLDER, REPORT = "eval", "report.html"
NBEST = 3
"""Translations of a sentence that the report shows."""


def evaluate(options: EvalOptions) -> None:
    """Translates the test set, prints the results and writes the files. Raises UserError."""
    _check_options(options)
    models = _find_models(options)
    first = models[0] if models else None
    config = evaluation_config(first, options.set)
    test = read_test_set(options.source, options.reference, first)
    if config.join_sources:
        test = _joined(options, test)
    gold = _find_gold(options, first, test)
    paths = OutputPaths(_choose_folder(options, models, test), options.json, options.plot)
    outputs = [read_output(path, name, test) for path, name in _named_files(options, models)]
    reverse = _reverse_links(options, test)
    systems = [*_run_models(options, models, test, config.top), *outputs]
    results = _summarise(options, systems, test, config, gold, reverse)
    results = add_details(results, test, config, first)
    typer.echo(_text(results, is_cumulative=options.cumulative))
    write_artifacts(results, paths, is_cumulative=options.cumulative)
    if options.report is not None:
        page = evaluation_report(results, test, gold, config, _shift(options))
        write(options.report / REPORT, render_report(page))


def _check_options(options: EvalOptions) -> None:
    if options.source is not None and not options.reference:
        raise ConfigError(f"--source: expected --reference beside it, got {options.source} alone")
    if options.source is None and options.reference:
        raise ConfigError(f"--reference: expected --source beside it, got {options.reference[0]} alone")
    if options.plot is not None and options.plot.suffix not in FORMATS:
        raise ConfigError(f"--plot: expected a name that ends in {', '.join(FORMATS)}, got {options.plot}")
    if not 0 < options.threshold <= 1:
        raise ConfigError(f"--threshold: expected a weight above 0 and up to 1, got {options.threshold}")
    if options.reverse is not None and len(options.model) > 1:
        raise ConfigError(f"--reverse: expected one --model to symmetrise with, got {len(options.model)}")
    if options.gold is not None and options.hypothesis and not options.model:
        raise ConfigError(
            f"--gold: expected --model RUN beside it, whose links are compared, got {options.gold} and "
            "--hypothesis alone (links in a file: nmt-attn aer)"
        )
    for path in (options.json, options.plot):
        if path is not None:
            check_writable(path)
    if options.report is not None:
        check_writable(options.report / "eval.json")


def _find_models(options: EvalOptions) -> list[EvaluatedModel]:
    """The models; the newest run's where neither a model nor a file is named. Equal names become paths."""
    if options.hypothesis and not options.model:
        return []
    found = [locate_model(folder) for folder in options.model or (None,)]
    models = list({model.folder.resolve(): model for model in found}.values())
    names = Counter(model.name for model in models)
    return [model._replace(name=str(model.run or model.folder)) if names[model.name] > 1 else model for model in models]


def _named_files(options: EvalOptions, models: Sequence[EvaluatedModel]) -> list[tuple[Path, str]]:
    taken = Counter([*(path.name for path in options.hypothesis), *(model.name for model in models)])
    return [(path, path.name if taken[path.name] == 1 else str(path)) for path in options.hypothesis]


def _shift(options: EvalOptions) -> Shift:
    return 1 if options.shift else 0


def _find_gold(options: EvalOptions, model: EvaluatedModel | None, test: EvaluationSet) -> list[GoldLinks] | None:
    gold_links = gold_file(options.gold, options.gold_format, options.gold_base, is_swapped=options.gold_swapped)
    if gold_links is not None:
        return read_gold(gold_links, test)
    gold = built_in_gold(model) if model is not None and options.source is None else None
    if gold is None and options.reverse is not None:
        raise ConfigError(f"--reverse: expected --gold FILE beside it, got {options.reverse} alone")
    return gold


def _choose_folder(options: EvalOptions, models: Sequence[EvaluatedModel], test: EvaluationSet) -> Path | None:
    """Where the files go: as asked; else, of one run, into the run, a foreign test set into a folder of its own."""
    if options.report is not None:
        return options.report
    if len(models) != 1 or options.hypothesis or models[0].run is None:
        return None
    folder = models[0].run / FOLDER if options.source is None else models[0].run / FOLDER / test.name
    check_writable(folder / "eval.json")
    return folder


def _reverse_links(options: EvalOptions, test: EvaluationSet) -> list[Links]:
    if options.reverse is None:
        return []
    translator = Translator.load(options.reverse, choose_device(options.device))
    return reverse_links(translator, test, LinkOptions(_shift(options), options.threshold))


def _joined(options: EvalOptions, test: EvaluationSet) -> EvaluationSet:
    if options.gold is not None:
        raise ConfigError(f"evaluate.join_sources: expected false beside --gold {options.gold}, which is one a line")
    found = joined(test)
    if len(found.sources) < len(test.sources):
        note = f"note: {len(test.sources):,} lines have {len(found.sources):,} sources, each with all its targets"
        typer.echo(note, err=True)
    return found


def _run_models(
    options: EvalOptions, models: Sequence[EvaluatedModel], test: EvaluationSet, top: int
) -> list[SystemOutput]:
    """One model at a time is held; all show the sentence that the first one has chosen."""
    systems: list[SystemOutput] = []
    lists = NBest(options.beam, 0 if options.report is None else NBEST, top)
    for model in models:
        translator = Translator.load(model.folder, choose_device(options.device), precision_override(options.precision))
        if warning := unknown_source(translator.codecs, test.sources):
            typer.echo(f"warning: {model.name}: {warning}", err=True)
        pairs = [SentencePair(*texts) for texts in zip(test.sources, test.references, strict=True)]
        if is_swapped(translator.codecs, pairs[:SAMPLE_LINES]):
            typer.echo(f"warning: {model.name}: source and reference of {test.name} seem to be swapped", err=True)
        shown = next((system.shown_sentence for system in systems if system.shown_sentence is not None), None)
        systems.append(run_model(model, translator, test, lists, shown))
    return systems


def _summarise(
    options: EvalOptions,
    systems: Sequence[SystemOutput],
    test: EvaluationSet,
    config: EvaluateConfig,
    gold: Sequence[GoldLinks] | None,
    reverse: Sequence[Links],
) -> EvaluationResults:
    measured = [
        (system.name, measure_system(system.hypotheses, test.references, config, test.further)) for system in systems
    ]
    link_options = LinkOptions(_shift(options), options.threshold)
    summaries = [
        add_model_results(summarise(system.name, test.sources, measures, config), system, gold, link_options, reverse)
        for system, (_, measures) in zip(systems, measured, strict=True)
    ]
    return EvaluationResults(test.name, systems, summaries, compare_systems(measured))


def _text(results: EvaluationResults, *, is_cumulative: bool) -> str:
    summaries, width = results.summaries, width_of(sys.stdout)
    if len(summaries) == 1:
        blocks = [_title(results), format_summary(summaries[0], width)]
        blocks += (
            [format_groups(f"source {summaries[0].length_unit}", summaries[0].up_to_length, width)]
            if is_cumulative
            else []
        )
    else:
        blocks = [f"{len(summaries)} systems on {results.test_set}: {summaries[0].sentences:,} sentences"]
        blocks += [format_systems(summaries, results.comparisons, width)]
        blocks += [format_lengths_of_systems(summaries, is_cumulative=False, width=width)]
        blocks += [format_lengths_of_systems(summaries, is_cumulative=True, width=width)] if is_cumulative else []
    blocks += [
        *format_details(summaries, width),
        format_alignments(summaries, width),
        format_attention(summaries, width),
    ]
    return "\n\n".join(block for block in blocks if block)


def _title(results: EvaluationResults) -> str:
    [summary], [system] = results.summaries, results.systems
    title = f"{summary.system} on {results.test_set}: {summary.sentences:,} sentences"
    return title if system.decoding is None else f"{title}, beam {system.decoding.beam}"
