"""The objective: what is done to a batch in training, and that nothing is done in validation."""

from typing import Any

import pytest
import torch
from tiny_models import accepted, tiny_batch, tiny_model

from nmt_attn.config.sections import TrainingConfig
from nmt_attn.model.seq2seq import OwnWords
from nmt_attn.training.objective import Objective, drop_words, own_words
from nmt_attn.types import BOS, EOS, PAD, UNK


def training(**keys: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(keys)


def objective(**keys: Any) -> Objective:
    return Objective(tiny_model(accepted({})), training(**keys), torch.float32)


def test_words_are_dropped_with_the_rate_and_special_tokens_never() -> None:
    ids = torch.tensor([[BOS, 4, 5, 9, EOS, PAD]]).repeat(1000, 1)
    dropped = drop_words(ids, 0.25)
    assert torch.equal(dropped[:, [0, 4, 5]], ids[:, [0, 4, 5]])
    words, others = dropped[:, 1:4], ids[:, 1:4]
    assert (words.eq(UNK) | words.eq(others)).all()
    # 3,000 words: the standard deviation of the share is sqrt(0.25 * 0.75 / 3000) = 0.008
    assert words.eq(UNK).double().mean().item() == pytest.approx(0.25, abs=0.04)


def test_without_a_rate_no_chance_is_drawn() -> None:
    ids, before = torch.tensor([[4, 5]]), torch.get_rng_state()
    assert drop_words(ids, 0.0) is ids
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("side", ["source", "target"])
def test_words_are_dropped_in_training_on_the_side_asked_for(side: str) -> None:
    noisy, whole = objective(word_dropout={side: 0.9}), tiny_batch([5, 2, 4], [3, 4, 2])
    torch.manual_seed(3)
    ours = noisy.training(whole, 0).total
    torch.manual_seed(3)
    name = "src_ids" if side == "source" else "tgt_in"
    by_hand = whole._replace(**{name: drop_words(getattr(whole, name), 0.9)})
    assert torch.equal(ours, noisy.plain(by_hand).total)
    assert not torch.equal(ours, noisy.plain(whole).total)


def test_what_it_costs_without_any_of_it_is_the_plain_loss() -> None:
    plain, whole = objective(), tiny_batch([5, 2, 4], [3, 4, 2])
    before = torch.get_rng_state()
    assert torch.equal(plain.training(whole, 7).total, plain.plain(whole).total)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_gets_more_words_of_its_own_as_training_goes_on() -> None:
    config = training(scheduled_sampling={"rate": 0.5, "decay": "linear", "updates": 10, "choice": "sample"})
    assert own_words(config, 0) is None  # 0.5 x (1 - 1)
    assert own_words(config, 4) == OwnWords(pytest.approx(0.2), is_drawn=True)  # 0.5 x 4 / 10
    assert own_words(config, 99) == OwnWords(0.5, is_drawn=True)
    assert own_words(training(), 99) is None


def test_its_own_words_are_fed_in_training_alone() -> None:
    sampling, whole = objective(scheduled_sampling={"rate": 1.0, "updates": 1}), tiny_batch([5, 2, 4], [3, 6, 2])
    assert torch.equal(sampling.plain(whole).total, objective().plain(whole).total)
    assert not torch.equal(sampling.training(whole, 100).total, sampling.plain(whole).total)
