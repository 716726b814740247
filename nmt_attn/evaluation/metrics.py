"""Metrics: a number of 0-100 for a system's output against references.

    BLEU   Papineni et al. 2002, n-grams of tokens up to 4, with brevity penalty
    chrF   Popović 2015, n-grams of characters up to 6
    TER    Snover et al. 2006, edits per reference word: less is better
    exact  lines that equal their reference, white space aside (for inflection, transliteration, normalisation)
    WER    lines that do not: the word error rate of words to phones, where a line is a word. In speech recognition the
           name means edits per reference word, which is PER of text whose symbols are words
    PER    edits per reference symbol, such as a phone (Levenshtein 1966): less is better
    CER    edits per reference character: less is better
    NED    edits per character of the longer text, the mean over the lines: less is better

Every number comes with a signature, sacreBLEU's (Post 2018) or of its form, and from one row of sufficient statistics
a sentence: the sum of any rows gives the value of those sentences, so that length buckets and resampling count nothing
twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU, BLEUScore
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from nmt_attn import registries
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.edits import edit_distance, split_symbols
from nmt_attn.files import check_count
from nmt_attn.registry import Registry
from nmt_attn.version import __version__

Statistics = NDArray[np.float64]
"""Sufficient statistics: rows [N, F], or their sum [F]."""


class MetricResult(NamedTuple):
    """A metric's value for some sentences."""

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
    """A system's output under one metric: rows [N, F], one for each sentence."""

    name: str
    signature: str
    rows: Statistics
    value: Callable[[Statistics], float]
    """The metric (0-100) of the sentences whose rows sum to total [F]."""
    is_error: bool = False  # less is better
    of_one: Callable[[Statistics], float] | None = None
    """The metric of one sentence from its row [F], where that is not `value`."""

    def of_each(self) -> Statistics:
        """The metric [N] of each sentence alone."""
        of_one = self.value if self.of_one is None else self.of_one
        return np.array([of_one(row) for row in self.rows])

    def result(self, chosen: NDArray[np.bool_] | None = None) -> MetricResult:
        """The metric of the whole corpus, or of the chosen sentences [N]."""
        rows = self.rows if chosen is None else self.rows[chosen]
        return MetricResult(self.name, self.value(rows.sum(axis=0)), self.signature)


class SystemMeasures(NamedTuple):
    """A system's output under the configured metrics; BLEU's rows also count its tokens."""

    bleu: Measure
    chosen: tuple[Measure, ...]  # of `evaluate.metrics`, in its order


def bleu(hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str, lowercase: bool) -> MetricResult:
    """BLEU of a corpus. Raises DataError if the counts differ or are 0, ConfigError if there is no such tokenizer."""
    _check_counts(hypotheses, references)
    return _sacrebleu(_bleu_metric(tokenize, lowercase=lowercase), hypotheses, references).result()


def measure(
    name: str,
    hypotheses: Sequence[str],
    references: Sequence[str],
    config: EvaluateConfig,
    further: Sequence[Sequence[str]] = (),
) -> Measure:
    """The hypotheses' rows under one metric of METRICS, against `references` and the `further` ones beside them.

    sacreBLEU's metrics count all references of a sentence together; any other takes the one that suits it best. Raises
    DataError if the counts differ or are 0.
    """
    for each in (references, *further):
        _check_counts(hypotheses, each)
    if further and name in SACREBLEU:
        return _sacrebleu(SACREBLEU[name](config), hypotheses, references, *further)
    measures = [METRICS[name](hypotheses, each, config) for each in (references, *further)]
    return measures[0] if len(measures) == 1 else _of_best_references(measures)


def is_error(name: str) -> bool:
    """Whether less of a metric of METRICS, or of `loss`, is better."""
    return name == "loss" or measure(name, ["a"], ["a"], EvaluateConfig()).is_error


def title_of(name: str) -> str:
    """A metric of METRICS as a reader knows it: `BLEU` of `bleu`."""
    return measure(name, ["a"], ["a"], EvaluateConfig()).name


def measure_system(
    hypotheses: Sequence[str],
    references: Sequence[str],
    config: EvaluateConfig,
    further: Sequence[Sequence[str]] = (),
) -> SystemMeasures:
    """The hypotheses' rows under each of `evaluate.metrics`; references and errors as in `measure`."""
    if not config.metrics:
        raise ConfigError(f"evaluate.metrics: expected one or more of {', '.join(sorted(METRICS))}, got []")
    chosen = {name: measure(name, hypotheses, references, config, further) for name in dict.fromkeys(config.metrics)}
    counted = chosen["bleu"] if "bleu" in chosen else measure("bleu", hypotheses, references, config, further)
    return SystemMeasures(counted, tuple(chosen.values()))


def bleu_parts(total: Statistics) -> BleuParts:
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


