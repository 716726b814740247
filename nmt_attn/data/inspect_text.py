"""Text inspection: what one side of a corpus is made of (words, single words, spaced symbols, ...) from a sample.

words       text with blanks between words: plain text, or tokenised with blanks around punctuation
unspaced    a script without blanks between words, such as Japanese or Thai
pieces      subwords that another tool has made: `@@`, `▁` or `￭` join them
symbols     one letter, phone or tag between blanks
letters     single words, which are read letter by letter
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from statistics import median, median_low
from typing import Literal, NamedTuple

from nmt_attn.data.columns import TAG
from nmt_attn.data.factors import FactorFormat

TextKind = Literal["words", "unspaced", "pieces", "symbols", "letters"]

_JOINERS = ("@@", "▁", "￭", "##")
_UNSPACED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
_SAMPLE_LETTERS = 5000
_FACTOR_SEPARATORS = ("|", "￨")  # the second is that of OpenNMT
_FACTORED_SHARE = 0.99


class TextProfile(NamedTuple):
    """What a sample of one side looks like."""

    kind: TextKind
    is_tokenised: bool  # punctuation stands alone
    is_lowercase: bool
    script: str  # of most letters, such as LATIN
    types: int
    tokens: int
    median_words: float  # in a line, between blanks
    longest_words: int
    longest_letters: int
    factors: FactorFormat | None = None  # of each word; all else is of the words without them

    def text(self) -> str:
        """In words, such as `words, tokenised, lowercase (latin, 5,312 types, median 11 a line)`."""
        names = {
            "words": "words, tokenised" if self.is_tokenised else "words, raw (punctuation glued to them)",
            "unspaced": "text without blanks between words",
            "pieces": "subwords of another tool",
            "symbols": "symbols with blanks between them",
            "letters": "single words, read letter by letter",
        }
        case = ", lowercase" if self.is_lowercase and self.kind in ("words", "pieces") else ""
        length = f", median {self.median_words:g} a line" if self.kind != "letters" else ""
        factors = f", with factors, {self.factors.join('word', self.factors.names)}" if self.factors else ""
        return f"{names[self.kind]}{case}{factors} ({self.script.lower()}, {self.types:,} types{length})"


def profile(lines: Sequence[str], *, may_have_factors: bool = False) -> TextProfile:
    """The profile of these lines; blank ones do not count. At least one line must hold text."""
    factors = find_factors(lines) if may_have_factors else None
    if factors is not None:
        lines = list(map(factors.strip, lines))
    split = [words for line in lines if (words := line.split())]
    tokens = [token for words in split for token in words]
    lengths = [len(words) for words in split]
    script = _script(tokens)
    return TextProfile(
        kind=_kind(split, tokens, script),
        is_tokenised=_is_tokenised(tokens),
        is_lowercase=not any(token != token.lower() for token in tokens),
        script=script,
        types=len(set(tokens)),
        tokens=len(tokens),
        median_words=median(lengths),
        longest_words=max(lengths),
        longest_letters=max(len(line) for line in lines),
        factors=factors,
    )


def find_factors(lines: Sequence[str]) -> FactorFormat | None:
    """What nearly every word carries, as many of each, after a separator, as in `house|NOUN`; None if words do not."""
    tokens = [token for line in lines for token in line.split() if not TAG.fullmatch(token)]
    for separator in _FACTOR_SEPARATORS:
        number = median_low(token.count(separator) for token in tokens) if tokens else 0
        form = FactorFormat(tuple(f"factor{place}" for place in range(1, number + 1)), separator)
        whole = sum(token.count(separator) == number and all(token.split(separator)) for token in tokens)
        if number > 0 and whole >= _FACTORED_SHARE * len(tokens):
            return form
    return None


def _kind(split: Sequence[Sequence[str]], tokens: Sequence[str], script: str) -> TextKind:
    joined = sum(token.startswith(_JOINERS) or token.endswith(_JOINERS) for token in tokens)
    if joined > 0.02 * len(tokens):
        return "pieces"
    single = sum(len(words) == 1 for words in split)
    letters = [_visible_letters(token) for token in tokens]
    is_unspaced = script.startswith(_UNSPACED_SCRIPTS)
    longest = 1 if is_unspaced else 2  # a word of such a script often has two letters
    if single < 0.5 * len(split) and sum(count <= longest for count in letters) > 0.8 * len(tokens):
        return "symbols"
    if single > 0.7 * len(split) and sum(letters) / len(tokens) < 40 and not is_unspaced:
        return "letters"
    if is_unspaced and sum(letters) / len(tokens) > 6:
        return "unspaced"
    return "words"


def _visible_letters(token: str) -> int:
    """Its letters without marks, modifiers and stress, which belong to the letter before: `t͡ʃʰ` and `AO1` have 2."""
    return sum(unicodedata.category(char) not in ("Mn", "Mc", "Me", "Lm", "Sk", "Nd") for char in token)


def _is_tokenised(tokens: Sequence[str]) -> bool:
    """Whether more final punctuation stands alone than is glued to a word."""
    alone = sum(token in _ENDS for token in tokens)
    glued = sum(len(token) > 1 and token[-1] in _ENDS and token[-2].isalnum() for token in tokens)
    return alone >= glued


_ENDS = set(".,!?;:।。、")


def _script(tokens: Sequence[str]) -> str:
    """The script of most letters: the first word of their names in Unicode."""
    letters = (char for token in tokens for char in token if char.isalpha())
    counts = Counter(_script_of(char) for char, _ in zip(letters, range(_SAMPLE_LETTERS), strict=False))
    return counts.most_common(1)[0][0] if counts else "none"


def _script_of(char: str) -> str:
    return unicodedata.name(char, "unknown").split()[0]
