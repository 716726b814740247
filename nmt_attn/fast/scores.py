"""Scores without their large tanh: v . tanh(q + k) by the sigmoid on a CPU.

Covers additive, normed-additive and concat, in float32, in a window of any kind, in training and search. Every other
score, number format or device takes the plain path of nmt_attn/model/scores.py. On a GPU: nmt_attn/fast/gpu.

`LOOP_FORMS` says which scores loops can run (nmt_attn/fast/decoders.py, nmt_attn/fast/gpu/decoders.py).

Equal to the plain path: tests/fast/test_equal_to_plain.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

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
        queries = score.project_query(view.query)
        return sigmoid_scores(queries.unsqueeze(2), view.keys.unsqueeze(1), score.output_vector())


def sigmoid_scores(queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """queries and keys that broadcast to [..., A], v [A] -> v . tanh(query + key) [...], with a gradient."""
    total = queries + keys
    if total.dtype != torch.float32:  # bfloat16 keeps too little of a sigmoid near 1/2
        return torch.tanh(total) @ vector
    halves = torch.sigmoid(total.mul(2)) if total.requires_grad else total.mul_(2).sigmoid_()
    return (halves @ vector).mul(2).sub(vector.sum())
