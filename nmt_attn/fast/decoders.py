"""Decoders that feed attention back, over a whole target, with forward and backward by hand; and their search steps.

    Bahdanau   c_t = attention(s_{t-1});   s_t = cell(s_{t-1}, W y_{t-1} + C c_t)
    Luong      s_t = cell(s_{t-1}, W y_{t-1} + F f_{t-1});   c_t = attention(s_t);   h~_t = f(W_c [c_t ; s_t])

The loops cover one layer, gru or lstm, a global window, and the scores of `LOOP_FORMS` (all but location), on every
device, in float32 and float64 with products in autocast's format. Everything else, and Luong's order with copying, a
context gate or no h~, takes the plain loops of nmt_attn/model/bahdanau.py and luong.py. In search, C c + U h is one
product where U is packed and the cell only adds.

Equal to the plain decoders: tests/fast/test_decoders.py, tests/fast/test_equal_to_plain.py.
"""

from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.fast.attention import LOOP_FORMS, AttentionLoop, FastAttention, LoopForm
from nmt_attn.fast.by_hand import by_hand, exact
from nmt_attn.fast.packed import PackedLinear
from nmt_attn.fast.products import Factor, product_dtype, tanh, tanh_
from nmt_attn.fast.recurrence import LOOPS, CellInputs, CellLoop, SumCell, cell_inputs, joined_with_state, own_copy
from nmt_attn.fast.views import Fast
from nmt_attn.model.bahdanau import Advanced, BahdanauDecoder
from nmt_attn.model.decoder import Decoder
from nmt_attn.model.luong import AttentionalState, LuongDecoder
from nmt_attn.model.state import CellState, DecoderState, Memory, Weights
from nmt_attn.model.windows import Global
from nmt_attn.runtime import at_least_float32


def runs_by_hand(decoder: Decoder) -> bool:
    """True if number of layers, cell, window, score and normaliser are those that the loops cover."""
    attention = decoder.attention
    if decoder.upper or type(decoder.bottom) not in LOOPS or not isinstance(attention, FastAttention):
        return False
    return type(attention.window) is Global and attention.has_loop_form


def loop_form(decoder: Decoder, memory: Memory) -> LoopForm:
    """The decoder's score for the loop, in at least float32."""
    assert isinstance(decoder.attention, FastAttention)
    score = decoder.attention.score
    return exact(LOOP_FORMS[type(score)](score, memory.keys))


class Looped(NamedTuple):
    """All steps of a loop, as the loop or, by `batch_first`, as the decoder has them."""

    outputs: Tensor  # [T, B, H], Bahdanau: s_t; Luong: h~_t
    contexts: Tensor  # [T, B, M]
    weights: Tensor  # [T, B, S]

    def batch_first(self) -> "Looped":
        """[B, T, ..] each."""
        return Looped(*(part.transpose(0, 1) for part in self))


class BahdanauInputs(NamedTuple):
    """What Bahdanau's loop runs on, or the gradients of these."""

    cell: CellInputs
    context_weight: Tensor  # C [G x H, M]
    score: LoopForm
    states: Tensor  # [B, S, M]


class BahdanauLoop:
    """The `Loop` of `by_hand`."""

    def __init__(self, inputs: BahdanauInputs, *, kind: type[CellLoop], dtype: torch.dtype, mask: Tensor) -> None:
        self.cell = kind(inputs.cell, dtype)
        steps = len(self.cell.gates)
        self.attention = AttentionLoop(inputs.score, inputs.states, mask, steps, dtype)
        self.context_to_gates = Factor(inputs.context_weight, dtype)

    def run(self) -> Looped:
        """s_t, c_t and a_t of every step."""
        cell, attention = self.cell, self.attention
        for t in range(len(cell.gates)):
            context = attention.step(t, cell.hidden[t])
            self.context_to_gates.add_to(cell.gates[t], context)
            cell.step(t)
        attention.rest()
        return Looped(cell.hidden[1:], attention.contexts[:], attention.weights[:])

    def back(self, *grads: Tensor | None) -> BahdanauInputs:
        """Gradients of what `run` gave -> of the inputs."""
        cell, attention = self.cell, self.attention
        cell.prepare_back()
        attention.prepare_back()
        grad = torch.zeros_like(cell.hidden[0])
        for t in reversed(range(len(cell.gates))):
            grad_hidden, grad_context, grad_weights = (None if part is None else part[t] for part in grads)
            before = cell.step_back(t, grad if grad_hidden is None else grad + grad_hidden)
            through_gates = self.context_to_gates.back(cell.grad_gates[t])
            grad_context = through_gates if grad_context is None else through_gates.add_(grad_context)
            grad = before.add_(attention.step_back(t, grad_context, grad_weights))
        context_weight = self.context_to_gates.gradient(cell.grad_gates, attention.contexts)
        return BahdanauInputs(cell.gradients(grad), context_weight, *attention.gradients(cell.hidden[:-1]))


