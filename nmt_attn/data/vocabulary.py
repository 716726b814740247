"""Vocabulary: tokens and their ids. Ids 0 to 3 are the special tokens of nmt_attn/types.py, in every vocabulary."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from nmt_attn.errors import CheckpointError
from nmt_attn.files import replacing_text, shown
from nmt_attn.text_io import read_lines
from nmt_attn.types import SPECIAL_TOKENS, UNK


class Vocabulary:
    """Tokens by id and ids by token. Text that spells a special token, such as `</s>`, is unknown."""

    factors: tuple["Vocabulary", ...] = ()
    """The values of each factor of a word (nmt_attn/data/factors.py)."""

    def __init__(self, tokens: Sequence[str]) -> None:
        assert tuple(tokens[: len(SPECIAL_TOKENS)]) == SPECIAL_TOKENS, "a vocabulary begins with the special tokens"
        self.tokens = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(tokens) if i >= len(SPECIAL_TOKENS)}

    @classmethod
    def learn(cls, texts: Iterable[Iterable[str]], *, size: int, min_frequency: int) -> "Vocabulary":
        """The most frequent tokens of tokenised texts, ties by code point; `size` counts the special ones."""
        counts = Counter(chain.from_iterable(texts))
        for token in SPECIAL_TOKENS:
            counts.pop(token, None)
        frequent = [token for token, count in counts.items() if count >= min_frequency]
        frequent.sort(key=lambda token: (-counts[token], token))
        return cls([*SPECIAL_TOKENS, *frequent[: size - len(SPECIAL_TOKENS)]])

    def __len__(self) -> int:
        return len(self.tokens)

    def ids_of(self, tokens: Iterable[str]) -> list[int]:
        """The id of each token; that of `<unk>` for tokens outside the vocabulary."""
        get = self._ids.get
        return [get(token, UNK) for token in tokens]

    def tokens_of(self, ids: Iterable[int]) -> list[str]:
        """The spelling of each id, special tokens included."""
        return [self.tokens[i] for i in ids]

    @property
    def factor_sizes(self) -> dict[str, int]:
        """How many values each factor has, by its name."""
        return {}

    def count_unknown(self, ids: Sequence[int]) -> int:
        """How many of them are `<unk>`."""
        return ids.count(UNK)

    def word_id(self, number: int) -> int:
        """The id of the word alone."""
        return number

    def unknown_values(self, token: str) -> list[str]:
        """The factors of a token whose values are outside the vocabulary, such as `pos VERB`."""
        return []

    def save(self, path: Path) -> None:
        """Writes one token per line; the id is the line number, from 0. Raises DataError."""
        with replacing_text(path) as stream:
            stream.writelines(f"{token}\n" for token in self.tokens)

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Loads what `save` wrote. Raises DataError if it cannot be read, CheckpointError if it is not a vocabulary."""
        tokens = read_lines(path, keeps_ends=True)  # a token may end with \r
        if tokens and tokens[0].endswith("\r"):
            tokens = [token.removesuffix("\r") for token in tokens]
        if tuple(tokens[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
            first = " ".join(tokens[: len(SPECIAL_TOKENS)])
            raise CheckpointError(f"{path}: expected the first lines {' '.join(SPECIAL_TOKENS)}, got {shown(first)}")
        if len(set(tokens)) < len(tokens):
            token, count = Counter(tokens).most_common(1)[0]
            raise CheckpointError(f"{path}: expected every token once, got {shown(token)} {count} times")
        return cls(tokens)
