"""Quality by source length: the table that shows where a fixed vector fails and attention does not.

Two views: buckets of length (Bahdanau et al. 2015, arXiv 1409.0473v7, fig. 2) and everything up to a length
(cumulative, as in the length analysis of Luong et al. 2015, arXiv 1508.04025, sec. 5.2). Length is the number of
source words, split on whitespace, so that a sentence is in the same bucket for every tokenizer; or, where every source
is one word, as in words to phones, that of its characters. Tags are not counted.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.data.columns import TAG
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.bootstrap import Interval, confidence_interval
from nmt_attn.evaluation.metrics import MetricResult, SystemMeasures, bleu_parts

MOST_BUCKETS = 7
"""As many as `choose_bounds` makes, single words not counted."""

SMALL_BUCKET_SENTENCES = 50
"""Tables and plots mark buckets with fewer sentences: their values are uncertain."""


class Bucket(NamedTuple):
    """Lengths, or frequencies, from `low` to `high`, both included; `high` None is open."""

    name: str
    low: int
    high: int | None

    def holds(self, values: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the values [N] it holds."""
        return (values >= self.low) & (values <= (np.inf if self.high is None else self.high))


class Units(NamedTuple):
    """What the lines of a text are counted in."""

    name: str  # words or characters
    lines: list[list[str]]

    def lengths(self) -> NDArray[np.int64]:
        """Of each line [N]."""
        return np.array([len(line) for line in self.lines], dtype=np.int64)


class Estimate(NamedTuple):
    """A metric over the sentences of a bucket, or over a whole test set."""

    result: MetricResult
    interval: Interval


class GroupRow(NamedTuple):
    """One line of a table by length, frequency or tag; a bucket without sentences has no estimates."""

    bucket: Bucket
    sentences: int
    estimates: tuple[Estimate, ...]
    length_ratio: float | None  # tokens of the hypotheses over tokens of the references, as BLEU counts them

    @property
    def is_small(self) -> bool:
        """Whether there are too few sentences to trust the values."""
        return self.sentences < SMALL_BUCKET_SENTENCES


def choose_bounds(lengths: NDArray[np.int64]) -> tuple[int, ...]:
    """Round bounds that suit the lengths [N]: equal steps, at most 7, from the shortest sentence to the longest.

    The longest 2% of the sentences may lie in the open bucket at the end. Single words get a bucket of their own.
    """
    longest = int(lengths.max(initial=0))
    shortest = int(lengths[lengths > 0].min(initial=longest))
    covered = int(np.quantile(lengths, 0.98, method="inverted_cdf")) if len(lengths) else 0
    step = next(size for size in _steps() if covered <= size * MOST_BUCKETS)
    bounds = [*([1] if 1 in lengths else []), *range(step, covered + step, step)]
    return tuple(dict.fromkeys(bound for bound in bounds if shortest <= bound < longest)) or (max(1, longest),)


def _steps() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, ..."""
    for power in count():
        yield from (10**power, 2 * 10**power, 5 * 10**power)


def make_buckets(bounds: Sequence[int]) -> list[Bucket]:
    """Buckets up to each bound, then an open one. Raises ConfigError if the bounds do not grow."""
    if not bounds or list(bounds) != sorted(set(bounds)):
        raise ConfigError(f"evaluate.length_buckets: expected growing bounds, got {list(bounds)}")
    lows = [1, *(bound + 1 for bound in bounds[:-1])]
    closed = [
        Bucket(f"{low}-{high}" if low < high else str(low), low, high) for low, high in zip(lows, bounds, strict=True)
    ]
    return [*closed, Bucket(f">{bounds[-1]}", bounds[-1] + 1, None)]


def make_prefixes(bounds: Sequence[int]) -> list[Bucket]:
    """For the cumulative view: everything up to each bound, then everything."""
    closed = [Bucket(f"<={bucket.high}", 0, bucket.high) for bucket in make_buckets(bounds)[:-1]]
    return [*closed, Bucket("all", 0, None)]


def units_of(lines: Sequence[str]) -> Units:
    """The words of each line without its tags; their characters where no line has more than one word."""
    words = [[word for word in line.split() if not TAG.fullmatch(word)] for line in lines]
    if max(map(len, words), default=0) == 1:
        return Units("characters", [[character for word in line for character in word] for line in words])
    return Units("words", words)


def by_length(sources: Sequence[str], system: SystemMeasures, bounds: Sequence[int]) -> list[GroupRow]:
    """One row a bucket; every sentence is in exactly one. Sources without words get a row of their own, if any."""
    lengths = units_of(sources).lengths()
    empty = [Bucket("0", 0, 0)] if 0 in lengths else []
    return [group_row(bucket, bucket.holds(lengths), system) for bucket in [*empty, *make_buckets(bounds)]]


def up_to_length(sources: Sequence[str], system: SystemMeasures, bounds: Sequence[int]) -> list[GroupRow]:
    """One row a bound: all sentences up to it; the last row is the whole corpus."""
    lengths = units_of(sources).lengths()
    return [group_row(bucket, bucket.holds(lengths), system) for bucket in make_prefixes(bounds)]


def group_row(bucket: Bucket, chosen: NDArray[np.bool_], system: SystemMeasures) -> GroupRow:
    """The row of the chosen sentences [N]."""
    if not chosen.any():
        return GroupRow(bucket, 0, (), None)
    estimates = tuple(Estimate(each.result(chosen), confidence_interval(each, chosen)) for each in system.chosen)
    parts = bleu_parts(system.bleu.rows[chosen].sum(axis=0))
    return GroupRow(bucket, int(chosen.sum()), estimates, parts.length_ratio)
