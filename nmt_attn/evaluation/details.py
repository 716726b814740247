"""Details: predictions line by line, and the tables of `evaluate.tables`, added to the results of an evaluation."""

from collections.abc import Sequence

import typer

from nmt_attn.config.schema import EvaluateConfig, TableName
from nmt_attn.evaluation.artifacts import EvaluationResults
from nmt_attn.evaluation.confusions import confusions
from nmt_attn.evaluation.evaluation_inputs import EvaluatedModel, EvaluationSet
from nmt_attn.evaluation.groups import by_frequency, by_tag
from nmt_attn.evaluation.lengths import GroupRow, Units, units_of
from nmt_attn.evaluation.metrics import measure_system
from nmt_attn.evaluation.predictions import Prediction, top_accuracy
from nmt_attn.evaluation.summary import Details
from nmt_attn.evaluation.system_outputs import SystemOutput, predictions_of
from nmt_attn.evaluation.training_counts import TrainingCounts, count_training
from nmt_attn.evaluation.words import NgramComparison, compare_ngrams, word_f1


def add_details(
    results: EvaluationResults, test: EvaluationSet, config: EvaluateConfig, model: EvaluatedModel | None
) -> EvaluationResults:
    """The results with predictions, and with what the configuration asks for; `model` says what training has seen."""
    systems, units = results.systems, units_of(test.sources)
    tables = config.chosen_tables(len(systems))
    predictions = [predictions_of(system, test, config.symbol_separator) for system in systems]
    training = count_training(model, units) if {"frequency", "words"} & set(tables) else None
    details = [
        _details(system, test, config, tables, found, units, training)
        for system, found in zip(systems, predictions, strict=True)
    ]
    if config.tables is not None and "tag" in tables and not any(each.by_tag for each in details):
        typer.echo("note: no table by tag, as the sources have none", err=True)
    summaries = [each._replace(details=found) for each, found in zip(results.summaries, details, strict=True)]
    return results._replace(summaries=summaries, predictions=predictions, ngrams=_ngrams(systems, test, tables))


def _details(
    system: SystemOutput,
    test: EvaluationSet,
    config: EvaluateConfig,
    tables: Sequence[TableName],
    predictions: Sequence[Prediction],
    units: Units,
    training: TrainingCounts | None,
) -> Details:
    by_tag_rows: list[GroupRow] = []
    by_frequency_rows: list[GroupRow] = []
    if {"tag", "frequency"} & set(tables):
        measures = measure_system(system.hypotheses, test.references, config, test.further)
        by_tag_rows = by_tag(test.sources, measures) if "tag" in tables else []
        if training is not None and "frequency" in tables:
            by_frequency_rows = by_frequency(units.lines, training.source, measures)
    return Details(
        tuple(by_tag_rows),
        tuple(by_frequency_rows),
        top_accuracy(predictions, config.top) if config.top > 1 and system.translations else (),
        ()
        if training is None or "words" not in tables
        else word_f1(system.hypotheses, test.references, training.target),
        confusions(predictions) if "errors" in tables else None,
    )


def _ngrams(
    systems: Sequence[SystemOutput], test: EvaluationSet, tables: Sequence[TableName]
) -> NgramComparison | None:
    """Of the first two systems, where they were asked for."""
    if "ngrams" not in tables:
        return None
    if len(systems) != 2:
        typer.echo(f"note: no table of ngrams, as two systems can be compared, not {len(systems)}", err=True)
        return None
    first, second = systems
    return compare_ngrams((first.name, second.name), first.hypotheses, second.hypotheses, test.references)
