"""Most likely alignments of what search has found with a hard model: one more pass over the finished translations.

While search goes on, the weights of a step are those before its word is known; the alignment of a whole translation
depends on all of its words.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt_attn.data.batching import collate
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.search.backpointers import Hypothesis


def with_best_alignments(
    model: HardSeq2Seq, sources: Sequence[list[int]], found: Sequence[Sequence[Hypothesis]]
) -> list[list[Hypothesis]]:
    """The hypotheses of each source (ids without `</s>`), with 1 at the position that each word is aligned with."""
    device = model.output.weight.device
    pairs = [(source, list(each.ids)) for source, one in zip(sources, found, strict=True) for each in one]
    if not pairs:
        return [list(one) for one in found]
    batch = collate([source for source, _ in pairs], [target for _, target in pairs]).to(device)
    weights = iter(model.score_target(batch)[1].dense().cpu())
    return [[each._replace(weights=_rows(next(weights), each)) for each in one] for one in found]


def _rows(weights: Tensor, hypothesis: Hypothesis) -> Tensor:
    return torch.narrow(weights, 0, 0, len(hypothesis.ids) + 1).clone()
