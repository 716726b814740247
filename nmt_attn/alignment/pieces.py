"""Pieces: alignments of words from those of the pieces that they are cut into, and the other way round.

The weight between two words is the sum over the pieces of the source word and the mean over the pieces of the target
word: a row that sums to 1 still does.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.alignment.weights import WordAlignment


class Words(NamedTuple):
    """The words of one side, and the word (a position in `words`) of each of its pieces."""

    words: tuple[str, ...]
    word_indices: Sequence[int]


EMPTY = WordAlignment((), (), torch.empty(0, 0))
"""That of an empty source line."""


def merge_pieces(weights: Tensor, source: Words, target: Words, copied: Tensor | None = None) -> WordAlignment:
    """weights [target pieces + 1, source pieces + 1], `</s>` last on both sides -> weights between words.

    So is `copied` [target pieces + 1], the share of each piece that was copied.
    """
    source_words, target_words = len(source.words), len(target.words)
    columns, column_indices = _pieces_of_words(source)
    rows, row_indices = _pieces_of_words(target)
    by_source = weights.new_zeros(len(weights), source_words + 1)
    by_source.index_add_(1, column_indices, weights[:, columns])  # [target pieces + 1, source words + 1]
    merged = weights.new_zeros(target_words + 1, source_words + 1)
    merged.index_add_(0, row_indices, by_source[rows])
    pieces = torch.bincount(row_indices, minlength=target_words + 1).clamp(min=1)
    if copied is not None:
        copied = copied.new_zeros(target_words + 1).index_add_(0, row_indices, copied[rows]) / pieces
    return WordAlignment(source.words, target.words, merged / pieces.unsqueeze(1), copied)


def link_pieces(
    links: Iterable[tuple[int, int]], source_words: Sequence[int], target_words: Sequence[int]
) -> list[tuple[int, int]]:
    """Links of words -> sorted positions of linked pieces, every piece of one word with every piece of the other.

    `source_words[i]` is the word that source piece i belongs to; the same for the target.
    """
    sources, targets = _pieces_by_word(source_words), _pieces_by_word(target_words)
    return sorted({(i, j) for s, t in links for i in sources.get(s, ()) for j in targets.get(t, ())})


def _pieces_of_words(side: Words) -> tuple[Tensor, Tensor]:
    """Positions of the pieces that belong to a word, `</s>` last, and the words that they belong to."""
    pairs = [(piece, word) for piece, word in enumerate(side.word_indices) if word < len(side.words)]
    pairs.append((len(side.word_indices), len(side.words)))
    return torch.tensor([piece for piece, _ in pairs]), torch.tensor([word for _, word in pairs])


def _pieces_by_word(words: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for piece, word in enumerate(words):
        found.setdefault(word, []).append(piece)
    return found
