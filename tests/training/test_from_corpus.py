"""Values that follow from the corpus: the rule by hand, its bounds, and what a configuration has set itself."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt_attn.config.schema import Config, TrainingConfig
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.encoded import EncodedCorpus
from nmt_attn.training.from_corpus import (
    choose_batch_tokens,
    choose_epochs,
    chosen_values,
    complete,
    different_trigrams,
    is_repetitive,
    longer_side_tokens,
)


def config_of(**training: object) -> Config:
    return Config(training=TrainingConfig.model_validate(training))


@pytest.mark.parametrize(
    ("corpus_tokens", "batch_tokens", "epochs"),
    [
        (6_500, 256, 100),  # 21 tokens a batch would be too few; 4,000 x 256 / 6,500 = 158 epochs too many
        (20_000, 256, 52),  # 4,000 x 256 / 20,000 = 51.2
        (192_000, 640, 14),  # 192,000 / 300 = 640; 4,000 x 640 / 192,000 = 13.3
        (400_000, 1280, 13),  # 400,000 / 300 = 1,333, down to a multiple of 64; 12.8
        (300_000_000, 4096, 10),
    ],
)
def test_batches_and_epochs_by_hand(corpus_tokens: int, batch_tokens: int, epochs: int) -> None:
    training = complete(config_of(), corpus_tokens).training
    assert (training.batch_tokens, training.epochs) == (batch_tokens, epochs)


@given(st.integers(0, 10**10), st.integers(0, 10**10))
def test_a_larger_corpus_has_no_smaller_batches_and_no_more_epochs(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert choose_batch_tokens(small) <= choose_batch_tokens(large)
    assert choose_epochs(small, 256) >= choose_epochs(large, 256)


@pytest.mark.parametrize("limit", [{"epochs": 3}, {"updates": 70}, {"minutes": 1.5}])
def test_a_limit_of_the_configuration_stays_the_only_one(limit: dict[str, float]) -> None:
    training = complete(config_of(**limit), 20_000).training
    limits = {name: getattr(training, name) for name in ("epochs", "updates", "minutes")}
    assert {name: value for name, value in limits.items() if value is not None} == limit


def test_what_the_configuration_says_is_kept_and_epochs_count_accumulated_batches() -> None:
    training = complete(config_of(batch_tokens=512, accumulate_batches=2), 200_000).training
    assert training.batch_tokens == 512
    assert training.epochs == 21  # 4,000 x 1,024 / 200,000 = 20.5


def test_only_chosen_values_are_named() -> None:
    before = config_of(batch_tokens=512)
    assert chosen_values(before, complete(before, 200_000)) == ["training.epochs 11"]
    assert chosen_values(config_of(), complete(config_of(), 300_000_000)) == [
        "training.batch_tokens 4,096",
        "training.epochs 10",
    ]
    complete_one = config_of(batch_tokens=512, epochs=7)
    assert chosen_values(complete_one, complete(complete_one, 200_000)) == []


def test_the_longer_side_counts() -> None:
    corpus = SimpleNamespace(source_lengths=np.array([4, 2, 6]), target_lengths=np.array([3, 5, 6]))
    assert longer_side_tokens(cast(EncodedCorpus, corpus)) == 4 + 5 + 6


def test_different_trigrams_by_hand() -> None:
    """Twice <s> 5 6 </s> and <s> 5 7 </s>: of six trigrams, <s> 5 6, 5 6 </s>, <s> 5 7 and 5 7 </s> differ."""
    rows = SimpleNamespace(target=[np.array(ids) for ids in ([5, 6], [5, 6], [5, 7])])

    class Corpus:
        def __len__(self) -> int:
            return 3

        def rows(self, indices: np.ndarray) -> SimpleNamespace:
            assert list(indices) == [0, 1, 2]
            return rows

    assert different_trigrams(cast(EncodedCorpus, Corpus())) == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("kinds", "trigrams", "smoothing"),
    [
        ({"kind": "word"}, 0.24, 0.0),
        ({"kind": "word"}, 0.25, 0.1),
        ({"kind": "sentencepiece"}, 0.1, 0.1),
        ({"kind": "char"}, 0.05, 0.1),
        ({"kind": "char", "target": {"kind": "word"}}, 0.1, 0.0),
        ({"kind": "word", "target": {"kind": "char"}}, 0.1, 0.1),
    ],
)
def test_words_that_repeat_themselves_are_not_smoothed(
    kinds: dict[str, object], trigrams: float, smoothing: float
) -> None:
    config = Config(tokenizer=TokenizerConfig.model_validate(kinds))
    assert is_repetitive(config, trigrams) == (smoothing == 0)
    assert complete(config, 20_000, trigrams).training.label_smoothing == smoothing
    given = config.model_copy(update={"training": TrainingConfig(label_smoothing=0.3)})
    assert complete(given, 20_000, trigrams).training.label_smoothing == 0.3
