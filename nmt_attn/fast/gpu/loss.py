"""Cross-entropy on a GPU: the product, one operation over all scores, and three sums of products for the gradients.

The scores [n, V] exist once, in the format of products; the operation turns them into their own gradient. Of a score,
bf16 writes and reads 14 bytes of memory: 2 by the product, 4 by the operation (its second reading comes from the
cache), 2 by each of the two products and 2 by the sum for the bias, with 2 more where a row outgrows the cache.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from nmt_attn.fast.gpu.steps import loss_rows
from nmt_attn.types import PAD

BLOCK_BYTES = 1 << 28
"""Of scores that exist at a time."""

COLUMNS = 64
"""Scores of a token are computed in whole blocks of these: tensor cores are several times as fast on such sizes."""


def token_sums(
    readouts: Tensor, output: nn.Linear, targets: Tensor, smoothing: float, low: torch.dtype
) -> tuple[Tensor, Tensor]:
    """readouts [B, T, R], targets [B, T] int64 -> loss, with a gradient, and negative log-likelihood, summed.

    Padding is computed and counts 0, so that no shape depends on a value on the GPU, and no sync is needed.
    """
    options = smoothing, low, torch.is_grad_enabled()  # asked here: inside of a Function gradients are always off
    flat = readouts.flatten(0, 1)
    with torch.autocast(readouts.device.type, enabled=False):
        made = _Loss.apply(flat, output.weight, output.bias, targets.flatten(), options)  # type: ignore[no-untyped-call]
    total, likelihood = made
    return total, likelihood


class _Loss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        readouts: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        options: tuple[float, torch.dtype, bool],
    ) -> tuple[Tensor, Tensor]:
        smoothing, low, needs_gradient = options
        inputs, factor = readouts.to(low), _padded(weight, low)
        sums = bias.new_empty(len(targets), 2)
        of_readouts = torch.empty_like(inputs) if needs_gradient else None
        of_weight: Tensor | None = None
        of_bias: Tensor | None = None
        for part in _parts(len(targets), factor):
            scores = inputs[part] @ factor.T
            loss_rows(scores, sums[part], bias, targets[part], smoothing, PAD, needs_gradient)
            if of_readouts is None:
                continue
            torch.mm(scores, factor, out=of_readouts[part])
            more, beside = (scores.T @ inputs[part]).to(weight.dtype), scores.sum(0, dtype=bias.dtype)
            of_weight = more if of_weight is None else of_weight.add_(more)
            of_bias = beside if of_bias is None else of_bias.add_(beside)
        words = len(bias)
        ctx.gradients = of_readouts, *(part if part is None else part[:words] for part in (of_weight, of_bias))
        total, likelihood = sums.sum(0).unbind()
        ctx.mark_non_differentiable(likelihood)
        return total.clone(), likelihood.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_total: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None  # given away: they become the weights' own gradients
        return (*(part.mul_(grad_total) for part in gradients), None, None)


def _parts(tokens: int, factor: Tensor) -> list[slice]:
    """As few as possible, all of nearly the same size."""
    bytes_ = tokens * len(factor) * factor.element_size()
    size = max(1, -(-tokens // max(1, -(-bytes_ // BLOCK_BYTES))))
    return [slice(start, min(start + size, tokens)) for start in range(0, tokens, size)]


def _padded(weight: Tensor, low: torch.dtype) -> Tensor:
    """W [V, R] -> [V and some rows of 0, R] in the format of products."""
    return pad(weight.to(low), (0, 0, 0, -len(weight) % COLUMNS))
