"""Phrases as text: what they become as tokens, and that translations have them."""

import pytest
from tiny_translators import LINES, MODELS, SEARCH, make_codecs, make_model, make_translator

from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.search.ensemble import EnsembleTranslator
from nmt_attn.search.lexical_constraints import encode_phrases, word_beginnings
from nmt_attn.search.translator import Translator
from nmt_attn.types import BOS, EOS, PAD

PHRASES = [
    ["the house", "sees"],
    [],
    [],
    ["not see the", "the dog"],
    [],
    ["does not"],
    ["the cat the cat"],
    ["dog"],
    [],
]
"""For each of LINES."""


def make_pieces() -> Codecs:
    """Subwords: `the` and its like are cut into several."""
    text = ["der Hund sieht die Katze", "die Katze sieht das Haus nicht", "das Haus"] * 3
    target = ["the dog sees the cat", "the cat does not see the house", "the house"] * 3
    config = TokenizerConfig(kind="sentencepiece", algorithm="bpe", vocab_size=28)
    return Codecs(learn_codec(text, config, "source"), learn_codec(target, config, "target"))


def test_phrases_become_tokens_and_letters_have_their_blank() -> None:
    words, letters = (make_codecs(kind).target for kind in ("word", "char"))
    [house, cat] = encode_phrases(["the  house", "cat", " cat "], words, "f:1")
    assert (house.first_state, cat.first_state) == (0, 0)
    assert words.vocabulary.tokens_of(house.ids) == ["the", "house"]
    assert words.vocabulary.tokens_of(cat.ids) == ["cat"]
    [letter] = encode_phrases(["a cat"], letters, "f:1")
    assert "".join(letters.vocabulary.tokens_of(letter.ids)) == "▁a▁cat"
    assert letter.first_state == 1
    [piece] = encode_phrases(["the cat"], make_pieces().target, "f:1")
    assert piece.first_state == 0


@pytest.mark.parametrize("kind", ["word", "char"])
def test_a_phrase_that_the_model_cannot_write_is_refused(kind: str) -> None:
    unknown = {"word": "zebra", "char": "z"}[kind]
    message = rf"f:3: expected words of the model's vocabulary, got 'the zebra' \(unknown: '{unknown}'\)"
    with pytest.raises(DataError, match=message):
        encode_phrases(["cat", "the zebra"], make_codecs(kind).target, "f:3")
    with pytest.raises(DataError, match=r"f:3: expected a phrase, got ' '"):
        encode_phrases([" "], make_codecs(kind).target, "f:3")


def test_where_a_word_ends() -> None:
    words, letters = (make_codecs(kind).target for kind in ("word", "char"))
    assert word_beginnings(words).all()
    begins_word = word_beginnings(letters)
    tokens = [letters.vocabulary.tokens[token] for token in begins_word.nonzero().flatten().tolist()]
    assert tokens == ["</s>", "▁"]
    assert not begins_word[[PAD, BOS]].any() and begins_word[EOS]


@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize("kind", ["word", "char", "sentencepiece"])
def test_every_translation_has_its_phrases_as_whole_words(kind: str, beam: int) -> None:
    """With a prefix, with and without neighbours; blank lines stay blank."""
    codecs = make_pieces() if kind == "sentencepiece" else make_codecs(kind)
    search = SEARCH.model_copy(update={"max_length": 40, "max_length_factor": 9.0, "no_repeat_ngram": 4})
    translator = Translator(make_model(MODELS["bahdanau"], codecs), codecs, search)
    prefixes = ["the", *[""] * 8]
    together = list(
        translator.translate(LINES, beam=beam, nbest=beam, constraints=PHRASES, prefixes=prefixes, window_lines=4)
    )
    for line, phrases, prefix, found in zip(LINES, PHRASES, prefixes, together, strict=True):
        for hypothesis in found.hypotheses:
            assert hypothesis.text.startswith(prefix)
            for phrase in phrases if line.strip() else ():
                assert f" {phrase} " in f" {hypothesis.text} "
        [alone] = translator.translate([line], beam=beam, nbest=beam, constraints=[phrases], prefixes=[prefix])
        assert [one.text for one in alone.hypotheses] == [one.text for one in found.hypotheses]


def test_an_ensemble_keeps_to_phrases_too() -> None:
    codecs = make_codecs("word")
    members = [Translator(make_model(MODELS[name], codecs), codecs, SEARCH) for name in ("bahdanau", "local")]
    [found] = EnsembleTranslator(members, "log-linear").translate(["das Haus"], constraints=[["not see", "dog"]])
    assert " not see " in f" {found.text} "
    assert " dog " in f" {found.text} "
    assert found.alignment is not None
    assert found.alignment.target == tuple(found.text.split())


def test_phrases_that_translations_have_anyway_change_nothing() -> None:
    translator = make_translator()
    lines = [line for line in LINES if line.strip()]
    free = list(translator.translate(lines, beam=1, with_alignments=False))
    words = [[word for word in one.text.split() if word != "<unk>"][:1] for one in free]
    found = list(translator.translate(lines, beam=1, constraints=words, with_alignments=False))
    assert [one.text for one in found if one.hypotheses[0].is_finished] == [
        one.text for one in free if one.hypotheses[0].is_finished
    ]


def test_phrases_without_room_are_refused_with_their_line() -> None:
    search = SEARCH.model_copy(update={"max_length": 3})
    constraints = [["the cat"], ["not see", "the house"]]
    with pytest.raises(DataError, match=r"constraints of line 2: expected at most 3 tokens .*, got 4"):
        list(make_translator(search=search).translate(["das Haus"] * 2, constraints=constraints))
    [found] = make_translator(search=search).translate(["das Haus"], prefixes=["the cat"], constraints=[["cat sees"]])
    assert found.text == "the cat sees"


def test_samples_are_not_forced() -> None:
    with pytest.raises(ConfigError, match=r"constraints: expected none with sampling, .*, got some"):
        make_translator().translate(["das Haus"], constraints=[["the"]], sample=True)


def test_equal_phrases_count_once() -> None:
    assert len(encode_phrases(["the cat", " the  cat", "cat"], make_codecs("word").target, "f:1")) == 2
