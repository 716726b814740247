"""Normalisers: how scores become weights or probabilities, numbers of at least 0 that sum to 1.

    softmax      p_j = exp(z_j) / sum_k exp(z_k)
    sparsemax    p_j = max(z_j - tau, 0)              Martins and Astudillo 2016 (arXiv 1602.02068), Algorithm 1
    entmax-1.5   p_j = max(z_j / 2 - tau, 0)^2        Peters, Niculae and Martins 2019 (arXiv 1905.05702), Algorithm 2

tau is the number with which they sum to 1; it is found by sorting. A p_j of the last two is exactly 0 where its score
is too far below the greatest. Each is the gradient of a convex function, its `conjugate` (of the softmax
log sum exp(z)), by which the loss of an output layer is  conjugate(z) - z_y  (Fenchel-Young; Peters et al., 2.2 and
eq. 10): 0 if and only if p_y = 1, with gradient p - onehot(y). Of the softmax that is - log p_y.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn import registries
from nmt_attn.registry import Exclusion, Registry
from nmt_attn.runtime import at_least_float32


class Normaliser:
    """Contract. All work on the last axis; scores of -inf get 0 beside any finite one."""

    exclusions: ClassVar[tuple[Exclusion, ...]] = ()
    """Values of other keys that it does not go with."""

    is_sparse: ClassVar[bool] = True
    """Whether what is no part of the answer gets 0 exactly, and nothing is learned from it."""

    def probabilities(self, scores: Tensor) -> Tensor:
        """scores [..., S] -> p [..., S], with a gradient."""
        raise NotImplementedError

    def conjugate(self, scores: Tensor, probabilities: Tensor) -> Tensor:
        """scores [..., S], finite, and their p [..., S] -> [...], without a gradient."""
        raise NotImplementedError

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """scores [..., V] -> log p [..., V], without a gradient.

        A p of 0 counts as the smallest positive number of the format (log p = -87.3 in float32), so that what must be
        written, a forced word or a last `</s>`, can be; a score of -inf is that of no word and stays -inf.
        """
        least = torch.finfo(scores.dtype).tiny
        return self.probabilities(scores).clamp_min(least).log().masked_fill_(scores == -torch.inf, -torch.inf)

    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        """scores [B, T, S], mask [B, S] -> weights [B, T, S], 0 where the mask is False, even if it is nowhere True."""
        hidden = ~mask.unsqueeze(1)
        lowest = torch.finfo(scores.dtype).min  # not -inf: a row that is all masked must not become NaN
        return self.probabilities(scores.masked_fill(hidden, lowest)).masked_fill(hidden, 0.0)


class Softmax(Normaliser):
    """exp(z) over the sum of all exp(z): every position gets something."""

    is_sparse = False

    def probabilities(self, scores: Tensor) -> Tensor:
        return torch.softmax(scores, -1)

    def conjugate(self, scores: Tensor, probabilities: Tensor) -> Tensor:
        return scores.logsumexp(-1)

    def log_probabilities(self, scores: Tensor) -> Tensor:
        return torch.log_softmax(scores, -1)


class Sparsemax(Normaliser):
    """max(z - tau, 0), the nearest point of the simplex: the most zeros, and equal steps between what is left."""

    def probabilities(self, scores: Tensor) -> Tensor:
        weights: Tensor = _Sparsemax.apply(at_least_float32(scores))  # type: ignore[no-untyped-call]
        return weights

    def conjugate(self, scores: Tensor, probabilities: Tensor) -> Tensor:
        """p . z + (1 - p . p) / 2."""
        return (probabilities * scores).sum(-1) + (1 - probabilities.square().sum(-1)) / 2


class Entmax15(Normaliser):
    """max(z / 2 - tau, 0)^2, halfway between softmax and sparsemax (alpha = 1.5): zeros, but a smooth way to them."""

    def probabilities(self, scores: Tensor) -> Tensor:
        weights: Tensor = _Entmax15.apply(at_least_float32(scores))  # type: ignore[no-untyped-call]
        return weights

    def conjugate(self, scores: Tensor, probabilities: Tensor) -> Tensor:
        """p . z + 4 / 3 (1 - sum p^1.5)."""
        entropy = (1 - (probabilities * probabilities.sqrt()).sum(-1)) * (4 / 3)
        return (probabilities * scores).sum(-1) + entropy


class _Sparsemax(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        z = _below_greatest(scores, 1.0)
        ordered, counts = _sorted(z)
        excess = ordered.cumsum(-1) - 1
        size = (counts * ordered > excess).sum(-1, keepdim=True)  # of the support
        weights = (z - excess.gather(-1, size - 1) / size).clamp_min_(0)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """(Diag(s) - s s' / |s|) g, with s = 1 on the support."""
        (weights,) = ctx.saved_tensors
        return _project(grad, (weights > 0).to(grad.dtype))


class _Entmax15(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        z = _below_greatest(scores, 2.0) / 2
        ordered, counts = _sorted(z)
        mean = ordered.cumsum(-1) / counts
        spread = ordered.square().cumsum(-1) - counts * mean.square()  # sum of squared distances from the mean
        taus = mean - ((1 - spread) / counts).clamp_min(0).sqrt()
        size = (taus <= ordered).sum(-1, keepdim=True)
        weights = (z - taus.gather(-1, size - 1)).clamp_min_(0).square()
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """(Diag(s) - s s' / |s|) g, with s = sqrt(p)."""
        (weights,) = ctx.saved_tensors
        return _project(grad, weights.sqrt())


def _below_greatest(scores: Tensor, reach: float) -> Tensor:
    """scores less the greatest; those below -reach, whose p is 0, no lower than twice that, so that sums stay exact."""
    return (scores - scores.amax(-1, keepdim=True)).clamp_min(-2 * reach)


def _sorted(z: Tensor) -> tuple[Tensor, Tensor]:
    """z [..., S] -> z from the greatest on, and 1 ... S."""
    return z.sort(-1, descending=True).values, torch.arange(1, z.shape[-1] + 1, device=z.device, dtype=z.dtype)


def _project(grad: Tensor, s: Tensor) -> Tensor:
    """s (g - s . g / |s|)."""
    along = (s * grad).sum(-1, keepdim=True) / s.sum(-1, keepdim=True)
    return s * (grad - along)


SOFTMAX = Softmax()
NORMALISERS: Registry[type[Normaliser]] = registries.NORMALISERS
