"""Metrics: a number of 0-100 for a system's output against references, as sacreBLEU gives it.

    BLEU   Papineni et al. 2002, n-grams of tokens up to 4, with brevity penalty
    chrF   Popović 2015, n-grams of characters up to 6
    TER    Snover et al. 2006, edits per reference word: less is better

Every number comes with sacreBLEU's signature (Post 2018), and from one row of sufficient statistics a sentence:
the sum of any rows gives the value of those sentences, so that length buckets and resampling count nothing twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU, BLEUScore
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from nmt_attn.config import EvaluateConfig
from nmt_attn.errors import ConfigError, DataError

Rows = NDArray[np.float64]


class MetricResult(NamedTuple):
    """A metric's value for a whole corpus."""

    name: str  # as a reader knows it: BLEU, chrF2, TER
    value: float  # 0-100
    signature: str


class BleuParts(NamedTuple):
    """What BLEU is made of."""

    precisions: tuple[float, ...]  # 0-100, of n-grams from 1 to 4
    brevity_penalty: float  # 0-1
    length_ratio: float  # tokens of the hypotheses over tokens of the references
    hypothesis_tokens: int
    reference_tokens: int


@dataclass(frozen=True)
class Measure:
    """A system's output under one metric: rows [N, F] of whole numbers, one row a sentence."""

    name: str
    signature: str
    rows: Rows
    metric: Metric

    def value(self, total: Rows) -> float:
        """The metric (0-100) of the sentences whose rows sum to total [F]."""
        return float(self.metric._compute_score_from_stats(total.tolist()).score)

    def result(self) -> MetricResult:
        """The metric of the whole corpus."""
        return MetricResult(self.name, self.value(self.rows.sum(axis=0)), self.signature)


class SystemMeasures(NamedTuple):
    """A system's output under the configured metrics; BLEU's rows also count its tokens."""

    bleu: Measure
    chosen: tuple[Measure, ...]  # of `evaluate.metrics`, in its order


def bleu(hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str, lowercase: bool) -> MetricResult:
    """BLEU of a corpus. Raises DataError if the counts differ or are 0, ConfigError if there is no such tokenizer."""
    return _measure(_bleu_metric(tokenize, lowercase=lowercase), hypotheses, references).result()


def measure(name: str, hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """The hypotheses' rows under one metric of METRICS. Raises DataError if the counts differ or are 0."""
    return _measure(METRICS[name](config), hypotheses, references)


def measure_system(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> SystemMeasures:
    """The hypotheses' rows under each of `evaluate.metrics`. Raises DataError if the counts differ or are 0."""
    if not config.metrics:
        raise ConfigError(f"evaluate.metrics: expected one or more of {', '.join(sorted(METRICS))}, got []")
    chosen = {name: measure(name, hypotheses, references, config) for name in dict.fromkeys(config.metrics)}
    counted = chosen["bleu"] if "bleu" in chosen else measure("bleu", hypotheses, references, config)
    return SystemMeasures(counted, tuple(chosen.values()))


def bleu_parts(total: Rows) -> BleuParts:
    """Precisions, brevity penalty and lengths from the summed rows [F] of a BLEU measure."""
    score = BLEU()._compute_score_from_stats(total.tolist())
    assert isinstance(score, BLEUScore)
    return BleuParts(
        tuple(float(precision) for precision in score.precisions),
        score.bp,
        score.ratio,
        score.sys_len,
        score.ref_len,
    )


def _bleu_metric(tokenize: str, *, lowercase: bool) -> Metric:
    try:
        # force: sacreBLEU would otherwise complain about text that is tokenised on purpose
        return BLEU(tokenize=tokenize, lowercase=lowercase, force=True)
    except (OSError, ImportError) as error:
        raise ConfigError(
            f"evaluate.tokenize: expected a tokenizer that sacreBLEU can load, got {tokenize!r} ({error})"
        ) from error


METRICS: dict[str, Callable[[EvaluateConfig], Metric]] = {
    "bleu": lambda config: _bleu_metric(config.tokenize, lowercase=config.lowercase),
    "chrf": lambda config: CHRF(),  # case kept: `evaluate.lowercase` is BLEU's
    "ter": lambda config: TER(),  # sacreBLEU's default: case ignored, text split on whitespace
}


def _measure(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> Measure:
    if len(hypotheses) != len(references):
        raise DataError(f"hypotheses: expected {len(references)} lines, as many as references, got {len(hypotheses)}")
    if not references:
        raise DataError("references: expected at least 1 sentence, got 0")
    # sacreBLEU's metrics share these two methods since 2.0; nothing public gives chrF's or TER's statistics
    rows = np.asarray(metric._extract_corpus_statistics(hypotheses, [references]), dtype=np.float64)
    name = metric._compute_score_from_stats(rows.sum(axis=0).tolist()).name
    return Measure(name, str(metric.get_signature()), rows, metric)
