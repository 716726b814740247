"""Loss: cross-entropy in nats, summed over target tokens.

The output layer and the loss go together, a block of tokens at a time, with their gradient: [tokens, V] never exists
whole. Padding is left out before the product, so it costs nothing and gets no gradient.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.types import PAD

BLOCK_NUMBERS = 1 << 21
"""Numbers in one block of scores: large enough for full speed of the products, small enough to stay near the cache."""


class Loss(NamedTuple):
    """Sums over the tokens of a batch (`</s>` counted, padding not)."""

    total: Tensor  # what is minimised, with label smoothing; carries the gradient
    negative_log_likelihood: Tensor  # of the target alone, no gradient
    tokens: int


def token_loss(
    readouts: Tensor, output: nn.Linear, targets: Tensor, smoothing: float, dtype: torch.dtype = torch.float32
) -> Loss:
    """readouts [B, T, R], targets [B, T] int64 -> sums over the real tokens.

    With smoothing e, the wanted distribution is (1 - e) on the target and e / V on every word. Products are taken in
    `dtype`, sums and the softmax at least in float32.
    """
    is_real = targets != PAD
    targets = targets[is_real]
    total, likelihood = _BlockedLoss.apply(  # type: ignore[no-untyped-call]
        readouts[is_real], output.weight, output.bias, targets, smoothing, dtype
    )
    return Loss(total, likelihood, len(targets))


class _BlockedLoss(Function):
    @staticmethod
    def forward(
        ctx: Any, readouts: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(weight.dtype, torch.float32)
        dtype = exact if dtype == torch.float32 else dtype
        products = weight.to(dtype)
        needs_gradient = any(ctx.needs_input_grad[:3])
        grad_readouts = readouts.new_empty(readouts.shape)
        grad_weight, grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        sums = torch.zeros(2, dtype=exact, device=weight.device)
        rows = max(1, BLOCK_NUMBERS // len(weight))
        for block, wanted, grad in zip(
            readouts.split(rows), targets.split(rows), grad_readouts.split(rows), strict=True
        ):
            inputs = block.to(dtype)
            scores = (inputs @ products.T).to(exact) + bias
            sums += _block_sums(scores, wanted, smoothing)
            if needs_gradient:
                slope = _slope(scores, wanted, smoothing)
                grad_bias += slope.sum(0)
                slope = slope.to(dtype)
                grad.copy_(slope @ products)
                grad_weight += slope.T @ inputs
        ctx.save_for_backward(grad_readouts, grad_weight, grad_bias)
        ctx.mark_non_differentiable(sums[1])
        return sums[0], sums[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_total: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        readouts, weight, bias = ctx.saved_tensors
        return readouts * grad_total, weight * grad_total, bias * grad_total, None, None, None


def _block_sums(scores: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """scores [n, V] -> [loss, negative log-likelihood], summed."""
    norm = scores.logsumexp(1).sum()
    likelihood = norm - scores.gather(1, targets.unsqueeze(1)).sum()
    spread = norm - scores.mean(1).sum()
    return torch.stack([(1 - smoothing) * likelihood + smoothing * spread, likelihood])


def _slope(scores: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """d loss / d scores [n, V] = softmax - (1 - e) onehot - e / V."""
    slope = torch.softmax(scores, 1)
    slope.scatter_add_(1, targets.unsqueeze(1), slope.new_full((len(targets), 1), smoothing - 1))
    return slope.sub_(smoothing / scores.shape[1]) if smoothing else slope
