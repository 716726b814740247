"""Vocabulary: order, limits, special tokens, and the file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.errors import CheckpointError, DataError
from nmt_attn.types import EOS, SPECIAL_TOKENS, UNK

TEXTS = [["b", "a", "c"], ["é", "a", "b"], ["z", "a"]]  # a 3 times, b 2; c, z, é once (é comes after z)


def test_the_most_frequent_come_first_and_ties_go_by_code_point() -> None:
    vocabulary = Vocabulary.learn(TEXTS, size=30, min_frequency=1)
    assert vocabulary.tokens == (*SPECIAL_TOKENS, "a", "b", "c", "z", "é")
    assert vocabulary.ids_of(["é", "a", "?"]) == [8, 4, UNK]
    assert vocabulary.tokens_of([8, EOS]) == ["é", "</s>"]


def test_the_size_counts_special_tokens() -> None:
    assert Vocabulary.learn(TEXTS, size=6, min_frequency=1).tokens == (*SPECIAL_TOKENS, "a", "b")


def test_rarer_tokens_are_left_out() -> None:
    assert Vocabulary.learn(TEXTS, size=30, min_frequency=2).tokens == (*SPECIAL_TOKENS, "a", "b")


def test_text_that_spells_a_special_token_is_unknown() -> None:
    vocabulary = Vocabulary.learn([["</s>", "</s>", "<pad>", "a"]], size=30, min_frequency=1)
    assert vocabulary.tokens == (*SPECIAL_TOKENS, "a")
    assert vocabulary.ids_of([*SPECIAL_TOKENS, "a"]) == [UNK, UNK, UNK, UNK, 4]


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1)


@given(st.lists(WORDS.filter(lambda word: word not in SPECIAL_TOKENS), unique=True))
@settings(max_examples=50, deadline=None)
def test_a_file_gives_back_what_was_saved(tmp_path_factory: pytest.TempPathFactory, tokens: list[str]) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / "v.txt"
    vocabulary = Vocabulary([*SPECIAL_TOKENS, *tokens])
    vocabulary.save(path)
    assert Vocabulary.load(path).tokens == vocabulary.tokens
    assert path.read_bytes().count(b"\n") == len(vocabulary)


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    with pytest.raises(DataError, match="no such file"):
        Vocabulary.load(path)
    path.write_text("<unk>\n<s>\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"v\.txt: expected the first lines <pad> <unk>.*got '<unk> <s>'"):
        Vocabulary.load(path)
    path.write_text("\n".join([*SPECIAL_TOKENS, "a", "b", "a"]), encoding="utf-8")
    with pytest.raises(CheckpointError, match="every token once, got 'a' 2 times"):
        Vocabulary.load(path)


def test_a_token_of_zero_bytes_does_not_make_the_file_utf16(tmp_path: Path) -> None:
    tokens = (*SPECIAL_TOKENS, "000\x00", "00\x00")  # in pairs: printed characters and line ends of UTF-16
    Vocabulary(tokens).save(tmp_path / "v.txt")
    assert Vocabulary.load(tmp_path / "v.txt").tokens == tokens