class LuongInputs(NamedTuple):
    """What Luong's loop runs on, or the gradients of these."""

    cell: CellInputs
    feed_weight: Tensor  # F [G x H, F]
    feed: Tensor | None  # f_0 [B, F]
    output_weight: Tensor  # W_c [H, M + H]
    output_bias: Tensor | None  # of W_c [H]
    score: LoopForm
    states: Tensor  # [B, S, M]


class LuongOptions(NamedTuple):
    """Luong's h~ and what of a step is fed to the next."""

    feeds_attentional: bool  # h~; else the context
    has_tanh: bool  # f; else the identity
    noise: Tensor | None  # [T, B, H], dropout of h~ where it is fed; what comes out is without


class LuongLoop:
    """The `Loop` of `by_hand`."""

    def __init__(
        self, inputs: LuongInputs, options: LuongOptions, *, kind: type[CellLoop], dtype: torch.dtype, mask: Tensor
    ) -> None:
        assert inputs.feed is not None
        self.cell, self.options = kind(inputs.cell, dtype), options
        steps = len(self.cell.gates)
        self.attention = AttentionLoop(inputs.score, inputs.states, mask, steps, dtype)
        halves = inputs.output_weight.split([inputs.states.shape[2], inputs.cell.hidden.shape[1]], 1)
        self.of_feed, self.of_context, self.of_state = (Factor(part, dtype) for part in (inputs.feed_weight, *halves))
        self.first_feed, self.bias = inputs.feed, inputs.output_bias
        self.outputs = torch.empty_like(self.cell.hidden[1:])

    def run(self) -> Looped:
        """h~_t, c_t and a_t of every step."""
        cell, attention, outputs, options = self.cell, self.attention, self.outputs, self.options
        feed = self.first_feed
        for t in range(len(cell.gates)):
            self.of_feed.add_to(cell.gates[t], feed)
            cell.step(t)
            context = attention.step(t, cell.hidden[t + 1])
            self.of_state.add_to(outputs[t].copy_(self.of_context.times(context)), cell.hidden[t + 1])
            if self.bias is not None:
                outputs[t].add_(self.bias)
            if options.has_tanh:
                tanh_(outputs[t])
            attentional = outputs[t] if options.noise is None else outputs[t] * options.noise[t]
            feed = attentional if options.feeds_attentional else context
        attention.rest()
        return Looped(outputs[:], attention.contexts[:], attention.weights[:])

    def back(self, *grads: Tensor | None) -> LuongInputs:
        """Gradients of what `run` gave -> of the inputs."""
        cell, attention, outputs, options = self.cell, self.attention, self.outputs, self.options
        cell.prepare_back()
        attention.prepare_back()
        grad_outputs = torch.zeros_like(outputs) if grads[0] is None else own_copy(grads[0])
        grad = torch.zeros_like(cell.hidden[0])
        grad_feed: Tensor | None = None
        for t in reversed(range(len(outputs))):
            grad_output = grad_outputs[t]
            if grad_feed is not None and options.feeds_attentional:
                grad_output += grad_feed if options.noise is None else grad_feed * options.noise[t]
            if options.has_tanh:
                grad_output.mul_(1 - outputs[t] * outputs[t])
            grad_context = self.of_context.back(grad_output)
            if grads[1] is not None:
                grad_context += grads[1][t]
            if grad_feed is not None and not options.feeds_attentional:
                grad_context += grad_feed
            grad = self.of_state.back(grad_output).add_(grad)
            grad += attention.step_back(t, grad_context, None if grads[2] is None else grads[2][t])
            grad = cell.step_back(t, grad)
            grad_feed = self.of_feed.back(cell.grad_gates[t])
        return self._gradients(grad, grad_feed, grad_outputs)

    def _gradients(self, grad: Tensor, grad_feed: Tensor | None, grad_outputs: Tensor) -> LuongInputs:
        cell, attention, options = self.cell, self.attention, self.options
        attentional = self.outputs if options.noise is None else self.outputs * options.noise
        fed = attentional if options.feeds_attentional else attention.contexts
        feeds = torch.cat([self.first_feed.unsqueeze(0), fed[:-1]])
        of_cell = cell.gradients(grad)
        of_context = self.of_context.gradient(grad_outputs, attention.contexts)
        of_state = self.of_state.gradient(grad_outputs, cell.hidden[1:])
        return LuongInputs(
            of_cell,
            self.of_feed.gradient(cell.grad_gates, feeds),
            grad_feed,
            torch.cat([of_context, of_state], 1),
            None if self.bias is None else grad_outputs.sum((0, 1)),
            *attention.gradients(cell.hidden[1:]),
        )


