"""Summary: all results of one system on one test set, in one record."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from nmt_attn.alignment.links import AlignmentScores
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.attention_statistics import DIAGONAL_WORDS, AttentionStatistics
from nmt_attn.evaluation.bootstrap import Interval, SystemComparison, confidence_interval
from nmt_attn.evaluation.lengths import Estimate, LengthRow, by_length, choose_bounds, count_words, up_to_length
from nmt_attn.evaluation.metrics import BleuParts, SystemMeasures, bleu_parts


class Summary(NamedTuple):
    """One system on one test set."""

    system: str
    sentences: int
    estimates: tuple[Estimate, ...]  # of `evaluate.metrics`, in its order
    parts: BleuParts
    by_length: tuple[LengthRow, ...]
    up_to_length: tuple[LengthRow, ...]
    perplexity: float | None = None  # of the references, per target token; models only
    alignments: Mapping[str, AlignmentScores] = MappingProxyType({})  # of the references' argmax, union, ... links
    attention: AttentionStatistics | None = None  # of the references


def summarise(system: str, sources: Sequence[str], measures: SystemMeasures, config: EvaluateConfig) -> Summary:
    """The evaluation of one system's output on the test set, from its measures on the same sentences."""
    assert len(sources) == len(measures.bleu.rows)
    bounds = choose_bounds(count_words(sources)) if config.length_buckets is None else config.length_buckets
    return Summary(
        system,
        len(sources),
        tuple(Estimate(each.result(), confidence_interval(each)) for each in measures.chosen),
        bleu_parts(measures.bleu.rows.sum(axis=0)),
        tuple(by_length(sources, measures, bounds)),
        tuple(up_to_length(sources, measures, bounds)),
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
        "perplexity": summary.perplexity,
        "alignments": [{"links": links, **scores._asdict()} for links, scores in summary.alignments.items()],
        "attention": None if summary.attention is None else _attention(summary.attention),
    }


def comparison_as_json(comparison: SystemComparison) -> dict[str, Any]:
    """The same of a comparison."""
    metrics = [metric._asdict() for metric in comparison.metrics]
    return {"system": comparison.system, "baseline": comparison.baseline, "metrics": metrics}


def _attention(statistics: AttentionStatistics) -> dict[str, Any]:
    by_position = [each._asdict() for each in statistics.entropy_by_position]
    return {**statistics._asdict(), "diagonal_words": DIAGONAL_WORDS, "entropy_by_position": by_position}


def _row(row: LengthRow) -> dict[str, Any]:
    return {
        "words": row.bucket.name,
        "sentences": row.sentences,
        "is_small": row.is_small,
        "length_ratio": row.length_ratio,
        "metrics": [
            {"name": each.result.name, "value": each.result.value, "interval": _interval(each.interval)}
            for each in row.estimates
        ],
    }


def _interval(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
