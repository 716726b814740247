"""Buckets: batches padded up to few shapes, so that what is prepared for one shape serves many batches.

Added positions are padding as any other; added sentences are an empty source and no target. Neither has a part in loss
or gradient (tests/fast/test_graphs.py).
"""

from typing import NamedTuple

from torch.nn.functional import pad

from nmt_attn.types import EOS, PAD, Batch

SENTENCES, POSITIONS = 8, 4
"""Of what the sizes of a shape are multiples."""


class Shape(NamedTuple):
    """Sizes of a batch."""

    sentences: int  # B
    source: int  # S
    target: int  # T


def shape_of(batch: Batch) -> Shape:
    """As it is."""
    return Shape(len(batch.src_ids), batch.src_ids.shape[1], batch.tgt_out.shape[1])


def in_bucket(batch: Batch) -> Batch:
    """The batch, on the CPU and without a guide, padded up to the next shape whose sizes are such multiples."""
    assert batch.guide is None, "given weights are not padded"
    shape = shape_of(batch)
    rows = -shape.sentences % SENTENCES
    source, target = -shape.source % POSITIONS, -shape.target % POSITIONS
    src_ids = pad(batch.src_ids, (0, source, 0, rows), value=PAD)
    src_ids[shape.sentences :, 0] = EOS
    return Batch(
        src_ids=src_ids,
        src_lengths=pad(batch.src_lengths, (0, rows), value=1),
        tgt_in=pad(batch.tgt_in, (0, target, 0, rows), value=PAD),
        tgt_out=pad(batch.tgt_out, (0, target, 0, rows), value=PAD),
        tgt_lengths=pad(batch.tgt_lengths, (0, rows), value=0),
    )
