"""What alignments are between: words, or the letters and symbols of single words."""

from collections.abc import Sequence
from typing import Literal

from nmt_attn.alignment.pieces import Words
from nmt_attn.data.codec import TextCodec
from nmt_attn.data.subwords import BLANK
from nmt_attn.errors import ConfigError

Units = Literal["words", "pieces"]
"""Pieces of a text that is read letter by letter are letters, tags and symbols."""

_WORDS: dict[Units, str] = {"words": "words", "pieces": "letters"}


def alignment_units(codec: TextCodec, lines: Sequence[str]) -> Units:
    """Pieces where every line is one word that `codec` cuts into letters: between words, weights are one column.

    So it is with words to phones and with inflection, whose tags are no words.
    """
    if codec.kind != "char" or not any(map(str.split, lines)):
        return "words"
    return "words" if any(BLANK in codec.pieces(line) for line in lines) else "pieces"


def units_of_pieces(codec: TextCodec, text: str, pieces: Sequence[str], units: Units) -> Words:
    """The units of a text that `codec` has cut into these pieces."""
    if units == "pieces":
        return Words(tuple(pieces), range(len(pieces)))
    return Words(tuple(codec.tokenizer.words(text)), codec.tokenizer.word_indices(pieces))


def check_reverse(forward: str, read: Units, backward: str, written: Units) -> None:
    """Raises ConfigError unless the model of the other direction writes in the units in which `forward` reads."""
    if read != written:
        raise ConfigError(
            f"--reverse: expected a model that writes {_WORDS[read]}, as {forward} reads them, got {backward}, which "
            f"writes {_WORDS[written]}"
        )
