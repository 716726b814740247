"""Tokenizers: split text into pieces, join pieces to text, and map each piece to its whitespace word.

    word           whitespace-separated words
    symbols        what stands between separators, such as phones; each symbol is a word
    char           code points or grapheme clusters (Unicode Standard Annex 29); a blank between words is the piece `▁`
    sentencepiece  Kudo and Richardson 2018 (arXiv 1808.06226), unigram or BPE; `▁` begins a word

White space is that of `str.split`: tabs, no-break spaces and U+2028 separate words too, and any run of it counts as
one blank. Nothing else is normalised unless `tokenizer.normalise` asks for it: every tokenizer reproduces the words
character by character (lowercased if `tokenizer.lowercase`, in the normal form of `tokenizer.normalise`; a literal `▁`
becomes `_`). Normalisation is not undone: a model writes the form that it has learned.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

import regex

from nmt_attn import registries
from nmt_attn.config.tokenizer_section import NormalForm, TokenizerConfig, Units
from nmt_attn.data.subwords import BLANK, Segmenter, SubwordSampling, learn_sentencepiece, open_sentencepiece
from nmt_attn.registry import Registry


class TextOptions(NamedTuple):
    """The keys of `tokenizer` that say how one side's text is read; they are saved beside its vocabulary."""

    lowercase: bool = False
    normalise: NormalForm = "none"
    separator: str = " "
    units: Units = "code-points"

    @classmethod
    def of(cls, config: TokenizerConfig) -> "TextOptions":
        """Those of one side: `TokenizerConfig.side`."""
        return cls(*(getattr(config, name) for name in cls._fields))

    def read(self, text: str) -> str:
        """The text lowercased and in its normal form."""
        text = text.lower() if self.lowercase else text
        return text if self.normalise == "none" else unicodedata.normalize(self.normalise, text)


class Tokenizer:
    """Contract. `decode(encode(text)) == normalise(text)`; every piece is non-empty and free of white space."""

    tokens: tuple[str, ...] = ()
    """The vocabulary in order of ids if the tokenizer has learned one; else empty, and the vocabulary is counted."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `tokenizer` that it reads, beside those that every tokenizer reads."""

    has_model = False
    """True if the tokenizer needs a learned model, which is saved beside the vocabulary."""

    def __init__(self, text: TextOptions, model: bytes = b"") -> None:
        self.text = text
        self.model = model

    @classmethod
    def learn_model(cls, lines: Iterable[str], config: TokenizerConfig, text_name: str) -> bytes:
        """A model learned from `lines`, which errors call `text_name`; empty if the tokenizer needs none."""
        return b""

    def normalise(self, text: str) -> str:
        """The text as this tokenizer reproduces it: words separated by single blanks, or by the separator."""
        return self.join_words(self.words(text))

    def words(self, text: str) -> list[str]:
        """The words that `word_indices` counts: between white space, or the symbols."""
        return self.text.read(text).split()

    def join_words(self, words: Sequence[str]) -> str:
        """The text of words such as `words` returns."""
        return " ".join(words)

    def encode(self, text: str) -> list[str]:
        """The pieces of the text."""
        raise NotImplementedError

    def sample(self, text: str, sampling: SubwordSampling, seed: int) -> list[str]:
        """The pieces of a segmentation drawn at random; the same for the same seed. Only for tokenizers with a model.

        They decode to the same text as those of `encode`.
        """
        raise NotImplementedError

    def decode(self, pieces: Sequence[str]) -> str:
        """The detokenised text of any list of pieces, since a model can produce any."""
        raise NotImplementedError

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        """The position, from 0, of the word of each piece in `words(decode(pieces))`."""
        raise NotImplementedError

    def begins_word(self, piece: str) -> bool:
        """True if a word before the piece ends there."""
        return piece.startswith(BLANK)

    def plain(self, text: str) -> str:
        """The text without what words carry beside it."""
        return text

    def fault(self, text: str) -> str | None:
        """Why the text cannot be read; None if it can."""
        return None


class Word(Tokenizer):
    """Whitespace-separated words."""

    options = ("min_frequency",)

    def encode(self, text: str) -> list[str]:
        return self.words(text)

    def decode(self, pieces: Sequence[str]) -> str:
        return " ".join(pieces)

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        return list(range(len(pieces)))

    def begins_word(self, piece: str) -> bool:
        return True


