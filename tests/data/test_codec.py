"""Codec: text to ids and back, and the files beside a model."""

from pathlib import Path

import pytest

from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.codec import Codecs, TextCodec, learn_codec, load_codecs
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.types import BOS, EOS, PAD, UNK

TEXT = ["the cat saw the dog", "a dog saw a cat", "The cats see dogs here"] * 3
CONFIGS = {
    "word": TokenizerConfig(kind="word"),
    "char": TokenizerConfig(kind="char", lowercase=True),
    "graphemes": TokenizerConfig(kind="char", units="graphemes", normalise="NFD"),
    "symbols": TokenizerConfig(kind="symbols"),
    "unigram": TokenizerConfig(kind="sentencepiece", algorithm="unigram", vocab_size=22),
    "bpe": TokenizerConfig(kind="sentencepiece", algorithm="bpe", vocab_size=29),
}


def codec_of(name: str) -> TextCodec:
    return learn_codec(TEXT, CONFIGS[name], "the text")


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_text_comes_back_from_ids(name: str) -> None:
    codec = codec_of(name)
    for line in TEXT:
        ids = codec.encode(line)
        assert codec.decode([BOS, *ids, EOS, PAD]) == codec.tokenizer.normalise(line)
        assert len(ids) == len(codec.pieces(line))
        assert all(EOS < i < codec.size for i in ids)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_an_unknown_piece_is_shown_as_unk(name: str) -> None:
    codec = codec_of(name)
    ids = codec.encode("the Ω dog")
    assert ids.count(UNK) == 1
    assert codec.decode(ids) == "the <unk> dog"


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_special_tokens_in_the_text_never_become_special_tokens(name: str) -> None:
    assert not {PAD, BOS, EOS} & set(codec_of(name).encode("a</s> <pad> <s> </s> dog"))


def test_ids_of_words_by_hand() -> None:
    # counts: a, cat, dog, saw, the 6 each; Cats.. 3 each: The, cats, dogs, here, see
    codec = codec_of("word")
    assert codec.vocabulary.tokens[4:] == ("a", "cat", "dog", "saw", "the", "The", "cats", "dogs", "here", "see")
    assert codec.encode("the dog, see  here") == [8, UNK, 13, 12]
    assert codec.encode(" ") == []
    assert codec.size == 14


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_saved_codec_is_the_same_codec(name: str, tmp_path: Path) -> None:
    codec = codec_of(name)
    codec.save(tmp_path, "source")
    again = TextCodec.load(tmp_path, "source")
    assert again.vocabulary.tokens == codec.vocabulary.tokens
    assert (again.kind, again.tokenizer.text) == (codec.kind, codec.tokenizer.text)
    for line in [*TEXT, "Ω </s> unknown"]:
        assert again.encode(line) == codec.encode(line)
        assert again.pieces(line) == codec.pieces(line)


def test_a_shared_codec_is_saved_once_and_loaded_as_one_object(tmp_path: Path) -> None:
    codec = codec_of("bpe")
    Codecs(codec, codec).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared.json", "shared.model", "shared.txt"]
    source, target = load_codecs(tmp_path)
    assert source is target


def test_separate_codecs_are_saved_side_by_side(tmp_path: Path) -> None:
    Codecs(codec_of("word"), codec_of("char")).save(tmp_path)
    source, target = load_codecs(tmp_path)
    assert (source.kind, target.kind) == ("word", "char")
    assert target.tokenizer.text.lowercase


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere: expected a folder of vocabulary files"):
        load_codecs(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"source\.json: .*no such file"):
        load_codecs(tmp_path)
    codec_of("unigram").save(tmp_path, "source")
    (tmp_path / "source.model").write_bytes(b"not a model")
    with pytest.raises(CheckpointError, match=r"source\.model: expected a model of SentencePiece, got a damaged file"):
        TextCodec.load(tmp_path, "source")
    codec_of("bpe").save(tmp_path, "target")
    (tmp_path / "source.model").write_bytes((tmp_path / "target.model").read_bytes())
    with pytest.raises(CheckpointError, match=r"source\.txt: expected the pieces of source\.model, got others"):
        TextCodec.load(tmp_path, "source")
    (tmp_path / "source.model").unlink()
    with pytest.raises(CheckpointError, match=r"source\.model: .*no such file"):
        TextCodec.load(tmp_path, "source")
    (tmp_path / "source.json").write_text('{"tokenizer": "wird", "lowercase": false}', encoding="utf-8")
    with pytest.raises(CheckpointError, match="expected a tokenizer of word, symbols, char, sentencepiece, got 'wird'"):
        TextCodec.load(tmp_path, "source")
    (tmp_path / "source.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"expected the keys tokenizer and lowercase, got '\[1\]'"):
        TextCodec.load(tmp_path, "source")
    odd = '{"tokenizer": "char", "lowercase": false, "units": "letters"}'
    (tmp_path / "source.json").write_text(odd, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"source\.json: expected a value of tokenizer\.units, got 'letters'"):
        TextCodec.load(tmp_path, "source")


def test_a_vocabulary_that_does_not_fit_says_which_text() -> None:
    with pytest.raises(ConfigError, match=r"source text.*, got 9"):
        learn_codec(TEXT, TokenizerConfig(kind="sentencepiece", vocab_size=9), "source text")


def test_options_at_their_defaults_leave_no_trace_in_the_files(tmp_path: Path) -> None:
    codec_of("word").save(tmp_path, "source")
    assert (tmp_path / "source.json").read_text() == '{\n  "tokenizer": "word",\n  "lowercase": false\n}\n'
    codec_of("graphemes").save(tmp_path, "target")
    assert '"normalise": "NFD",\n  "units": "graphemes"' in (tmp_path / "target.json").read_text()


def test_the_digest_stands_for_every_option() -> None:
    options = [{}, {"units": "graphemes"}, {"normalise": "NFD"}, {"lowercase": True}, {"separator": "|"}]
    codecs = [learn_codec(["ab"], TokenizerConfig(kind="char", **each), "text") for each in options]
    assert len({codec.digest() for codec in codecs}) == len(options)
