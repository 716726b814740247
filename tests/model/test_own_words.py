"""Scheduled sampling: which words are fed, and that the gradient is that of the words as they were fed."""

from itertools import product

import pytest
import torch
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import Tensor, nn

from nmt_attn.model.seq2seq import OwnWords, Seq2Seq
from nmt_attn.runtime import autocast
from nmt_attn.training.loss import token_loss
from nmt_attn.types import BOS, PAD, Batch

ALWAYS, NEVER = OwnWords(1.0, is_drawn=False), OwnWords(0.0, is_drawn=False)
ORDERS: list[Overrides] = [
    {"decoder.style": "bahdanau"},
    {"decoder.style": "conditional"},
    *({"decoder.style": "luong", "decoder.input_feeding": feed} for feed in ("none", "attentional", "context")),
]
EVERY = pytest.mark.parametrize(
    "keys",
    [{**order, "decoder.cell": cell} for order, cell in product(ORDERS, ("gru", "gru-cho", "lstm", "rnn"))],
    ids=lambda keys: "-".join(keys.values()),
)


def batch() -> Batch:
    return tiny_batch([5, 2, 4], [3, 6, 2])


def mixed(model: Seq2Seq, whole: Batch, own: OwnWords) -> Tensor:
    memory = model.encode(whole.src_ids, whole.src_lengths)
    return model.mix_own_words(whole.tgt_in, model.start(memory), memory, own)


def loss_of(model: Seq2Seq, whole: Batch, own: OwnWords | None = None) -> Tensor:
    readouts, _ = model(whole, own)
    return token_loss(readouts, model.output, whole.tgt_out, 0.0).total


def gradients(model: Seq2Seq, loss: Tensor) -> list[Tensor]:
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [
        torch.zeros_like(p) if gradient is None else gradient for p, gradient in zip(parameters, found, strict=True)
    ]


@EVERY
def test_with_no_word_of_its_own_it_is_teacher_forcing(keys: Overrides) -> None:
    model, whole = tiny_model(accepted(keys)), batch()
    assert torch.equal(mixed(model, whole, NEVER), whole.tgt_in)
    ours, theirs = loss_of(model, whole, NEVER), loss_of(model, whole)
    assert torch.equal(ours, theirs)
    for mine, other in zip(gradients(model, ours), gradients(model, theirs), strict=True):
        assert torch.equal(mine, other)


@EVERY
def test_with_all_words_its_own_it_reads_what_greedy_search_writes(keys: Overrides) -> None:
    model, whole = tiny_model(accepted(keys)), batch()
    memory = model.encode(whole.src_ids, whole.src_lengths)
    state, last, rows = model.start(memory), whole.tgt_in[:, 0], [whole.tgt_in[:, 0]]
    for _ in range(5):
        log_probs, _, state = model.step(last, state, memory)
        last = log_probs.masked_fill(torch.isin(torch.arange(11), torch.tensor([PAD, BOS])), -torch.inf).argmax(1)
        rows.append(last)
    written = torch.where(whole.tgt_in == PAD, PAD, torch.stack(rows, 1))
    own = mixed(model, whole, ALWAYS)
    assert torch.equal(own, written)
    assert not torch.equal(own, whole.tgt_in)


@EVERY
def test_the_gradient_is_that_of_the_steps_with_the_chosen_words(keys: Overrides) -> None:
    model, whole = tiny_model(accepted(keys)), batch()
    torch.manual_seed(2)
    chosen = mixed(model, whole, OwnWords(0.5, is_drawn=True))
    assert not torch.equal(chosen, whole.tgt_in)
    torch.manual_seed(2)
    ours = loss_of(model, whole, OwnWords(0.5, is_drawn=True))
    memory = model.encode(whole.src_ids, whole.src_lengths)
    state, theirs = model.start(memory), torch.zeros((), dtype=torch.float64)
    for last, wanted in zip(chosen.unbind(1), whole.tgt_out.unbind(1), strict=True):
        log_probs, _, state = model.step(last, state, memory)
        theirs = theirs + nn.functional.nll_loss(log_probs, wanted, ignore_index=PAD, reduction="sum")
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients(model, ours), gradients(model, theirs))


def test_under_bfloat16_every_weight_keeps_its_gradient() -> None:
    """Weights that were cast where gradients were off must not be used again."""
    whole = batch()
    model = tiny_model(accepted(ORDERS[0])).float()
    with autocast(torch.device("cpu"), torch.bfloat16):
        memory = model.encode(whole.src_ids, whole.src_lengths)
        words = model.mix_own_words(whole.tgt_in, model.start(memory), memory, ALWAYS)
        results = [model(whole, ALWAYS)[0].square().sum(), model(whole._replace(tgt_in=words))[0].square().sum()]
    ours, theirs = (gradients(model, result) for result in results)
    torch.testing.assert_close(ours, theirs)
    assert all(gradient.abs().sum() > 0 for gradient in ours[2:-2])


def test_each_word_is_its_own_with_the_probability_asked_for() -> None:
    model = tiny_model(accepted(ORDERS[0]))
    whole = tiny_batch([2] * 400, [6] * 399 + [3])
    own = whole._replace(tgt_in=whole.tgt_in.clone().masked_fill_(whole.tgt_in > BOS, 12))  # a word it cannot write
    model.target_embedding = nn.Embedding(13, 7).double()
    chosen = mixed(model, own, OwnWords(0.3, is_drawn=False))
    assert chosen[:, 0].eq(BOS).all()
    assert chosen[-1, 3:].eq(PAD).all()
    # 1,995 words: the standard deviation of the share is sqrt(0.3 * 0.7 / 1995) = 0.01
    assert chosen[:-1, 1:].ne(12).double().mean().item() == pytest.approx(0.3, abs=0.05)


def test_a_drawn_word_comes_as_often_as_the_model_says() -> None:
    model, whole = tiny_model(accepted(ORDERS[0])), tiny_batch([3], [2])
    many = Batch(*(part.expand(20_000, *part.shape[1:]).contiguous() for part in whole[:5]))
    memory = model.encode(whole.src_ids, whole.src_lengths)
    scores = model.step(torch.tensor([BOS]), model.start(memory), memory).log_probs[0]
    scores[[PAD, BOS]] = -torch.inf
    torch.manual_seed(1)
    words = mixed(model, many, OwnWords(1.0, is_drawn=True))[:, 1]
    # the standard deviation of a share p of 20,000 is at most 0.0035
    torch.testing.assert_close(
        torch.bincount(words, minlength=11) / 20_000, torch.softmax(scores, 0).float(), atol=0.015, rtol=0
    )
