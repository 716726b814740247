"""Decoders over a whole target on a GPU: the loops of nmt_attn/fast/gpu/loops.py where they cover a decoder.

They cover gru, gru-cho and lstm, a global window and the scores of `LOOP_FORMS` (nmt_attn/fast/attention.py), in every
number format; Bahdanau's order with one layer, Luong's with any number. Without feeding it needs no loop at all.
Everything else takes the plain loops, with accelerated cells and attention inside.

Equal to the plain decoders: tests/fast/test_gpu_loops.py, tests/fast/test_gpu_forms.py.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.fast.attention import LoopForm
from nmt_attn.fast.gpu.attention import GpuAttention
from nmt_attn.fast.gpu.cells import GpuCell, loop_cell
from nmt_attn.fast.gpu.loop_parts import LoopCell
from nmt_attn.fast.gpu.loops import LoopOutput, bahdanau, conditional, luong
from nmt_attn.fast.gpu.stack import UpperLayer, UpperOptions, deep_luong
from nmt_attn.fast.gpu.whole import ONE_CALL, LayerWeights, run_cell
from nmt_attn.fast.products import product_dtype
from nmt_attn.fast.views import Fast
from nmt_attn.model import state as records
from nmt_attn.model.bahdanau import Advanced, BahdanauDecoder
from nmt_attn.model.cells import RecurrentLayer
from nmt_attn.model.conditional import ConditionalDecoder
from nmt_attn.model.decoder import Decoder
from nmt_attn.model.luong import AttentionalState, LuongDecoder
from nmt_attn.model.state import DecoderState, Memory

Made = tuple[Tensor, records.Weights]


class LoopParts(NamedTuple):
    """What a loop takes of a decoder."""

    cell: LoopCell
    score: LoopForm


def loop_parts(decoder: Decoder, embedded: Tensor, state: DecoderState, memory: Memory) -> LoopParts | None:
    """None if cell, window or score are not what loops cover, or words are copied."""
    attention, cell = decoder.attention, decoder.bottom
    score = attention.loop_form(memory) if isinstance(attention, GpuAttention) else None
    if score is None or not isinstance(cell, GpuCell) or decoder.copying is not None:
        return None
    return LoopParts(loop_cell(cell, decoder.embedding_to_gates(embedded), state.layers[0]), score)


class GpuBahdanau(Fast, BahdanauDecoder):
    """bahdanau."""

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> Made:
        parts = None if self.upper else loop_parts(self, embedded, state, memory)
        if parts is None:
            return super().forward(embedded, state, memory)
        weight = self.context_to_gates.weight
        low = product_dtype(weight)
        looped = bahdanau(parts.cell, weight, parts.score, memory.encoder_states, memory.mask, low)
        before = torch.cat([state.feed.unsqueeze(1).to(low), looped.outputs[:, :-1]], 1)
        readouts = self.make_readout(Advanced(before, looped.outputs, looped.contexts), embedded)
        return self.output_dropout(readouts), records.Weights(looped.weights, None, memory.mask.shape[1])


class GpuConditional(Fast, ConditionalDecoder):
    """conditional. Layers above the bottom run over its whole output."""

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> Made:
        parts = loop_parts(self, embedded, state, memory) if isinstance(self.second.cell, GpuCell) else None
        if parts is None:
            return super().forward(embedded, state, memory)
        to_gates, recurrent = self.second.input_to_gates, self.second.cell.recurrent
        second = parts.cell._replace(inputs=to_gates.bias, weight=recurrent.weight, bias=recurrent.bias)
        low, weight = product_dtype(to_gates.weight), to_gates.weight
        looped = conditional(parts.cell, second, weight, parts.score, memory.encoder_states, memory.mask, low)
        top = self.upper_layers(looped.outputs, looped.contexts, state.layers[1:])
        readouts = self.readout(top, embedded, looped.contexts)
        return self.output_dropout(readouts), records.Weights(looped.weights, None, memory.mask.shape[1])


class GpuLuong(Fast, LuongDecoder):
    """luong, with or without input feeding."""

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> Made:
        if self.feeding.size == 0 and self.copying is None and isinstance(self.bottom, ONE_CALL):
            return self._without_feeding(embedded, state, memory)
        is_covered = self.feeding.size > 0 and type(self.attentional_state) is AttentionalState
        is_covered = is_covered and all(isinstance(layer.cell, GpuCell) for layer in self.upper)
        parts = loop_parts(self, embedded, state, memory) if is_covered else None
        if parts is None:
            return super().forward(embedded, state, memory)
        noise = self.attentional_state.dropout.noise(embedded, self.bottom.hidden)
        output = LoopOutput(
            feeds_attentional=self.feeding.is_attentional,
            has_tanh=self.attentional_state.has_tanh,
            noise=noise,
            feed_weight=self.feed_to_gates.weight,
            feed=state.feed,
            weight=self.attentional_state.projection.weight,
            bias=self.attentional_state.projection.bias,
        )
        low, source = product_dtype(output.weight), (memory.encoder_states, memory.mask)
        if self.upper:
            layers, between = self._upper_parts(embedded, state)
            looped = deep_luong(parts.cell, layers, between, output, parts.score, source, low)
        else:
            looped = luong(parts.cell, output, parts.score, *source, low)
        attentional = looped.outputs if noise is None else looped.outputs * noise
        readouts = self.make_readout(attentional, embedded, looped.contexts)
        return self.output_dropout(readouts), records.Weights(looped.weights, None, memory.mask.shape[1])

    def _upper_parts(self, embedded: Tensor, state: DecoderState) -> tuple[list[UpperLayer], UpperOptions]:
        """What the loop of several layers takes of those above the bottom."""
        noise = self.layer_dropout.noise(embedded, len(self.upper) * self.bottom.hidden)
        by_layer = None if noise is None else noise.unflatten(2, (len(self.upper), -1)).transpose(0, 1)
        layers = []
        for layer, (hidden, cell) in zip(self.upper, state.layers[1:], strict=True):
            assert isinstance(layer, RecurrentLayer)
            to_gates, recurrent = layer.input_to_gates, layer.cell.recurrent
            layers.append(UpperLayer(to_gates.weight, to_gates.bias, hidden, cell, recurrent.weight, recurrent.bias))
        return layers, UpperOptions(self.is_residual, by_layer)

    def _without_feeding(self, embedded: Tensor, state: DecoderState, memory: Memory) -> Made:
        """The bottom layer in one call from the words on, so that their projection is part of it."""
        to_gates, recurrent = self.embedding_to_gates, self.bottom.recurrent
        weights = LayerWeights(to_gates.weight, to_gates.bias, recurrent.weight, recurrent.bias)
        kind = next(each for each in ONE_CALL if isinstance(self.bottom, each))
        whole = run_cell(kind, weights, embedded, *state.layers[0], product_dtype(to_gates.weight))
        top = self.upper_layers(whole.states, None, state.layers[1:])
        context, seen = self.attend_all(top, state, memory)
        attentional = self.attentional_states(context, top, embedded)
        return self.output_dropout(self.make_readout(attentional, embedded, context)), seen
