"""The additive score as one operation of a GPU, where triton is there to compile it; torch's own builds bring it along.

The plain road (nmt_attn/model/scores.py, attention_loops.py) goes everywhere, defines the result and is what this is
tested against (tests/model/test_fused.py). Before the kernels are used on a GPU they are tried there once, as they need
more than triton: a C compiler, and a GPU that it knows.
"""

import math
import warnings
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

HAS_TRITON = find_spec("triton") is not None
MOST_ERROR = 1e-3
"""Of sums of up to 126 numbers of size 1 in float32; a fault would be of size 1."""


def is_fused(keys: Tensor) -> bool:
    """Whether scores with such keys go through the kernels."""
    return HAS_TRITON and keys.is_cuda and keys.dtype == torch.float32 and works_on(keys.device)


@cache
def works_on(device: torch.device) -> bool:
    """Whether the kernels run on this device and give what the plain road gives; if not, a warning says why."""
    try:
        errors = _errors(device)
    except Exception as error:  # whatever a compiler or driver may say
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    else:
        if max(errors) < MOST_ERROR:
            return True
        reason = f"they are off by {max(errors):.2g}"
    warnings.warn(f"the additive score takes its plain road, as its kernels fail on {device} ({reason})", stacklevel=2)
    return False


def _errors(device: torch.device) -> list[float]:
    """The largest of the scores and of the gradients of q, k and v, on numbers of size 1 in several blocks."""
    from nmt_attn.model.additive_kernels import key_gradients, query_gradient, scores

    steps, rows, sources, hidden = 2, 3, 21, 70
    shapes = ((steps, rows, hidden), (rows, sources, hidden), (hidden,), (steps, rows, sources))
    here = [torch.linspace(-7, 9, math.prod(shape)).sin().view(shape) for shape in shapes]
    queries, keys, vector, slope = here
    tanh = torch.tanh(queries.unsqueeze(2) + keys)  # [T, B, S, A]
    inner = slope.unsqueeze(3) * (1 - tanh * tanh) * vector
    wanted = [tanh @ vector, inner.sum(2), inner.sum(0), (slope.unsqueeze(3) * tanh).sum((0, 1, 2))]
    queries, keys, vector, slope = (part.to(device) for part in here)
    found = [torch.empty_like(slope), torch.empty_like(queries)]
    scores(queries, keys, vector, found[0])
    query_gradient(queries, keys, vector, slope, found[1])
    found += key_gradients(queries, keys, vector, slope)
    return [float((mine.cpu() - other).abs().max()) for mine, other in zip(found, wanted, strict=True)]


def fused_scores(queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """q [B, T, A], k [B, S, A], v [A] -> v . tanh(q + k) [B, T, S], with a gradient."""
    made: Tensor = _Additive.apply(queries.transpose(0, 1), keys, vector)  # type: ignore[no-untyped-call]
    return made.transpose(0, 1)


class _Additive(Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
        from nmt_attn.model.additive_kernels import scores

        queries, keys, vector = _dense(queries), keys.contiguous(), vector.contiguous()
        ctx.save_for_backward(queries, keys, vector)
        out = queries.new_empty(*queries.shape[:2], keys.shape[1])
        scores(queries, keys, vector, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        from nmt_attn.model.additive_kernels import key_gradients, query_gradient

        queries, keys, vector = ctx.saved_tensors
        slope = _dense(slope)
        of_queries = torch.empty_like(queries)
        query_gradient(queries, keys, vector, slope, of_queries)
        return of_queries, *key_gradients(queries, keys, vector, slope)


def _dense(tensor: Tensor) -> Tensor:
    """The tensor, or a copy if its last axis has gaps."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()
