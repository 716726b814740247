"""Records of the model and how rows are taken from them.

`Memory` is the encoded source: computed once per sentence, passed as a value, never stored on a module.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

Record = TypeVar("Record")


class CellState(NamedTuple):
    """State of one recurrent layer."""

    hidden: Tensor  # [N, H]
    cell: Tensor | None  # [N, H], LSTM only


class Memory(NamedTuple):
    """The encoded source."""

    encoder_states: Tensor  # [B, S, M]
    keys: Tensor  # [B, S, A], the score's projection of the encoder states
    mask: Tensor  # [B, S] bool, True = can be attended to
    lengths: Tensor  # [B] int64, how many positions can be attended to
    source_lengths: Tensor  # [B] int64, `</s>` counted
    read_lengths: Tensor  # [B] int64, how many positions the encoder read
    final_hidden: tuple[Tensor, ...]  # per encoder layer [B, M]; directions concatenated, forward first
    final_cell: tuple[Tensor, ...]  # likewise, LSTM only
    coverage_read: Tensor | None = None  # [B, S, ..], what coverage needs of the encoder states
    copy_rows: Tensor | None = None  # [B, S] int64, the target row of each position (nmt_attn/model/copying.py)


class AlignmentState(NamedTuple):
    """What hard attention knows of the step before: p(a_t = j) and p(word | a_t = j), as logarithms."""

    prior: Tensor  # [N, S]
    emissions: Tensor  # [N, S, V]

    def posterior(self, word_ids: Tensor) -> Tensor:
        """log p(a_t = j | the word) [N, S] once the words [N] int64 of that step are known."""
        of_word = self.emissions.gather(2, word_ids[:, None, None].expand(-1, self.prior.shape[1], -1)).squeeze(2)
        return (self.prior + of_word).log_softmax(1)


class DecoderState(NamedTuple):
    """What the decoder carries from step to step. N = B x K rows, the K of one sentence adjacent."""

    layers: tuple[CellState, ...]  # bottom first
    feed: Tensor  # [N, F], what input feeding brings along; F = 0 without it
    position: Tensor  # [N] int64, index of the next target position, from 0
    coverage: Tensor | None = None  # [N, S, d], where the score sees it
    alignment: AlignmentState | None = None  # hard attention


class Weights(NamedTuple):
    """Attention weights; a local window keeps only the positions that it saw."""

    values: Tensor  # [B, T, W]
    positions: Tensor | None  # [B, T, W] int64, None where W = S and position w is column w
    source_length: int  # S
    coverage: Tensor | None = None  # [N, S, d] after the look, of a single step
    gate: Tensor | None = None  # [B, T], or [N] of a single step: how far copying generates

    def dense(self) -> Tensor:
        """weights [B, T, S], zero outside the window."""
        if self.positions is None:
            return self.values
        full = self.values.new_zeros(*self.values.shape[:2], self.source_length)
        return full.scatter_add(2, self.positions, self.values)


def select_rows(record: Record, rows: Tensor) -> Record:
    """`record` with rows [R] int64 of axis 0 of every tensor in it, in that order; rows may repeat."""
    return changed(record, lambda part: part.index_select(0, rows))


def changed(record: Record, change: Callable[[Tensor], Tensor]) -> Record:
    """`record` with `change` of every tensor in it."""
    return _changed(record, change)


def _changed(record: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(record, Tensor):
        return change(record)
    if isinstance(record, tuple):
        parts = [_changed(part, change) for part in record]
        return type(record)(*parts) if hasattr(record, "_fields") else tuple(parts)
    return record


def gather_last(states: Tensor, lengths: Tensor) -> Tensor:
    """states [B, S, H], lengths [B] -> the state at each sentence's last position [B, H]."""
    rows = torch.arange(states.shape[0], device=states.device)
    return states[rows, lengths - 1]
