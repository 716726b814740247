"""The conditional order: update, attend, update again.

    s'_t = cell_1(s_{t-1}, W y_{t-1});   c_t = attention(s'_t);   s_t = cell_2(s'_t, C c_t)
    t_t = readout(s_t, y_{t-1}, c_t)

The conditional GRU of dl4mt-tutorial, nematus and marian; with an LSTM the cell state goes through both cells.
Layers above take s_t, by option with c_t, and do not attend, so that over a whole target they run all steps at once.
"""

import torch
from torch import Tensor

from nmt_attn.model.cells import Cell, RecurrentLayer
from nmt_attn.model.decoder import Decoder, DecoderParts, stack_weights
from nmt_attn.model.readout import Readout
from nmt_attn.model.state import CellState, DecoderState, Memory, Weights


class ConditionalDecoder(Decoder):
    """`bottom` is cell 1; `second` is cell 2 with its projection C of the context."""

    def __init__(self, parts: DecoderParts, second: Cell, readout: Readout) -> None:
        super().__init__(parts)
        self.second = RecurrentLayer(second, parts.attention.context_size)
        self.readout = readout

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights, DecoderState]:
        bottom, context, weights = self._advance(self.embedding_to_gates(embedded), state, memory)
        top, above = self.upper_layers_step(bottom.hidden, context, state.layers[1:], None)
        after = DecoderState((bottom, *above), state.feed, state.position + 1, weights.coverage)
        return self.readout(top, embedded, context), self.gated(weights, context, top, embedded), after

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        hidden, contexts, weights, first = [], [], [], state.layers
        for step_gates in self.embedding_to_gates(embedded).unbind(1):
            bottom, context, step_weights = self._advance(step_gates, state, memory)
            state = DecoderState((bottom, *first[1:]), state.feed, state.position + 1, step_weights.coverage)
            hidden.append(bottom.hidden)
            contexts.append(context)
            weights.append(step_weights)
        context = torch.stack(contexts, 1)
        top = self.upper_layers(torch.stack(hidden, 1), context, first[1:])
        gated = self.gated(stack_weights(weights), context, top, embedded)
        return self.output_dropout(self.readout(top, embedded, context)), gated

    def _advance(self, word_gates: Tensor, state: DecoderState, memory: Memory) -> tuple[CellState, Tensor, Weights]:
        between = self.bottom(word_gates, state.layers[0])
        context, weights = self.attend(between.hidden, state, memory)
        return self.second.step(context, between), context, weights
