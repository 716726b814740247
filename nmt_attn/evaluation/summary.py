"""Summary: everything that is known about one system's output on one test set, in one record."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from nmt_attn.config import EvaluateConfig
from nmt_attn.evaluation.bootstrap import Interval, confidence_interval
from nmt_attn.evaluation.lengths import LengthRow, by_length, up_to_length
from nmt_attn.evaluation.metrics import BleuParts, MetricResult, bleu_parts, measure_system


class CorpusEstimate(NamedTuple):
    """A metric over the whole test set."""

    result: MetricResult
    interval: Interval


class Summary(NamedTuple):
    """One system on one test set."""

    system: str
    sentences: int
    estimates: tuple[CorpusEstimate, ...]  # of `evaluate.metrics`, in its order
    parts: BleuParts
    by_length: tuple[LengthRow, ...]
    up_to_length: tuple[LengthRow, ...]


def summarise(
    system: str,
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    config: EvaluateConfig,
) -> Summary:
    """The whole evaluation of one system. Raises DataError if the three do not have as many lines, or none."""
    measures = measure_system(hypotheses, references, config)
    assert len(sources) == len(references)
    return Summary(
        system,
        len(references),
        tuple(CorpusEstimate(each.result(), confidence_interval(each)) for each in measures.chosen),
        bleu_parts(measures.bleu.rows.sum(axis=0)),
        tuple(by_length(sources, measures, config.length_buckets)),
        tuple(up_to_length(sources, measures, config.length_buckets)),
    )


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain values, for `json.dump`."""
    return {
        "system": summary.system,
        "sentences": summary.sentences,
        "metrics": [
            {**estimate.result._asdict(), "interval": _interval(estimate.interval)} for estimate in summary.estimates
        ],
        "bleu": summary.parts._asdict(),
        "by_length": [_row(row) for row in summary.by_length],
        "up_to_length": [_row(row) for row in summary.up_to_length],
    }


def _row(row: LengthRow) -> dict[str, Any]:
    return {
        "words": row.bucket.name,
        "sentences": row.sentences,
        "is_small": row.is_small,
        "length_ratio": row.length_ratio,
        "metrics": [
            {"name": each.metric, "value": each.value, "interval": _interval(each.interval)} for each in row.estimates
        ],
    }


def _interval(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
