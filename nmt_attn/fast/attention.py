"""Attention without its large tanh: scores over a whole batch, and attention inside a loop that is written by hand.

`FastAttention` covers additive, normed-additive and concat in float32 on a CPU, where a sigmoid takes the place of the
tanh; in every window, in training and search. Every other score, number format or device takes the plain path of
nmt_attn/model/scores.py. On a GPU: nmt_attn/fast/gpu/attention.py.

`AttentionLoop` is one step at a time, forward and back, without autograd; nmt_attn/fast/decoders.py runs it. It covers
the scores of `LOOP_FORMS` in a global window under a softmax, on every device, in float32 and float64. The gradient of
each matrix is one product after the loop; of what depends on the source, one batched product. The [B, S, A] tanh of a
step is never kept, only its buffer, and is computed again on the way back.

Equal to the plain path: tests/fast/test_decoders.py, test_equal_to_plain.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nmt_attn.fast.products import Factor
from nmt_attn.fast.views import Fast
from nmt_attn.model.attention import Attention
from nmt_attn.model.normalise import Softmax
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

KEY_POSITIONS = 16
"""Source positions in one part of the gradient of v on a GPU."""


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

    @property
    def has_loop_form(self) -> bool:
        """Whether the loops cover score and normaliser."""
        return type(self.score) in LOOP_FORMS and type(self.normaliser) is Softmax

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


class AttentionLoop:
    """Attention over T steps; what each step needs on the way back is kept, one block a step."""

    def __init__(self, score: LoopForm, states: Tensor, mask: Tensor, steps: int, dtype: torch.dtype) -> None:
        rows, size, inner = score.keys.shape
        self.of_query = None if score.query_weight is None else Factor(score.query_weight, dtype)
        self.score, self.states, self.hidden_positions = score, states, ~mask
        # Testing this on a GPU would force a sync, so there we assume that empty rows exist.
        self.has_empty_rows = mask.device.type != "cpu" or not bool(mask.any(1).all())
        self.projected = states.new_empty(steps, rows, inner)  # W q + b
        self.weights = states.new_empty(steps, rows, size)
        self.contexts = states.new_empty(steps, rows, states.shape[2])
        self.scores = states.new_empty(rows, size)
        if score.vector is not None:
            self.least_score = -score.vector.sum()  # where every tanh is -1
            self.four_vector = 4 * score.vector
            self._prepare_tanh(score.keys)

    def step(self, t: int, query: Tensor) -> Tensor:
        """query [B, H] -> context [B, M]."""
        weights = self.weights[t]
        projected = self._project(t, query)
        self._score(projected)
        self.scores.masked_fill_(self.hidden_positions, torch.finfo(self.scores.dtype).min)
        torch.softmax(self.scores, -1, out=weights)
        if self.has_empty_rows:
            weights.masked_fill_(self.hidden_positions, 0.0)
        torch.bmm(weights.unsqueeze(1), self.states, out=self.contexts[t].unsqueeze(1))
        return self.contexts[t]

    def rest(self) -> None:
        """After the last step: frees the buffers of the size of the keys until `prepare_back`."""
        if self.score.vector is not None:
            del self.double_keys, self.buffer

    def prepare_back(self) -> None:
        """Makes ready for `step_back`, once."""
        self.grad_contexts = torch.empty_like(self.contexts)
        self.grad_projected = torch.empty_like(self.projected)
        if self.score.vector is None:
            self.grad_scores = torch.empty_like(self.weights)
        else:
            self.grad_vector = torch.zeros_like(self.score.vector)
            self.grad_keys = torch.zeros_like(self.score.keys)  # still without the factor 4 v
            self._prepare_tanh(self.score.keys)

    def step_back(self, t: int, grad_context: Tensor, grad_weights: Tensor | None) -> Tensor:
        """d loss / d context [B, M], d loss / d weights [B, S] -> d loss / d query [B, H]."""
        weights = self.weights[t]
        self.grad_contexts[t] = grad_context
        score_grad = _dots(grad_context, self.states, torch.empty_like(weights))  # of the weights [B, S]
        if grad_weights is not None:
            score_grad += grad_weights
        score_grad = weights * (score_grad - (weights * score_grad).sum(1, keepdim=True))  # of the scores
        grad_projected = self.grad_projected[t]
        self._score_back(t, score_grad, grad_projected)
        return grad_projected if self.of_query is None else self.of_query.back(grad_projected)

    def gradients(self, queries: Tensor) -> tuple[LoopForm, Tensor]:
        """queries [T, B, H] -> the gradients of the score's form and of the encoder states [B, S, M]."""
        weight = None if self.of_query is None else self.of_query.gradient(self.grad_projected, queries)
        bias = None if self.score.query_bias is None else self.grad_projected.sum((0, 1))
        states = self.weights.permute(1, 2, 0) @ self.grad_contexts.transpose(0, 1)
        return LoopForm(weight, bias, *self._score_gradients()), states

    def _project(self, t: int, query: Tensor) -> Tensor:
        projected, score = self.projected[t], self.score
        projected.copy_(query if self.of_query is None else self.of_query.times(query))
        return projected if score.query_bias is None else projected.add_(score.query_bias)

    def _score(self, projected: Tensor) -> None:
        """W q + b [B, A] -> `scores`."""
        if self.score.vector is None:
            _dots(projected, self.score.keys, self.scores)
        else:
            half_tanh = self._half_tanh(projected).flatten(0, 1)
            torch.addmv(self.least_score, half_tanh, self.score.vector, alpha=2, out=self.scores.view(-1))

    def _score_back(self, t: int, score_grad: Tensor, grad_projected: Tensor) -> None:
        """d loss / d scores [B, S] -> d loss / d (W q + b) [B, A], written to `grad_projected`."""
        if self.score.vector is None:
            self.grad_scores[t] = score_grad
            torch.bmm(score_grad.unsqueeze(1), self.score.keys, out=grad_projected.unsqueeze(1))
            return
        half = self._half_tanh(self.projected[t])
        # tanh = 2 half - 1, where the 1 cancels, as the gradients of a softmax add up to 0.
        self.grad_vector.addmv_(half.flatten(0, 1).T, score_grad.view(-1), alpha=2)
        half.addcmul_(half, half, value=-1)  # (1 - tanh^2) / 4
        torch.bmm(score_grad.unsqueeze(1), half, out=grad_projected.unsqueeze(1))
        grad_projected.mul_(self.four_vector)
        self.grad_keys.addcmul_(half, score_grad.unsqueeze(2))

    def _score_gradients(self) -> tuple[Tensor, Tensor | None]:
        """Of keys and v."""
        if self.score.vector is None:
            return self.grad_scores.permute(1, 2, 0) @ self.projected.transpose(0, 1), None
        return self.grad_keys.mul_(self.four_vector), self.grad_vector

    def _prepare_tanh(self, keys: Tensor) -> None:
        self.double_keys, self.buffer = 2 * keys, keys.new_empty(keys.shape)  # [B, S, A] each

    def _half_tanh(self, projected: Tensor) -> Tensor:
        """sigmoid(2q + 2k) = (1 + tanh(q + k)) / 2 [B, S, A], in the buffer: several times as fast as a tanh."""
        return torch.add(self.double_keys, projected.unsqueeze(1), alpha=2, out=self.buffer).sigmoid_()


def _dots(vectors: Tensor, rows: Tensor, out: Tensor) -> Tensor:
    """vectors [B, A], rows [B, S, A] -> their products [B, S] in `out`. The other way round takes ten times as long."""
    torch.bmm(vectors.unsqueeze(1), rows.transpose(1, 2), out=out.unsqueeze(1))
    return out