class FastBahdanau(Fast, BahdanauDecoder):
    """bahdanau."""

    @cached_property
    def joined(self) -> PackedLinear | None:
        """[c ; h] -> C c + U h."""
        return joined_with_state(self.context_to_gates, self.bottom)

    def bottom_step(self, word_gates: Tensor, context: Tensor, before: CellState) -> CellState:
        if self.joined is None:
            return super().bottom_step(word_gates, context, before)
        assert isinstance(self.bottom, SumCell)
        return self.bottom.finish(word_gates + self.joined(torch.cat([context, before.hidden], -1)), before)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        if not runs_by_hand(self):
            return super().forward(embedded, state, memory)
        gates = self.embedding_to_gates(embedded)
        weight = self.context_to_gates.weight
        dtype = product_dtype(weight)
        inputs = BahdanauInputs(
            cell=cell_inputs(self.bottom, gates, state.layers[0]),
            context_weight=weight,
            score=loop_form(self, memory),
            states=at_least_float32(memory.encoder_states),
        )
        looped = Looped(
            *by_hand(
                partial(BahdanauLoop, kind=LOOPS[type(self.bottom)], dtype=dtype, mask=memory.mask),
                inputs,
                gates.device,
            )
        ).batch_first()
        before = torch.cat([state.feed.unsqueeze(1), looped.outputs[:, :-1]], 1)
        readouts = self.make_readout(Advanced(before, looped.outputs, looped.contexts), embedded)
        weights = Weights(looped.weights, None, memory.mask.shape[1])
        return self.output_dropout(readouts), self.gated(weights, looped.contexts, looped.outputs, embedded)


class FastLuong(Fast, LuongDecoder):
    """luong, with or without input feeding."""

    @cached_property
    def joined(self) -> PackedLinear | None:
        """[f ; h] -> F f + U h."""
        return joined_with_state(self.feed_to_gates, self.bottom)

    def bottom_step(self, word_gates: Tensor, feed: Tensor, before: CellState) -> CellState:
        if self.joined is None:
            return super().bottom_step(word_gates, feed, before)
        assert isinstance(self.bottom, SumCell)
        return self.bottom.finish(word_gates + self.joined(torch.cat([feed, before.hidden], -1)), before)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        if self.feeding.size == 0 or self.copying is not None or not runs_by_hand(self):
            return super().forward(embedded, state, memory)
        if not isinstance(self.attentional_state, FastAttentionalState):
            return super().forward(embedded, state, memory)
        gates = self.embedding_to_gates(embedded)
        noise = self.attentional_state.dropout.noise(gates, self.bottom.hidden)
        projection, feeds_attentional = self.attentional_state.projection, self.feeding.is_attentional
        fed_noise = None if noise is None or not feeds_attentional else noise.transpose(0, 1)  # [T, B, H]
        options = LuongOptions(feeds_attentional, self.attentional_state.has_tanh, fed_noise)
        dtype = product_dtype(projection.weight)
        inputs = LuongInputs(
            cell=cell_inputs(self.bottom, gates, state.layers[0]),
            feed_weight=self.feed_to_gates.weight,
            feed=at_least_float32(state.feed),
            output_weight=projection.weight,
            output_bias=projection.bias,
            score=loop_form(self, memory),
            states=at_least_float32(memory.encoder_states),
        )
        looped = Looped(
            *by_hand(
                partial(LuongLoop, options=options, kind=LOOPS[type(self.bottom)], dtype=dtype, mask=memory.mask),
                inputs,
                gates.device,
            )
        ).batch_first()
        attentional = looped.outputs if noise is None else looped.outputs * noise
        readouts = self.make_readout(attentional, embedded, looped.contexts)
        return self.output_dropout(readouts), Weights(looped.weights, None, memory.mask.shape[1])


class FastAttentionalState(Fast, AttentionalState):
    """h~, its tanh by the sigmoid in decoding."""

    def forward(self, context: Tensor, state: Tensor, embedded: Tensor, feed: Tensor) -> Tensor:
        total = self.projection(torch.cat([context, state], -1))
        return tanh(total) if self.has_tanh else total
