"""Details: predictions line by line, and the tables of `evaluate.tables`, added to the results of an evaluation."""

from collections import Counter
from collections.abc import Sequence

import typer

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.artifacts import EvaluationResults
from nmt_attn.evaluation.confusions import confusions
from nmt_attn.evaluation.evaluation_inputs import EvaluatedModel, EvaluationSet
from nmt_attn.evaluation.groups import by_frequency, by_tag
from nmt_attn.evaluation.lengths import Units, units_of
from nmt_attn.evaluation.metrics import measure_system
from nmt_attn.evaluation.predictions import Prediction, top_accuracy
from nmt_attn.evaluation.summary import Details
from nmt_attn.evaluation.system_outputs import SystemOutput, predictions_of
from nmt_attn.evaluation.training_counts import count_training


def add_details(
    results: EvaluationResults, test: EvaluationSet, config: EvaluateConfig, model: EvaluatedModel | None
) -> EvaluationResults:
    """The results with predictions, and with what the configuration asks for; `model` says what training has seen."""
    tables, units = config.chosen_tables, units_of(test.sources)
    predictions = [predictions_of(system, test, config.symbol_separator) for system in results.systems]
    training = count_training(model, units) if "frequency" in tables else None
    details = [
        _details(system, test, config, found, units, training)
        for system, found in zip(results.systems, predictions, strict=True)
    ]
    if config.tables is not None and "tag" in tables and not any(each.by_tag for each in details):
        typer.echo("note: no table by tag, as the sources have none", err=True)
    summaries = [each._replace(details=found) for each, found in zip(results.summaries, details, strict=True)]
    return results._replace(summaries=summaries, predictions=predictions)


def _details(
    system: SystemOutput,
    test: EvaluationSet,
    config: EvaluateConfig,
    predictions: Sequence[Prediction],
    units: Units,
    training: Counter[str] | None,
) -> Details:
    tables = config.chosen_tables
    measures = measure_system(system.hypotheses, test.references, config, test.further)
    return Details(
        tuple(by_tag(test.sources, measures)) if "tag" in tables else (),
        () if training is None else tuple(by_frequency(units.lines, training, measures)),
        top_accuracy(predictions, config.top) if config.top > 1 and system.translations else (),
        confusions(predictions) if "errors" in tables else None,
    )
