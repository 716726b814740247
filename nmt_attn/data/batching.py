"""Batches: which pairs go together, and the one place that pads. Lengths are tokens with `</s>`.

A plan is a list of arrays of row numbers, one a batch; every row is in it once. It is a pure function of the
lengths, the seed and the epoch, so training that was interrupted finds the rest of its epoch again.

A large corpus is shuffled as a stream: blocks of neighbouring rows in random order, `WINDOW_ROWS` of them at a time
shuffled row by row, sorted by length and cut. So reading stays inside a window of the mapped file, which the
operating system can keep in memory, where a plain shuffle would reach all over the disk.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nmt_attn.data.encoded import EncodedCorpus, Ids, Lengths
from nmt_attn.types import BOS, EOS, PAD, Batch

RowNumbers = NDArray[np.int32]
Plan = list[RowNumbers]

BLOCK_ROWS = 1 << 12
"""Rows that stay neighbours in the file when a large corpus is shuffled."""

WINDOW_ROWS = 1 << 20
"""Rows shuffled together; a corpus of no more is shuffled as a whole."""


class SourceBatch(NamedTuple):
    """Padded source sentences; each ends with `</s>`, which the lengths count."""

    src_ids: Tensor  # [B, S] int64
    src_lengths: Tensor  # [B] int64


class Sizes(NamedTuple):
    """Of some batches together."""

    sentences: int
    source_tokens: int
    target_tokens: int
    positions: int  # of both sides, padding included


def plan_epoch(
    source_lengths: Lengths,
    target_lengths: Lengths,
    *,
    batch_tokens: int,
    seed: int,
    epoch: int,
    short_first: bool = False,
) -> Plan:
    """The batches of one epoch, in random order; those in one batch are of nearly the same length.

    With `short_first` they go from short pairs to long ones instead, of a large corpus within each window: what Amodei
    et al. 2016 (arXiv 1512.02595), 3.2, call SortaGrad.

    The epoch (of a large corpus each window of it) is shuffled, sorted by the longer side (ties stay shuffled) and
    cut where sentences x longest side would exceed `batch_tokens`. A pair that exceeds it alone is a batch of its own.
    """
    rng = np.random.default_rng([seed, epoch])
    plan: Plan = []
    for order in _shuffled_windows(len(source_lengths), rng):
        longer = np.maximum(source_lengths[order], target_lengths[order])
        batches = _sort_and_cut(order, longer, batch_tokens)
        plan += batches if short_first else [batches[i] for i in rng.permutation(len(batches))]
    return plan


def plan_evaluation(source_lengths: Lengths, target_lengths: Lengths, *, batch_tokens: int) -> Plan:
    """The batches of one look at every pair, from short to long, without chance."""
    order = np.arange(len(source_lengths), dtype=np.int32)
    return _sort_and_cut(order, np.maximum(source_lengths, target_lengths), batch_tokens)


def padding_share(plan: Plan, source_lengths: Lengths, target_lengths: Lengths) -> float:
    """The share, from 0 to 1, of padding among all positions of both sides."""
    if not plan:
        return 0.0
    order = np.concatenate(plan)
    sizes = np.array([len(rows) for rows in plan])
    starts = np.cumsum(sizes) - sizes
    sides = [source_lengths[order], target_lengths[order]]
    positions = sum(int((np.maximum.reduceat(side, starts) * sizes).sum()) for side in sides)
    return 1 - sum(int(side.sum()) for side in sides) / positions


def total_sizes(batches: Sequence[Batch]) -> Sizes:
    """What the batches hold together."""
    return Sizes(
        sentences=sum(len(batch.src_ids) for batch in batches),
        source_tokens=sum(int(batch.src_lengths.sum()) for batch in batches),
        target_tokens=sum(int(batch.tgt_lengths.sum()) for batch in batches),
        positions=sum(batch.src_ids.numel() + batch.tgt_out.numel() for batch in batches),
    )


def batches(corpus: EncodedCorpus, plan: Sequence[RowNumbers]) -> Iterator[Batch]:
    """The batches of the plan, in its order."""
    for indices in plan:
        rows = corpus.rows(indices)
        batch = collate(rows.source, rows.target)
        yield batch if rows.links is None else batch._replace(guide=guide_of(rows.links, batch))


def collate(source_ids: Sequence[Sequence[int] | Ids], target_ids: Sequence[Sequence[int] | Ids]) -> Batch:
    """A padded batch of ids without `<s>` and `</s>`; adds both. Needs one pair at least."""
    assert len(source_ids) == len(target_ids), "as many sources as targets"
    source = collate_source(source_ids)
    tgt_lengths = torch.tensor([len(row) + 1 for row in target_ids])
    return Batch(
        src_ids=source.src_ids,
        src_lengths=source.src_lengths,
        tgt_in=_padded(target_ids, before=[BOS], after=[]),
        tgt_out=_padded(target_ids, before=[], after=[EOS]),
        tgt_lengths=tgt_lengths,
    )


def guide_of(links: Sequence[Ids], batch: Batch) -> Tensor:
    """Source and target positions of the links of each sentence -> [B, T, S]: of a target token's links, equal shares.

    Rows of tokens without a link, of `</s>` and of padding are 0.
    """
    guide = np.zeros((*batch.tgt_out.shape, batch.src_ids.shape[1]), np.float32)
    for row, positions in zip(guide, links, strict=True):
        row[positions[1::2], positions[::2]] = 1
    return torch.from_numpy(guide / np.maximum(guide.sum(-1, keepdims=True), 1))


def collate_source(source_ids: Sequence[Sequence[int] | Ids]) -> SourceBatch:
    """A padded batch of source sentences alone; adds `</s>`. Needs one sentence at least."""
    lengths = torch.tensor([len(row) + 1 for row in source_ids])
    return SourceBatch(_padded(source_ids, before=[], after=[EOS]), lengths)


def _padded(rows: Sequence[Sequence[int] | Ids], *, before: list[int], after: list[int]) -> Tensor:
    """[B, longest + 1] int64: each row between `before` and `after`, one of which holds one id."""
    padded = np.full((len(rows), max(len(row) for row in rows) + 1), PAD, np.int64)
    first = len(before)
    for line, row in zip(padded, rows, strict=True):
        line[:first] = before
        line[first : first + len(row)] = row
        line[first + len(row) : len(row) + 1] = after
    return torch.from_numpy(padded)


def _shuffled_windows(rows: int, rng: np.random.Generator) -> Iterator[RowNumbers]:
    """Every row number once, in random order within each window, the windows made of random blocks."""
    if rows <= WINDOW_ROWS:
        yield rng.permutation(np.arange(rows, dtype=np.int32))
        return
    starts = rng.permutation(np.arange(0, rows, BLOCK_ROWS, dtype=np.int32))
    for chosen in np.split(starts, range(WINDOW_ROWS // BLOCK_ROWS, len(starts), WINDOW_ROWS // BLOCK_ROWS)):
        neighbours = chosen[:, None] + np.arange(BLOCK_ROWS, dtype=np.int32)
        yield rng.permutation(neighbours[neighbours < rows])


def _sort_and_cut(order: RowNumbers, longer: Lengths, batch_tokens: int) -> Plan:
    """`longer[i]`: the longer side of row `order[i]`."""
    by_length = np.argsort(longer, kind="stable")
    order, ascending = order[by_length], longer[by_length]
    plan: Plan = []
    start = 0
    while start < len(order):
        most = max(batch_tokens // int(ascending[start]), 1)
        window = ascending[start : start + most]
        fitting = int(np.count_nonzero(np.arange(1, len(window) + 1) * window <= batch_tokens))
        stop = start + max(fitting, 1)
        plan.append(order[start:stop])
        start = stop
    return plan
