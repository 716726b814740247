"""Word vectors from a text file: the format of word2vec, GloVe and fastText, plain or compressed.

    [COUNT SIZE]                 a first line of two whole numbers is a header
    word 0.25 -1.5 ...           a word and SIZE numbers per line, separated by white space

Words are matched literally with the tokens of the vocabulary, including the `▁` of subwords; special tokens are not
matched. A word that contains white space, as a few in GloVe's files do, matches no token. If a word occurs twice, the
first line counts.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.errors import DataError
from nmt_attn.files import shown
from nmt_attn.text_io import byte_lines
from nmt_attn.types import SPECIAL_TOKENS, UNK


class WordVectors(NamedTuple):
    """The vectors of the vocabulary words that occur in the file."""

    ids: NDArray[np.int64]  # [n]
    values: NDArray[np.float32]  # [n, E]
    words: int  # of the vocabulary, without the special tokens

    def coverage(self) -> str:
        """`812 of 1,000 words (81.2%)`."""
        return f"{len(self.ids):,} of {self.words:,} words ({len(self.ids) / self.words:.1%})"


def read_vectors(path: Path, vocabulary: Vocabulary, size: int, size_key: str) -> WordVectors:
    """The vectors of `size` numbers for the words of `vocabulary`; errors name `size_key` as the origin of the size.

    Raises DataError, with the number of the line, if a line is not a word and `size` numbers, and if the file has
    none of the words.
    """
    found: dict[int, list[float]] = {}
    for number, line in enumerate(byte_lines(path), start=1):
        place = f"{path}:{number}"
        if number == 1 and _is_header(line):
            _check_size(int(line.split()[1]), size, size_key, place)
            continue
        word, *_ = line.split(maxsplit=1) or [b""]
        index = vocabulary.ids_of([word.decode("utf-8", "replace")])[0]
        if index != UNK or line.rstrip(b" ").count(b" ") != size:  # parsing every line would be slow
            text, numbers = _fields(line, size, size_key, place)
            if index != UNK and text == word and index not in found:
                found[index] = _numbers(numbers, place)
    words = len(vocabulary) - len(SPECIAL_TOKENS)
    if not found:
        raise DataError(f"{path}: expected vectors of words of the vocabulary, got none of its {words:,} words")
    ids = sorted(found)
    return WordVectors(np.array(ids), np.array([found[index] for index in ids], np.float32), words)


def _is_header(line: bytes) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def _fields(line: bytes, size: int, size_key: str, place: str) -> tuple[bytes, list[bytes]]:
    """The word, which may contain white space, and the `size` fields after it."""
    text, *fields = line.rsplit(maxsplit=size) or [b""]
    extra = [field for field in text.split()[1:] if _is_number(field)]
    if len(fields) != size or extra:
        _check_size(len(fields) + len(extra), size, size_key, place)
    return text.strip(), fields


def _numbers(fields: list[bytes], place: str) -> list[float]:
    numbers = []
    for field in fields:
        number = float(field) if _is_number(field) else math.nan
        if not math.isfinite(number):
            raise DataError(f"{place}: expected numbers after the word, got {shown(field.decode('utf-8', 'replace'))}")
        numbers.append(number)
    return numbers


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _check_size(found: int, size: int, size_key: str, place: str) -> None:
    if found != size:
        raise DataError(f"{place}: expected a word and {size} numbers ({size_key}), got {found} numbers")
