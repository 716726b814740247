"""Weights: the attention between the words of a sentence pair, and the links that follow from it.

    argmax       each target word j with the source word i of the greatest weight
    threshold    all pairs (i, j) whose weight reaches the threshold

The last row and the last column are those of `</s>`, which has no links. This module is the only one that writes
`</s>` after words (`with_eos`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.links import Link

if TYPE_CHECKING:
    from torch import Tensor

EosPolicy = Literal["kept", "dropped"]


class WeightMatrix(NamedTuple):
    """Weights as they are drawn and written: one word for each column and each row."""

    source: list[str]
    target: list[str]
    weights: NDArray[np.float32]  # [target, source], 0-1
    copied: NDArray[np.float32] | None = None  # [target], of a model that copies


class WordAlignment(NamedTuple):
    """The weights between the words of one sentence pair. An empty source line, which no model reads, has [0, 0]."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: "Tensor"  # [target words + 1, source words + 1], `</s>` last
    copied: "Tensor | None" = None  # [target words + 1], the share of each word that was copied, of a model that copies

    def array(self) -> NDArray[np.float32]:
        """The weights on the CPU, [target words + 1, source words + 1]."""
        array: NDArray[np.float32] = self.weights.float().numpy(force=True)
        return array

    def matrix(self, eos: EosPolicy = "kept") -> WeightMatrix:
        """With or without `</s>`. Rows are not rescaled where it is dropped."""
        weights = self.array()
        copied = None if self.copied is None else self.copied.float().numpy(force=True)
        if eos == "dropped" or not weights.size:
            weights = weights[: len(self.target), : len(self.source)]
            copied = None if copied is None else copied[: len(self.target)]
            return WeightMatrix(list(self.source), list(self.target), weights, copied)
        return WeightMatrix(with_eos(self.source), with_eos(self.target), weights, copied)


def with_eos(words: Sequence[str]) -> list[str]:
    """The words, or tokens, and `</s>`."""
    from nmt_attn.types import EOS, SPECIAL_TOKENS  # imports torch, which files of links do without

    return [*words, SPECIAL_TOKENS[EOS]]


def extract_links(alignment: WordAlignment, threshold: float | None) -> list[Link]:
    """The links by target position: `argmax_links` without a threshold, else `threshold_links`."""
    return argmax_links(alignment) if threshold is None else threshold_links(alignment, threshold)


def argmax_links(alignment: WordAlignment) -> list[Link]:
    """Each target word with the source word of the greatest weight.

    Of equal weights the first counts. No link goes to `</s>` or to a weight of 0.
    """
    if not alignment.target:
        return []
    weights = alignment.array()[:-1]  # [target words, source words + 1]
    best = weights.argmax(axis=1)
    return [Link(int(i), j) for j, i in enumerate(best) if i < len(alignment.source) and weights[j, i] > 0]


def threshold_links(alignment: WordAlignment, threshold: float) -> list[Link]:
    """Every pair of words whose weight is at least `threshold`; `</s>` has no links."""
    rows, columns = np.nonzero(alignment.array()[:-1, :-1] >= threshold)
    return [Link(i, j) for i, j in zip(columns.tolist(), rows.tolist(), strict=True)]
