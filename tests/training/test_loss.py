"""The blocked loss against torch's own, and against numbers by hand."""

import math
from typing import Any

import pytest
import torch
from reference.normalise import loss as fenchel_young
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from nmt_attn.model.normalise import NORMALISERS
from nmt_attn.training import loss as module
from nmt_attn.training.loss import token_loss
from nmt_attn.types import PAD

SENTENCES, TARGET_LENGTH, READOUT, WORDS = 3, 7, 5, 11
LENGTHS = [7, 2, 4]
TOKENS = sum(LENGTHS)
SMOOTHINGS = [0.0, 0.1]
FLOAT64_BYTES = 8


def random_output(dtype: torch.dtype = torch.float64) -> nn.Linear:
    output = nn.Linear(READOUT, WORDS).to(dtype)
    generator = torch.Generator().manual_seed(2)
    for parameter in output.parameters():
        nn.init.normal_(parameter, generator=generator)
    return output


def random_readouts(dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    readouts = torch.randn(SENTENCES, TARGET_LENGTH, READOUT, generator=generator, dtype=torch.float64)
    return readouts.to(dtype).requires_grad_()


def padded_targets() -> Tensor:
    targets = torch.randint(1, WORDS, (SENTENCES, TARGET_LENGTH), generator=torch.Generator().manual_seed(3))
    for row, length in zip(targets, LENGTHS, strict=True):
        row[length:] = PAD
    return targets


def torchs_loss(readouts: Tensor, output: nn.Linear, targets: Tensor, smoothing: float) -> Tensor:
    scores = output(readouts).flatten(0, 1)  # [B T, V]
    return cross_entropy(scores, targets.flatten(), ignore_index=PAD, reduction="sum", label_smoothing=smoothing)


def gradients(total: Tensor, readouts: Tensor, output: nn.Linear) -> tuple[Tensor, ...]:
    return torch.autograd.grad(total, [readouts, output.weight, output.bias])


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_uniform_scores_cost_log_v_each(smoothing: float) -> None:
    output = nn.Linear(READOUT, WORDS)
    nn.init.zeros_(output.weight)
    nn.init.constant_(output.bias, 4.0)
    loss = token_loss(random_readouts(torch.float32), output, padded_targets(), smoothing)
    # Whatever is wanted, each word has probability 1 / V: -log(1 / V) = log V for each of the 7 + 2 + 4 tokens.
    assert loss.total.item() == pytest.approx(13 * math.log(WORDS))
    assert loss.negative_log_likelihood.item() == pytest.approx(13 * math.log(WORDS))


@pytest.mark.parametrize("rows", [2, 1000])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("keeps_padding", [False, True])
@pytest.mark.parametrize("name", [name for name in NORMALISERS if NORMALISERS[name].is_sparse])
def test_a_sparse_output_layer_has_its_fenchel_young_loss(
    name: str, keeps_padding: bool, smoothing: float, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L(y) mixed by the wanted distribution, and gradients by the complex steps of the reference."""
    monkeypatch.setattr(module, "BLOCK_NUMBERS", rows * WORDS)
    readouts, output, targets = random_readouts(), random_output(), padded_targets()
    options = {"normaliser": NORMALISERS[name](), "keeps_padding": keeps_padding}
    loss = token_loss(readouts, output, targets, smoothing, torch.float64, **options)

    def reference_loss(bias: Any) -> tuple[Any, Any]:
        total, likelihood = 0.0, 0.0
        scores = readouts.detach().numpy() @ output.weight.detach().numpy().T + bias
        for z, word in zip(scores[targets != PAD], targets[targets != PAD].tolist(), strict=True):
            wanted = fenchel_young(name, z, word)
            every = sum(fenchel_young(name, z, other) for other in range(WORDS)) / WORDS
            total, likelihood = total + (1 - smoothing) * wanted + smoothing * every, likelihood + wanted
        return total, likelihood

    bias = output.bias.detach().numpy().astype(complex)
    total, likelihood = reference_loss(bias)
    assert loss.total.item() == pytest.approx(total.real)
    assert loss.negative_log_likelihood.item() == pytest.approx(likelihood.real)
    of_bias = gradients(loss.total, readouts, output)[2]
    for word in range(WORDS):
        step = bias.copy()
        step[word] += 1e-30j
        assert of_bias[word].item() == pytest.approx(reference_loss(step)[0].imag / 1e-30, abs=1e-10)


def test_one_token_by_hand() -> None:
    # Scores (log 1, log 2, log 5), target 2: p = 1/8, 2/8, 5/8, so nll = log(8/5).
    # Smoothing 0.3 over 3 words: 0.7 log(8/5) + 0.1 (log 8 + log 4 + log(8/5)).
    output = nn.Linear(1, 3)
    nn.init.zeros_(output.weight)
    output.bias.data = torch.tensor([1.0, 2.0, 5.0]).log()
    loss = token_loss(torch.zeros(1, 1, 1), output, torch.tensor([[2]]), 0.3)
    assert loss.negative_log_likelihood.item() == pytest.approx(math.log(8 / 5))
    smoothed = 0.7 * math.log(8 / 5) + 0.1 * (math.log(8) + math.log(4) + math.log(8 / 5))
    assert loss.total.item() == pytest.approx(smoothed)


@pytest.mark.parametrize("rows", [1, 2, 5, TOKENS, 1000])  # 13 tokens: borders inside, at the end and nowhere
@pytest.mark.parametrize("gathered", [1, 6, 1000])  # of which one product for the weights is made
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("keeps_padding", [False, True])
def test_values_and_gradients_are_torchs(
    rows: int, gathered: int, smoothing: float, keeps_padding: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_NUMBERS", rows * WORDS)
    monkeypatch.setattr(module, "GATHERED_BYTES", gathered * WORDS * FLOAT64_BYTES)
    readouts, output, targets = random_readouts(), random_output(), padded_targets()
    loss = token_loss(readouts, output, targets, smoothing, keeps_padding=keeps_padding)
    expected = torchs_loss(readouts, output, targets, smoothing)
    torch.testing.assert_close(loss.total, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(loss.negative_log_likelihood, torchs_loss(readouts, output, targets, 0.0))
    # A factor on the loss reaches the gradients, which are made before it is known.
    found, wanted = (gradients(total / 4, readouts, output) for total in (loss.total, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_a_block_smaller_than_the_vocabulary_still_holds_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 1)
    readouts, output, targets = random_readouts(), random_output(), padded_targets()
    expected = torchs_loss(readouts, output, targets, 0.0)
    torch.testing.assert_close(token_loss(readouts, output, targets, 0.0).total, expected)


def test_padding_gets_no_gradient_and_has_no_effect() -> None:
    readouts, output, targets = random_readouts(), random_output(), padded_targets()
    loss = token_loss(readouts, output, targets, 0.1)
    grad = gradients(loss.total, readouts, output)[0]
    is_padding = targets == PAD
    assert grad[is_padding].eq(0).all()
    assert grad[~is_padding].ne(0).all()
    other = readouts.detach().clone()
    other[is_padding] = math.nan
    assert token_loss(other, output, targets, 0.1).total == loss.total


def test_bf16_is_close_and_its_sums_are_float32() -> None:
    readouts, output, targets = random_readouts(torch.float32), random_output(torch.float32), padded_targets()
    exact = token_loss(readouts, output, targets, 0.1)
    rough = token_loss(readouts.bfloat16(), output, targets, 0.1, torch.bfloat16)
    assert rough.total.dtype == torch.float32
    # bf16 keeps 8 bits: each rounded factor is off by 2**-9 at most, a score of 5 products of size 1 by about 0.02.
    torch.testing.assert_close(rough.total, exact.total, rtol=0.01, atol=0)
    found, wanted = (gradients(total, readouts, output) for total in (rough.total, exact.total))
    assert [grad.dtype for grad in found] == [torch.float32] * 3
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.05)  # a sum over 13 tokens, each off by less than 0.02


class _Sizes(TorchDispatchMode):
    """Notes the shape of every tensor that torch makes."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.shapes |= {tuple(made.shape)} if isinstance(made, Tensor) else set()
        return made


def test_tokens_by_words_never_exists_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 2 * WORDS)
    monkeypatch.setattr(module, "GATHERED_BYTES", 5 * WORDS * FLOAT64_BYTES)
    readouts, output, targets = random_readouts(), random_output(), padded_targets()
    with _Sizes() as sizes:
        token_loss(readouts, output, targets, 0.1).total.backward()
    scores = {shape for shape in sizes.shapes if len(shape) > 1 and shape[-1] == WORDS}
    # 13 tokens as 5 + 5 + 3 in blocks of 2 and 1, and W_o transposed.
    assert scores == {(5, WORDS), (3, WORDS), (2, WORDS), (1, WORDS), (READOUT, WORDS)}
    assert (SENTENCES, TARGET_LENGTH, WORDS) not in sizes.shapes


def test_without_gradients_none_are_made() -> None:
    readouts, output, targets = random_readouts(), random_output(), padded_targets()
    with torch.no_grad(), _Sizes() as sizes:
        loss = token_loss(readouts, output, targets, 0.1)
    assert (WORDS, READOUT) not in sizes.shapes  # the shape of the gradient of W_o
    assert not loss.total.requires_grad
    assert loss.total == token_loss(readouts, output, targets, 0.1).total


def test_the_likelihood_carries_no_gradient() -> None:
    loss = token_loss(random_readouts(), random_output(), padded_targets(), 0.1)
    assert loss.total.requires_grad
    assert not loss.negative_log_likelihood.requires_grad
