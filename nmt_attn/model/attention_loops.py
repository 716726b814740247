"""Attention loops without autograd: the decoders that feed attention back, over a whole target.

    Bahdanau   c_t = attention(s_{t-1});   s_t = cell(s_{t-1}, W y_{t-1} + C c_t)
    Luong      s_t = cell(s_{t-1}, W y_{t-1} + F f_{t-1});   c_t = attention(s_t);   h~_t = f(W_c [c_t ; s_t])

They cover one layer, a GRU or LSTM, a global window and every score of the form v . tanh(q + k) or q . k; the
decoders' plain loops cover everything and define the result (tests/model/test_attention_loops.py). The gradient of
each matrix is one product after the loop; of what depends on the source, one batched product; the [B, S, A] tanh of
a step is never kept, only its buffer, and is computed again on the way back.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.model.activation import tanh_
from nmt_attn.model.fused import is_fused
from nmt_attn.model.precision import at_least_float32
from nmt_attn.model.products import Factor, product_dtype
from nmt_attn.model.recurrence import CellLoop, LoopStart, own_copy


class LoopScore(NamedTuple):
    """A score taken apart: v . tanh(W q + b + k) or, without v, (W q + b) . k."""

    query_weight: Tensor | None  # W [A, H]; None: the query as it is
    query_bias: Tensor | None  # b [A]
    keys: Tensor  # k [B, S, A]
    vector: Tensor | None  # v [A]


class LoopOutput(NamedTuple):
    """Luong's h~ = f(W_c [c ; s] + b) and what of a step is fed to the next."""

    feeds_attentional: bool  # h~; else the context
    has_tanh: bool  # f; else the identity
    noise: Tensor | None  # [B, T, H], dropout of h~ where it is fed; what comes out is without
    feed_weight: Tensor  # F [G x H, F]
    feed: Tensor  # f_0 [B, F]
    weight: Tensor  # W_c [H, M + H]
    bias: Tensor | None  # b [H]


class AttentionLoop:
    """Attention over T steps; what each step needs on the way back is kept, one block a step."""

    def __init__(self, score: LoopScore, states: Tensor, mask: Tensor, steps: int, dtype: torch.dtype) -> None:
        rows, size, inner = score.keys.shape
        self.of_query = None if score.query_weight is None else Factor(score.query_weight, dtype)
        self.score, self.states, self.hidden_positions = score, states, ~mask
        # A question to another device would be waited for; there such rows are always reckoned with.
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
        """After the last step: lets go of what is as large as the keys until `prepare_back`."""
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
        slope = _dots(grad_context, self.states, torch.empty_like(weights))  # of the weights [B, S]
        if grad_weights is not None:
            slope += grad_weights
        slope = weights * (slope - (weights * slope).sum(1, keepdim=True))  # of the scores
        grad_projected = self.grad_projected[t]
        self._score_back(t, slope, grad_projected)
        return grad_projected if self.of_query is None else self.of_query.back(grad_projected)

    def gradients(self, queries: Tensor) -> list[Tensor | None]:
        """queries [T, B, H] -> gradients of W, b, keys, v and encoder states."""
        score = self.score
        weight = None if self.of_query is None else self.of_query.gradient(self.grad_projected, queries)
        bias = None if score.query_bias is None else self.grad_projected.sum((0, 1))
        states = self.weights.permute(1, 2, 0) @ self.grad_contexts.transpose(0, 1)  # [B, S, M]
        return [weight, bias, *self._score_gradients(), states]

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

    def _score_back(self, t: int, slope: Tensor, grad_projected: Tensor) -> None:
        """d loss / d scores [B, S] -> d loss / d (W q + b) [B, A], written to `grad_projected`."""
        if self.score.vector is None:
            self.grad_scores[t] = slope
            torch.bmm(slope.unsqueeze(1), self.score.keys, out=grad_projected.unsqueeze(1))
            return
        half = self._half_tanh(self.projected[t])
        # tanh = 2 half - 1, of which the 1 falls out, as the slopes of a softmax add up to 0.
        self.grad_vector.addmv_(half.flatten(0, 1).T, slope.view(-1), alpha=2)
        half.addcmul_(half, half, value=-1)  # (1 - tanh^2) / 4
        torch.bmm(slope.unsqueeze(1), half, out=grad_projected.unsqueeze(1))
        grad_projected.mul_(self.four_vector)
        self.grad_keys.addcmul_(half, slope.unsqueeze(2))

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


