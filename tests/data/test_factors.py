"""Factors of source words: read, numbered, saved and refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from nmt_attn.config.file import load_config
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.codec import TextCodec, learn_codec
from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.encoded import EncodedPair, open_encoded, write_encoded
from nmt_attn.data.factors import FactorFormat
from nmt_attn.data.prepare import prepare_training
from nmt_attn.data.subwords import SubwordSampling
from nmt_attn.data.tags import DefaultTags
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.types import UNK, SentencePair

LINES = ["The|DET|c cat|NOUN|l sees|VERB|l", "a|DET|l cat|NOUN|l", "cat|NOUN|l"] * 5
NAMES = ("pos", "case")
KINDS = {
    "word": {"kind": "word"},
    "symbols": {"kind": "symbols"},
    "char": {"kind": "char"},
    "graphemes": {"kind": "char", "units": "graphemes"},
    "sentencepiece": {"kind": "sentencepiece", "vocab_size": 19},
}


def codec_of(
    kind: str = "word", lines: list[str] = LINES, tags: DefaultTags | None = None, **keys: object
) -> TextCodec:
    factors = {"names": NAMES, **({"separator": keys.pop("factor_separator")} if "factor_separator" in keys else {})}
    config = TokenizerConfig.model_validate({**KINDS[kind], "factors": factors, **keys})
    return learn_codec(lines, config, "text", tags)


def test_ids_by_hand() -> None:
    codec = codec_of()
    # by frequency after the 4 special tokens, ties by code point; cat 15, The a sees 5; NOUN 15, DET 10, VERB 5
    assert codec.vocabulary.tokens[4:] == ("cat", "The", "a", "sees")
    assert [factor.tokens[4:] for factor in codec.vocabulary.factors] == [("NOUN", "DET", "VERB"), ("l", "c")]
    assert codec.size == 8 and codec.vocabulary.factor_sizes == {"pos": 7, "case": 6}
    # id = w + 8 f_1 + 8 x 7 f_2
    assert codec.encode("The|DET|c cat|NOUN|l") == [5 + 8 * 5 + 56 * 5, 4 + 8 * 4 + 56 * 4]
    assert codec.encode("dog|NOUN|l cat|ADJ|l") == [UNK + 8 * 4 + 56 * 4, 4 + 8 * UNK + 56 * 4]
    assert codec.vocabulary.count_unknown(codec.encode("dog|NOUN|l cat|ADJ|l")) == 1
    assert codec.vocabulary.unknown_values("cat|ADJ|C") == ["pos ADJ", "case C"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_text_comes_back_with_its_factors(kind: str) -> None:
    codec = codec_of(kind)
    for line in LINES:
        pieces = codec.pieces(line)
        assert codec.vocabulary.tokens_of(codec.encode(line)) == pieces
        assert codec.decode(codec.encode(line)) == codec.tokenizer.normalise(line) == line
        words = codec.tokenizer.words(line)
        for piece, place in zip(pieces, codec.tokenizer.word_indices(pieces), strict=True):
            assert piece.split("|")[1:] == words[place].split("|")[1:]  # each piece has those of its word
        assert codec.tokenizer.plain(line) == " ".join(word.split("|")[0] for word in line.split())


def test_pieces_of_characters_by_hand() -> None:
    assert codec_of("char").pieces("a|DET|l cat|N|l") == ["a|DET|l", "▁|N|l", "c|N|l", "a|N|l", "t|N|l"]


def test_the_word_may_have_separators_and_keeps_its_own_case_and_form() -> None:
    codec = codec_of(lowercase=True, normalise="NFC")
    assert codec.pieces("A|b|NOUN|C e\u0301|DET|l |||DET|l") == ["a|b|NOUN|C", "\u00e9|DET|l", "|||DET|l"]


def test_symbols_stand_between_separators_of_their_own() -> None:
    codec = codec_of("symbols", ["t s|C|x+a|V|x"], separator="+")
    assert codec.pieces("t s|C|x + a|V|y z") == ["t▁s|C|x", "a|V|y▁z"]
    assert codec.decode(codec.encode("t s|C|x+a|V|x")) == "t s|C|x+a|V|x"
    assert codec.tokenizer.plain("t s|C|x + a|V|x") == "t s+a"


def test_a_separator_of_several_characters() -> None:
    codec = codec_of(lines=["house￨￨NOUN￨￨l"], factor_separator="￨￨")
    assert (
        codec.vocabulary.tokens[4:] == ("house",) and codec.decode(codec.encode("house￨￨NOUN￨￨l")) == "house￨￨NOUN￨￨l"
    )


def test_sampled_subwords_have_the_factors_of_their_word() -> None:
    codec = codec_of("sentencepiece")
    drawn = codec.tokenizer.sample(LINES[0], SubwordSampling("unigram", 0.1, None), 5)
    assert codec.tokenizer.decode(drawn) == LINES[0] and all(piece.count("|") == 2 for piece in drawn)


def test_tags_have_no_factors() -> None:
    codec = codec_of("word", ["⟦@de|x⟧ cat|NOUN|l ⟦V⟧"], DefaultTags())
    ids = codec.encode_checked("⟦@de|x⟧ cat|NOUN|l ⟦V⟧", "line 1")
    assert [number < codec.size for number in ids] == [True, False, True]
    assert codec.decode(ids) == "⟦@de|x⟧ cat|NOUN|l ⟦V⟧"
    assert codec.tokenizer.plain("⟦@de|x⟧ cat|NOUN|l ⟦V⟧") == "⟦@de|x⟧ cat ⟦V⟧"


@pytest.mark.parametrize("token", ["cat", "cat|NOUN", "cat|NOUN|", "cat||l", "|NOUN|l", "⟦V⟧"])
def test_a_word_without_a_factor_is_refused(token: str) -> None:
    with pytest.raises(DataError, match=r"^line 7: expected WORD\|pos\|case \(tokenizer.factors\), got '") as raised:
        codec_of().encode_checked(f"a|DET|l {token}", "line 7")
    assert str(raised.value).endswith(f"got {token!r}")


@pytest.mark.parametrize("kind", ["word", "sentencepiece"])
def test_a_saved_codec_is_the_same_codec(kind: str, tmp_path: Path) -> None:
    codec = codec_of(kind, [f"⟦V⟧ {line}" for line in LINES], DefaultTags("", "⟦N⟧"))
    codec.save(tmp_path, "source")
    assert (tmp_path / "source.pos.txt").read_text().split() == ["<pad>", "<unk>", "<s>", "</s>", "NOUN", "DET", "VERB"]
    again = TextCodec.load(tmp_path, "source")
    assert again.digest() == codec.digest() and again.encode(LINES[0]) == codec.encode(LINES[0])


def test_other_values_are_another_vocabulary(tmp_path: Path) -> None:
    codec = codec_of()
    codec.save(tmp_path, "source")
    path = tmp_path / "source.case.txt"
    path.write_text(path.read_text().replace("\nc\n", "\nC\n"))
    assert TextCodec.load(tmp_path, "source").digest() != codec.digest()
    path.unlink()
    with pytest.raises(CheckpointError, match=r"source\.case\.txt"):
        TextCodec.load(tmp_path, "source")
    record = json.loads((tmp_path / "source.json").read_text())
    (tmp_path / "source.json").write_text(json.dumps(record | {"factors": {"names": ["../x"]}}))
    with pytest.raises(CheckpointError, match=r"source\.json: expected a value of tokenizer.factors.names.0, got"):
        TextCodec.load(tmp_path, "source")


def test_more_combinations_than_ids_are_refused() -> None:
    rows = [f"w{i}" + f"|{i}" * 9 for i in range(200)]
    config = TokenizerConfig.model_validate({"factors": {"names": list("abcdefghi")}})
    with pytest.raises(ConfigError, match=r"tokenizer.factors.names: expected at most .* got 204 x 204 x 204"):
        learn_codec(rows, config, "text")


def test_ids_of_more_than_32_bits_come_back_from_the_cache(tmp_path: Path) -> None:
    large = [2**31, 5, 2**62 + 7]
    rows = [EncodedPair(large, [4], SentencePair("", "")), EncodedPair([], [5], SentencePair("", ""))]
    write_encoded(tmp_path / "f.arrow", rows, keep_text=False, has_factors=True)
    corpus = open_encoded(tmp_path / "f.arrow")
    assert corpus.source_lengths.tolist() == [4, 1]
    assert corpus.rows(np.array([0, 1])).source[0].tolist() == large


def write_corpus(folder: Path, *lines: str) -> Path:
    for name in ("train", "valid", "test"):
        (folder / f"{name}.tsv").write_text("".join(f"{line}\tx y\n" for line in lines))
    corpora = {name: {"tsv": str(folder / f"{name}.tsv")} for name in ("train", "valid", "test")}
    tree = {"data": {**corpora, "cache": str(folder / "cache")}, "tokenizer": {"factors": {"names": list(NAMES)}}}
    (folder / "c.yaml").write_text(json.dumps(tree))
    return folder / "c.yaml"


def test_a_line_without_factors_is_malformed(tmp_path: Path) -> None:
    config = load_config(write_corpus(tmp_path, LINES[0], "cat|NOUN", LINES[1]), [])
    data = prepare_training(config)
    assert data.train_report.dropped["malformed"].lines == [2] and len(data.train) == 2
    assert sorted(data.source.vocabulary.tokens[4:]) == ["The", "a", "cat", "sees"]
    with pytest.raises(
        DataError, match=r"test\.tsv:2: expected WORD\|pos\|case \(tokenizer.factors\), got 'cat\|NOUN'"
    ):
        list(read_part(config, "test", CorpusReport("data.test")))


def test_a_format_with_one_factor_divides_from_the_end() -> None:
    form = FactorFormat(("pos",), "|")
    assert form.split("a|b|N") == ("a|b", ("N",)) and form.join("a|b", ("N",)) == "a|b|N"
    assert form.split("ab") == ("ab", ()) and form.split("ab|") == ("ab|", ())
