"""Decoders of several layers that feed back, over a whole target on a GPU: Luong's order, as one Function.

    s^1_t = cell(s^1_{t-1}, x_t + F f_{t-1});   s^l_t = cell(s^l_{t-1}, W^l y^{l-1}_t + b^l)
    y^1 = s^1;   y^l = s^l [+ its input];   c_t = attention(y^L_t);   h~_t = f(W_c [c_t ; y^L_t] + b)

Layers have cells of one kind. A layer above the bottom is two products and the cell's operation a step, forward and
back; gradients of matrices are one product after the loop. Under plain autograd each step adds to each of them.
The plain decoder defines the results (tests/fast/test_gpu_loops.py).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.fast.attention import LoopForm
from nmt_attn.fast.gpu.cell_loops import CellSteps, LSTMSteps, Start, multiply, product_gradient
from nmt_attn.fast.gpu.loop_parts import LoopAttention, LoopCell, Looped, at, dense, exact_states, loop_states, plus
from nmt_attn.fast.gpu.loops import LoopOutput
from nmt_attn.fast.gpu.sizes import Part
from nmt_attn.fast.gpu.steps import attentional_back, attentional_step


class UpperLayer(NamedTuple):
    """A layer above the bottom, or the gradients of these."""

    input_weight: Tensor  # W [G x H, H]
    input_bias: Tensor  # b [G x H]
    hidden: Tensor  # [B, H]
    cell: Part  # [B, H]
    weight: Tensor  # U [G x H, H]
    bias: Part  # of U h [G x H]


class UpperOptions(NamedTuple):
    """What is between layers."""

    is_residual: bool
    noise: Part  # [T, B, L - 1, H], dropout of what goes into each


class _Layer:
    """T steps of one layer; `below` [T, B, H] is what comes in, `above` [T, B, H] what goes out, low."""

    def __init__(self, kind: Any, layer: UpperLayer, below: Tensor, noise: Part, above: Part, low: torch.dtype) -> None:
        steps, rows, _ = below.shape
        self.below, self.noise = below, noise
        self.inputs = below if noise is None else torch.empty_like(below, memory_format=torch.contiguous_format)
        states, self.lows, _, _ = loop_states(layer.hidden, layer.cell, steps, low)
        self.above = self.lows[1:] if above is None else above
        self.input_weight = layer.input_weight.to(low)
        start = Start(layer.input_bias.expand(steps, rows, -1), layer.weight.to(low), layer.bias)
        self.cell: CellSteps = kind(start, states)
        self.entering = self.lows.new_empty(rows, len(self.input_weight))
        self.product = self.lows.new_empty(rows, self.cell.weight.shape[-2])

    def step(self, t: int, *, is_residual: bool) -> None:
        if self.noise is not None:
            torch.mul(self.below[t], self.noise[t], out=self.inputs[t])
        torch.mm(self.inputs[t], self.input_weight.T, out=self.entering)
        multiply(self.lows[t], self.cell.weight.mT, self.product)
        self.cell.step(t, self.entering, self.product)
        if is_residual:
            torch.add(self.lows[t + 1], self.inputs[t], out=self.above[t])
        elif self.above.data_ptr() != self.lows[1:].data_ptr():
            self.above[t].copy_(self.lows[t + 1])

    def prepare_back(self) -> None:
        self.grads = torch.empty_like(self.cell.gates, dtype=self.lows.dtype)
        self.cell.prepare_back(self.grads)
        self.through, self.of_inputs = torch.zeros_like(self.lows[0]), torch.empty_like(self.lows[0])

    def back(self, t: int, grad: Tensor, *, is_residual: bool) -> Tensor:
        """Gradient of what goes out of step t [B, H] -> of what comes in, in a buffer."""
        cell = self.cell
        cell.back(t, grad, self.through, cell.carry)
        multiply(self.grads[t][:, : cell.weight.shape[-2]], cell.weight, self.through)
        if is_residual:
            torch.addmm(grad, cell.grad_inputs[t], self.input_weight, out=self.of_inputs)
        else:
            torch.mm(cell.grad_inputs[t], self.input_weight, out=self.of_inputs)
        return self.of_inputs if self.noise is None else self.of_inputs.mul_(self.noise[t])

    def gradients(self) -> UpperLayer:
        cell = self.cell
        bias = cell.grad_inputs.sum((0, 1), dtype=cell.gates.dtype)
        return UpperLayer(product_gradient(cell.grad_inputs, self.inputs, self.input_weight), bias, *_of_cell(self))


def _of_cell(part: Any) -> tuple[Tensor, Part, Tensor, Part]:
    """After the way back of a cell -> gradients of its first states, U, and the bias of U h."""
    cell = part.cell
    inner = part.grads[..., : cell.weight.shape[-2]]
    weight = cell.weight_gradient(product_gradient(inner, part.lows[:-1], cell.weight))
    of_cell = cell.grad_cell if isinstance(cell, LSTMSteps) else None
    return plus(part.through, cell.carry), of_cell, weight, cell.bias_gradient()


def deep_luong(
    cell: LoopCell,
    upper: list[UpperLayer],
    between: UpperOptions,
    output: LoopOutput,
    score: LoopForm,
    memory: tuple[Tensor, Tensor],
    low: torch.dtype,
) -> Looped:
    """The bottom cell, layers above it, h~ and feeding, the score, encoder states [B, S, M] and mask -> every step."""
    kind, *parts = cell
    states, mask = memory
    feeds_attentional, has_tanh, noise, *matrices = output
    fed_noise = None if noise is None or not feeds_attentional else noise.transpose(0, 1)  # [T, B, H]
    options = feeds_attentional, has_tanh, fed_noise, between
    above = [part for layer in upper for part in (*layer[:2], *exact_states([None, *layer[2:]])[1:])]
    with torch.autocast(states.device.type, enabled=False):
        made = _DeepLuong.apply(kind, low, mask, options, *exact_states(parts), *matrices, *score, states, *above)  # type: ignore[no-untyped-call]
    return Looped(*(part.transpose(0, 1) for part in made))


class _Bottom:
    """The bottom cell's T steps."""

    def __init__(self, kind: Any, inputs: Tensor, parts: tuple[Any, ...], low: torch.dtype) -> None:
        start, start_cell, weight, bias = parts
        states, self.lows, _, _ = loop_states(start, start_cell, len(inputs), low)
        self.cell: CellSteps = kind(Start(inputs, weight.to(low), bias), states)
        self.product = self.lows.new_empty(len(start), self.cell.weight.shape[-2])

    def step(self, t: int, entering: Tensor) -> None:
        multiply(self.lows[t], self.cell.weight.mT, self.product)
        self.cell.step(t, entering, self.product)

    def prepare_back(self) -> None:
        self.grads = torch.empty_like(self.cell.gates, dtype=self.lows.dtype)
        self.cell.prepare_back(self.grads)
        self.through = torch.zeros_like(self.lows[0])

    def back(self, t: int, grad: Tensor) -> None:
        self.cell.back(t, grad, self.through, self.cell.carry)
        multiply(self.grads[t][:, : self.cell.weight.shape[-2]], self.cell.weight, self.through)