class Symbols(Tokenizer):
    """What stands between separators, without the white space around it. A blank inside a symbol is written `▁`."""

    options = ("separator", "min_frequency")

    def words(self, text: str) -> list[str]:
        separator = self.text.separator
        if separator == " ":
            return super().words(text)
        symbols = self.text.read(text).split(self.text.read(separator))
        return [_mark_blanks(symbol.split()) for symbol in symbols if symbol.strip()]

    def join_words(self, words: Sequence[str]) -> str:
        if self.text.separator == " ":
            return super().join_words(words)
        return self.text.read(self.text.separator).join(word.replace(BLANK, " ") for word in words)

    def encode(self, text: str) -> list[str]:
        return self.words(text)

    def decode(self, pieces: Sequence[str]) -> str:
        return self.join_words(pieces)

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        return list(range(len(pieces)))

    def begins_word(self, piece: str) -> bool:
        return True


class Character(Tokenizer):
    """Code points, a base letter and its combining marks apart; or grapheme clusters, which hold both together.

    Code points are the default: an accent that is rare on one letter is learned from the others. Clusters are what a
    reader calls a letter; where a script has many of them, more are unknown.
    """

    options = ("units", "min_frequency")

    def words(self, text: str) -> list[str]:
        return super().words(_replace_blank_mark(text))

    def encode(self, text: str) -> list[str]:
        if self.text.units == "code-points":
            return list(self.normalise(text).replace(" ", BLANK))
        words = [regex.findall(r"\X", word) for word in self.words(text)]
        return [piece for number, word in enumerate(words) for piece in ([BLANK] if number else []) + word]

    def decode(self, pieces: Sequence[str]) -> str:
        return _join(pieces)

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        return _word_indices(pieces)


class SentencePiece(Tokenizer):
    """Subwords. Unknown characters are separate pieces, as written.

    Differs: text is not normalised to NFKC, which would turn `½` into `1⁄2` and split words at `´`.
    """

    options = ("algorithm",)
    has_model = True

    def __init__(self, text: TextOptions, model: bytes = b"") -> None:
        super().__init__(text, model)
        self.processor = open_sentencepiece(model)
        self.tokens = tuple(self.processor.id_to_piece(i) for i in range(self.processor.get_piece_size()))
        self._segmenters: dict[SubwordSampling, Segmenter] = {}

    @classmethod
    def learn_model(cls, lines: Iterable[str], config: TokenizerConfig, text_name: str) -> bytes:
        options = TextOptions.of(config)
        texts = (" ".join(options.read(_replace_blank_mark(line)).split()) for line in lines)
        return learn_sentencepiece(texts, config, text_name)

    def __getstate__(self) -> dict[str, object]:
        """Without the segmenters, which are made anew."""
        return {**self.__dict__, "_segmenters": {}}

    def words(self, text: str) -> list[str]:
        return super().words(_replace_blank_mark(text))

    def encode(self, text: str) -> list[str]:
        pieces: list[str] = self.processor.encode(self.normalise(text), out_type=str)
        return pieces

    def sample(self, text: str, sampling: SubwordSampling, seed: int) -> list[str]:
        if sampling not in self._segmenters:
            self._segmenters[sampling] = Segmenter(self.processor, sampling)
        return self._segmenters[sampling].draw(self.normalise(text), seed)

    def decode(self, pieces: Sequence[str]) -> str:
        return _join(pieces)

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        return _word_indices(pieces)


TOKENIZERS: Registry[type[Tokenizer]] = registries.TOKENIZERS


def _mark_blanks(words: Sequence[str]) -> str:
    return BLANK.join(map(_replace_blank_mark, words))


def _replace_blank_mark(text: str) -> str:
    return text.replace(BLANK, "_")


def _join(pieces: Sequence[str]) -> str:
    return " ".join("".join(pieces).replace(BLANK, " ").split())


def _word_indices(pieces: Sequence[str]) -> list[int]:
    """A `▁` belongs to the word that it begins, or to the last word if it begins none."""
    indices, word, has_text = [], 0, False
    for piece in pieces:
        if piece.startswith(BLANK) and has_text:
            word, has_text = word + 1, False
        indices.append(word)
        has_text = has_text or piece != BLANK
    last = word if has_text else max(word - 1, 0)
    return [min(index, last) for index in indices]
