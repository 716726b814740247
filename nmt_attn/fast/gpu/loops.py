"""Decoders that feed back, over a whole target on a GPU with few launches: each one Function.

    Bahdanau     c_t = attention(s_{t-1});   s_t = cell(s_{t-1}, x_t + C c_t)
    conditional  s'_t = cell_1(s_{t-1}, x_t);   c_t = attention(s'_t);   s_t = cell_2(s'_t, b + C c_t)
    Luong        s_t = cell(s_{t-1}, x_t + F f_{t-1});   c_t = attention(s_t);   h~_t = f(W_c [c_t ; s_t] + b)

One layer, a cell of nmt_attn/fast/gpu/cell_loops.py, a global window, a score v . tanh(W q + b + k) or q . k. Products
with the same vector are one product. Gradients of matrices are one product after the loop. The plain decoders define
the results (tests/fast/test_gpu_loops.py).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.fast.attention import LoopForm
from nmt_attn.fast.gpu.cell_loops import CellSteps, LSTMSteps, Start, product_gradient
from nmt_attn.fast.gpu.loop_parts import (
    LoopAttention,
    LoopCell,
    Looped,
    at,
    dense,
    exact_states,
    loop_states,
    plus,
    times,
)
from nmt_attn.fast.gpu.sizes import Part
from nmt_attn.fast.gpu.steps import (
    attentional_back,
    attentional_step,
)


def bahdanau(
    cell: LoopCell, context_weight: Tensor, score: LoopForm, states: Tensor, mask: Tensor, low: torch.dtype
) -> Looped:
    """C [G x H, M], the score, encoder states [B, S, M], mask [B, S] bool -> every step."""
    kind, *parts = cell
    with torch.autocast(states.device.type, enabled=False):
        made = _Bahdanau.apply(kind, low, mask, *exact_states(parts), context_weight, *score, states)  # type: ignore[no-untyped-call]
    return Looped(*(part.transpose(0, 1) for part in made))


class _Bahdanau(Function):
    @staticmethod
    def forward(ctx: Any, kind: Any, low: torch.dtype, mask: Tensor, *operands: Any) -> tuple[Tensor, ...]:
        inputs, start, start_cell, weight, bias, context_weight, *score, encoder_states = operands
        steps = len(inputs)
        states, lows, _, _ = loop_states(start, start_cell, steps, low)
        cell: CellSteps = kind(Start(inputs, weight.to(low), bias), states)
        attention = LoopAttention(LoopForm(*score), encoder_states, mask, steps, low)
        joined, to_gates, size = attention.joined(cell.weight), context_weight.to(low), attention.size
        products = lows.new_empty(steps, len(start), len(joined))
        contexts = lows.new_empty(steps, len(start), encoder_states.shape[2])
        entering = lows.new_empty(len(start), len(to_gates))
        for t in range(steps):
            torch.mm(lows[t], joined.T, out=products[t])
            attention.step(t, products[t][:, :size] if size else lows[t], contexts[t])
            torch.mm(contexts[t], to_gates.T, out=entering)
            cell.step(t, entering, products[t][:, size:])
        ctx.loop = cell, attention, lows, products, contexts, joined, to_gates
        ctx.set_materialize_grads(False)
        return lows[1:], contexts[:], attention.weights[:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Part) -> tuple[Part, ...]:
        (cell, attention, lows, products, contexts, joined, to_gates), ctx.loop = ctx.loop, None
        steps, rows, size = len(products), products.shape[1], attention.size
        grads = lows.new_empty(steps, rows, size + cell.gates.shape[2])
        cell.prepare_back(grads[..., size:])
        attention.prepare_back()
        grad_queries = grads[..., :size] if size else torch.empty_like(lows[1:])
        through, of_context = torch.zeros_like(lows[0]), torch.empty_like(contexts[0])
        of_hidden, of_contexts, of_weights = map(dense, outer)
        for t in reversed(range(steps)):
            cell.back(t, at(of_hidden, t), cell.carry, through)
            torch.mm(cell.grad_inputs[t], to_gates, out=of_context)
            query = products[t][:, :size] if size else lows[t]
            attention.back(t, query, grad_queries[t], of_context, at(of_contexts, t), at(of_weights, t))
            times(grads[t][:, : len(joined)], joined, through, None if size else grad_queries[t])
        of_cell = cell.grad_cell if isinstance(cell, LSTMSteps) else None
        inner = slice(size, len(joined))
        weight = cell.weight_gradient(product_gradient(grads[..., inner], lows[:-1], cell.weight))
        from_cell = cell.grad_inputs, plus(through, cell.carry), of_cell, weight, cell.bias_gradient()
        of_context_weight = product_gradient(cell.grad_inputs, contexts, to_gates)
        queries = products[..., :size] if size else lows[:-1]
        return None, None, None, *from_cell, of_context_weight, *attention.gradients(queries, grad_queries, lows[:-1])


class LoopOutput(NamedTuple):
    """Luong's h~ = f(W_c [c ; s] + b) and what of a step is fed to the next."""

    feeds_attentional: bool  # h~; else the context
    has_tanh: bool  # f; else the identity
    noise: Tensor | None  # [B, T, H], dropout of h~ where it is fed; what comes out is without
    feed_weight: Tensor  # F [G x H, F]
    feed: Tensor  # f_0 [B, F]
    weight: Tensor  # W_c [H, M + H]
    bias: Tensor | None  # b [H]


