"""Tokenizers: what comes back, and which word a piece belongs to."""

from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nmt_attn.config.tokenizer_section import NormalForm, TokenizerConfig
from nmt_attn.data.tokenizer import TOKENIZERS, Character, SentencePiece, Symbols, TextOptions, Tokenizer, Word
from nmt_attn.errors import ConfigError, DataError

TEXT = ["the cat saw the dog", "a dog saw a cat", "the cats see dogs here", "çà et là, l'été"]


@cache
def sentencepiece(algorithm: str, *, lowercase: bool = False, normalise: NormalForm = "none") -> SentencePiece:
    config = TokenizerConfig(kind="sentencepiece", algorithm=algorithm, vocab_size=27, lowercase=lowercase)
    model = SentencePiece.learn_model(TEXT * 3, config, "the text")
    return SentencePiece(TextOptions(lowercase=lowercase, normalise=normalise), model)


OPTIONS = {"graphemes": ("char", TextOptions(units="graphemes")), "bars": ("symbols", TextOptions(separator="|"))}
NAMES = ["word", "symbols", "char", "unigram", "bpe", *OPTIONS]


def tokenizer_of(name: str, *, lowercase: bool = False, normalise: NormalForm = "none") -> Tokenizer:
    if name in ("unigram", "bpe"):
        return sentencepiece(name, lowercase=lowercase, normalise=normalise)
    kind, options = OPTIONS.get(name, (name, TextOptions()))
    return TOKENIZERS[kind](options._replace(lowercase=lowercase, normalise=normalise))


ODD_TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from(" \t\r\u00a0\u2028▁_<>/s\x00the")))


@pytest.mark.parametrize("name", NAMES)
@given(text=ODD_TEXTS)
@example(text="a\u2028b\u00a0\u3000c\t \x85d")
@example(text="</s> x</s>y <unk> ▁a▁ ▁ __")
@example(text="\x00 \u0323 \ufeff \u200b ▅\ufffd")
@example(text="a|b c | |\u0323d|▁")
@example(text="\u0600 \u0301a\u0301\u0301 👩\u200d👧")
@settings(max_examples=50, deadline=None)
def test_every_tokenizer_gives_back_the_words_it_was_given(name: str, text: str) -> None:
    tokenizer = tokenizer_of(name)
    pieces = tokenizer.encode(text)
    words = tokenizer.words(text)
    assert tokenizer.decode(pieces) == tokenizer.normalise(text)
    assert tokenizer.words(tokenizer.decode(pieces)) == words
    if name == "bars":
        given_words = ["▁".join(word.split()) for word in text.split("|") if word.strip()]
    else:
        given_words = text.split()
    assert [word.replace("▁", "_") for word in given_words] == [word.replace("▁", "_") for word in words]
    assert all(piece and not piece.isspace() for piece in pieces)
    indices = tokenizer.word_indices(pieces)
    assert len(indices) == len(pieces)
    is_first = [indices[k] > indices[k - 1] for k in range(1, len(pieces))]
    assert [tokenizer.begins_word(piece) for piece in pieces[1:]] == is_first
    spelled = [tokenizer.decode([p for p, i in zip(pieces, indices, strict=True) if i == k]) for k in range(len(words))]
    assert [tokenizer.words(word) for word in spelled] == [[word] for word in words]


@pytest.mark.parametrize("name", NAMES)
@given(pieces=st.lists(st.sampled_from(["▁", "a", "b", "<unk>"]), max_size=9))
@settings(max_examples=50, deadline=None)
def test_any_pieces_that_a_model_writes_have_the_words_of_their_text(name: str, pieces: list[str]) -> None:
    tokenizer = tokenizer_of(name)
    if name == "bars":  # no symbol is a blank alone
        pieces = [piece for piece in pieces if piece != "▁"]
    words = tokenizer.words(tokenizer.decode(pieces))
    indices = tokenizer.word_indices(pieces)
    assert len(indices) == len(pieces)
    assert sorted(set(indices)) == list(range(len(words))) or (not words and set(indices) <= {0})


def test_word_splits_on_all_white_space_and_on_nothing_else() -> None:
    assert Word(TextOptions()).encode(" ein\u00a0Hund\tbellt ,  laut\u200b!") == [
        "ein",
        "Hund",
        "bellt",
        ",",
        "laut\u200b!",
    ]


def test_a_character_tokenizer_shows_the_blank() -> None:
    tokenizer = Character(TextOptions())
    assert tokenizer.encode("ab  c") == ["a", "b", "▁", "c"]
    # the blank begins the second word, as in SentencePiece
    assert tokenizer.word_indices(["a", "b", "▁", "c"]) == [0, 0, 1, 1]
    assert tokenizer.decode(["▁", "a", "▁", "▁", "b", "▁"]) == "a b"
    assert tokenizer.word_indices(["▁", "a", "▁", "▁", "b", "▁"]) == [0, 0, 1, 1, 1, 1]


