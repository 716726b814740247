"""`nmt-attn eval`: how good translations are, how that depends on the length of the source, and where attention looks.

One model or several, or files of translations, on one test set. The figures go to standard output; a folder (by
default `eval/` in the run, if there is one model) gets the files. What can be refused is refused before translating.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from nmt_attn.alignment.link_files import gold_file
from nmt_attn.alignment.links import GoldLinks, Links
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.artifacts import Findings, Places, check_writable, write, write_figures
from nmt_attn.evaluation.comparison import NamedMeasures, compare_systems
from nmt_attn.evaluation.evaluation_inputs import (
    EvaluationSet,
    Subject,
    built_in_gold,
    evaluation_config,
    find_subject,
    read_gold,
    read_test_set,
)
from nmt_attn.evaluation.html_page import render_report
from nmt_attn.evaluation.metrics import measure_system
from nmt_attn.evaluation.pictures import FORMATS
from nmt_attn.evaluation.report_builder import evaluation_report
from nmt_attn.evaluation.summary import summarise_measures
from nmt_attn.evaluation.system_outputs import (
    LinkOptions,
    SystemOutput,
    read_output,
    reverse_links,
    run_model,
    with_model_figures,
)
from nmt_attn.evaluation.tables import (
    format_alignments,
    format_attention,
    format_lengths,
    format_lengths_of_systems,
    format_summary,
    format_systems,
)
from nmt_attn.find_model import precision_override
from nmt_attn.options import EvalOptions
from nmt_attn.runtime import choose_device
from nmt_attn.search.forced import Shift
from nmt_attn.search.translator import Translator

FOLDER, REPORT = "eval", "report.html"
NBEST = 3
"""Translations of a sentence that the report shows."""


def evaluate(options: EvalOptions) -> None:
    """Translates the test set, prints the figures and writes the files. Raises UserError."""
    _check_options(options)
    subjects = _find_subjects(options)
    first = subjects[0] if subjects else None
    config = evaluation_config(first, options.set)
    test = read_test_set(options.source, options.reference, first)
    gold = _find_gold(options, first, test)
    places = Places(_choose_folder(options, subjects, test), options.json, options.plot)
    outputs = [read_output(path, name, test) for path, name in _named_files(options, subjects)]
    reverse = _reverse_links(options, test)
    systems = [*_run_models(options, subjects, test), *outputs]
    findings = _summarise(options, systems, test, config, gold, reverse)
    typer.echo(_text(findings, test, is_cumulative=options.cumulative))
    write_figures(findings, places, is_cumulative=options.cumulative)
    if options.report is not None:
        page = evaluation_report(findings, test, gold, config, _shift(options))
        write(options.report / REPORT, render_report(page))


def _check_options(options: EvalOptions) -> None:
    if (options.source is None) != (options.reference is None):
        given, absent = ("source", "reference") if options.reference is None else ("reference", "source")
        raise ConfigError(f"--{given}: expected --{absent} beside it, got {getattr(options, given)} alone")
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


def _find_subjects(options: EvalOptions) -> list[Subject]:
    """The models; the newest run's where neither a model nor a file is named. Equal names become paths."""
    if options.hypothesis and not options.model:
        return []
    found = [find_subject(folder) for folder in options.model or (None,)]
    subjects = list({subject.model.resolve(): subject for subject in found}.values())
    names = Counter(subject.name for subject in subjects)
    return [
        subject._replace(name=str(subject.run or subject.model)) if names[subject.name] > 1 else subject
        for subject in subjects
    ]


def _named_files(options: EvalOptions, subjects: Sequence[Subject]) -> list[tuple[Path, str]]:
    taken = Counter([*(path.name for path in options.hypothesis), *(subject.name for subject in subjects)])
    return [(path, path.name if taken[path.name] == 1 else str(path)) for path in options.hypothesis]


def _shift(options: EvalOptions) -> Shift:
    return 1 if options.shift else 0


def _find_gold(options: EvalOptions, subject: Subject | None, test: EvaluationSet) -> list[GoldLinks] | None:
    gold_links = gold_file(options.gold, options.gold_format, options.gold_base, is_swapped=options.gold_swapped)
    if gold_links is not None:
        return read_gold(gold_links, test)
    gold = built_in_gold(subject) if subject is not None and options.source is None else None
    if gold is None and options.reverse is not None:
        raise ConfigError(f"--reverse: expected --gold FILE beside it, got {options.reverse} alone")
    return gold


def _choose_folder(options: EvalOptions, subjects: Sequence[Subject], test: EvaluationSet) -> Path | None:
    """Where the files go: as asked; else, of one run, into the run, a foreign test set into a folder of its own."""
    if options.report is not None:
        return options.report
    if len(subjects) != 1 or options.hypothesis or subjects[0].run is None:
        return None
    folder = subjects[0].run / FOLDER if options.source is None else subjects[0].run / FOLDER / test.name
    check_writable(folder / "eval.json")
    return folder


def _reverse_links(options: EvalOptions, test: EvaluationSet) -> list[Links]:
    if options.reverse is None:
        return []
    translator = Translator.load(options.reverse, choose_device(options.device))
    return reverse_links(translator, test, LinkOptions(_shift(options), options.threshold))


def _run_models(options: EvalOptions, subjects: Sequence[Subject], test: EvaluationSet) -> list[SystemOutput]:
    """One model at a time is held; all show the sentence that the first one has chosen."""
    systems: list[SystemOutput] = []
    nbest = 0 if options.report is None else NBEST
    for subject in subjects:
        translator = Translator.load(
            subject.model, choose_device(options.device), precision_override(options.precision)
        )
        shown = next((system.example.sentence for system in systems if system.example), None)
        systems.append(run_model(subject, translator, test, options.beam, nbest, shown))
    return systems


def _summarise(
    options: EvalOptions,
    systems: Sequence[SystemOutput],
    test: EvaluationSet,
    config: EvaluateConfig,
    gold: Sequence[GoldLinks] | None,
    reverse: Sequence[Links],
) -> Findings:
    measured = [
        NamedMeasures(system.name, measure_system(system.hypotheses, test.references, config)) for system in systems
    ]
    link_options = LinkOptions(_shift(options), options.threshold)
    summaries = [
        with_model_figures(
            summarise_measures(system.name, test.sources, each.measures, config), system, gold, link_options, reverse
        )
        for system, each in zip(systems, measured, strict=True)
    ]
    return Findings(test.name, systems, summaries, compare_systems(measured))


def _text(findings: Findings, test: EvaluationSet, *, is_cumulative: bool) -> str:
    summaries = findings.summaries
    if len(summaries) == 1:
        blocks = [_title(findings), format_summary(summaries[0])]
        blocks += [format_lengths(summaries[0].up_to_length)] if is_cumulative else []
    else:
        blocks = [f"{len(summaries)} systems on {test.name}: {summaries[0].sentences:,} sentences"]
        blocks += [format_systems(summaries, findings.comparisons)]
        blocks += [format_lengths_of_systems(summaries, is_cumulative=False)]
        blocks += [format_lengths_of_systems(summaries, is_cumulative=True)] if is_cumulative else []
    blocks += [format_alignments(summaries), format_attention(summaries)]
    return "\n\n".join(block for block in blocks if block)


def _title(findings: Findings) -> str:
    [summary], [system] = findings.summaries, findings.systems
    title = f"{summary.system} on {findings.test_set}: {summary.sentences:,} sentences"
    return title if system.decoding is None else f"{title}, beam {system.decoding.beam}"
