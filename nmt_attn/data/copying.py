"""Rows of copying: which target row each source token holds, and which row a target token is, by their spelling.

Rows are ids of the target vocabulary of V tokens, and V + j for the token that first stands at position j of the source
(nmt_attn/model/copying.py).
"""

from collections.abc import Iterable, Sequence

from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.types import UNK


def source_rows(tokens: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """The row of each source token; `vocabulary` is the target's."""
    return target_rows(tokens, tokens, vocabulary)


def target_rows(tokens: Iterable[str], source: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """The row of each target token: `<unk>` for one that is neither in the vocabulary nor in the source."""
    places = {token: len(vocabulary) + place for place, token in reversed(list(enumerate(source)))}
    tokens = list(tokens)
    known = vocabulary.ids_of(tokens)
    return [places.get(token, UNK) if i == UNK else i for i, token in zip(known, tokens, strict=True)]


def spelled(rows: Iterable[int], source: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """The token of each row."""
    if not source:  # none are copied
        return vocabulary.tokens_of(rows)
    size = len(vocabulary)
    return [vocabulary.tokens[row] if row < size else source[row - size] for row in rows]
