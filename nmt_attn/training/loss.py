"""Loss: cross-entropy in nats, summed over target tokens (Luong et al. 2015, arXiv 1508.04025, eq. 4).

An output layer that gives words the probability 0 has its Fenchel-Young loss instead (nmt_attn/model/normalise.py).

The output layer and the loss go together, a block of tokens at a time, with their gradient: [tokens, V] never exists
whole. Padding counts nothing and gets no gradient. On the CPU it is dropped before the product; on a GPU it is kept,
because dropping it needs a sync.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.fast.gpu.loss import token_sums
from nmt_attn.fast.products import matmul, over_rows
from nmt_attn.model.normalise import SOFTMAX, Normaliser, Softmax
from nmt_attn.types import PAD

BLOCK_NUMBERS = 1 << 21
"""Numbers in one block of scores: large enough for full speed of the products, small enough to stay near the cache."""

GATHERED_BYTES = 1 << 24
"""Gradients of scores, from several blocks, that meet in one product for the gradient of the weights."""

LEAST_WEIGHT = 1e-12
"""The smallest attention weight whose logarithm is taken."""


class Loss(NamedTuple):
    """Sums over the tokens of a batch (`</s>` counted, padding not)."""

    total: Tensor  # what is minimised, with label smoothing; carries the gradient
    negative_log_likelihood: Tensor  # of the target alone, or its Fenchel-Young loss; no gradient
    alignment: Tensor | None = None  # cross-entropy of the weights with given ones, no gradient


class _Options(NamedTuple):
    smoothing: float
    dtype: torch.dtype  # of the products
    needs_gradient: bool
    normaliser: Normaliser


def token_loss(
    readouts: Tensor,
    output: nn.Linear,
    targets: Tensor,
    smoothing: float,
    dtype: torch.dtype = torch.float32,
    *,
    normaliser: Normaliser = SOFTMAX,
    keeps_padding: bool = False,
) -> Loss:
    """readouts [B, T, R], targets [B, T] int64 -> sums over the real tokens.

    With smoothing e, the wanted distribution is (1 - e) on the target and e / V on every word. Products are taken in
    `dtype`, sums and the softmax at least in float32. With `keeps_padding` padding is computed and counts 0: all shapes
    are then known beforehand, so a GPU needs no sync.
    """
    exact = torch.promote_types(output.weight.dtype, torch.float32)
    products = exact if dtype == torch.float32 else dtype
    if keeps_padding and type(normaliser) is Softmax:
        return Loss(*token_sums(readouts, output, targets, smoothing, products))
    is_real = torch.ones_like(targets, dtype=torch.bool) if keeps_padding else targets != PAD
    # Asked here, as inside of a Function gradients are always off, and the weights always want one.
    options = _Options(smoothing, products, torch.is_grad_enabled(), normaliser)
    total, likelihood = _BlockedLoss.apply(  # type: ignore[no-untyped-call]
        readouts[is_real], output.weight, output.bias, targets[is_real], options
    )
    return Loss(total, likelihood)


def given_loss(log_probs: Tensor, targets: Tensor, means: Tensor | None = None, smoothing: float = 0.0) -> Loss:
    """log p [B, T] of the words of targets [B, T] int64 -> sums over the real tokens, as in `token_loss`.

    Smoothing needs `means` [B, T], of log p over the vocabulary.
    """
    likelihood = -log_probs.masked_fill(targets == PAD, 0.0).sum()
    if means is None:
        return Loss(likelihood, likelihood.detach())
    spread = -means.masked_fill(targets == PAD, 0.0).sum()
    return Loss((1 - smoothing) * likelihood + smoothing * spread, likelihood.detach())


def alignment_loss(weights: Tensor, guide: Tensor) -> Tensor:
    """weights, guide [B, T, S] -> - sum of guide x log weights.

    Chen et al. 2016 (arXiv 1607.01628), eq. 8, summed. A weight below `LEAST_WEIGHT`, such as that of a position
    outside of a local window, costs what `LEAST_WEIGHT` costs and gets no gradient.
    """
    return -(guide * weights.clamp_min(LEAST_WEIGHT).log()).sum()


def coverage_loss(weights: Tensor, is_real: Tensor) -> Tensor:
    """weights [B, T, S], is_real [B, T] bool -> sum over real words of sum_j min(a_tj, a_1j + ... + a_{t-1,j}).

    See et al. 2017 (arXiv 1704.04368), eq. 10 and 12: what is looked at again costs, as far as it was looked at before.
    """
    before = weights.cumsum(1) - weights
    return (torch.minimum(weights, before).sum(2) * is_real).sum()


class _BlockedLoss(Function):
    @staticmethod
    def forward(
        ctx: Any, readouts: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, options: _Options
    ) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(weight.dtype, torch.float32)
        inputs, products = readouts.to(options.dtype), weight.to(options.dtype)
        sums = torch.zeros(2, dtype=exact, device=weight.device)
        of_readouts = torch.empty_like(readouts)
        gradients: _Gradients | None = None
        for part, rows in _parts(len(targets), products):
            score_grads = products.new_empty(len(targets[part]), len(weight)) if options.needs_gradient else None
            of_bias = torch.zeros_like(bias)
            for start in range(part.start, part.stop, rows):
                block = slice(start, min(start + rows, part.stop))
                scores = matmul(inputs[block], products.T).to(exact).add_(bias)  # [rows, V]
                score_grad = None if score_grads is None else score_grads[start - part.start : block.stop - part.start]
                sums += _block_sums(scores, targets[block], options, score_grad, of_bias)
                del scores
                if score_grad is not None:
                    of_readouts[block] = matmul(score_grad, products)
            if score_grads is not None:
                of_weight = over_rows(score_grads, inputs[part])
                del score_grads, score_grad
                if gradients is None:
                    gradients = _Gradients(of_readouts, of_weight.to(exact), of_bias)
                else:
                    gradients.weight.add_(of_weight)
                    gradients.bias.add_(of_bias)
                del of_weight
        ctx.gradients = None if gradients is None else gradients._replace(weight=gradients.weight.contiguous())
        total, likelihood = sums[0].clone(), sums[1].clone()
        ctx.mark_non_differentiable(likelihood)
        return total, likelihood

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_total: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None  # given away: they become the weights' own gradients
        return (*(part.mul_(grad_total) for part in gradients), None, None)


class _Gradients(NamedTuple):
    readouts: Tensor  # [N, R]
    weight: Tensor  # [V, R]
    bias: Tensor  # [V]


def _parts(tokens: int, products: Tensor) -> Iterator[tuple[slice, int]]:
    """The tokens whose gradients of scores share one product, for weights [V, R], and the tokens of one block."""
    words = len(products)
    size = _rows(tokens, words, GATHERED_BYTES // products.element_size())
    for start in range(0, tokens, size):
        part = slice(start, min(start + size, tokens))
        yield part, _rows(part.stop - start, words, BLOCK_NUMBERS)


def _rows(tokens: int, words: int, numbers: int) -> int:
    """Tokens in each block: blocks of nearly equal size with about `numbers` scores, and at least one token."""
    blocks = max(1, -(-tokens * words // numbers))
    return max(1, -(-tokens // blocks))


def _block_sums(
    scores: Tensor, targets: Tensor, options: _Options, score_grad: Tensor | None, of_bias: Tensor
) -> Tensor:
    """scores [n, V], which are lost, and targets [n] -> [loss, negative log-likelihood], summed.

    d loss / d scores goes to `score_grad` [n, V], and its sum is added to `of_bias` [V]. The norm log sum exp(x) of a
    row is its largest score less the logarithm of the largest probability, which is at least 1 / V: nothing is lost,
    and no second exponential of [n, V] is taken.
    """
    if type(options.normaliser) is not Softmax:
        return _sparse_sums(scores, targets, options, score_grad, of_bias)
    largest, wanted = scores.amax(1), scores.gather(1, targets.unsqueeze(1)).sum()
    mean = scores.mean(1).sum() if options.smoothing else wanted
    is_exact = score_grad is not None and score_grad.dtype == scores.dtype
    probs = torch.softmax(scores, 1, out=score_grad if is_exact else scores)
    norm = (largest - probs.amax(1).log()).sum()
    if score_grad is not None:
        _to_score_grad(probs, targets, options.smoothing)
        of_bias += probs.sum(0)
        if not is_exact:
            score_grad.copy_(probs)
    likelihood, spread = norm - wanted, norm - mean
    return torch.stack([(1 - options.smoothing) * likelihood + options.smoothing * spread, likelihood])


def _sparse_sums(
    scores: Tensor, targets: Tensor, options: _Options, score_grad: Tensor | None, of_bias: Tensor
) -> Tensor:
    """The same of a Fenchel-Young loss: the conjugate is the norm. Padding counts 0."""
    is_real = (targets != PAD).to(scores.dtype)
    probs = options.normaliser.probabilities(scores)
    norm = options.normaliser.conjugate(scores, probs)
    likelihood = is_real @ (norm - scores.gather(1, targets.unsqueeze(1)).squeeze(1))
    spread = is_real @ (norm - scores.mean(1)) if options.smoothing else likelihood
    if score_grad is not None:
        _to_score_grad(probs, targets, options.smoothing)
        probs.mul_(is_real.unsqueeze(1))
        of_bias += probs.sum(0)
        score_grad.copy_(probs)
    return torch.stack([(1 - options.smoothing) * likelihood + options.smoothing * spread, likelihood])


def _to_score_grad(probs: Tensor, targets: Tensor, smoothing: float) -> None:
    """softmax [n, V] becomes d loss / d scores = softmax - (1 - e) onehot - e / V."""
    probs.scatter_add_(1, targets.unsqueeze(1), probs.new_full((len(targets), 1), smoothing - 1))
    if smoothing:
        probs.sub_(smoothing / probs.shape[1])
