"""Word maps: what a decoder's maps make of the last word alone, worked out once for each word that search meets.

A decoder sees a word by W y (its gates) and perhaps V_o y (its readout), with y the word's vector. A packed model keeps
both, side by side, instead of multiplying them again at every step. Nothing is computed before it is asked for, and
memory is touched for words that have been seen alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MOST_NUMBERS = 1 << 25
"""Numbers that may be kept for all words together: 128 MiB."""


class WordMaps(nn.Module):
    """Stands for an embedding [V, E]: ids -> the outputs of `maps`, side by side."""

    def __init__(self, embedding: nn.Embedding, maps: Sequence[nn.Module], size: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.maps = nn.ModuleList(maps)
        self.rows = torch.empty(embedding.num_embeddings, size)
        self.is_known = torch.zeros(embedding.num_embeddings, dtype=torch.bool)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [...] int64 -> [..., sum of the maps' sizes]."""
        is_known = self.is_known[ids]
        if not bool(is_known.all()):
            self._work_out(ids[~is_known].unique())
        return nn.functional.embedding(ids, self.rows)

    def _work_out(self, ids: Tensor) -> None:
        vectors = self.embedding(ids)
        self.rows[ids] = torch.cat([each(vectors) for each in self.maps], -1)
        self.is_known[ids] = True


class Columns(nn.Module):
    """Stands for one of the maps: its part of what `WordMaps` gives."""

    def __init__(self, first: int, size: int) -> None:
        super().__init__()
        self.first = first
        self.size = size

    def forward(self, rows: Tensor) -> Tensor:
        """[..., all maps] -> [..., size]."""
        return rows.narrow(-1, self.first, self.size)