def luong(
    cell: LoopCell, output: LoopOutput, score: LoopForm, states: Tensor, mask: Tensor, low: torch.dtype
) -> Looped:
    """h~ and feeding, the score, encoder states [B, S, M], mask [B, S] bool -> every step."""
    kind, *parts = cell
    feeds_attentional, has_tanh, noise, *matrices = output
    fed_noise = None if noise is None or not feeds_attentional else noise.transpose(0, 1)  # [T, B, H]
    options = feeds_attentional, has_tanh, fed_noise
    with torch.autocast(states.device.type, enabled=False):
        made = _Luong.apply(kind, low, mask, options, *exact_states(parts), *matrices, *score, states)  # type: ignore[no-untyped-call]
    return Looped(*(part.transpose(0, 1) for part in made))


class _Luong(Function):
    @staticmethod
    def forward(
        ctx: Any, kind: Any, low: torch.dtype, mask: Tensor, options: Any, *operands: Any
    ) -> tuple[Tensor, ...]:
        inputs, start, start_cell, weight, bias, feed_weight, feed, output_weight, output_bias, *score, states_ = (
            operands
        )
        feeds_attentional, has_tanh, noise = options
        steps, rows, size = len(inputs), len(start), states_.shape[2]
        both = start.new_empty(steps + 1, rows, size + start.shape[1], dtype=low)  # [c ; s], the first without c
        states, lows, _, _ = loop_states(start, start_cell, steps, low, both[..., size:])
        cell: CellSteps = kind(Start(inputs, weight.to(low), bias), states)
        attention = LoopAttention(LoopForm(*score), states_, mask, steps, low)
        joined, query_size = attention.joined(cell.weight), attention.size
        of_feed, of_both = feed_weight.to(low), output_weight.to(low)
        products = both.new_empty(steps + 1, rows, len(joined))
        outputs = both.new_empty(steps, rows, len(of_both))
        fed = torch.empty_like(outputs) if noise is not None else None
        entering, total = both.new_empty(rows, len(of_feed)), both.new_empty(rows, len(of_both))
        feeds = [feed.to(low)]
        torch.mm(lows[0], joined.T, out=products[0])
        for t in range(steps):
            torch.mm(feeds[t], of_feed.T, out=entering)
            cell.step(t, entering, products[t][:, query_size:])
            torch.mm(lows[t + 1], joined.T, out=products[t + 1])
            query = products[t + 1][:, :query_size] if query_size else lows[t + 1]
            attention.step(t, query, both[t + 1][:, :size])
            torch.mm(both[t + 1], of_both.T, out=total)
            attentional_step(outputs[t], at(fed, t), total, output_bias, at(noise, t), has_tanh)
            attentional = outputs[t] if fed is None else fed[t]
            feeds.append(attentional if feeds_attentional else both[t + 1][:, :size])
        ctx.loop = cell, attention, both, lows, products, outputs, feeds, (joined, of_feed, of_both, output_bias)
        ctx.options = options
        ctx.set_materialize_grads(False)
        return outputs[:], both[1:, :, :size], attention.weights[:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Part) -> tuple[Part, ...]:
        (cell, attention, both, lows, products, outputs, feeds, matrices), ctx.loop = ctx.loop, None
        feeds_attentional, has_tanh, noise = ctx.options
        joined, of_feed, of_both, output_bias = matrices
        steps, rows, query_size = len(outputs), outputs.shape[1], attention.size
        size = attention.states.shape[2]
        # [of the query of step t - 1 ; of the cell of step t], as both are products with state t
        grads = both.new_zeros(steps + 1, rows, query_size + cell.gates.shape[2])
        cell.prepare_back(grads[:-1, :, query_size:])
        attention.prepare_back()
        grad_queries = grads[1:, :, :query_size] if query_size else torch.empty_like(lows[1:])
        grad_totals, grad_both = torch.empty_like(outputs), torch.empty_like(both[0])
        through, grad_feed = torch.empty_like(lows[0]), torch.zeros_like(feeds[0])
        of_outputs, of_contexts, of_weights = map(dense, outer)
        for t in reversed(range(steps)):
            fed = grad_feed if feeds_attentional else None
            attentional_back(grad_totals[t], outputs[t], at(of_outputs, t), fed, at(noise, t), has_tanh)
            torch.mm(grad_totals[t], of_both, out=grad_both)
            beside = at(of_contexts, t)
            if not feeds_attentional:
                beside = grad_feed if beside is None else beside + grad_feed
            query = products[t + 1][:, :query_size] if query_size else lows[t + 1]
            attention.back(t, query, grad_queries[t], grad_both[:, :size], beside, at(of_weights, t))
            times(grads[t + 1][:, : len(joined)], joined, through, None if query_size else grad_queries[t])
            cell.back(t, grad_both[:, size:], through, cell.carry)
            torch.mm(cell.grad_inputs[t], of_feed, out=grad_feed)
        torch.mm(grads[0][:, query_size : len(joined)], cell.weight, out=through)
        inner = grads[:-1, :, query_size : len(joined)]
        of_cell = cell.grad_cell if isinstance(cell, LSTMSteps) else None
        weight = cell.weight_gradient(product_gradient(inner, lows[:-1], cell.weight))
        from_cell = cell.grad_inputs, plus(through, cell.carry), of_cell, weight, cell.bias_gradient()
        from_feed = product_gradient(cell.grad_inputs, torch.stack(feeds[:-1]), of_feed), grad_feed
        of_bias = None if output_bias is None else grad_totals.sum((0, 1), dtype=attention.exact)
        from_output = product_gradient(grad_totals, both[1:], of_both), of_bias
        queries = products[1:, :, :query_size] if query_size else lows[1:]
        from_score = attention.gradients(queries, grad_queries, lows[1:])
        return None, None, None, None, *from_cell, *from_feed, *from_output, *from_score


