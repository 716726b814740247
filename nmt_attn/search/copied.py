"""Copying in search: the source with the target rows of its tokens, and the share of each word that was copied.

The shares are 1 - p_gen of each step, read by one more pass over the finished translations.
"""

from collections.abc import Sequence

from nmt_attn.data.batching import SourceBatch, collate, collate_source
from nmt_attn.model.copying import CopyingSeq2Seq, shares
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.translation import Sentence


def source_batch(sentences: Sequence[Sentence]) -> SourceBatch:
    """Padded, on the CPU."""
    rows = [sentence.rows for sentence in sentences if sentence.rows is not None]
    return collate_source([sentence.ids for sentence in sentences], rows or None)


def with_copied_shares(
    model: CopyingSeq2Seq, sentences: Sequence[Sentence], found: Sequence[Sequence[Hypothesis]]
) -> list[list[Hypothesis]]:
    """The hypotheses of each sentence, with `copied`."""
    pairs = [(sentence, each) for sentence, one in zip(sentences, found, strict=True) for each in one]
    if not pairs:
        return [list(one) for one in found]
    sources, rows = [sentence.ids for sentence, _ in pairs], [sentence.rows or [] for sentence, _ in pairs]
    batch = collate(sources, [each.ids for _, each in pairs], rows).to(model.output.weight.device)
    copied = iter(shares(model(batch)[1])[1].exp().cpu())
    return [[each._replace(copied=next(copied)[: len(each.ids) + 1].clone()) for each in one] for one in found]