def test_symbols_stand_between_separators_and_may_hold_blanks() -> None:
    tokenizer = Symbols(TextOptions(separator="|"))
    assert tokenizer.encode(" t ʃ | aː||n") == ["t▁ʃ", "aː", "n"]
    assert tokenizer.decode(["t▁ʃ", "aː", "n"]) == "t ʃ|aː|n"
    assert Symbols(TextOptions(separator=" + ")).encode("a + b c +d") == ["a", "b▁c▁+d"]
    assert Symbols(TextOptions()).encode("t͡ʃ aː\u00a0n") == ["t͡ʃ", "aː", "n"]


def test_a_grapheme_holds_a_letter_and_its_marks() -> None:
    text = "e\u0301t\u0361ʃ né"
    assert Character(TextOptions()).encode(text) == ["e", "\u0301", "t", "\u0361", "ʃ", "▁", "n", "é"]
    graphemes = Character(TextOptions(units="graphemes"))
    assert graphemes.encode(text) == ["e\u0301", "t\u0361", "ʃ", "▁", "n", "é"]
    # a mark after a blank, and a sign that joins what follows, stay apart from the blank
    assert graphemes.encode("a \u0301 \u0600 b") == ["a", "▁", "\u0301", "▁", "\u0600", "▁", "b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_normal_form_makes_equal_text_equal(name: str) -> None:
    composed, decomposed = "\u00e7a l'\u00e9t\u00e9", "c\u0327a l'e\u0301te\u0301"
    assert tokenizer_of(name).normalise(composed) != tokenizer_of(name).normalise(decomposed)
    for form, expected in (("NFC", composed), ("NFD", decomposed), ("NFKC", composed)):
        tokenizer = tokenizer_of(name, normalise=form)
        assert tokenizer.encode(composed) == tokenizer.encode(decomposed)
        assert tokenizer.decode(tokenizer.encode(composed)) == expected
    assert tokenizer_of(name, normalise="NFKC").normalise("ﬁ²") == "fi2"


def test_subwords_belong_to_the_word_that_the_blank_begins() -> None:
    tokenizer = sentencepiece("bpe")
    assert tokenizer.word_indices(["▁the", "▁c", "at", "s", "▁", "<unk>"]) == [0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("name", NAMES)
def test_lowercase_comes_before_everything(name: str) -> None:
    tokenizer = tokenizer_of(name, lowercase=True)
    assert tokenizer.encode("The CAT") == tokenizer.encode("the cat")
    assert tokenizer.words("The CAT") == tokenizer_of(name).words("the cat")
    assert tokenizer_of(name).normalise("The CAT") == "The CAT"


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_sentencepiece_learns_the_same_model_twice_and_its_ids_begin_with_the_special_tokens(algorithm: str) -> None:
    config = TokenizerConfig(kind="sentencepiece", algorithm=algorithm, vocab_size=27)
    models = [SentencePiece.learn_model(TEXT * 3, config, "the text") for _ in range(2)]
    assert models[0] == models[1]
    tokens = SentencePiece(TextOptions(), models[0]).tokens
    assert len(tokens) == 27
    assert tokens[:4] == ("<pad>", "<unk>", "<s>", "</s>")


def learn(vocab_size: int, algorithm: str = "unigram", text: list[str] = TEXT) -> bytes:
    config = TokenizerConfig(kind="sentencepiece", algorithm=algorithm, vocab_size=vocab_size)
    return SentencePiece.learn_model(text, config, "source text")


def pieces_of(model: bytes) -> tuple[str, ...]:
    return SentencePiece(TextOptions(), model).tokens


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_a_vocabulary_larger_than_the_text_allows_is_the_largest_that_it_does(algorithm: str) -> None:
    largest = len(pieces_of(learn(30000, algorithm)))
    assert largest < 100
    assert pieces_of(learn(largest + 1, algorithm)) == pieces_of(learn(30000, algorithm))
    assert len(pieces_of(learn(largest - 1, algorithm))) == largest - 1


def test_a_vocabulary_smaller_than_the_alphabet_names_the_smallest() -> None:
    # "abc de": the letters a to e, the blank, four special tokens
    with pytest.raises(ConfigError, match=r"^tokenizer\.vocab_size: expected at least 10, .*source text.*, got 9$"):
        learn(9, text=["abc de"])


def test_sentencepiece_learns_nothing_from_no_text() -> None:
    with pytest.raises(DataError, match="source text: expected text"):
        learn(9, text=[])


def test_sentencepiece_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    learn(27)
    learn(30000)
    assert capfd.readouterr() == ("", "")
