"""Warnings about text: each cause is recognised, and sound text is left alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nmt_attn.config.file import parse_config
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.data.corpus_warnings import corpus_warnings, is_swapped, unknown_source
from nmt_attn.data.prepare import prepare_training
from nmt_attn.types import SentencePair

SOURCES = ["el perro ve un gato .", "un gato ve el perro , si", "la casa es roja !"]
TARGETS = ["the dog sees a cat .", "a cat sees the dog , yes", "the house is red !"]


def codecs(kind: str = "word", sources: Sequence[str] = SOURCES) -> Codecs:
    config = TokenizerConfig(kind=kind)
    return Codecs(learn_codec(sources, config, "s"), learn_codec(TARGETS, config, "t"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("EL PERRO VE UN GATO .", "5 of 6 source tokens (83%) .*'EL': casing"),
        ("perro, gato. casa!", "3 of 3 source tokens (100%) .*'perro,': missing spaces, as punctuation"),
        ("elperroveungato", "1 of 1 .*'elperroveungato': missing spaces, as known words"),
        ("the cat sees a dog .", "5 of 6 .*'the': it looks like text of the target language"),
        ("eins zwei drei .", "3 of 4 .*'eins': is it text like that of the training corpus"),
    ],
)
def test_the_likely_cause_of_unknown_words_is_named(line: str, message: str) -> None:
    found = unknown_source(codecs(), [line])
    assert found is not None
    *parts, cause = message.split(".*")
    assert all(part in found for part in [*parts, cause])


def test_a_very_long_word_takes_no_time_and_is_quoted_in_part() -> None:
    """Of half a million letters, whose parts would be compared a hundred thousand million times."""
    found = unknown_source(codecs(), ["[" * 500_000])
    assert found is not None
    assert f"such as {'[' * 80!r}: is it text like" in found


def test_letters_that_stand_together_are_recognised() -> None:
    spaced = codecs(sources=["a b c", "d e f"])
    assert "blanks between letters" in str(unknown_source(spaced, ["abc", "fed"]))


def test_known_text_is_left_alone() -> None:
    assert unknown_source(codecs(), [*SOURCES, "un rey ve la casa"]) is None
    assert unknown_source(codecs(), [""]) is None


@pytest.mark.parametrize("kind", ["word", "char"])
def test_swapped_sides_are_recognised(kind: str) -> None:
    sources = ["γάτα βλέπει σκύλο", "σπίτι κόκκινο"]
    pairs = [SentencePair(*texts) for texts in zip(sources, TARGETS, strict=False)]
    turned = [SentencePair(pair.target, pair.source) for pair in pairs]
    known = codecs(kind, sources)
    assert not is_swapped(known, pairs)
    assert is_swapped(known, turned)
    assert not is_swapped(Codecs(known.source, known.source), turned)


def warnings(folder: Path, train: list[tuple[str, str]], valid: list[tuple[str, str]], test: str | None) -> list[str]:
    for name, pairs in (("train", train), ("valid", valid)):
        (folder / f"{name}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs))
    keys = [f"data.root={folder}", f"run.dir={folder}/runs", "data.train.tsv=train.tsv", "data.valid.tsv=valid.tsv"]
    keys.append("tokenizer.kind=word")
    config = parse_config("", [*keys, *([f"data.test.tsv={test}"] if test else [])], "f.yaml")
    return list(corpus_warnings(config, prepare_training(config)))


PAIRS = list(zip(SOURCES, TARGETS, strict=True))


def test_training_text_that_is_validated_and_tested_on(tmp_path: Path) -> None:
    found = warnings(tmp_path, PAIRS, PAIRS[:2], "train.tsv")
    assert found == [
        "2 of 2 pairs of data.valid are training pairs too: its figures will be too good",
        "3 of 3 pairs of data.test are training pairs too: its figures will be too good",
    ]


def test_long_validation_sentences(tmp_path: Path) -> None:
    [found] = warnings(tmp_path, PAIRS, [(f"{SOURCES[0]} {SOURCES[1]} {SOURCES[2]}", "x y")], None)
    assert "data.valid has 18 source tokens in a sentence, data.train 6" in found


def test_swapped_validation_and_a_missing_test_set(tmp_path: Path) -> None:
    found = warnings(tmp_path, PAIRS, [(b, a) for a, b in PAIRS], "none.tsv")
    assert "data.test cannot be read, which eval will need" in found[0]
    assert found[1].startswith("data.valid: source and target seem to be swapped")


def test_validation_of_single_words_that_training_lacks(tmp_path: Path) -> None:
    words = [(chr(97 + i) * 3, "x") for i in range(20)]
    [found] = warnings(tmp_path, words, [("ab", "x"), ("cd", "x"), ("aaa", "x y")], None)
    assert found.startswith("data.valid: 2 of 3 source tokens (67%) are not in the model's vocabulary, such as 'ab': ")
    assert found.endswith("(`tokenizer.source.kind: char` reads single words letter by letter)")


def test_sound_corpora_are_left_alone(tmp_path: Path) -> None:
    assert warnings(tmp_path, PAIRS, [("el gato ve la casa .", "the cat sees the house .")], None) == []
