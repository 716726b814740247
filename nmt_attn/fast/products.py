"""Products of matrices and the tanh, on a CPU by the fastest way that gives the same numbers.

Products: torch takes float32 products on a CPU from MKL, which uses at most AVX2 on processors that are not Intel's:
less than half of what they can do. oneDNN, which torch ships for bfloat16, uses all that the processor has. Covers
float32 on x86 CPUs; everything else takes torch's own product. The choice depends on the build of torch and the kind of
tensor alone, never on a clock, so that a run is reproducible.

tanh x = 2 sigmoid(2x) - 1, which torch computes about ten times as fast as its tanh on a CPU. In float32 it is off by
at most 2e-7 (torch.tanh by 3e-8). On a GPU we call torch.tanh: launching four kernels costs more than launching one.

Equal to torch's own: tests/fast/test_products.py, tests/fast/test_activation.py.
"""

import platform
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nmt_attn.fast.views import Fast

HAS_ONEDNN = (
    torch.backends.mkldnn.is_available()
    and platform.machine().lower() in ("x86_64", "amd64")
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)
"""Whether float32 products on this CPU go through oneDNN."""


def matmul(left: Tensor, right: Tensor) -> Tensor:
    """[m, k] @ [k, n] -> [m, n], without a gradient."""
    if _takes_onednn(left) and right.numel() and left.numel():
        return _onednn(left, right.T, None)
    return left @ right


def over_rows(left: Tensor, right: Tensor) -> Tensor:
    """left [n, a], right [n, b] -> left^T right [a, b], without a gradient; in memory it may be the other way round.

    oneDNN copies a first factor whose rows are not dense, so the narrower one comes first.
    """
    if _takes_onednn(left) and left.shape[1] > right.shape[1]:
        return matmul(right.T, left).T
    return matmul(left.T, right)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """inputs [..., in], W [out, in], b [out] -> W x + b [..., out], with a gradient."""
    autocasts = torch.is_autocast_enabled(inputs.device.type)
    if autocasts or not _takes_onednn(inputs) or not inputs.numel():
        return functional.linear(inputs, weight, bias)
    flat = inputs.reshape(-1, inputs.shape[-1])
    product = _Linear.apply(flat, weight, bias)  # type: ignore[no-untyped-call]
    return product.view(*inputs.shape[:-1], len(weight))


class FastLinear(Fast, nn.Linear):
    """W x [+ b] of training, by oneDNN."""

    def forward(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.weight, self.bias)


class Factor:
    """A matrix W [out, in] that every step of a loop is multiplied with, in a number format of its own.

    For oneDNN's float32 products it is laid out once, at the first `times`, as oneDNN reads it: a product of 64 rows
    then takes 0.8 to 0.9 of the time. Backward, where W would have to be transposed as well, this gains nothing.
    """

    def __init__(self, weight: Tensor, dtype: torch.dtype) -> None:
        self.weight = weight.to(dtype).contiguous()
        self.takes_onednn = _takes_onednn(self.weight)
        self.is_plain = self.weight.dtype == weight.dtype and not self.takes_onednn
        self.laid_out: Tensor | None = None

    def times(self, inputs: Tensor) -> Tensor:
        """x [N, in] -> W x [N, out]."""
        if self.takes_onednn and inputs.numel():
            if self.laid_out is None:
                self.laid_out = torch.ops.mkldnn._reorder_linear_weight(self.weight, len(inputs))
            return _onednn(inputs.to(self.weight.dtype), self.laid_out, None)
        return matmul(inputs.to(self.weight.dtype), self.weight.T)

    def back(self, gradient: Tensor) -> Tensor:
        """g [N, out] -> g W [N, in], in the number format of g."""
        return matmul(gradient.to(self.weight.dtype), self.weight).to(gradient.dtype)

    def add_to(self, total: Tensor, inputs: Tensor) -> Tensor:
        """total [N, out] += W x; returns total."""
        if self.is_plain:
            return total.addmm_(inputs, self.weight.T)
        return total.add_(self.times(inputs))

    def gradient(self, gradients: Tensor, inputs: Tensor) -> Tensor:
        """Of W, from all steps at once: g [T, B, out], x [T, B, in] -> [out, in] in the number format of g."""
        left, right = (part.flatten(0, 1).to(self.weight.dtype) for part in (gradients, inputs))
        return over_rows(left, right).to(gradients.dtype).contiguous()


def product_dtype(like: Tensor) -> torch.dtype:
    """The number format in which autocast wants products of such a tensor; its own, but at least float32, without."""
    kind = like.device.type
    if torch.is_autocast_enabled(kind) and like.dtype != torch.float64:
        return torch.get_autocast_dtype(kind)
    return torch.promote_types(like.dtype, torch.float32)


def tanh_(values: Tensor) -> Tensor:
    """tanh in place, without a gradient."""
    if values.device.type != "cpu":
        return values.tanh_()
    return values.mul_(2).sigmoid_().mul_(2).sub_(1)


def tanh(values: Tensor) -> Tensor:
    """tanh, by the sigmoid in decoding; torch's own where a gradient is needed."""
    return tanh_(values.clone()) if gains_by_sigmoid(values) else torch.tanh(values)


def gains_by_sigmoid(values: Tensor) -> bool:
    """True if tanh may be computed in place by the sigmoid: float32, on a CPU, no gradient needed."""
    return values.dtype == torch.float32 and not values.requires_grad and values.device.type == "cpu"


def _takes_onednn(tensor: Tensor) -> bool:
    return HAS_ONEDNN and tensor.dtype == torch.float32 and tensor.device.type == "cpu"


def _onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x [m, k], W [n, k], which may be laid out for oneDNN, -> x W^T + b [m, n].

    oneDNN is many times slower on views whose rows have gaps.
    """
    whole = weight if weight.is_mkldnn else _dense(weight)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(_dense(inputs), whole, bias, "none", [], "")
    return product


def _dense(matrix: Tensor) -> Tensor:
    """The matrix, or a contiguous copy unless it or its transpose is contiguous."""
    return matrix if matrix.is_contiguous() or matrix.T.is_contiguous() else matrix.contiguous()


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _onednn(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        return (
            matmul(gradient, weight) if of_inputs else None,
            over_rows(gradient, inputs).contiguous() if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )
