"""Word vectors from text files: what is read, what is skipped, what is refused with its line."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from nmt_attn.data.vectors import WordVectors, read_vectors
from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.errors import DataError
from nmt_attn.types import SPECIAL_TOKENS

VOCABULARY = Vocabulary([*SPECIAL_TOKENS, "cat", "▁dog", "naïve", "Cat"])
PLAIN = "cat 1 2 3\n▁dog -0.5 1e-2 7\nzebra 9 9 9\n"


def read(folder: Path, text: str, size: int = 3) -> WordVectors:
    path = folder / "v.txt"
    path.write_text(text, encoding="utf-8", newline="\n")
    return read_vectors(path, VOCABULARY, size, "model.encoder.embedding")


@pytest.mark.parametrize(
    "text",
    [PLAIN, f"3 3\n{PLAIN}", PLAIN.replace("\n", " \n"), PLAIN.replace(" ", "\t"), PLAIN.replace("\n", "\r\n")],
    ids=["glove", "header", "word2vec", "tabs", "windows"],
)
def test_the_words_of_the_vocabulary_are_read(text: str, tmp_path: Path) -> None:
    found = read(tmp_path, text)
    assert found.ids.tolist() == [4, 5]
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, [[1, 2, 3], [-0.5, 0.01, 7]])
    assert found.coverage() == "2 of 4 words (50.0%)"


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "v.vec.gz"
    path.write_bytes(gzip.compress(PLAIN.encode()))
    assert read_vectors(path, VOCABULARY, 3, "k").ids.tolist() == [4, 5]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"v\.vec\.gz: expected a whole file"):
        read_vectors(path, VOCABULARY, 3, "k")


def test_words_are_matched_as_they_are_written(tmp_path: Path) -> None:
    found = read(tmp_path, "CAT 1 2 3\ndog 1 2 3\nnaïve 4 5 6\n</s> 1 2 3\n<unk> 1 2 3\n<pad> 1 2 3\n")
    assert found.ids.tolist() == [6]


def test_the_first_of_two_lines_counts_and_words_with_blanks_match_none(tmp_path: Path) -> None:
    found = read(tmp_path, "cat 1 2 3\ncat 4 5 6\n▁dog at home 7 8 9\n. . . 1 2 3\n")
    assert found.ids.tolist() == [4]
    assert found.values.tolist() == [[1, 2, 3]]


def test_bytes_that_are_no_text_are_no_word(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"\xff\xfe 1 2 3\ncat 1 2 3\n")
    assert read_vectors(path, VOCABULARY, 3, "k").ids.tolist() == [4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9 4\ncat 1 2 3 4\n", r"v\.txt:1: expected a word and 3 numbers \(model\.encoder\.embedding\), got 4 numbers"),
        ("cat 1 2 3 4\n", r"v\.txt:1: expected a word and 3 numbers .*, got 4 numbers"),
        (f"{PLAIN}zebra 1 2\n", r"v\.txt:4: .*, got 2 numbers"),
        (f"{PLAIN}zebra 1 2 3 4 5\n", r"v\.txt:4: .*, got 5 numbers"),
        (f"{PLAIN}\n", r"v\.txt:4: .*, got 0 numbers"),
        ("▁dog 1 two 3\n", r"v\.txt:1: expected numbers after the word, got 'two'"),
        ("▁dog 1 nan 3\n", r"v\.txt:1: expected numbers after the word, got 'nan'"),
        ("zebra 1 2 3\n", r"v\.txt: expected vectors of words of the vocabulary, got none of its 4 words"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)
