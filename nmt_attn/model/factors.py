"""Factored embedding: the vector of a source word beside, or plus, a vector of each of its factors.

    x_j = [E_0 w_j ; E_1 f_1j ; E_2 f_2j ...]       Sennrich and Haddow 2016 (arXiv 1606.02892), eq. 5: concatenated
    x_j =  E_0 w_j + E_1 f_1j + E_2 f_2j ...        summed, where the vectors have one size

How an id holds a word and its factors: nmt_attn/data/factors.py.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nmt_attn.types import PAD


def factor_module(name: str) -> str:
    """Where the matrix of a factor is in the model."""
    return f"source_embedding.{name}_factor"


class FactoredEmbedding(nn.Embedding):
    """`weight` [W, E] has the words; each factor has a matrix of its own, `NAME_factor.weight` [F_k, its size].

    The row of `<pad>`, which is that of a word without factors, is 0.
    """

    def __init__(self, words: int, size: int, factors: Mapping[str, int], sizes: Sequence[int] | None) -> None:
        """`factors`: how many values each has; `sizes` of their vectors, or None: summed, all of the word's size."""
        super().__init__(words, size, padding_idx=PAD)
        self.is_sum = sizes is None
        self.factor_sizes = dict(factors)
        for name, own in zip(factors, [size] * len(factors) if sizes is None else sizes, strict=True):
            self.add_module(factor_module(name).rpartition(".")[2], nn.Embedding(factors[name], own, padding_idx=PAD))

    def forward(self, ids: Tensor) -> Tensor:
        """ids [B, S] int64 -> [B, S, E], or with the sizes of the factors added to E."""
        vectors, rest = [super().forward(ids % self.num_embeddings)], ids // self.num_embeddings
        for embedding in self.children():
            assert isinstance(embedding, nn.Embedding)
            vectors.append(embedding(rest % embedding.num_embeddings))
            rest = rest // embedding.num_embeddings
        return torch.stack(vectors).sum(0) if self.is_sum else torch.cat(vectors, -1)