def attention_loop(score: LoopScore, states: Tensor, mask: Tensor, steps: int, dtype: torch.dtype) -> AttentionLoop:
    """The fastest one for such a score."""
    if score.vector is None or not is_fused(score.keys):
        return AttentionLoop(score, states, mask, steps, dtype)
    from nmt_attn.model.fused_loop import FusedAttentionLoop  # which needs triton

    return FusedAttentionLoop(score, states, mask, steps, dtype)


class Looped(NamedTuple):
    """All steps of a loop."""

    outputs: Tensor  # [B, T, H], Bahdanau: s_t; Luong: h~_t
    contexts: Tensor  # [B, T, M]
    weights: Tensor  # [B, T, S]


def bahdanau_loop(cell: LoopStart, context_weight: Tensor, score: LoopScore, states: Tensor, mask: Tensor) -> Looped:
    """C [G x H, M], the score, encoder states [B, S, M] and mask [B, S] bool -> every step."""
    kind, gates, *parts = cell
    fixed = kind, product_dtype(context_weight), mask
    with torch.autocast(states.device.type, enabled=False):
        exact = [gates, *(_exact(part) for part in (*parts, context_weight, *score, states))]
        return _batch_first(_BahdanauLoop.apply(*fixed, *exact))  # type: ignore[no-untyped-call]


def luong_loop(cell: LoopStart, output: LoopOutput, score: LoopScore, states: Tensor, mask: Tensor) -> Looped:
    """h~ and feeding, the score, encoder states [B, S, M] and mask [B, S] bool -> every step."""
    kind, gates, *parts = cell
    feeds_attentional, has_tanh, noise, *matrices = output
    fed_noise = None if noise is None or not feeds_attentional else noise.transpose(0, 1)  # [T, B, H]
    fixed = kind, product_dtype(output.weight), mask, (feeds_attentional, has_tanh, fed_noise)
    with torch.autocast(states.device.type, enabled=False):
        exact = [gates, *(_exact(part) for part in (*parts, *matrices, *score, states))]
        return _batch_first(_LuongLoop.apply(*fixed, *exact))  # type: ignore[no-untyped-call]


