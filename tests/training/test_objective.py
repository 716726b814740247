"""The objective: what is done to a batch in training, and that nothing is done in validation."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import nn

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.data.batching import alignment_weights
from nmt_attn.model.seq2seq import OwnWords
from nmt_attn.training.loss import alignment_loss, coverage_loss
from nmt_attn.training.objective import Objective, drop_words, guide_weight, own_words
from nmt_attn.types import BOS, EOS, PAD, UNK, Batch


def training(**keys: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"label_smoothing": 0, **keys})


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


# Guided attention

ORDERS: list[Overrides] = [
    {"decoder.style": "bahdanau"},
    {"decoder.style": "conditional"},
    *({"decoder.style": "luong", "decoder.input_feeding": feed} for feed in ("none", "attentional", "context")),
]


def guided_batch() -> Batch:
    """The first sentence's tokens are linked, some to two positions; of the second nothing is known."""
    whole = tiny_batch([5, 2, 4], [3, 4, 2])
    links = [np.array([0, 0, 2, 0, 3, 1]), np.array([]), np.array([1, 0])]
    return whole._replace(alignment=alignment_weights([row.astype(np.int32) for row in links], whole))


def test_the_alignment_loss_by_hand() -> None:
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.9, 0.0]], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    guide = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    # (ln 2 + ln 4) / 2 + ln (1 / 0.9); the second sentence is not linked
    expected = 1.5 * math.log(2) + math.log(1 / 0.9)
    assert alignment_loss(weights, guide).item() == pytest.approx(expected)


def test_a_position_that_cannot_be_seen_costs_much_and_pulls_nothing() -> None:
    weights = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    loss = alignment_loss(weights, torch.tensor([[[0.0, 1.0]]]))
    loss.backward()
    assert loss.item() == pytest.approx(12 * math.log(10))
    assert weights.grad is not None and weights.grad.eq(0).all()


@pytest.mark.parametrize("cell", ["gru", "gru-cho", "lstm", "rnn"])
@pytest.mark.parametrize("keys", ORDERS, ids=lambda keys: "-".join(keys.values()))
@pytest.mark.parametrize("window", ["global", "local-p"])
def test_the_gradient_goes_through_the_weights_of_every_decoder(keys: Overrides, cell: str, window: str) -> None:
    """Against the steps of search, one after the other, whose weights autograd follows."""
    model = tiny_model(accepted({**keys, "decoder.cell": cell, "attention.window": window}))
    config = training(guided_attention={"weight": 0.3})
    whole = guided_batch()
    assert whole.alignment is not None
    ours = Objective(model, config, torch.float32).training(whole, 0)
    memory = model.encode(whole.src_ids, whole.src_lengths)
    state, total = model.start(memory), torch.zeros((), dtype=torch.float64)
    for t, (last, wanted) in enumerate(zip(whole.tgt_in.unbind(1), whole.tgt_out.unbind(1), strict=True)):
        log_probs, weights, state = model.step(last, state, memory)
        total = total + nn.functional.nll_loss(log_probs, wanted, ignore_index=PAD, reduction="sum")
        total = total - 0.3 * (whole.alignment[:, t] * weights.clamp_min(1e-12).log()).sum()
    torch.testing.assert_close(ours.total, total)
    parameters = [parameter for parameter in model.parameters() if parameter.numel()]
    mine, theirs = (torch.autograd.grad(loss, parameters, allow_unused=True) for loss in (ours.total, total))
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


def test_without_links_a_sentence_gives_the_plain_loss() -> None:
    whole = tiny_batch([5, 2, 4], [3, 4, 2])
    unlinked = whole._replace(alignment=torch.zeros(3, 4, 5))
    guided = objective(guided_attention={"weight": 5})
    assert torch.equal(guided.training(unlinked, 0).total, guided.training(whole, 0).total)


def test_the_alignment_loss_is_told_before_its_weight_and_has_none_in_validation() -> None:
    whole, losses = guided_batch(), {}
    for weight in (1.0, 3.0):
        guided = objective(guided_attention={"weight": weight})
        losses[weight] = guided.training(whole, 0)
        assert torch.equal(guided.plain(whole).total, losses[weight].negative_log_likelihood.double())
    assert losses[1.0].alignment is not None and losses[3.0].alignment is not None
    torch.testing.assert_close(losses[1.0].alignment, losses[3.0].alignment)
    torch.testing.assert_close(losses[3.0].total - losses[1.0].total, 2 * losses[1.0].alignment)


@pytest.mark.parametrize(("decay", "expected"), [("none", 2.0), ("linear", 1.2), ("exponential", 2 * math.exp(-0.4))])
def test_the_weight_of_guidance_falls(decay: str, expected: float) -> None:
    config = training(guided_attention={"weight": 2, "decay": decay, "updates": 10})
    assert guide_weight(config, 4) == pytest.approx(expected)


def test_looking_again_costs_as_far_as_it_was_looked_at_before() -> None:
    # Three looks at two positions: (0.9, 0.1), (0.6, 0.4), and (0.5, 0.5) of padding. The second finds (0.9, 0.1)
    # and costs min(0.6, 0.9) + min(0.4, 0.1) = 0.7; the first finds nothing; padding does not count.
    weights = torch.tensor([[[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]], requires_grad=True)
    loss = coverage_loss(weights, torch.tensor([[True, True, False]]))
    assert loss.item() == pytest.approx(0.7)
    # Of the first look only the 0.1 is the smaller one, of the second only the 0.6.
    (gradient,) = torch.autograd.grad(loss, weights)
    assert gradient.tolist() == [[[0, 1], [1, 0], [0, 0]]]


def test_the_coverage_loss_is_added_with_its_weight() -> None:
    config, whole = accepted({"attention.coverage": "sum"}), tiny_batch([5, 2, 4], [3, 4, 2])
    without, with_it = (Objective(tiny_model(config), training(coverage_loss=each), torch.float32) for each in (0, 0.7))
    weights = without.model(whole)[1].dense()
    expected = without.plain(whole).total + 0.7 * coverage_loss(weights, whole.tgt_out != PAD)
    torch.testing.assert_close(with_it.training(whole, 0).total, expected)
