"""Statistics of attention over a corpus: where the weight goes, to compare models by more than single pictures.

    entropy     -sum_j a_tj ln a_tj in nats, of weights scaled to sum to 1: 0 if one word has all, ln n if n share it
    end         share of the weight that lies on `</s>`
    diagonal    share of the weight within D words of the diagonal, which runs from corner to corner of the matrix
    gold        how often the word with the most weight is a gold link, of the target words that have one

Words are letters and symbols where every source is one word that is read letter by letter (`unit`: pieces). Rows of
target words count, the row of `</s>` does not. Every system is measured on the same references.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.links import GoldLinks

DIAGONAL_WORDS = 2
"""D."""

WordWeights = NDArray[np.floating]
"""Of one sentence: [target words + 1, source words + 1], `</s>` last on both sides; [0, 0] where there are none."""


class PositionEntropy(NamedTuple):
    """Mean entropy at one target position."""

    position: int  # from 1
    words: int
    entropy: float  # nats


class AttentionStatistics(NamedTuple):
    """One system's attention on a corpus; shares are 0-1."""

    words: int  # target words with any weight
    entropy: float  # nats
    end_share: float
    diagonal_share: float
    gold_share: float | None  # None without gold links
    entropy_by_position: tuple[PositionEntropy, ...]
    unit: str = "words"  # or pieces: letters and symbols


def attention_statistics(
    corpus: Sequence[WordWeights], gold: Sequence[GoldLinks] | None = None, unit: str = "words"
) -> AttentionStatistics | None:
    """The statistics of a corpus, a sentence a matrix; None if no target word has any weight."""
    rows = [matrix[:-1] for matrix in corpus if len(matrix) > 1]
    entropies = [_entropies(row) for row in rows]
    words = sum(int(np.isfinite(each).sum()) for each in entropies)
    if words == 0:
        return None
    total = sum(float(row.sum()) for row in rows)
    return AttentionStatistics(
        words,
        sum(float(np.nansum(each)) for each in entropies) / words,
        sum(float(row[:, -1].sum()) for row in rows) / total,
        sum(_mass_near_diagonal(row) for row in rows) / total,
        None if gold is None else _gold_share(corpus, gold),
        tuple(_by_position(entropies)),
        unit,
    )


def _entropies(rows: WordWeights) -> NDArray[np.float64]:
    """[T]; NaN where a word has no weight."""
    sums = rows.sum(axis=1, keepdims=True, dtype=np.float64)
    shares = np.divide(rows, sums, out=np.full(rows.shape, np.nan), where=sums > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropies: NDArray[np.float64] = -(shares * logs).sum(axis=1)
    return entropies


def _mass_near_diagonal(rows: WordWeights) -> float:
    targets, sources = rows.shape[0], rows.shape[1] - 1
    if sources == 0:
        return 0.0
    centre = (np.arange(targets) + 0.5) * sources / targets - 0.5
    distance = np.abs(np.arange(sources) - centre[:, None])
    return float(rows[:, :-1][distance <= DIAGONAL_WORDS].sum())


def _gold_share(corpus: Sequence[WordWeights], gold: Sequence[GoldLinks]) -> float | None:
    hits = words = 0
    for matrix, links in zip(corpus, gold, strict=True):
        best = matrix.argmax(axis=1) if matrix.size else np.empty(0, int)
        right = {link.target for link in links.possible if link.target < len(best) - 1}
        words += len(right)
        hits += sum(
            any(link.source == best[target] for link in links.possible if link.target == target) for target in right
        )
    return hits / words if words else None


def _by_position(entropies: Sequence[NDArray[np.float64]]) -> list[PositionEntropy]:
    longest = max(len(each) for each in entropies)
    table = np.full((len(entropies), longest), np.nan)
    for row, each in zip(table, entropies, strict=True):
        row[: len(each)] = each
    counts = np.isfinite(table).sum(axis=0)
    sums = np.nansum(table, axis=0)
    return [
        PositionEntropy(position, int(count), float(total / count))
        for position, (count, total) in enumerate(zip(counts, sums, strict=True), 1)
        if count
    ]
