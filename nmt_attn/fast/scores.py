"""Scores without their large tanh: v . tanh(q + k) by the sigmoid on a CPU, by triton kernels on a GPU.

Covers additive, normed-additive and concat; in a window of any kind, in training and search. On a CPU in float32 a
sigmoid takes the place of the tanh. On a GPU the kernels (nmt_attn/fast/additive_kernels.py) take float32, and
bfloat16 brought to float32, where triton can compile them: torch's own builds bring it along, but it also needs a C
compiler and a GPU that it knows, so that the kernels are tried once before they are used. Every other score, number
format or device takes the plain path of nmt_attn/model/scores.py.

`LOOP_FORMS` says which scores the decoder loops by hand (nmt_attn/fast/decoders.py) can run.

Equal to the plain path: tests/fast/test_additive_kernels.py, tests/fast/test_equal_to_plain.py.
"""

import math
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.fast.views import Fast
from nmt_attn.model.attention import Attention
from nmt_attn.model.scores import (
    Additive,
    Concat,
    ConcatIdentity,
    Dot,
    General,
    NormedAdditive,
    ScaledDot,
    ScaledGeneral,
    Score,
    TanhScore,
)
from nmt_attn.model.windows import WindowView

HAS_TRITON = find_spec("triton") is not None
MOST_ERROR = 1e-3
"""Of sums of up to 126 numbers of size 1 in float32; a fault would be of size 1."""


class LoopForm(NamedTuple):
    """A score as loops run it, v . tanh(W q + b + k) or, without v, (W q + b) . k; or the gradients of these."""

    query_weight: Tensor | None  # W [A, H]; None: the query as it is
    query_bias: Tensor | None  # b [A]
    keys: Tensor  # k [B, S, A]
    vector: Tensor | None  # v [A]


def _additive(score: Additive | ConcatIdentity, keys: Tensor) -> LoopForm:
    projection = score.query_projection
    return LoopForm(projection.weight, projection.bias, keys, score.output_vector())


def _concat(score: Concat, keys: Tensor) -> LoopForm:
    return LoopForm(score.query_weight(), score.projection.bias, keys, score.output_vector())


def _product(score: Score, keys: Tensor) -> LoopForm:
    return LoopForm(None, None, keys, None)


def _scaled_dot(score: ScaledDot, keys: Tensor) -> LoopForm:
    return LoopForm(None, None, keys * keys.shape[-1] ** -0.5, None)


def _scaled_general(score: ScaledGeneral, keys: Tensor) -> LoopForm:
    return LoopForm(None, None, score.gain * keys, None)


TANH_FORMS: dict[type[Score], Callable[[Any, Tensor], LoopForm]] = {
    Additive: _additive,
    NormedAdditive: _additive,
    Concat: _concat,
    ConcatIdentity: _additive,
}
LOOP_FORMS: dict[type[Score], Callable[[Any, Tensor], LoopForm]] = {
    **TANH_FORMS,
    Dot: _product,
    ScaledDot: _scaled_dot,
    General: _product,
    ScaledGeneral: _scaled_general,
}
"""By exact type: a score and its keys [B, S, A] -> the form that loops run."""


class FastAttention(Fast, Attention):
    """Attention whose scores are computed without a tanh where they are known here."""

    def scores(self, view: WindowView) -> Tensor:
        score = self.score
        if type(score) not in TANH_FORMS:
            return super().scores(view)
        assert isinstance(score, TanhScore)
        return tanh_scores(score.project_query(view.query), view.keys, score.output_vector())


def tanh_scores(queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """projected queries [B, T, A], keys [B, S, A], v [A] -> v . tanh(query + key) [B, T, S], with a gradient."""
    if has_kernels(keys):
        return kernel_scores(queries.float(), keys.float(), vector.float())
    return sigmoid_scores(queries.unsqueeze(2), keys.unsqueeze(1), vector)


def sigmoid_scores(queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """queries and keys that broadcast to [..., A], v [A] -> v . tanh(query + key) [...], with a gradient."""
    total = queries + keys
    if total.dtype != torch.float32:  # bfloat16 keeps too little of a sigmoid near 1/2
        return torch.tanh(total) @ vector
    halves = torch.sigmoid(total.mul(2)) if total.requires_grad else total.mul_(2).sigmoid_()
    return (halves @ vector).mul(2).sub(vector.sum())


def has_kernels(keys: Tensor) -> bool:
    """Whether scores with such keys go through the kernels of a GPU."""
    is_covered = HAS_TRITON and keys.is_cuda and keys.dtype in (torch.float32, torch.bfloat16)
    return is_covered and works_on(keys.device)


@cache
def works_on(device: torch.device) -> bool:
    """Whether the kernels run on this device and give what the plain path gives; if not, a warning says why."""
    try:
        errors = _errors(device)
    except Exception as error:  # whatever a compiler or driver may say
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    else:
        if max(errors) < MOST_ERROR:
            return True
        reason = f"they are off by {max(errors):.2g}"
    warnings.warn(f"the additive score takes its plain path, as its kernels fail on {device} ({reason})", stacklevel=2)
    return False


def _errors(device: torch.device) -> list[float]:
    """The largest of the scores and of the gradients of q, k and v, on numbers of size 1 in several blocks."""
    from nmt_attn.fast.additive_kernels import key_gradients, query_gradient, scores

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


def kernel_scores(queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """q [B, T, A], k [B, S, A], v [A], float32 -> v . tanh(q + k) [B, T, S] by the kernels, with a gradient."""
    made: Tensor = _Kernels.apply(queries.transpose(0, 1), keys, vector)  # type: ignore[no-untyped-call]
    return made.transpose(0, 1)


class _Kernels(Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
        from nmt_attn.fast.additive_kernels import scores

        queries, keys, vector = _dense(queries), keys.contiguous(), vector.contiguous()
        ctx.save_for_backward(queries, keys, vector)
        out = queries.new_empty(*queries.shape[:2], keys.shape[1])
        scores(queries, keys, vector, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        from nmt_attn.fast.additive_kernels import key_gradients, query_gradient

        queries, keys, vector = ctx.saved_tensors
        slope = _dense(slope)
        of_queries = torch.empty_like(queries)
        query_gradient(queries, keys, vector, slope, of_queries)
        return of_queries, *key_gradients(queries, keys, vector, slope)


def _dense(tensor: Tensor) -> Tensor:
    """The tensor, or a copy if its last axis has gaps."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()
