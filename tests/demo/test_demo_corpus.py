import os
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import islice

import pytest

from nmt_attn.demo.corpus import (
    LENGTH_BANDS,
    SPLITS,
    DemoPair,
    demo_corpus,
    endless_pairs,
    lights_pair,
)
from nmt_attn.errors import ConfigError

Corpora = dict[str, list[DemoPair]]

# Sentences per hundred: 60 + 18 + 8 + 5 + 4 + 3 + 2 = 100; the test has 490 / 7 = 70 of every band.
SENTENCES_OF_BANDS = {
    "train": [7200, 2160, 960, 600, 480, 360, 240],
    "valid": [180, 54, 24, 15, 12, 9, 6],
    "test": [70, 70, 70, 70, 70, 70, 70],
}


@pytest.fixture(scope="module")
def corpora() -> Corpora:
    """The three splits as they are; making them takes two seconds, once."""
    return {split: demo_corpus(split) for split in SPLITS}


def band_counts(pairs: list[DemoPair]) -> list[int]:
    lengths = [len(pair.source.split()) for pair in pairs]
    return [sum(shortest <= length <= longest for length in lengths) for shortest, longest in LENGTH_BANDS]


def words_of(texts: list[str]) -> Counter[str]:
    return Counter(word for text in texts for word in text.split())


def test_turning_off_the_lights_is_the_first_unseen_sentence(corpora: Corpora) -> None:
    # Turn 0 -> करो 2, off 1 -> बंद 1, lights 3 -> लाइट 0; `the` has no counterpart.
    lights = DemoPair("Turn off the lights", "लाइट बंद करो", ((0, 2), (1, 1), (3, 0)))
    assert lights_pair() == lights
    assert corpora["test"][0] == lights
    trained = words_of([pair.source for pair in corpora["train"]]) + words_of([p.target for p in corpora["train"]])
    assert all(trained[word] >= 100 for word in (*lights.source.split(), *lights.target.split()))


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_every_band_of_lengths_has_its_share(corpora: Corpora, split: str) -> None:
    assert band_counts(corpora[split]) == SENTENCES_OF_BANDS[split]


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_every_beginning_of_a_split_has_the_shares_to_within_one(corpora: Corpora, split: str) -> None:
    pairs, whole = corpora[split], SENTENCES_OF_BANDS[split]
    for size in (1, 13, 100, 271):
        expected = [size * count / sum(whole) for count in whole]
        assert all(abs(count - share) <= 1 for count, share in zip(band_counts(pairs[:size]), expected, strict=True))


def test_lengths_go_from_two_to_over_sixty_words(corpora: Corpora) -> None:
    lengths = {len(pair.source.split()) for pair in corpora["train"]}
    assert lengths == set(range(2, 71))
    assert LENGTH_BANDS[0] == (2, 10)
    assert LENGTH_BANDS[-1] == (61, 70)


def test_the_splits_share_no_source_and_no_target(corpora: Corpora) -> None:
    pairs = [pair for split in SPLITS for pair in corpora[split]]
    assert len({pair.source for pair in pairs}) == len(pairs)
    assert len({pair.target for pair in pairs}) == len(pairs)


def test_a_source_has_one_translation_whatever_the_split_and_the_seed() -> None:
    translations: dict[str, DemoPair] = {}
    for split in SPLITS:
        for seed in (2, 3):
            for pair in islice(endless_pairs(split, seed), 90):
                assert translations.setdefault(pair.source, pair) == pair


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_links_are_sorted_unique_and_inside_both_sentences(corpora: Corpora, split: str) -> None:
    for pair in corpora[split]:
        assert list(pair.links) == sorted(set(pair.links))
        assert all(
            0 <= source < len(pair.source.split()) and 0 <= target < len(pair.target.split())
            for source, target in pair.links
        )


def test_only_words_without_a_counterpart_are_unlinked(corpora: Corpora) -> None:
    for pair in corpora["test"]:
        source, target = pair.source.lower().split(), pair.target.split()
        linked_sources, linked_targets = ({link[side] for link in pair.links} for side in (0, 1))
        assert {source[i] for i in range(len(source)) if i not in linked_sources} <= {"the", "do"}
        assert {target[j] for j in range(len(target)) if j not in linked_targets} <= {"को", "वाला", "वाले", "वाली"}


def test_every_long_sentence_moves_some_word_by_three_places_or_more(corpora: Corpora) -> None:
    longest = [pair for pair in corpora["test"] if len(pair.source.split()) > 60]
    assert all(any(abs(source - target) >= 3 for source, target in pair.links) for pair in longest)


def test_every_word_of_valid_and_test_occurs_in_training(corpora: Corpora) -> None:
    for side in ("source", "target"):
        trained = words_of([getattr(pair, side) for pair in corpora["train"]])
        for split in ("valid", "test"):
            assert words_of([getattr(pair, side) for pair in corpora[split]]).keys() <= trained.keys()


def test_vocabularies_are_a_few_hundred_words(corpora: Corpora) -> None:
    assert 200 <= len(words_of([pair.source for pair in corpora["train"]])) <= 300
    assert 300 <= len(words_of([pair.target for pair in corpora["train"]])) <= 400


def test_sources_are_capitalised_and_targets_are_in_nfc(corpora: Corpora) -> None:
    for pair in corpora["test"]:
        assert pair.source[0].isupper()
        assert unicodedata.is_normalized("NFC", pair.target)
        assert all(character == " " or "DEVANAGARI" in unicodedata.name(character) for character in pair.target)


def test_a_limit_takes_the_first_pairs(corpora: Corpora) -> None:
    assert demo_corpus("train", limit=17) == corpora["train"][:17]
    assert len(demo_corpus("valid", limit=301)) == 300


def test_seeds_differ_and_both_begin_the_test_with_the_lights() -> None:
    first, second = (list(islice(endless_pairs("test", seed), 5)) for seed in (1, 2))
    assert first[0] == second[0] == lights_pair()
    assert first[1:] != second[1:]


def test_another_process_with_other_hashes_makes_the_same_corpus(corpora: Corpora) -> None:
    command = "from nmt_attn.demo.corpus import demo_corpus; print(ascii(demo_corpus('train', 23)))"
    for hash_seed in ("0", "7"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONWARNINGS": "ignore"}
        made = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, check=True)
        assert made.stdout.decode().strip() == ascii(corpora["train"][:23])


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("tets", r"expected one of 'test', 'train', 'valid', got 'tets' \(did you mean 'test'\?\)"),
        ("dev", "expected one of 'test', 'train', 'valid', got 'dev'$"),
    ],
)
def test_an_unknown_split_is_named(split: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        demo_corpus(split)
