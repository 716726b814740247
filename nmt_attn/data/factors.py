"""Factors: what a source word carries beside its text, such as its part of speech.

    the|DET house|NOUN        ->  words  the house        factor `pos`  DET NOUN

Sennrich and Haddow 2016 (arXiv 1606.02892), section 2. Each factor has a vocabulary of its own. Where a word is cut,
each of its pieces carries the factors of the word. A token is one number, so that whatever holds ids holds factors too:

    id = w + W f_1 + W F_1 f_2 + ...        w of W words, f_k of the F_k values of factor k

Tags and special tokens have no factors: there every f_k is that of `<pad>`, 0, and the id is w.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, groupby
from math import prod
from operator import mul
from pathlib import Path
from typing import NamedTuple

from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.columns import TAG
from nmt_attn.data.subwords import BLANK, SubwordSampling
from nmt_attn.data.tokenizer import Tokenizer
from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.errors import ConfigError
from nmt_attn.files import shown
from nmt_attn.types import UNK

MOST_IDS = 2**63 - 1
"""What an id of 64 bits can tell apart."""


class Factored(NamedTuple):
    """A word and its factors; none if it has not all of them."""

    word: str
    values: tuple[str, ...]


class FactorFormat(NamedTuple):
    """How factors stand in a text."""

    names: tuple[str, ...]
    separator: str  # before each factor
    between: str = " "  # between two tokens; " " is any white space

    @classmethod
    def of(cls, config: TokenizerConfig) -> "FactorFormat | None":
        """That of one side; None if it has no factors."""
        factors = config.factors
        return cls(factors.names, factors.separator, config.separator) if factors.names else None

    def split(self, token: str) -> Factored:
        """Read from the end, so that the word may have separators; a token without all factors is a word alone."""
        word, *values = token.rsplit(self.separator, len(self.names))
        is_whole = len(values) == len(self.names) and all((word, *values))
        return Factored(word, tuple(values)) if is_whole else Factored(token, ())

    def join(self, word: str, values: Sequence[str]) -> str:
        """The inverse of `split`."""
        return self.separator.join((word, *values))

    def tokens(self, text: str) -> list[Factored]:
        """The tokens of a text. A tag is a word alone."""
        return [token for run in self._runs(text) for token in run]

    def fault(self, text: str, *, has_tags: bool) -> str | None:
        """What is wrong with the first token that lacks a factor; None if none does."""
        for word, values in self.tokens(text):
            if not values and not (has_tags and TAG.fullmatch(word)):
                return f"expected {self.join('WORD', self.names)} (tokenizer.factors), got {shown(word)}"
        return None

    def strip(self, text: str) -> str:
        """The text without factors."""
        return self._text(self._runs(text))

    def counted(self, texts: Iterable[str], counts: Sequence[Counter[str]]) -> Iterator[str]:
        """The texts without factors, whose values are added to `counts`, one counter for each factor."""
        for text in texts:
            runs = list(self._runs(text))
            for _, values in chain.from_iterable(runs):
                for counter, value in zip(counts, values, strict=False):  # no values: a tag
                    counter[value] += 1
            yield self._text(runs)

    def _runs(self, text: str) -> Iterator[list[Factored]]:
        """Tags next to each other, and the tokens between them."""
        for is_tag, run in groupby(text.split(), lambda word: TAG.fullmatch(word) is not None):
            if is_tag:
                yield from ([Factored(tag, ())] for tag in run)
            else:
                words = list(run)
                parts = words if self.between == " " else " ".join(words).split(self.between)
                yield [self._split_marked(part.strip()) for part in parts if part.strip()]

    def _split_marked(self, part: str) -> Factored:
        word, values = self.split(part)
        return Factored(word.strip(), tuple(BLANK.join(value.split()) for value in values))

    def _text(self, runs: Iterable[list[Factored]]) -> str:
        return " ".join(self.between.join(word for word, _ in run) for run in runs)


class FactoredTokenizer(Tokenizer):
    """Another tokenizer for the words; each piece is written with the factors of its word: `▁hou|NOUN se|NOUN`."""

    def __init__(self, inner: Tokenizer, form: FactorFormat) -> None:
        super().__init__(inner.text, inner.model)
        self.inner = inner
        self.form = form
        self.has_model = inner.has_model
        self.tokens = inner.tokens

    def words(self, text: str) -> list[str]:
        return [self.form.join(*each) for each in self._words(text)]

    def join_words(self, words: Sequence[str]) -> str:
        return self.inner.join_words(words)

    def encode(self, text: str) -> list[str]:
        words = self._words(text)
        return self._with_factors(self.inner.encode(self._plain(words)), words)

    def sample(self, text: str, sampling: SubwordSampling, seed: int) -> list[str]:
        words = self._words(text)
        return self._with_factors(self.inner.sample(self._plain(words), sampling, seed), words)

    def decode(self, pieces: Sequence[str]) -> str:
        split = [self.form.split(piece) for piece in pieces]
        plain = [piece for piece, _ in split]
        factors: dict[int, tuple[str, ...]] = {}
        for place, (_, values) in zip(self.inner.word_indices(plain), split, strict=True):
            factors.setdefault(place, values)
        words = self.inner.words(self.inner.decode(plain))
        return self.inner.join_words([self.form.join(word, factors[place]) for place, word in enumerate(words)])

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        return self.inner.word_indices([self.form.split(piece)[0] for piece in pieces])

    def begins_word(self, piece: str) -> bool:
        return self.inner.begins_word(self.form.split(piece)[0])

    def plain(self, text: str) -> str:
        return self.form.strip(text)

    def fault(self, text: str) -> str | None:
        return self.form.fault(text, has_tags=False)

    def _words(self, text: str) -> list[Factored]:
        """The words as the inner tokenizer reads them; one that its normal form divides has its factors twice."""
        return [Factored(word, values) for token, values in self.form.tokens(text) for word in self.inner.words(token)]

    def _plain(self, words: Sequence[Factored]) -> str:
        return self.inner.join_words([word for word, _ in words])

    def _with_factors(self, pieces: Sequence[str], words: Sequence[Factored]) -> list[str]:
        places = self.inner.word_indices(pieces)
        return [self.form.join(piece, words[place][1]) for piece, place in zip(pieces, places, strict=True)]


class FactoredVocabulary(Vocabulary):
    """Words, and the values of each factor. Its size and tokens are those of the words."""

    def __init__(self, tokens: Sequence[str], form: FactorFormat, factors: Sequence[Vocabulary]) -> None:
        super().__init__(tokens)
        self.form = form
        self.factors = tuple(factors)
        self._sizes = [len(self), *map(len, factors)]
        self._strides = list(accumulate(self._sizes[:-1], mul))

    @classmethod
    def of(cls, words: Vocabulary, form: FactorFormat, factors: Sequence[Vocabulary]) -> "FactoredVocabulary":
        """Raises ConfigError if there are more combinations than ids."""
        sizes = [len(words), *map(len, factors)]
        if prod(sizes) > MOST_IDS:
            raise ConfigError(
                f"tokenizer.factors.names: expected at most {MOST_IDS:,} combinations of words and factors, got "
                f"{' x '.join(f'{size:,}' for size in sizes)} (a smaller tokenizer.vocab_size)"
            )
        return cls(words.tokens, form, factors)

    @property
    def factor_sizes(self) -> dict[str, int]:
        return dict(zip(self.form.names, self._sizes[1:], strict=True))

    def ids_of(self, tokens: Iterable[str]) -> list[int]:
        ids = []
        for token in tokens:
            word, values = (token, ()) if TAG.fullmatch(token) else self.form.split(token)
            [number] = super().ids_of([word])
            for value, factor, stride in zip(values, self.factors, self._strides, strict=False):
                number += stride * factor.ids_of([value])[0]
            ids.append(number)
        return ids

    def tokens_of(self, ids: Iterable[int]) -> list[str]:
        return [self._token(number) for number in ids]

    def count_unknown(self, ids: Sequence[int]) -> int:
        return sum(self.word_id(number) == UNK for number in ids)

    def word_id(self, number: int) -> int:
        return number % len(self)

    def unknown_values(self, token: str) -> list[str]:
        values = () if TAG.fullmatch(token) else self.form.split(token)[1]
        found = zip(self.form.names, self.factors, values, strict=False)
        return [f"{name} {value}" for name, factor, value in found if factor.ids_of([value]) == [UNK]]

    def save(self, path: Path) -> None:
        super().save(path)
        for name, factor in zip(self.form.names, self.factors, strict=True):
            factor.save(factor_path(path, name))

    def _token(self, number: int) -> str:
        word = self.tokens[number % len(self)]
        values = [
            factor.tokens[number // stride % len(factor)]
            for factor, stride in zip(self.factors, self._strides, strict=True)
        ]
        return word if number < len(self) else self.form.join(word, values)


def factor_path(path: Path, name: str) -> Path:
    """Where the values of a factor stand beside the words: `source.txt` -> `source.pos.txt`."""
    return path.with_suffix(f".{name}{path.suffix}")
