"""`nmt-attn eval`: how good translations are, how that depends on the length of the source, and where attention goes.

One model or several, also as an ensemble or as seeds of one configuration, or files of translations, on one test set.
The results go to standard output; a folder (by default `eval/` in the run, if there is one model) gets the files. Bad
input is refused before translating.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import typer

from nmt_attn.alignment.link_files import gold_file
from nmt_attn.alignment.links import GoldLinks, Links
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.data.corpus_warnings import SAMPLE_LINES, is_swapped, unknown_source
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.artifacts import EvaluationResults, OutputPaths, check_writable, write, write_artifacts
from nmt_attn.evaluation.bootstrap import compare_systems
from nmt_attn.evaluation.detail_tables import format_details, format_ngrams
from nmt_attn.evaluation.details import add_details
from nmt_attn.evaluation.evaluation_inputs import (
    EvaluatedModel,
    EvaluationSet,
    Family,
    built_in_gold,
    check_search,
    evaluation_config,
    find_families,
    joined,
    read_gold,
    read_test_set,
)
from nmt_attn.evaluation.html_page import render_report
from nmt_attn.evaluation.metrics import measure_system
from nmt_attn.evaluation.pictures import FORMATS
from nmt_attn.evaluation.report_builder import evaluation_report
from nmt_attn.evaluation.seeds import seed_groups
from nmt_attn.evaluation.summary import summarise
from nmt_attn.evaluation.system_outputs import (
    LinkOptions,
    SystemOutput,
    Wanted,
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
    format_seeds,
    format_summary,
    format_systems,
)
from nmt_attn.options.evaluation import EvalOptions
from nmt_attn.options.keys import search_keys, split_keys
from nmt_attn.runtime import choose_device
from nmt_attn.screen import width_of
from nmt_attn.search.ensemble import load_translator
from nmt_attn.search.forced import Shift
from nmt_attn.search.translator import Translator
from nmt_attn.types import SentencePair

FOLDER, REPORT = "eval", "report.html"
NBEST = 3
"""Translations of a sentence that the report shows."""


def evaluate(options: EvalOptions) -> None:
    """Translates the test set, prints the results and writes the files. Raises UserError."""
    keys = split_keys(options.set)
    _check_options(options, keys.search)
    overrides = search_keys(keys.search, options.beam, options.precision)
    families = _find_families(options)
    models = [model for family in families for model in family.models]
    first = models[0] if models else None
    config = evaluation_config(first, (*keys.evaluate, *overrides))
    check_search(models, overrides, config)
    test = read_test_set(options.source, options.reference, first)
    if config.join_sources:
        test = _joined(options, test)
    gold = _find_gold(options, first, test)
    paths = OutputPaths(_choose_folder(options, models, test), options.json, options.plot)
    outputs = [read_output(path, name, test) for path, name in _named_files(options, models)]
    reverse = _reverse_links(options, test, first)
    wanted = Wanted(overrides, keys.search, 0 if options.report is None else NBEST, config)
    systems = [*_run_models(options, families, test, wanted), *outputs]
    results = _summarise(options, systems, test, config, gold, reverse, _groups(options, families, outputs))
    results = add_details(results, test, config, first)
    typer.echo(_text(results, is_cumulative=options.cumulative))
    write_artifacts(results, paths, is_cumulative=options.cumulative)
    if options.report is not None:
        page = evaluation_report(results, test, gold, config, _shift(options))
        write(options.report / REPORT, render_report(page))


def _check_options(options: EvalOptions, keys: Sequence[str]) -> None:
    if options.source is not None and not options.reference:
        raise ConfigError(f"--source: expected --reference beside it, got {options.source} alone")
    if options.source is None and options.reference:
        raise ConfigError(f"--reference: expected --source beside it, got {options.reference[0]} alone")
    if options.plot is not None and options.plot.suffix not in FORMATS:
        raise ConfigError(f"--plot: expected a name that ends in {', '.join(FORMATS)}, got {options.plot}")
    if not 0 < options.threshold <= 1:
        raise ConfigError(f"--threshold: expected a weight above 0 and up to 1, got {options.threshold}")
    count = max(1, len(options.model)) * (options.seeds or 1)
    if options.reverse is not None and count > 1:
        raise ConfigError(f"--reverse: expected one --model to symmetrise with, got {count}")
    if samples := [key for key in keys if key.startswith("search.mbr_samples")]:
        raise ConfigError(f"--set: expected no key of sampling, which eval does not, got {samples[0]}")
    given_keys = (f"set {' '.join(keys)}", keys or None)
    for name, given in (("seeds", options.seeds), ("ensemble", options.ensemble), given_keys):
        if given is not None and options.hypothesis and not options.model:
            raise ConfigError(f"--{name}: expected --model RUN beside it, got --hypothesis alone")
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


def _find_families(options: EvalOptions) -> list[Family]:
    """The newest run's where neither a model nor a file is named."""
    if options.hypothesis and not options.model:
        return []
    families = find_families(options.model or (None,), options.seeds)
    if options.ensemble is not None and (least := min(len(family.models) for family in families)) < 2:
        raise ConfigError(f"--ensemble: expected two models or more (--model A --model B, or --seeds N), got {least}")
    return families


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