def conditional(
    first: LoopCell,
    second: LoopCell,
    context_weight: Tensor,
    score: LoopForm,
    states: Tensor,
    mask: Tensor,
    low: torch.dtype,
) -> Looped:
    """Two cells of one kind; of `second`, inputs [G x H] are the bias of C c, its states are unused."""
    kind, *parts = first
    others = second.inputs, second.weight, second.bias
    with torch.autocast(states.device.type, enabled=False):
        made = _Conditional.apply(kind, low, mask, *exact_states(parts), *others, context_weight, *score, states)  # type: ignore[no-untyped-call]
    return Looped(*(part.transpose(0, 1) for part in made))


class _Conditional(Function):
    @staticmethod
    def forward(ctx: Any, kind: Any, low: torch.dtype, mask: Tensor, *operands: Any) -> tuple[Tensor, ...]:
        inputs, start, start_cell, weight, bias, second_inputs, second_weight, second_bias, *rest = operands
        context_weight, *score, encoder_states = rest
        steps, rows = len(inputs), len(start)
        states, lows, hidden, cells = loop_states(start, start_cell, steps, low)
        between, low_between = torch.empty_like(hidden[1:]), torch.empty_like(lows[1:])
        cells_between = None if cells is None else torch.empty_like(between)
        low_or_none = low_between if low != hidden.dtype else None
        low_between = between if low_or_none is None else low_between
        cell: CellSteps = kind(
            Start(inputs, weight.to(low), bias),
            states._replace(after=between, low=low_or_none, cell_after=cells_between),
        )
        second: CellSteps = kind(
            Start(second_inputs.expand(steps, rows, -1), second_weight.to(low), second_bias),
            states._replace(before=between, cell_before=cells_between),
        )
        attention = LoopAttention(LoopForm(*score), encoder_states, mask, steps, low)
        joined, to_gates, size = attention.joined(second.weight), context_weight.to(low), attention.size
        products = lows.new_empty(steps, rows, len(joined))
        contexts = lows.new_empty(steps, rows, encoder_states.shape[2])
        product, entering = lows.new_empty(rows, len(cell.weight)), lows.new_empty(rows, len(to_gates))
        for t in range(steps):
            torch.mm(lows[t], cell.weight.T, out=product)
            cell.step(t, None, product)
            torch.mm(low_between[t], joined.T, out=products[t])
            attention.step(t, products[t][:, :size] if size else low_between[t], contexts[t])
            torch.mm(contexts[t], to_gates.T, out=entering)
            second.step(t, entering, products[t][:, size:])
        ctx.loop = cell, second, attention, lows, low_between, products, contexts, joined, to_gates
        ctx.set_materialize_grads(False)
        return lows[1:], contexts[:], attention.weights[:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Part) -> tuple[Part, ...]:
        (cell, second, attention, lows, between, products, contexts, joined, to_gates), ctx.loop = ctx.loop, None
        steps, rows, size = len(products), products.shape[1], attention.size
        grads = lows.new_empty(steps, rows, size + cell.gates.shape[2])
        first_grads = torch.empty_like(cell.gates, dtype=lows.dtype)
        second.prepare_back(grads[..., size:])
        cell.prepare_back(first_grads)
        if isinstance(cell, LSTMSteps):
            cell.grad_cell = second.grad_cell  # one state goes through both
        attention.prepare_back()
        grad_queries = grads[..., :size] if size else torch.empty_like(lows[1:])
        through, above, of_context = torch.zeros_like(lows[0]), torch.empty_like(lows[0]), torch.empty_like(contexts[0])
        of_hidden, of_contexts, of_weights = map(dense, outer)
        for t in reversed(range(steps)):
            second.back(t, at(of_hidden, t), cell.carry, through)
            torch.mm(second.grad_inputs[t], to_gates, out=of_context)
            query = products[t][:, :size] if size else between[t]
            attention.back(t, query, grad_queries[t], of_context, at(of_contexts, t), at(of_weights, t))
            times(grads[t][:, : len(joined)], joined, above, None if size else grad_queries[t])
            cell.back(t, above, second.carry)
            torch.mm(first_grads[t][:, : len(cell.weight)], cell.weight, out=through)
        weight = cell.weight_gradient(product_gradient(first_grads[..., : len(cell.weight)], lows[:-1], cell.weight))
        of_cell = cell.grad_cell if isinstance(cell, LSTMSteps) else None
        from_cell = cell.grad_inputs, plus(through, cell.carry), of_cell, weight, cell.bias_gradient()
        inner = grads[..., size : len(joined)]
        second_weight = second.weight_gradient(product_gradient(inner, between, second.weight))
        of_inputs = second.grad_inputs.sum((0, 1), dtype=attention.exact)
        from_second = of_inputs, second_weight, second.bias_gradient()
        of_context_weight = product_gradient(second.grad_inputs, contexts, to_gates)
        queries = products[..., :size] if size else between
        from_score = attention.gradients(queries, grad_queries, between)
        return None, None, None, *from_cell, *from_second, of_context_weight, *from_score
