"""Batches: how pairs are grouped and padded. Lengths are tokens with `</s>`.

A plan is a list of arrays of row numbers, one per batch; every row occurs once. It is a pure function of the lengths,
the seed and the epoch, so a resumed run continues its epoch where it stopped.

A large corpus is shuffled in windows: blocks of adjacent rows are put in random order, then `WINDOW_ROWS` rows at a
time are shuffled, sorted by length and split into batches. Reads stay within a window of the mapped file that the
operating system can keep in memory; a full shuffle would read from all over the disk.

`pad_to_bucket` pads batches to few distinct shapes, so that what was compiled or captured for one shape serves many
batches. Added positions are ordinary padding; added sentences have an empty source and no target. Neither affects loss
or gradient (tests/fast/test_graphs.py).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from nmt_attn.data.encoded import EncodedCorpus, Ids, Lengths
from nmt_attn.types import BOS, EOS, PAD, Batch

RowNumbers = NDArray[np.int32]
Plan = list[RowNumbers]
ManyIds = Sequence[Sequence[int] | Ids]

BLOCK_ROWS = 1 << 12
"""Rows that stay adjacent when a large corpus is shuffled."""

WINDOW_ROWS = 1 << 20
"""Rows shuffled together; a smaller corpus is shuffled as a whole."""


SENTENCES_MULTIPLE, POSITIONS_MULTIPLE = 8, 4
"""`pad_to_bucket` rounds the sizes of a batch up to multiples of these."""


class SourceBatch(NamedTuple):
    """Padded source sentences; each ends with `</s>`, which the lengths count."""

    src_ids: Tensor  # [B, S] int64
    src_lengths: Tensor  # [B] int64
    copy_rows: Tensor | None = None  # [B, S] int64, the target row of each token, where words are copied

    def to(self, device: torch.device) -> "SourceBatch":
        """The same on `device`."""
        rows = None if self.copy_rows is None else self.copy_rows.to(device)
        return SourceBatch(self.src_ids.to(device), self.src_lengths.to(device), rows)


class Shape(NamedTuple):
    """Sizes of a batch."""

    sentences: int  # B
    source: int  # S
    target: int  # T


class Sizes(NamedTuple):
    """Totals over several batches."""

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
    """The batches of one epoch, in random order; the sentences of a batch have similar lengths.

    With `short_first` they go from short pairs to long ones (for a large corpus, within each window): SortaGrad of
    Amodei et al. 2016 (arXiv 1512.02595), 3.2.

    The epoch (for a large corpus, each window) is shuffled, sorted by the longer side (ties stay shuffled) and split
    where sentences x longest side would exceed `batch_tokens`. A pair that exceeds it alone is a batch of its own.
    """
    rng = np.random.default_rng([seed, epoch])
    plan: Plan = []
    for order in _shuffled_windows(len(source_lengths), rng):
        longer = np.maximum(source_lengths[order], target_lengths[order])
        batches = _sort_and_cut(order, longer, batch_tokens)
        plan += batches if short_first else [batches[i] for i in rng.permutation(len(batches))]
    return plan


def plan_evaluation(source_lengths: Lengths, target_lengths: Lengths, *, batch_tokens: int) -> Plan:
    """Batches of every pair once, from short to long, without randomness."""
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
    """The total sizes of the batches."""
    return Sizes(
        sentences=sum(len(batch.src_ids) for batch in batches),
        source_tokens=sum(int(batch.src_lengths.sum()) for batch in batches),
        target_tokens=sum(int(batch.tgt_lengths.sum()) for batch in batches),
        positions=sum(batch.src_ids.numel() + batch.tgt_out.numel() for batch in batches),
    )


def batches(corpus: EncodedCorpus, plan: Sequence[RowNumbers]) -> Iterator[Batch]:
    """The padded batches of the plan, in order."""
    for indices in plan:
        rows = corpus.rows(indices)
        batch = collate(rows.source, rows.target, rows.rows)
        yield batch if rows.links is None else batch._replace(alignment=alignment_weights(rows.links, batch))


def collate(source_ids: ManyIds, target_ids: ManyIds, copy_rows: ManyIds | None = None) -> Batch:
    """A padded batch from ids without `<s>` and `</s>`, which are added. Needs at least one pair."""
    assert len(source_ids) == len(target_ids), "as many sources as targets"
    source = collate_source(source_ids, copy_rows)
    tgt_lengths = torch.tensor([len(row) + 1 for row in target_ids])
    return Batch(
        src_ids=source.src_ids,
        src_lengths=source.src_lengths,
        tgt_in=_padded(target_ids, before=[BOS], after=[]),
        tgt_out=_padded(target_ids, before=[], after=[EOS]),
        tgt_lengths=tgt_lengths,
        copy_rows=source.copy_rows,
    )


def alignment_weights(links: Sequence[Ids], batch: Batch) -> Tensor:
    """Links of each sentence -> weights [B, T, S]: equal shares among the source tokens linked to a target token.

    `links[b]` is source and target position of the first link, of the second, and so on. Rows of tokens without
    links, of `</s>` and of padding are 0.
    """
    weights = np.zeros((*batch.tgt_out.shape, batch.src_ids.shape[1]), np.float32)
    for row, positions in zip(weights, links, strict=True):
        row[positions[1::2], positions[::2]] = 1
    return torch.from_numpy(weights / np.maximum(weights.sum(-1, keepdims=True), 1))


def collate_source(source_ids: ManyIds, copy_rows: ManyIds | None = None) -> SourceBatch:
    """A padded batch of source sentences; adds `</s>`. Needs at least one sentence."""
    lengths = torch.tensor([len(row) + 1 for row in source_ids])
    rows = None if copy_rows is None else _padded(copy_rows, before=[], after=[EOS])
    return SourceBatch(_padded(source_ids, before=[], after=[EOS]), lengths, rows)


def shape_of(batch: Batch) -> Shape:
    """The sizes of the padded batch."""
    return Shape(len(batch.src_ids), batch.src_ids.shape[1], batch.tgt_out.shape[1])


def pad_to_bucket(batch: Batch) -> Batch:
    """The batch padded to the next multiples of SENTENCES_MULTIPLE and POSITIONS_MULTIPLE. On the CPU, ids alone."""
    assert batch.alignment is None and batch.copy_rows is None, "neither alignments nor rows are padded"
    shape = shape_of(batch)
    rows = -shape.sentences % SENTENCES_MULTIPLE
    source, target = -shape.source % POSITIONS_MULTIPLE, -shape.target % POSITIONS_MULTIPLE
    src_ids = pad(batch.src_ids, (0, source, 0, rows), value=PAD)
    src_ids[shape.sentences :, 0] = EOS
    return Batch(
        src_ids=src_ids,
        src_lengths=pad(batch.src_lengths, (0, rows), value=1),
        tgt_in=pad(batch.tgt_in, (0, target, 0, rows), value=PAD),
        tgt_out=pad(batch.tgt_out, (0, target, 0, rows), value=PAD),
        tgt_lengths=pad(batch.tgt_lengths, (0, rows), value=0),
    )


def _padded(rows: ManyIds, *, before: list[int], after: list[int]) -> Tensor:
    """[B, longest + 1] int64: each row between `before` and `after`, one of which is a single id."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    longest = int(lengths.max())
    padded = np.full((len(rows), longest + 1), PAD, np.int64)
    padded[:, len(before) : len(before) + longest][np.arange(longest) < lengths[:, None]] = np.concatenate(rows)
    padded[:, : len(before)] = before
    if after:
        padded[np.arange(len(rows)), lengths] = after
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