def _reverse_links(options: EvalOptions, test: EvaluationSet, first: EvaluatedModel | None) -> list[Links]:
    if options.reverse is None:
        return []
    translator = Translator.load(options.reverse, choose_device(options.device))
    return reverse_links(translator, test, first, LinkOptions(_shift(options), options.threshold))


def _joined(options: EvalOptions, test: EvaluationSet) -> EvaluationSet:
    if options.gold is not None:
        raise ConfigError(f"evaluate.join_sources: expected false beside --gold {options.gold}, which is one a line")
    found = joined(test)
    if len(found.sources) < len(test.sources):
        note = f"note: {len(test.sources):,} lines have {len(found.sources):,} sources, each with all its targets"
        typer.echo(note, err=True)
    return found


def _run_models(
    options: EvalOptions, families: Sequence[Family], test: EvaluationSet, wanted: Wanted
) -> list[SystemOutput]:
    """One model at a time is held, then those of an ensemble; all show the sentence that the first one has chosen."""
    systems: list[SystemOutput] = []
    for family in families:
        for model in family.models:
            shown = next((system.shown_sentence for system in systems if system.shown_sentence is not None), None)
            systems.append(_run(model, _load(options, [model], wanted), test, wanted, shown))
        if options.ensemble is not None:
            systems.append(_run_ensemble(options, family, test, wanted))
    return systems


def _run(
    model: EvaluatedModel, translator: Translator, test: EvaluationSet, wanted: Wanted, shown: int | None
) -> SystemOutput:
    if warning := unknown_source(translator.codecs, test.sources):
        typer.echo(f"warning: {model.name}: {warning}", err=True)
    pairs = [SentencePair(*texts) for texts in zip(test.sources, test.references, strict=True)]
    if is_swapped(translator.codecs, pairs[:SAMPLE_LINES]):
        typer.echo(f"warning: {model.name}: source and reference of {test.name} seem to be swapped", err=True)
    return run_model(model, translator, test, wanted, shown)


def _run_ensemble(options: EvalOptions, family: Family, test: EvaluationSet, wanted: Wanted) -> SystemOutput:
    model = family.models[0]._replace(name=_ensemble_name(family))
    return run_model(model, _load(options, family.models, wanted), test, wanted, None)


def _ensemble_name(family: Family) -> str:
    return f"{family.name}-ensemble"


def _load(options: EvalOptions, models: Sequence[EvaluatedModel], wanted: Wanted) -> Translator:
    folders, device = [model.folder for model in models], choose_device(options.device)
    return load_translator(folders, options.ensemble or "linear", device, wanted.overrides)


def _groups(
    options: EvalOptions, families: Sequence[Family], outputs: Sequence[SystemOutput]
) -> list[tuple[str, range]]:
    """With --seeds, the systems that make one row, by their places: the seeds, their ensemble, each file."""
    if options.seeds is None:
        return []
    sizes: list[tuple[str, int]] = []
    for family in families:
        sizes.append((family.name, len(family.models)))
        sizes += [(_ensemble_name(family), 1)] if options.ensemble is not None else []
    sizes += [(output.name, 1) for output in outputs]
    ends = list(accumulate(size for _, size in sizes))
    return [(name, range(end - size, end)) for (name, size), end in zip(sizes, ends, strict=True)]


def _summarise(
    options: EvalOptions,
    systems: Sequence[SystemOutput],
    test: EvaluationSet,
    config: EvaluateConfig,
    gold: Sequence[GoldLinks] | None,
    reverse: Sequence[Links],
    groups: Sequence[tuple[str, range]],
) -> EvaluationResults:
    measured = [
        (system.name, measure_system(system.hypotheses, test.references, config, test.further)) for system in systems
    ]
    link_options = LinkOptions(_shift(options), options.threshold)
    summaries = [
        add_model_results(summarise(system.name, test.sources, measures, config), system, gold, link_options, reverse)
        for system, (_, measures) in zip(systems, measured, strict=True)
    ]
    as_one = seed_groups(groups, measured, test.sources, config)
    return EvaluationResults(test.name, systems, summaries, compare_systems(measured), as_one)


def _text(results: EvaluationResults, *, is_cumulative: bool) -> str:
    summaries, width = results.summaries, width_of(sys.stdout)
    if results.groups:
        blocks = _seed_blocks(results, width, is_cumulative=is_cumulative)
    elif len(summaries) == 1:
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
        *format_details(summaries, width, has_errors=not results.groups),
        format_ngrams(results.ngrams, width),
        format_alignments(summaries, width),
        format_attention(summaries, width),
    ]
    return "\n\n".join(block for block in blocks if block)


def _seed_blocks(results: EvaluationResults, width: int | None, *, is_cumulative: bool) -> list[str]:
    groups, first = results.groups, results.groups[0]
    name = f"{first.name}, {len(first.systems)} seeds" if len(groups) == 1 else f"{len(groups)} systems"
    means = [group.summary for group in groups]
    return [
        f"{name}, on {results.test_set}: {first.summary.sentences:,} sentences",
        format_seeds(groups, width),
        *(
            format_lengths_of_systems(means, is_cumulative=is_up_to, width=width)
            for is_up_to in ([False, True] if is_cumulative else [False])
        ),
    ]


def _title(results: EvaluationResults) -> str:
    [summary], [system] = results.summaries, results.systems
    title = f"{summary.system} on {results.test_set}: {summary.sentences:,} sentences"
    return title if system.decoding is None else f"{title}, {system.decoding.text()}"