class _DeepLuong(Function):
    @staticmethod
    def forward(ctx: Any, kind: Any, low: torch.dtype, mask: Tensor, options: Any, *operands: Any) -> Any:
        inputs, *first, feed_weight, feed, output_weight, output_bias = operands[:9]
        *score, states = operands[9:14]
        feeds_attentional, has_tanh, noise, between = options
        steps, rows, size = len(inputs), inputs.shape[1], states.shape[2]
        both = feed.new_empty(steps, rows, size + first[0].shape[1], dtype=low)  # [c ; y^L]
        bottom = _Bottom(kind, inputs, tuple(first), low)
        layers = _stack(kind, operands[14:], between, bottom.lows[1:], both[..., size:], low)
        attention = LoopAttention(LoopForm(*score), states, mask, steps, low)
        of_query, of_feed, of_both = attention.weight, feed_weight.to(low), output_weight.to(low)
        queries = both[..., size:] if of_query is None else both.new_empty(steps, rows, len(of_query))
        outputs = both.new_empty(steps, rows, len(of_both))
        fed = torch.empty_like(outputs) if noise is not None else None
        entering, total = both.new_empty(rows, len(of_feed)), both.new_empty(rows, len(of_both))
        feeds = [feed.to(low)]
        for t in range(steps):
            torch.mm(feeds[t], of_feed.T, out=entering)
            bottom.step(t, entering)
            for layer in layers:
                layer.step(t, is_residual=between.is_residual)
            if of_query is not None:
                torch.mm(both[t][:, size:], of_query.T, out=queries[t])
            attention.step(t, queries[t], both[t][:, :size])
            torch.mm(both[t], of_both.T, out=total)
            attentional_step(outputs[t], at(fed, t), total, output_bias, at(noise, t), has_tanh)
            attentional = outputs[t] if fed is None else fed[t]
            feeds.append(attentional if feeds_attentional else both[t][:, :size])
        ctx.loop = bottom, layers, attention, both, queries, outputs, feeds, (of_feed, of_both, output_bias)
        ctx.options = options
        ctx.set_materialize_grads(False)
        return outputs[:], both[..., :size], attention.weights[:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Part) -> tuple[Part, ...]:
        (bottom, layers, attention, both, queries, outputs, feeds, matrices), ctx.loop = ctx.loop, None
        feeds_attentional, has_tanh, noise, between = ctx.options
        (of_feed, of_both, output_bias), of_query, size = matrices, attention.weight, attention.states.shape[2]
        for part in (bottom, *layers, attention):
            part.prepare_back()
        grad_queries = torch.empty_like(queries, memory_format=torch.contiguous_format)
        grad_totals, grad_both = torch.empty_like(outputs), torch.empty_like(both[0])
        grad_top, grad_feed = torch.empty_like(bottom.lows[0]), torch.zeros_like(feeds[0])
        of_outputs, of_contexts, of_weights = map(dense, outer)
        for t in reversed(range(len(outputs))):
            fed = grad_feed if feeds_attentional else None
            attentional_back(grad_totals[t], outputs[t], at(of_outputs, t), fed, at(noise, t), has_tanh)
            torch.mm(grad_totals[t], of_both, out=grad_both)
            beside = at(of_contexts, t)
            if not feeds_attentional:
                beside = grad_feed if beside is None else beside + grad_feed
            attention.back(t, queries[t], grad_queries[t], grad_both[:, :size], beside, at(of_weights, t))
            if of_query is None:
                torch.add(grad_both[:, size:], grad_queries[t], out=grad_top)
            else:
                torch.addmm(grad_both[:, size:], grad_queries[t], of_query, out=grad_top)
            grad = grad_top
            for layer in reversed(layers):
                grad = layer.back(t, grad, is_residual=between.is_residual)
            bottom.back(t, grad)
            torch.mm(bottom.cell.grad_inputs[t], of_feed, out=grad_feed)
        from_feed = product_gradient(bottom.cell.grad_inputs, torch.stack(feeds[:-1]), of_feed), grad_feed
        of_bias = None if output_bias is None else grad_totals.sum((0, 1), dtype=attention.exact)
        from_output = product_gradient(grad_totals, both, of_both), of_bias
        from_score = attention.gradients(queries, grad_queries, both[..., size:])
        above = [part for layer in layers for part in layer.gradients()]
        from_cell = bottom.cell.grad_inputs, *_of_cell(bottom)
        return None, None, None, None, *from_cell, *from_feed, *from_output, *from_score, *above


def _stack(
    kind: Any, operands: tuple[Any, ...], between: UpperOptions, below: Tensor, top: Tensor, low: torch.dtype
) -> list[_Layer]:
    """The layers above the bottom, whose last writes to `top` [T, B, H]."""
    layers: list[_Layer] = []
    uppers = [UpperLayer(*operands[first : first + 6]) for first in range(0, len(operands), 6)]
    for number, upper in enumerate(uppers):
        noise = None if between.noise is None else between.noise[:, :, number]
        above = top if number == len(uppers) - 1 else torch.empty_like(below) if between.is_residual else None
        layers.append(_Layer(kind, upper, below, noise, above, low))
        below = layers[-1].above
    return layers
