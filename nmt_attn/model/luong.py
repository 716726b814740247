"""Luong's order: update, then attend with the new state.

    s_t = stack(s_{t-1}, W y_{t-1} [+ F f_{t-1}]);   c_t = attention(s_t);   h~_t = tanh(W_c [c_t ; s_t])

Luong et al. 2015 (arXiv 1508.04025), eq. 3 (the stack), 5 (h~) and 3.3. Input feeding brings f_{t-1} = h~_{t-1} (the
paper) or c_{t-1} (google/seq2seq) to the next step's input; f_0 = 0. Without it no state depends on attention: over a
whole target the stack runs all steps at once, then attention does, then the readout. By option there is no W_c: h~ = s.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn.model.context_gate import ContextGate
from nmt_attn.model.decoder import Decoder, DecoderParts, stack_weights
from nmt_attn.model.dropout import Dropout
from nmt_attn.model.initialise import GateProjection, Projection
from nmt_attn.model.readout import Readout
from nmt_attn.model.state import CellState, DecoderState, Memory, Weights


class Advanced(NamedTuple):
    """What one step makes, or all of them [B, T, ..]."""

    attentional: Tensor  # [N, H], h~_t
    top: Tensor  # [N, H], s_t of the top layer
    context: Tensor  # [N, M]


class Looked(NamedTuple):
    """What one step updates and sees."""

    layers: tuple[CellState, ...]  # the next states, bottom first
    top: Tensor  # [N, H], s_t of the top layer
    context: Tensor  # [N, M]
    weights: Weights


class AttentionalState(nn.Module):
    """h~ = f(W_c [c ; s] [+ b]), with f = tanh in the paper. The decoder applies `dropout` to h~."""

    def __init__(self, context: int, hidden: int, dropout: Dropout, *, has_tanh: bool, use_bias: bool) -> None:
        super().__init__()
        self.projection = Projection(context + hidden, hidden, bias=use_bias)  # W_c
        self.has_tanh = has_tanh
        self.dropout = dropout

    def forward(self, context: Tensor, state: Tensor, embedded: Tensor, feed: Tensor) -> Tensor:
        """c_t [..., M], s_t [..., H] -> h~ [..., H]. A gate sees y_{t-1} [..., E] and f_{t-1} [..., F] too."""
        total = self.projection(torch.cat([context, state], -1))
        return torch.tanh(total) if self.has_tanh else total


class TopState(AttentionalState):
    """h~ = s: there is no W_c."""

    def __init__(self, dropout: Dropout) -> None:
        nn.Module.__init__(self)
        self.dropout = dropout

    def forward(self, context: Tensor, state: Tensor, embedded: Tensor, feed: Tensor) -> Tensor:
        return state


class GatedState(AttentionalState):
    """h~ behind a gate, which takes its place."""

    def __init__(
        self, context: int, hidden: int, dropout: Dropout, gate: ContextGate, *, has_tanh: bool, use_bias: bool
    ) -> None:
        super().__init__(context, hidden, dropout, has_tanh=has_tanh, use_bias=use_bias)
        self.gate = gate

    def forward(self, context: Tensor, state: Tensor, embedded: Tensor, feed: Tensor) -> Tensor:
        attentional = super().forward(context, state, embedded, feed)
        gated: Tensor = self.gate(attentional, torch.cat([embedded, feed, state], -1))
        return gated


class Feeding(NamedTuple):
    """What of the last step joins the next input: h~, c, or nothing (size 0)."""

    size: int  # F
    is_attentional: bool  # h~; else c

    def choose(self, attentional: Tensor, context: Tensor) -> Tensor:
        """h~ [N, H], c [N, M] -> f [N, F]."""
        return (attentional if self.is_attentional else context)[:, : self.size]


class Noise(NamedTuple):
    """Dropout of one step."""

    layers: Tensor | None  # [N, L - 1, H], inputs of the layers above the bottom
    attentional: Tensor | None  # [N, H], h~ wherever it goes


NO_NOISE = Noise(None, None)


class LuongDecoder(Decoder):
    """`feed` of the state is f_{t-1} [N, F], zero at first."""

    def __init__(
        self, parts: DecoderParts, attentional_state: AttentionalState, feeding: Feeding, readout: Readout | None
    ) -> None:
        super().__init__(parts)
        self.attentional_state = attentional_state
        self.feeding = feeding
        self.feed_size = feeding.size
        self.feed_to_gates = GateProjection(feeding.size, self.bottom.hidden, self.bottom.gates, bias=False)  # F
        self.readout = readout  # None: the paper's, h~ as it is

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights, DecoderState]:
        made, weights, after = self._advance(self.embedding_to_gates(embedded), embedded, state, memory, NO_NOISE)
        readout = self.make_readout(made.attentional, embedded, made.context)
        return readout, self.gated(weights, made.context, made.top, embedded), after

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        gates = self.embedding_to_gates(embedded)
        if self.feeding.size == 0:
            top, context, weights = self.look_all(gates, state, memory)
            attentional = self.attentional_states(context, top, embedded)
            gated = self.gated(weights, context, top, embedded)
            return self.output_dropout(self.make_readout(attentional, embedded, context)), gated
        made, looks = [], []
        for step_gates, word, noise in zip(gates.unbind(1), embedded.unbind(1), self._noise(gates), strict=True):
            step_made, step_weights, state = self._advance(step_gates, word, state, memory, noise)
            made.append(step_made)
            looks.append(step_weights)
        whole = Advanced(*(torch.stack(parts, 1) for parts in zip(*made, strict=True)))
        gated = self.gated(stack_weights(looks), whole.context, whole.top, embedded)
        return self.output_dropout(self.make_readout(whole.attentional, embedded, whole.context)), gated

    def attentional_states(self, context: Tensor, top: Tensor, embedded: Tensor) -> Tensor:
        """c_t [B, T, M], s_t [B, T, H], y_{t-1} [B, T, E] -> h~_t [B, T, H] with dropout: no input feeding."""
        return self.attentional_state.dropout(self.attentional_state(context, top, embedded, embedded[..., :0]))

    def look_all(self, gates: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, Weights]:
        """W y [B, T, G x H], first state -> s_t of the top [B, T, H], c_t [B, T, M], weights: no input feeding."""
        top = self.top_states(gates, state)
        return top, *self.attend_all(top, state, memory)

    def look(self, word_gates: Tensor, state: DecoderState, memory: Memory, noise: Noise) -> Looked:
        """W y_{t-1} [N, G x H] -> what one step updates and sees."""
        bottom, top, above = self.update(word_gates, state, noise)
        context, weights = self.attend(top, state, memory)
        return Looked((bottom, *above), top, context, weights)

    def top_states(self, gates: Tensor, state: DecoderState) -> Tensor:
        """W y [B, T, G x H], first state -> s_t [B, T, H] of the top layer, all steps at once: no input feeding."""
        hidden, _ = self.bottom.sequence(gates, state.layers[0])
        return self.upper_layers(hidden, None, state.layers[1:])

    def update(
        self, word_gates: Tensor, state: DecoderState, noise: Noise
    ) -> tuple[CellState, Tensor, tuple[CellState, ...]]:
        """W y_{t-1} [N, G x H] -> the bottom layer's next state, s_t [N, H] of the top one, states of those above."""
        bottom = self.bottom_step(word_gates, state.feed, state.layers[0])
        top, above = self.upper_layers_step(bottom.hidden, None, state.layers[1:], noise.layers)
        return bottom, top, above

    def bottom_step(self, word_gates: Tensor, feed: Tensor, before: CellState) -> CellState:
        """W y_{t-1} [N, G x H], f_{t-1} [N, F], last state -> s_t of the bottom layer."""
        state: CellState = self.bottom(word_gates + self.feed_to_gates(feed), before)
        return state

    def make_readout(self, attentional: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """The paper's readout is h~ itself; the others put a layer over h~, or over h~, y and c."""
        if self.readout is None:
            return attentional
        readout: Tensor = self.readout(attentional, embedded, context)
        return readout

    def _noise(self, gates: Tensor) -> list[Noise]:
        """Gate inputs [B, T, G x H] -> dropout of each step."""
        whole = self.attentional_state.dropout.noise(gates, self.bottom.hidden)
        attentional = [None] * gates.shape[1] if whole is None else whole.unbind(1)
        return list(map(Noise, self.layer_noise(gates), attentional))

    def _advance(
        self, word_gates: Tensor, embedded: Tensor, state: DecoderState, memory: Memory, noise: Noise
    ) -> tuple[Advanced, Weights, DecoderState]:
        layers, top, context, weights = self.look(word_gates, state, memory, noise)
        attentional = self.attentional_state(context, top, embedded, state.feed)
        if noise.attentional is not None:
            attentional = attentional * noise.attentional
        feed = self.feeding.choose(attentional, context)
        after = DecoderState(layers, feed, state.position + 1, weights.coverage)
        return Advanced(attentional, top, context), weights, after