def _check_counts(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    check_count("hypotheses", len(hypotheses), len(references), "as many as references")
    if not references:
        raise DataError("references: expected at least 1 sentence, got 0")


def _sacrebleu(metric: Metric, hypotheses: Sequence[str], *references: Sequence[str]) -> Measure:
    # sacreBLEU's metrics share these two methods since 2.0; nothing public gives chrF's or TER's statistics
    rows = np.asarray(metric._extract_corpus_statistics(hypotheses, references), dtype=np.float64)
    name = metric._compute_score_from_stats(rows.sum(axis=0).tolist()).name

    def value(total: Statistics) -> float:
        return float(metric._compute_score_from_stats(total.tolist()).score)

    return Measure(name, str(metric.get_signature()), rows, value, is_error=isinstance(metric, TER))


def _of_best_references(measures: Sequence[Measure]) -> Measure:
    """For each sentence its row against the reference that gives the best value, the first one on ties."""
    first = measures[0]
    values = np.array([[each.value(row) for row in each.rows] for each in measures])  # [references, N]
    best = values.argmin(0) if first.is_error else values.argmax(0)
    rows = np.stack([each.rows for each in measures])[best, np.arange(len(first.rows))]
    return replace(first, rows=rows, signature=first.signature.replace("nrefs:1|", f"nrefs:{len(measures)}|"))


def bleu_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """BLEU by `evaluate.tokenize` and `evaluate.lowercase`; one sentence has the orders that it is long enough for."""
    return replace(_sacrebleu(SACREBLEU["bleu"](config), hypotheses, references), of_one=_sentence_bleu)


def _sentence_bleu(row: Statistics) -> float:
    return float(BLEU(effective_order=True)._compute_score_from_stats(row.tolist()).score)


def chrf_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """chrF2, case kept: `evaluate.lowercase` is BLEU's."""
    return _sacrebleu(SACREBLEU["chrf"](config), hypotheses, references)


def ter_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """TER by sacreBLEU's default: case ignored, text split on white space."""
    return _sacrebleu(SACREBLEU["ter"](config), hypotheses, references)


def exact_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """Lines that equal their reference, white space aside."""
    equal = [a.split() == b.split() for a, b in zip(hypotheses, references, strict=True)]
    return Measure("exact", signature_of("sentence"), np.array([[match, 1] for match in equal], np.float64), share)


def word_error_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """Lines that do not equal their reference, white space aside; each line is a word, as in words to phones."""
    wrong = [a.split() != b.split() for a, b in zip(hypotheses, references, strict=True)]
    rows = np.array([[differs, 1] for differs in wrong], np.float64)
    return Measure("WER", signature_of("line"), rows, share, is_error=True)


def phone_error_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """Edits per reference symbol, what stands between `evaluate.separator`, such as a phone."""
    pairs = zip(hypotheses, references, strict=True)
    symbols = [tuple(split_symbols(text, config.symbol_separator) for text in pair) for pair in pairs]
    rows = np.array([[edit_distance(a, b), len(b)] for a, b in symbols], np.float64)
    return Measure("PER", signature_of("symbol"), rows, share, is_error=True)


def character_error_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """Edits per reference character."""
    rows = np.array([[edit_distance(a, b), len(b)] for a, b in _plain(hypotheses, references)], np.float64)
    return Measure("CER", signature_of("character"), rows, share, is_error=True)


def normalised_edit_rows(hypotheses: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Measure:
    """Edits per character of the longer text, the mean over the lines, so that each line counts alike."""
    pairs = _plain(hypotheses, references)
    rows = np.array([[edit_distance(a, b) / max(len(a), len(b), 1), 1] for a, b in pairs], np.float64)
    return Measure("NED", signature_of("character"), rows, share, is_error=True)


def _plain(hypotheses: Sequence[str], references: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of texts whose words are separated by one blank."""
    return [(" ".join(a.split()), " ".join(b.split())) for a, b in zip(hypotheses, references, strict=True)]


def share(total: Statistics) -> float:
    """100 x counted / possible; over references without a character every edit counts as a whole text."""
    return float(100 * total[0] / max(total[1], 1))


def signature_of(unit: str) -> str:
    """Of a metric of ours that counts such units."""
    return f"nrefs:1|case:mixed|unit:{unit}|nmt-attn:{__version__}"


SACREBLEU: dict[str, Callable[[EvaluateConfig], Metric]] = {
    "bleu": lambda config: _bleu_metric(config.tokenize, lowercase=config.lowercase),
    "chrf": lambda config: CHRF(),
    "ter": lambda config: TER(),
}
"""sacreBLEU's own metrics, which know several references."""

METRICS: Registry[Callable[[Sequence[str], Sequence[str], EvaluateConfig], Measure]] = registries.METRICS
