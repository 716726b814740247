"""Tags in a text: symbols of their own beside the pieces of another tokenizer.

    hablar ⟦V⟧ ⟦PST⟧   ->   h a b l a r ⟦V⟧ ⟦PST⟧        (kind: char)

How a tag is written, and why no other text is one: nmt_attn/data/columns.py.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from nmt_attn.data.columns import LABEL, TAG
from nmt_attn.data.subwords import SubwordSampling
from nmt_attn.data.tokenizer import Tokenizer


class DefaultTags(NamedTuple):
    """What a text without any tag is given."""

    before: str = ""
    after: str = ""


class Tagged(Tokenizer):
    """Another tokenizer for the text between the tags. A tag is a word and a piece; its case and form are kept."""

    def __init__(self, inner: Tokenizer, default: DefaultTags) -> None:
        super().__init__(inner.text, inner.model)
        self.inner = inner
        self.default = default
        self.has_model = inner.has_model
        self.tokens = inner.tokens

    def words(self, text: str) -> list[str]:
        return [word for part, is_tag in self._parts(text) for word in ([part] if is_tag else self.inner.words(part))]

    def join_words(self, words: Sequence[str]) -> str:
        return " ".join(
            " ".join(run) if is_tag else self.inner.join_words(list(run)) for is_tag, run in groupby(words, _is_tag)
        )

    def encode(self, text: str) -> list[str]:
        parts = self._parts(text)
        return [piece for part, is_tag in parts for piece in ([part] if is_tag else self.inner.encode(part))]

    def sample(self, text: str, sampling: SubwordSampling, seed: int) -> list[str]:
        parts = enumerate(self._parts(text))
        drawn = [
            [part] if is_tag else self.inner.sample(part, sampling, seed + number) for number, (part, is_tag) in parts
        ]
        return [piece for part in drawn for piece in part]

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

    def plain(self, text: str) -> str:
        return " ".join(part if is_tag else self.inner.plain(part) for part, is_tag in _runs(text.split()))

    def fault(self, text: str) -> str | None:
        parts = (part for part, is_tag in _runs(text.split()) if not is_tag)
        return next(filter(None, map(self.inner.fault, parts)), None)

    def _parts(self, text: str) -> Iterator[tuple[str, bool]]:
        """Tags, and the texts between them."""
        words = text.split()
        before, after = (self._missing(side, words) for side in self.default)
        yield from ((tag, True) for tag in before)
        yield from _runs(words)
        yield from ((tag, True) for tag in after)

    @staticmethod
    def _missing(default: str, words: Sequence[str]) -> list[str]:
        """The default tags of a text of these words: a label where it has none, others where it has no other."""
        kinds = {_is_label(word) for word in words if _is_tag(word)}
        return [tag for tag in default.split() if words and _is_label(tag) not in kinds]


def _runs(words: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Tags, and the texts between them, as they stand in the words."""
    for is_tag, run in groupby(words, _is_tag):
        if is_tag:
            yield from ((tag, True) for tag in run)
        else:
            yield " ".join(run), False


def untagged(lines: Iterable[str], tags: set[str]) -> Iterator[str]:
    """The lines without their tags, which are added to `tags`."""
    for line in lines:
        words = line.split()
        tags.update(filter(_is_tag, words))
        yield " ".join(word for word in words if not _is_tag(word))


def _is_label(word: str) -> bool:
    return LABEL.fullmatch(word) is not None


def _is_tag(word: str) -> bool:
    return TAG.fullmatch(word) is not None
