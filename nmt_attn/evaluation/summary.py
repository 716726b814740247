"""Summary: all results of one system on one test set, in one record."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.attention_statistics import DIAGONAL_WORDS, AttentionStatistics
from nmt_attn.evaluation.bootstrap import Interval, SystemComparison, confidence_interval
from nmt_attn.evaluation.confusions import Confusions, confusions_as_json
from nmt_attn.evaluation.lengths import Estimate, GroupRow, by_length, choose_bounds, units_of, up_to_length
from nmt_attn.evaluation.link_scores import LinkScores
from nmt_attn.evaluation.metrics import BleuParts, SystemMeasures, bleu_parts
from nmt_attn.evaluation.words import WordRow, words_as_json


class Details(NamedTuple):
    """Where a system is right and what it gets wrong; empty or None: not asked for, or not known."""

    by_tag: tuple[GroupRow, ...] = ()
    by_frequency: tuple[GroupRow, ...] = ()
    top: tuple[Estimate, ...] = ()  # accuracy of the n-best lists
    words: tuple[WordRow, ...] = ()  # F1 by frequency in training
    confusions: Confusions | None = None


class Summary(NamedTuple):
    """One system on one test set."""

    system: str
    sentences: int
    estimates: tuple[Estimate, ...]  # of `evaluate.metrics`, in its order
    parts: BleuParts
    by_length: tuple[GroupRow, ...]
    up_to_length: tuple[GroupRow, ...]
    perplexity: float | None = None  # of the references, per target token; models only
    alignments: Mapping[str, LinkScores] = MappingProxyType({})  # of the references' argmax, union, ... links
    attention: AttentionStatistics | None = None  # of the references
    length_unit: str = "words"  # of the sources' lengths
    details: Details | None = None  # where evaluate.tables asks for them


def summarise(system: str, sources: Sequence[str], measures: SystemMeasures, config: EvaluateConfig) -> Summary:
    """The evaluation of one system's output on the test set, from its measures on the same sentences."""
    assert len(sources) == len(measures.bleu.rows)
    units = units_of(sources)
    bounds = choose_bounds(units.lengths()) if config.length_buckets is None else config.length_buckets
    return Summary(
        system,
        len(sources),
        tuple(Estimate(each.result(), confidence_interval(each)) for each in measures.chosen),
        bleu_parts(measures.bleu.rows.sum(axis=0)),
        tuple(by_length(sources, measures, bounds)),
        tuple(up_to_length(sources, measures, bounds)),
        length_unit=units.name,
    )


def has_tables(details: Details | None) -> bool:
    """Whether there is anything to show."""
    return details is not None and (any(details[:4]) or details.confusions is not None)


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain values, for `json.dump`."""
    return {
        "system": summary.system,
        "sentences": summary.sentences,
        "metrics": [_estimate(each) for each in summary.estimates],
        "bleu": summary.parts._asdict(),
        "length_unit": summary.length_unit,
        "by_length": [_row(row) for row in summary.by_length],
        "up_to_length": [_row(row) for row in summary.up_to_length],
        "perplexity": summary.perplexity,
        "alignments": [_links(name, found) for name, found in summary.alignments.items()],
        "attention": None if summary.attention is None else _attention(summary.attention),
        **({} if summary.details is None else _details(summary.details)),
    }


def comparison_as_json(comparison: SystemComparison) -> dict[str, Any]:
    """The same of a comparison."""
    metrics = [metric._asdict() for metric in comparison.metrics]
    return {"system": comparison.system, "baseline": comparison.baseline, "metrics": metrics}


def _links(name: str, found: LinkScores) -> dict[str, Any]:
    return {"links": name, **found.scores._asdict(), "error_rate_interval": _interval(found.interval)}


def _attention(statistics: AttentionStatistics) -> dict[str, Any]:
    by_position = [each._asdict() for each in statistics.entropy_by_position]
    return {**statistics._asdict(), "diagonal_words": DIAGONAL_WORDS, "entropy_by_position": by_position}


def _details(details: Details) -> dict[str, Any]:
    """What there is of them."""
    found: dict[str, Any] = {
        "by_tag": [_row(row, "tag") for row in details.by_tag],
        "by_frequency": [_row(row, "in_training") for row in details.by_frequency],
        "top": [_estimate(each) for each in details.top],
        "words": words_as_json(details.words),
        "confusions": None if details.confusions is None else confusions_as_json(details.confusions),
    }
    return {name: value for name, value in found.items() if value}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {**estimate.result._asdict(), "interval": _interval(estimate.interval)}


def _row(row: GroupRow, name: str = "words") -> dict[str, Any]:
    return {
        name: row.bucket.name,
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
