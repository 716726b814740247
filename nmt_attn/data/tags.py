"""Tags in a text: symbols of their own beside the pieces of another tokenizer.

    hablar ⟦V⟧ ⟦PST⟧   ->   h a b l a r ⟦V⟧ ⟦PST⟧        (kind: char)

How a tag is written, and why no other text is one: nmt_attn/data/columns.py.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from nmt_attn.data.columns import TAG
from nmt_attn.data.tokenizer import Tokenizer


class DefaultTags(NamedTuple):
    """What a text without any tag is given."""

    before: str = ""
    after: str = ""


class Tagged(Tokenizer):
    """Another tokenizer for the text between the tags. A tag is a word and a piece; its case and form are kept."""

    def __init__(self, inner: Tokenizer, default: DefaultTags) -> None:
        super().__init__(inner.text)
        self.inner = inner
        self.default = default

    def words(self, text: str) -> list[str]:
        return [word for part, is_tag in self._parts(text) for word in ([part] if is_tag else self.inner.words(part))]

    def join_words(self, words: Sequence[str]) -> str:
        return " ".join(
            " ".join(run) if is_tag else self.inner.join_words(list(run)) for is_tag, run in groupby(words, _is_tag)
        )

    def encode(self, text: str) -> list[str]:
        parts = self._parts(text)
        return [piece for part, is_tag in parts for piece in ([part] if is_tag else self.inner.encode(part))]

    def decode(self, pieces: Sequence[str]) -> str:
        return " ".join(
            " ".join(run) if is_tag else self.inner.decode(list(run)) for is_tag, run in groupby(pieces, _is_tag)
        )

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        indices: list[int] = []
        for is_tag, run in groupby(pieces, _is_tag):
            found = list(run)
            own = list(range(len(found))) if is_tag else self.inner.word_indices(found)
            first = indices[-1] + 1 if indices else 0
            indices += [first + index for index in own]
        return indices

    def begins_word(self, piece: str) -> bool:
        return _is_tag(piece) or self.inner.begins_word(piece)

    def _parts(self, text: str) -> Iterator[tuple[str, bool]]:
        """Tags, and the texts between them."""
        words = text.split()
        if words and not any(map(_is_tag, words)):
            yield from ((tag, True) for tag in self.default.before.split())
            yield text, False
            yield from ((tag, True) for tag in self.default.after.split())
            return
        for is_tag, run in groupby(words, _is_tag):
            if is_tag:
                yield from ((tag, True) for tag in run)
            else:
                yield " ".join(run), False


def _is_tag(word: str) -> bool:
    return TAG.fullmatch(word) is not None
