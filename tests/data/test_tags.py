"""Tags beside the pieces of another tokenizer: one piece each, a word each, in whatever place."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.codec import Codecs, TextCodec, learn_codec, load_codecs
from nmt_attn.data.subwords import SubwordSampling
from nmt_attn.data.tags import DefaultTags, Tagged
from nmt_attn.data.tokenizer import Character, Symbols, TextOptions, Word
from nmt_attn.errors import CheckpointError, DataError

KINDS = {"word": Word, "symbols": Symbols, "char": Character}


def tagged(kind: str, *default: str) -> Tagged:
    return Tagged(KINDS[kind](TextOptions(lowercase=True)), DefaultTags(*default))


def test_pieces_and_words_by_hand() -> None:
    tokenizer = tagged("char")
    pieces = ["⟦V⟧", "a", "b", "▁", "c", "⟦PST⟧", "⟦3⟧"]
    assert tokenizer.encode("⟦V⟧ Ab  c ⟦PST⟧ ⟦3⟧") == pieces  # the tags keep their case
    assert tokenizer.words("⟦V⟧ Ab  c ⟦PST⟧ ⟦3⟧") == ["⟦V⟧", "ab", "c", "⟦PST⟧", "⟦3⟧"]
    assert tokenizer.word_indices(pieces) == [0, 1, 1, 2, 2, 3, 4]
    assert tokenizer.decode(pieces) == "⟦V⟧ ab c ⟦PST⟧ ⟦3⟧"


def test_what_only_looks_like_a_tag_is_text() -> None:
    assert tagged("char").encode("⟦V ⟦⟧ x⟦V⟧") == ["⟦", "v", "▁", "⟦", "⟧", "▁", "x", "⟦", "v", "⟧"]


def test_a_text_without_any_tag_has_the_default() -> None:
    tokenizer = tagged("word", "⟦de⟧", "⟦N⟧ ⟦SG⟧")
    assert tokenizer.encode("Haus") == ["⟦de⟧", "haus", "⟦N⟧", "⟦SG⟧"]
    assert tokenizer.encode("Haus ⟦V⟧") == ["haus", "⟦V⟧"]
    assert tokenizer.encode("  ") == []


def test_a_default_label_and_default_tags_are_each_for_a_text_without_one() -> None:
    tokenizer = tagged("word", "⟦@de⟧", "⟦N⟧")
    assert tokenizer.encode("haus ⟦V⟧") == ["⟦@de⟧", "haus", "⟦V⟧"]
    assert tokenizer.encode("⟦@fr⟧ haus") == ["⟦@fr⟧", "haus", "⟦N⟧"]


def test_subwords_have_tags_beside_them(tmp_path: Path) -> None:
    lines = ["⟦@de⟧ das haus ist alt", "⟦@fr⟧ la maison est vieille"] * 9
    config = TokenizerConfig(kind="sentencepiece", vocab_size=60)
    codec = learn_codec(lines, config, "text", DefaultTags("", ""))
    assert codec.vocabulary.tokens[-2:] == ("⟦@de⟧", "⟦@fr⟧") and codec.labels == ("de", "fr")
    assert not any("⟦" in token or "@" in token for token in codec.vocabulary.tokens[:-2])
    assert codec.pieces("⟦@fr⟧ das haus")[0] == "⟦@fr⟧" and codec.decode(codec.encode(lines[0])) == lines[0]
    drawn = codec.tokenizer.sample(lines[0], SubwordSampling("unigram", 0.1, None), 5)
    assert drawn[0] == "⟦@de⟧" and codec.tokenizer.decode(drawn) == lines[0]
    codec.save(tmp_path, "source")
    assert TextCodec.load(tmp_path, "source").digest() == codec.digest()
    with (tmp_path / "source.txt").open("a", encoding="utf-8") as file:
        file.write("more\n")
    with pytest.raises(CheckpointError, match=r"source\.txt: expected the pieces of source\.model, got others"):
        TextCodec.load(tmp_path, "source")


def test_a_label_that_is_unknown_is_refused() -> None:
    codec = learn_codec(["⟦@de⟧ ab", "⟦@fr⟧ ba"], TokenizerConfig(kind="char"), "text", DefaultTags("", ""))
    assert codec.encode_checked("⟦@fr⟧ ab", "line 1") == codec.encode("⟦@fr⟧ ab")
    assert codec.encode_checked("", "line 1") == []
    known = "line 3: expected one of the tags ⟦@de⟧, ⟦@fr⟧, got"
    for text, got in [("⟦@it⟧ ab", "⟦@it⟧"), ("ab", r"none \(--tag gives one\)"), ("⟦@de⟧ ⟦@fr⟧ a", "⟦@de⟧ ⟦@fr⟧")]:
        with pytest.raises(DataError, match=f"{known} {got}$"):
            codec.encode_checked(text, "line 3")


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(parts=st.lists(st.text("ab⟦⟧ ▁", max_size=4) | st.sampled_from(["⟦V⟧", "⟦PST⟧"]), max_size=6))
def test_the_laws_of_tokenizers_hold_beside_tags(kind: str, parts: list[str]) -> None:
    tokenizer, text = tagged(kind), " ".join(parts)
    pieces = tokenizer.encode(text)
    assert all(piece and not any(map(str.isspace, piece)) for piece in pieces)
    assert tokenizer.decode(pieces) == tokenizer.normalise(text)
    indices = tokenizer.word_indices(pieces)
    assert sorted(set(indices)) == list(range(len(tokenizer.words(text)))) and indices == sorted(indices)


def learned() -> TextCodec:
    lines = ["ab ⟦V⟧", "ba ⟦N⟧"]
    return learn_codec(lines, TokenizerConfig(kind="char"), "text", DefaultTags("", "⟦N⟧"))


def test_a_saved_codec_knows_its_tags(tmp_path: Path) -> None:
    codec = learned()
    plain = learn_codec(["ab"], TokenizerConfig(kind="char"), "text")
    Codecs(codec, plain).save(tmp_path)
    source, target = load_codecs(tmp_path)
    assert source.encode("ab") == source.encode("ab ⟦N⟧") == codec.encode("ab") != source.encode("ab ⟦V⟧")
    assert source.digest() == codec.digest() and not isinstance(target.tokenizer, Tagged)
    assert json.loads((tmp_path / "target.json").read_text()) == {"tokenizer": "char", "lowercase": False}
    other = TextCodec(codec.kind, Tagged(Character(TextOptions()), DefaultTags()), codec.vocabulary)
    assert other.digest() != codec.digest()


def test_damaged_tags_are_refused(tmp_path: Path) -> None:
    learned().save(tmp_path, "source")
    path = tmp_path / "source.json"
    path.write_text(path.read_text().replace('"before"', '"befor"'))
    with pytest.raises(CheckpointError, match=r"source\.json: expected the keys tokenizer and lowercase"):
        TextCodec.load(tmp_path, "source")
