"""The loops with a backward by hand equal the decoders' plain loops, in values and in every gradient."""

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from tiny_models import tiny_batch
from torch import Tensor

from nmt_attn.config.model_section import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from nmt_attn.fast.decoders import runs_by_hand
from nmt_attn.fast.training import for_training
from nmt_attn.model.bahdanau import BahdanauDecoder
from nmt_attn.model.build import build_model
from nmt_attn.model.decoder import Decoder
from nmt_attn.model.luong import LuongDecoder
from nmt_attn.model.scores import SCORES
from nmt_attn.model.seq2seq import Seq2Seq

LOOPED_SCORES = sorted(set(SCORES) - {"location"})
ORDERS = [
    ("bahdanau", {}),
    ("luong", {"input_feeding": "attentional"}),
    ("luong", {"input_feeding": "context", "attentional_activation": "none", "attentional_bias": True}),
]


@pytest.fixture(autouse=True)
def _in_double() -> Iterator[None]:
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


Results = tuple[Tensor, Tensor, list[Tensor | None]]


def model_of(score: str, cell: str, style: str, options: dict[str, object], **attention: object) -> Seq2Seq:
    config = ModelConfig(
        encoder=EncoderConfig(cell="lstm", hidden=3, embedding=2, dropout=0),
        attention=AttentionConfig(score=score, bias=True, project=True, **attention),
        decoder=DecoderConfig(style=style, cell=cell, hidden=7, embedding=5, dropout=0, init="bridge", **options),
    )
    return build_model(config, 11, 13, positions=9)


def noisy_model(style: str, options: dict[str, object], mask: str) -> Seq2Seq:
    """Dropout wherever it can be."""
    attentional = {"attentional_dropout": 0.4} if style == "luong" else {}
    config = ModelConfig(
        encoder=EncoderConfig(cell="lstm", layers=2, hidden=3, embedding=2, dropout=0.3),
        attention=AttentionConfig(score="general"),
        decoder=DecoderConfig(style=style, hidden=7, embedding=5, dropout=0.2, **options, **attentional),
        dropout_mask=mask,
    )
    return build_model(config, 11, 13, positions=9)


def results(model: Seq2Seq) -> Results:
    """Readouts, weights, and gradients of a loss that sees both."""
    readouts, weights = model(tiny_batch([4, 2, 5], [3, 6, 1]))
    seen = weights.dense()
    loss = (readouts**3).sum() + (seen * torch.arange(seen.numel()).view_as(seen).sin()).sum()
    return readouts, seen, list(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))


@pytest.mark.parametrize(("score", "cell", "order"), list(product(LOOPED_SCORES, ("gru", "lstm"), range(3))), ids=str)
def test_the_loop_equals_the_plain_steps(score: str, cell: str, order: int) -> None:
    model = model_of(score, cell, *ORDERS[order])
    fast = for_training(model)
    assert runs_by_hand(fast.decoder)
    check_equal(model, results(fast), results(model))


@pytest.mark.parametrize(("order", "mask"), list(product(range(3), ("step", "sentence"))), ids=str)
def test_the_loop_equals_the_plain_steps_under_the_same_noise(order: int, mask: str) -> None:
    model = noisy_model(*ORDERS[order], mask)
    fast = for_training(model)
    assert runs_by_hand(fast.decoder)
    torch.manual_seed(3)
    by_hand = results(fast)
    torch.manual_seed(3)
    check_equal(model, by_hand, results(model))
    torch.manual_seed(4)
    assert not torch.equal(results(fast)[0], by_hand[0])


def check_equal(model: Seq2Seq, by_hand: Results, plain: Results) -> None:
    torch.testing.assert_close(by_hand[:2], plain[:2], rtol=0, atol=1e-12)
    for (name, _), ours, theirs in zip(model.named_parameters(), by_hand[2], plain[2], strict=True):
        if theirs is None:
            assert ours is None or ours.abs().sum() == 0, name
        else:
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("order", range(3))
def test_a_source_without_any_position_gives_no_nan(order: int) -> None:
    model = for_training(model_of("additive", "gru", *ORDERS[order], attend_eos=False))
    readouts, seen, gradients = results_of_lengths(model, [1, 3])
    assert seen[0].eq(0).all()
    assert seen[1].sum(-1).allclose(torch.ones(()))
    assert readouts.isfinite().all()
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


def results_of_lengths(model: Seq2Seq, lengths: list[int]) -> Results:
    readouts, weights = model(tiny_batch(lengths, [2] * len(lengths)))
    gradients = torch.autograd.grad(readouts.sum(), list(model.parameters()), allow_unused=True)
    return readouts, weights.dense(), list(gradients)


@pytest.mark.parametrize("kind", [BahdanauDecoder, LuongDecoder])
def test_what_the_loop_cannot_do_goes_step_by_step(kind: type[Decoder]) -> None:
    style, options = ORDERS[0] if kind is BahdanauDecoder else ORDERS[1]
    location = model_of("location", "gru", style, options)
    local = model_of("dot", "gru", style, options, window="local-m", half_width=1)
    two_layers = model_of("dot", "gru", style, {**options, "layers": 2})
    cho = model_of("dot", "gru-cho", style, options)
    for model in (location, local, two_layers, cho):
        assert isinstance(model.decoder, kind)
        assert not runs_by_hand(for_training(model).decoder)
