"""Tokenizers: text into pieces and back, and which whitespace word each piece belongs to.

    word           the words between white space, as they are
    char           single characters (code points); a blank between words is the piece `▁`
    sentencepiece  Kudo and Richardson 2018 (arXiv 1808.06226), unigram or BPE; `▁` begins a word

White space is what `str.split` takes for it: tabs, no-break spaces and U+2028 separate words too, and any run
of it counts as one blank. Nothing else is normalised: every tokenizer gives back, character for character,
the words it was given (in small letters if `tokenizer.lowercase`; a written `▁` comes back as `_`).
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from nmt_attn import registries
from nmt_attn.config.schema import TokenizerConfig
from nmt_attn.data.segmentation import Segmenter, SubwordSampling
from nmt_attn.data.subwords import BLANK, learn_sentencepiece, open_sentencepiece
from nmt_attn.registry import Registry


class Tokenizer:
    """Contract. `decode(encode(text)) == normalise(text)`; every piece is non-empty and free of white space."""

    tokens: tuple[str, ...] = ()
    """The whole vocabulary in the order of its ids, if the tokenizer has learned one; else it is counted."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `tokenizer` that it reads, beside those that every tokenizer reads."""

    has_model = False
    """Whether splitting needs a learned model, which is saved beside the vocabulary."""

    def __init__(self, *, lowercase: bool, model: bytes = b"") -> None:
        self.lowercase = lowercase
        self.model = model

    @classmethod
    def learn_model(cls, lines: Iterable[str], config: TokenizerConfig, text_name: str) -> bytes:
        """What must be known to split text, learned from `lines`; empty where nothing must be."""
        return b""

    def normalise(self, text: str) -> str:
        """The text as this tokenizer can give it back: its words with single blanks between them."""
        return " ".join(self.words(text))

    def words(self, text: str) -> list[str]:
        """The whitespace words that `word_indices` counts."""
        return _words(text, lowercase=self.lowercase)

    def encode(self, text: str) -> list[str]:
        """The pieces of the text."""
        raise NotImplementedError

    def sample(self, text: str, sampling: SubwordSampling, seed: int) -> list[str]:
        """The pieces of one of several ways to cut the text; the same for the same seed. Only where there are several.

        They decode to what `encode`'s do.
        """
        raise NotImplementedError

    def decode(self, pieces: Sequence[str]) -> str:
        """The text of the pieces, detokenised; any list of pieces will do, as a model may write any."""
        raise NotImplementedError

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        """For each piece the position, from 0, of its word in `decode(pieces).split()`."""
        raise NotImplementedError

    def begins_word(self, piece: str) -> bool:
        """Whether the word before the piece, if there is one, has ended."""
        return piece.startswith(BLANK)


class Word(Tokenizer):
    """The words between white space."""

    options = ("min_frequency",)

    def encode(self, text: str) -> list[str]:
        return self.words(text)

    def decode(self, pieces: Sequence[str]) -> str:
        return " ".join(pieces)

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        return list(range(len(pieces)))

    def begins_word(self, piece: str) -> bool:
        return True


class Character(Tokenizer):
    """Code points; a base letter and its combining marks are pieces of their own."""

    options = ("min_frequency",)

    def words(self, text: str) -> list[str]:
        return _words(_free_blank(text), lowercase=self.lowercase)

    def encode(self, text: str) -> list[str]:
        return list(self.normalise(text).replace(" ", BLANK))

    def decode(self, pieces: Sequence[str]) -> str:
        return _join(pieces)

    def word_indices(self, pieces: Sequence[str]) -> list[int]:
        return _word_indices(pieces)


class SentencePiece(Tokenizer):
    """Subwords. Unknown characters come as pieces of their own, as written.

    Differs: text is not brought into the form NFKC, which would write `½` as `1⁄2` and split words at `´`.
    """

    options = ("algorithm",)
    has_model = True

    def __init__(self, *, lowercase: bool, model: bytes = b"") -> None:
        super().__init__(lowercase=lowercase, model=model)
        self.processor = open_sentencepiece(model)
        self.tokens = tuple(self.processor.id_to_piece(i) for i in range(self.processor.get_piece_size()))
        self._segmenters: dict[SubwordSampling, Segmenter] = {}

    @classmethod
    def learn_model(cls, lines: Iterable[str], config: TokenizerConfig, text_name: str) -> bytes:
        texts = (" ".join(_words(_free_blank(line), lowercase=config.lowercase)) for line in lines)
        return learn_sentencepiece(texts, config, text_name)

    def words(self, text: str) -> list[str]:
        return _words(_free_blank(text), lowercase=self.lowercase)

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


def _words(text: str, *, lowercase: bool) -> list[str]:
    return (text.lower() if lowercase else text).split()


def _free_blank(text: str) -> str:
    return text.replace(BLANK, "_")


def _join(pieces: Sequence[str]) -> str:
    return " ".join("".join(pieces).replace(BLANK, " ").split())


def _word_indices(pieces: Sequence[str]) -> list[int]:
    """A `▁` belongs to the word that it begins; one that begins no word belongs to the last."""
    indices, word, has_text = [], 0, False
    for piece in pieces:
        if piece.startswith(BLANK) and has_text:
            word, has_text = word + 1, False
        indices.append(word)
        has_text = has_text or piece != BLANK
    last = word if has_text else max(word - 1, 0)
    return [min(index, last) for index in indices]
