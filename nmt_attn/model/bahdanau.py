"""Bahdanau's order: attend with the previous state, then update.

    a_t, c_t = attention(s_{t-1});   s_t = cell(s_{t-1}, W y_{t-1} + C c_t);   t_t = readout(s, y_{t-1}, c_t)

Bahdanau et al. 2015 (arXiv 1409.0473v7), eq. 4 and A.2; without attention, eq. 3. The context enters every gate. With
several layers, the query is the top layer's previous output and the context enters the bottom layer (every layer:
nmt_attn/model/deep_context.py). The readout sees s_t (main text) or s_{t-1} (appendix).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.model.decoder import Decoder, DecoderParts, all_positions, stack_weights
from nmt_attn.model.initialise import GateProjection
from nmt_attn.model.readout import Readout
from nmt_attn.model.state import CellState, DecoderState, Memory, Weights


class Advanced(NamedTuple):
    """What the readout needs of one step, or of all of them [B, T, ..]."""

    before: Tensor  # [N, H] top state s_{t-1}
    after: Tensor  # [N, H] top state s_t
    context: Tensor  # [N, M]


class BahdanauDecoder(Decoder):
    """State carried beside the layers: `feed`, the top output s_{t-1} [N, H]."""

    def __init__(self, parts: DecoderParts, readout: Readout, *, reads_previous: bool) -> None:
        super().__init__(parts)
        self.context_to_gates = GateProjection(
            parts.attention.context_size, self.bottom.hidden, self.bottom.gates, bias=False
        )  # C
        self.readout = readout
        self.reads_previous = reads_previous

    def start(self, memory: Memory) -> DecoderState:
        state = super().start(memory)
        return state._replace(feed=state.layers[-1].hidden)

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights, DecoderState]:
        advanced, weights, state = self._advance(self.embedding_to_gates(embedded), state, memory, None)
        weights = self.gated(weights, advanced.context, advanced.after, embedded)
        return self.make_readout(advanced, embedded), weights, state

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        gates = self.embedding_to_gates(embedded)
        if not self.attention.has_weights:
            return self._forward_fixed(gates, embedded, state, memory)
        advanced, weights = [], []
        for step_gates, noise in zip(gates.unbind(1), self.layer_noise(gates), strict=True):
            result, step_weights, state = self._advance(step_gates, state, memory, noise)
            advanced.append(result)
            weights.append(step_weights)
        whole = Advanced(*(torch.stack(parts, 1) for parts in zip(*advanced, strict=True)))
        gated = self.gated(stack_weights(weights), whole.context, whole.after, embedded)
        return self.output_dropout(self.make_readout(whole, embedded)), gated

    def query(self, state: DecoderState) -> Tensor:
        """What asks [N, H]: s_{t-1}."""
        return state.feed

    def bottom_step(self, word_gates: Tensor, context: Tensor, before: CellState) -> CellState:
        """W y_{t-1} [N, G x H], c_t [N, M], last state -> s_t of the bottom layer."""
        state: CellState = self.bottom(word_gates + self.context_to_gates(context), before)
        return state

    def make_readout(self, advanced: Advanced, embedded: Tensor) -> Tensor:
        """States and context, y_{t-1} [.., E] -> t_t [.., R]."""
        state = advanced.before if self.reads_previous else advanced.after
        readout: Tensor = self.readout(state, embedded, advanced.context)
        return readout

    def _advance(
        self, word_gates: Tensor, state: DecoderState, memory: Memory, noise: Tensor | None
    ) -> tuple[Advanced, Weights, DecoderState]:
        context, weights = self.attend(self.query(state), state, memory)
        bottom = self.bottom_step(word_gates, context, state.layers[0])
        top, above = self.upper_layers_step(bottom.hidden, context, state.layers[1:], noise)
        after = DecoderState((bottom, *above), top, state.position + 1, weights.coverage)
        return Advanced(state.feed, top, context), weights, after

    def _forward_fixed(
        self, gates: Tensor, embedded: Tensor, state: DecoderState, memory: Memory
    ) -> tuple[Tensor, Weights]:
        """Without attention no input depends on the previous state: every layer runs over the whole target at once."""
        query = state.feed
        context, weights = self.attention(
            query.unsqueeze(1).expand(-1, gates.shape[1], -1), memory, all_positions(gates)
        )
        hidden, _ = self.bottom.sequence(gates + self.context_to_gates(context), state.layers[0])
        top = self.upper_layers(hidden, context, state.layers[1:])
        before = torch.cat([query.unsqueeze(1), top[:, :-1]], 1)
        return self.output_dropout(self.make_readout(Advanced(before, top, context), embedded)), weights
