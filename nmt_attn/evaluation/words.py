"""Words: F1 by frequency in training, and the n-grams that one system gets right and another does not.

Neubig et al. 2019, "compare-mt: a tool for holistic comparison of language generation systems" (arXiv 1903.07926).
Words are what white space divides. A word or n-gram of a sentence is right at most as often as its reference has it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nmt_attn.evaluation.bootstrap import confidence_interval
from nmt_attn.evaluation.groups import FREQUENCIES
from nmt_attn.evaluation.lengths import Bucket, Estimate
from nmt_attn.evaluation.metrics import Measure, Statistics, signature_of

LONGEST_NGRAM = 4
MOST_NGRAMS = 10
"""Of each system."""

Ngram = tuple[str, ...]


class WordRow(NamedTuple):
    """The words of one range of frequencies in training."""

    bucket: Bucket
    words: int  # of the references
    precision: float  # 0-100
    recall: float  # 0-100
    f1: Estimate  # 0-100


class NgramDifference(NamedTuple):
    """An n-gram and how often each of two systems has it right."""

    ngram: str
    first: int
    second: int


class NgramComparison(NamedTuple):
    """The n-grams that tell two systems apart most, on the same sentences."""

    systems: tuple[str, str]
    better_first: tuple[NgramDifference, ...]
    better_second: tuple[NgramDifference, ...]


def word_f1(hypotheses: Sequence[str], references: Sequence[str], training: Counter[str]) -> tuple[WordRow, ...]:
    """A row for each range of frequencies of the targets' words in training that some reference or output has."""
    pairs = [(Counter(a.split()), Counter(b.split())) for a, b in zip(hypotheses, references, strict=True)]
    found = []
    for bucket in FREQUENCIES:
        rows = np.array([_counts(*pair, bucket, training) for pair in pairs], np.float64)  # [N, 3]
        right, written, wanted = rows.sum(axis=0)
        if written or wanted:
            measure = Measure("F1", signature_of("word"), rows, _f1)
            estimate = Estimate(measure.result(), confidence_interval(measure))
            precision, recall = (float(100 * right / max(total, 1)) for total in (written, wanted))
            found.append(WordRow(bucket, int(wanted), precision, recall, estimate))
    return tuple(found)


def _counts(
    hypothesis: Counter[str], reference: Counter[str], bucket: Bucket, training: Counter[str]
) -> tuple[int, int, int]:
    """Of one sentence and the words in the bucket: those that are right, written, wanted."""
    held = {word for word in hypothesis | reference if _holds(bucket, training[word])}
    right = sum(min(hypothesis[word], reference[word]) for word in held)
    return right, sum(hypothesis[word] for word in held), sum(reference[word] for word in held)


def _holds(bucket: Bucket, count: int) -> bool:
    return bucket.low <= count and (bucket.high is None or count <= bucket.high)


def _f1(total: Statistics) -> float:
    """2 right / (written + wanted), which is the harmonic mean of precision and recall."""
    return float(200 * total[0] / max(total[1] + total[2], 1))


def compare_ngrams(
    names: tuple[str, str], first: Sequence[str], second: Sequence[str], references: Sequence[str]
) -> NgramComparison:
    """The n-grams up to LONGEST_NGRAM words that the systems get right most unequally.

    Ranked by (right in one + 1) / (right in both + 2), which compare-mt takes, then by how often and by name.
    """
    ours, theirs = (_right_ngrams(texts, references) for texts in (first, second))
    everything = [NgramDifference(" ".join(ngram), ours[ngram], theirs[ngram]) for ngram in ours | theirs]
    turned = [NgramDifference(each.ngram, each.second, each.first) for each in everything]
    better_second = [NgramDifference(each.ngram, each.second, each.first) for each in _foremost(turned)]
    return NgramComparison(names, tuple(_foremost(everything)), tuple(better_second))


def _foremost(found: Sequence[NgramDifference]) -> list[NgramDifference]:
    """Those that the first of the two has right more often, the most telling first."""
    better = [each for each in found if each.first > each.second]
    share = {each.ngram: (each.first + 1) / (each.first + each.second + 2) for each in better}
    return sorted(better, key=lambda each: (-share[each.ngram], -each.first, each.ngram))[:MOST_NGRAMS]


def _right_ngrams(hypotheses: Sequence[str], references: Sequence[str]) -> Counter[Ngram]:
    """How often each n-gram is right, over all sentences."""
    right: Counter[Ngram] = Counter()
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        right.update(Counter(_ngrams(hypothesis.split())) & Counter(_ngrams(reference.split())))
    return right


def _ngrams(words: Sequence[str]) -> Iterator[Ngram]:
    for size in range(1, LONGEST_NGRAM + 1):
        for start in range(len(words) - size + 1):
            yield tuple(words[start : start + size])


def words_as_json(rows: Sequence[WordRow]) -> list[dict[str, Any]]:
    """The rows as plain values, for `json.dump`."""
    return [
        {
            "in_training": row.bucket.name,
            "words": row.words,
            "precision": row.precision,
            "recall": row.recall,
            "f1": row.f1.result.value,
            "interval": [row.f1.interval.low, row.f1.interval.high],
        }
        for row in rows
    ]


def ngrams_as_json(found: NgramComparison) -> dict[str, Any]:
    """The same of a comparison."""
    first, second = found.systems
    lists = {"better_first": found.better_first, "better_second": found.better_second}
    rows = {
        name: [{"ngram": each.ngram, "first": each.first, "second": each.second} for each in each_list]
        for name, each_list in lists.items()
    }
    return {"first": first, "second": second, **rows}