class _BahdanauLoop(Function):
    @staticmethod
    def forward(ctx: Any, kind: Any, dtype: torch.dtype, mask: Tensor, gates: Tensor, *rest: Any) -> tuple[Tensor, ...]:
        start, start_cell, weight, bias, context_weight, *score, states = rest
        cell: CellLoop = kind(own_copy(gates), start, start_cell, Factor(weight, dtype), bias)
        attention = attention_loop(LoopScore(*score), states, mask, len(gates), dtype)
        to_gates = Factor(context_weight, dtype)
        for t in range(len(gates)):
            context = attention.step(t, cell.hidden[t])
            to_gates.add_to(cell.gates[t], context)
            cell.step(t)
        attention.rest()
        ctx.loop = cell, attention, to_gates
        ctx.set_materialize_grads(False)
        return cell.hidden[1:], attention.contexts[:], attention.weights[:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        (cell, attention, to_gates), ctx.loop = ctx.loop, None  # else it lives until the whole graph has gone
        cell.prepare_back()
        attention.prepare_back()
        grad = torch.zeros_like(cell.hidden[0])
        for t in reversed(range(len(cell.gates))):
            grad_hidden, grad_context, grad_weights = (None if part is None else part[t] for part in grads)
            before = cell.step_back(t, grad if grad_hidden is None else grad + grad_hidden)
            through_gates = to_gates.back(cell.grad_gates[t])
            grad_context = through_gates if grad_context is None else through_gates.add_(grad_context)
            grad = before.add_(attention.step_back(t, grad_context, grad_weights))
        start_cell, weight, bias = cell.start_gradients()
        from_cell = cell.grad_gates, grad, start_cell, weight, bias
        of_contexts = to_gates.gradient(cell.grad_gates, attention.contexts)
        return None, None, None, *from_cell, of_contexts, *attention.gradients(cell.hidden[:-1])


class _LuongLoop(Function):
    @staticmethod
    def forward(
        ctx: Any,
        kind: Any,
        dtype: torch.dtype,
        mask: Tensor,
        options: tuple[bool, bool, Tensor | None],
        gates: Tensor,
        *rest: Any,
    ) -> tuple[Tensor, ...]:
        feeds_attentional, has_tanh, noise = options
        start, start_cell, weight, bias, feed_weight, feed, output_weight, output_bias, *score, states = rest
        cell: CellLoop = kind(own_copy(gates), start, start_cell, Factor(weight, dtype), bias)
        attention = attention_loop(LoopScore(*score), states, mask, len(gates), dtype)
        halves = output_weight.split([states.shape[2], start.shape[1]], 1)  # of W_c
        of_feed, of_context, of_state = (Factor(part, dtype) for part in (feed_weight, *halves))
        outputs = start.new_empty(len(gates), *start.shape)
        first_feed = feed
        for t in range(len(gates)):
            of_feed.add_to(cell.gates[t], feed)
            cell.step(t)
            context = attention.step(t, cell.hidden[t + 1])
            of_state.add_to(outputs[t].copy_(of_context.times(context)), cell.hidden[t + 1])
            if output_bias is not None:
                outputs[t].add_(output_bias)
            if has_tanh:
                tanh_(outputs[t])
            attentional = outputs[t] if noise is None else outputs[t] * noise[t]
            feed = attentional if feeds_attentional else context
        attention.rest()
        ctx.loop = cell, attention, outputs, first_feed, (of_feed, of_context, of_state)
        ctx.has_bias = output_bias is not None
        ctx.feeds_attentional, ctx.has_tanh, ctx.noise = options
        ctx.set_materialize_grads(False)
        return outputs[:], attention.contexts[:], attention.weights[:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        (cell, attention, outputs, first_feed, factors), ctx.loop = ctx.loop, None
        of_feed, of_context, of_state = factors
        cell.prepare_back()
        attention.prepare_back()
        grad_outputs = torch.zeros_like(outputs) if grads[0] is None else own_copy(grads[0])
        grad = torch.zeros_like(cell.hidden[0])
        grad_feed: Tensor | None = None
        for t in reversed(range(len(outputs))):
            grad_output = grad_outputs[t]
            if grad_feed is not None and ctx.feeds_attentional:
                grad_output += grad_feed if ctx.noise is None else grad_feed * ctx.noise[t]
            if ctx.has_tanh:
                grad_output.mul_(1 - outputs[t] * outputs[t])
            grad_context = of_context.back(grad_output)
            if grads[1] is not None:
                grad_context += grads[1][t]
            if grad_feed is not None and not ctx.feeds_attentional:
                grad_context += grad_feed
            grad = of_state.back(grad_output).add_(grad)
            grad += attention.step_back(t, grad_context, None if grads[2] is None else grads[2][t])
            grad = cell.step_back(t, grad)
            grad_feed = of_feed.back(cell.grad_gates[t])
        attentional = outputs if ctx.noise is None else outputs * ctx.noise
        fed = attentional if ctx.feeds_attentional else attention.contexts
        feeds = torch.cat([first_feed.unsqueeze(0), fed[:-1]])
        start_cell, weight, bias = cell.start_gradients()
        of_both = [
            of_context.gradient(grad_outputs, attention.contexts),
            of_state.gradient(grad_outputs, cell.hidden[1:]),
        ]
        from_cell = cell.grad_gates, grad, start_cell, weight, bias, of_feed.gradient(cell.grad_gates, feeds), grad_feed
        from_output = torch.cat(of_both, 1), grad_outputs.sum((0, 1)) if ctx.has_bias else None
        return None, None, None, None, *from_cell, *from_output, *attention.gradients(cell.hidden[1:])


def _dots(vectors: Tensor, rows: Tensor, out: Tensor) -> Tensor:
    """vectors [B, A], rows [B, S, A] -> their products [B, S] in `out`. The other way round takes ten times as long."""
    torch.bmm(vectors.unsqueeze(1), rows.transpose(1, 2), out=out.unsqueeze(1))
    return out


def _exact(part: Tensor | None) -> Tensor | None:
    return None if part is None else at_least_float32(part)


def _batch_first(results: tuple[Tensor, ...]) -> Looped:
    return Looped(*(result.transpose(0, 1) for result in results))
