"""Records that several packages share, the letters of shapes, and the one function that makes masks.

    B  sentences in the batch       E  embedding                                A  inside a score
    S  source length                H  decoder state                            V  target vocabulary
    T  target length                M  encoder state, both directions together  K, L  beam width, layers

Batch is axis 0 everywhere, recurrent states included: one [B, H] per layer.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

State = TypeVar("State")

PAD, UNK, BOS, EOS = 0, 1, 2, 3
"""Ids of the four special tokens; the same in every vocabulary."""

SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>")
"""Their spelling, in the order of their ids."""


class SentencePair(NamedTuple):
    """One line of a parallel corpus, as text."""

    source: str
    target: str


class Batch(NamedTuple):
    """Padded sentence pairs. Both sides end with `</s>`, which the lengths count.

    tgt_in holds `<s> y_1 ... y_n`, tgt_out holds `y_1 ... y_n </s>`.
    """

    src_ids: Tensor  # [B, S] int64
    src_lengths: Tensor  # [B] int64
    tgt_in: Tensor  # [B, T] int64
    tgt_out: Tensor  # [B, T] int64
    tgt_lengths: Tensor  # [B] int64
    alignment: Tensor | None = None  # [B, T, S], given weights; a row sums to 1, or to 0 for a word without links
    copy_rows: Tensor | None = None  # [B, S] int64, the target row of each source token, where words are copied

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`."""
        return self._changed(lambda part: part.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """The same batch in pinned memory, so that `to` copies it to a GPU asynchronously."""
        return self._changed(Tensor.pin_memory)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        own = (None if part is None else change(part) for part in (self.alignment, self.copy_rows))
        return Batch(*map(change, self[:5]), *own)


class StepOutput(NamedTuple, Generic[State]):
    """One decoding step of N = B x K hypotheses, those of one sentence adjacent."""

    log_probs: Tensor  # [N, V]
    weights: Tensor  # [N, S], attention weights of this step
    state: State


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """mask [B, size] bool, True = real token, from lengths [B]. All masks are made here."""
    positions = torch.arange(size, device=lengths.device)
    return positions < lengths.unsqueeze(1)
