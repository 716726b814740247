"""Decoder: the contract that search and training share.

`step` defines the model. `forward` is the same function over a whole target whose words are known: what depends on
those words alone is computed for all steps in one product, and only what depends on the previous state is a loop.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from nmt_attn.model.attention import Attention, CoveredAttention, NoAttention
from nmt_attn.model.cells import Cell, RecurrentLayer
from nmt_attn.model.dropout import Dropout
from nmt_attn.model.initial_state import StartState
from nmt_attn.model.initialise import GateProjection
from nmt_attn.model.state import CellState, DecoderState, Memory, Weights


class DecoderParts(NamedTuple):
    """What every decoder is built from."""

    attention: Attention | NoAttention
    start_state: StartState
    cells: list[Cell]  # bottom first
    embedding: int  # E
    layer_dropout: Dropout  # between layers
    output_dropout: Dropout  # on what the output layer reads
    is_residual: bool  # from the second layer on
    copying: nn.Module | None  # nmt_attn/model/copying.py
    deep_context: bool  # whether the layers above the bottom read the context too


class Decoder(nn.Module):
    """Contract. The bottom cell takes W y from outside; layers above take the layer below, by option with c_t."""

    feed_size: int = 0  # F

    def __init__(self, parts: DecoderParts) -> None:
        super().__init__()
        bottom, *above = parts.cells
        self.attention = parts.attention
        self.start_state = parts.start_state
        self.embedding_to_gates = GateProjection(
            parts.embedding, bottom.hidden, bottom.gates, bias=True, forget_gate=bottom.forget_gate
        )  # W
        self.bottom = bottom
        beside = parts.attention.context_size if parts.deep_context else 0
        self.upper = nn.ModuleList(RecurrentLayer(cell, bottom.hidden + beside) for cell in above)
        self.read_above = with_context if parts.deep_context else without_context
        self.layer_dropout = parts.layer_dropout
        self.output_dropout = parts.output_dropout
        self.is_residual = parts.is_residual
        self.copying = parts.copying

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first word, one row for each sentence."""
        rows = memory.lengths.shape[0]
        feed = memory.encoder_states.new_zeros(rows, self.feed_size)
        attention = self.attention
        coverage = attention.first_coverage(memory) if isinstance(attention, CoveredAttention) else None
        return DecoderState(self.start_state(memory), feed, torch.zeros_like(memory.lengths), coverage)

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights, DecoderState]:
        """previous words [N, E], N = B x K -> readout [N, R], weights [B, K, S], next state. Never with dropout."""
        raise NotImplementedError

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        """all previous words [B, T, E], first state -> readouts [B, T, R], weights [B, T, S]."""
        raise NotImplementedError

    def attend(self, query: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        """query [N, H] of N = B x K hypotheses before the next word -> context [N, M], weights [B, K, S]."""
        sentences = memory.mask.shape[0]
        query, position = query.unflatten(0, (sentences, -1)), state.position.view(sentences, -1)
        if state.coverage is None:
            context, weights = self.attention(query, memory, position)
        else:
            assert isinstance(self.attention, CoveredAttention)
            context, weights = self.attention.cover(query, memory, position, state.coverage)
        return context.flatten(0, 1), weights

    def attend_all(self, queries: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Weights]:
        """The same for all steps of a target at once, queries [B, T, H], from the first state on; with coverage, whose
        looks depend on those before them, one by one."""
        if state.coverage is None:
            return self.attention(queries, memory, all_positions(queries))
        contexts, looks = [], []
        for query in queries.unbind(1):
            context, weights = self.attend(query, state, memory)
            state = state._replace(position=state.position + 1, coverage=weights.coverage)
            contexts.append(context)
            looks.append(weights)
        return torch.stack(contexts, 1), stack_weights(looks)

    def gated(self, weights: Weights, context: Tensor, state: Tensor, embedded: Tensor) -> Weights:
        """The weights of c_t [.., M], top output s_t [.., H] and y_{t-1} [.., E], with the gate of copying if any."""
        return weights if self.copying is None else weights._replace(gate=self.copying(context, state, embedded))

    def layer_noise(self, gates: Tensor) -> list[Tensor | None]:
        """Gate inputs [B, T, G x H] -> dropout of each of the T steps of the upper layers, drawn for all at once."""
        noise = self.layer_dropout.noise(gates, len(self.upper) * self.bottom.hidden) if self.upper else None
        if noise is None:
            return [None] * gates.shape[1]
        return list(noise.unflatten(2, (len(self.upper), -1)).unbind(1))  # [B, L - 1, H] each

    def upper_layers_step(
        self, hidden: Tensor, context: Tensor | None, layers: tuple[CellState, ...], noise: Tensor | None
    ) -> tuple[Tensor, tuple[CellState, ...]]:
        """One step of the layers above the bottom: its output [N, H], c_t [N, M], states -> top output, new states.

        c_t is None where the look comes after. `noise` [N, L - 1, H] or None: dropout of the layer below.
        """
        after = []
        for above, (module, before) in enumerate(zip(self.upper, layers, strict=True)):
            layer = cast(RecurrentLayer, module)
            inputs = hidden if noise is None else hidden * noise[:, above]
            state = layer.step(self.read_above(inputs, context), before)
            after.append(state)
            hidden = self.residual(state.hidden, inputs)
        return hidden, tuple(after)

    def upper_layers(self, hidden: Tensor, context: Tensor | None, layers: tuple[CellState, ...]) -> Tensor:
        """The same for all steps at once: [B, T, H], [B, T, M] -> [B, T, H]. Where nothing above feeds back below."""
        for layer, before in zip(self.upper, layers, strict=True):
            inputs = self.layer_dropout(hidden)
            hidden = self.residual(layer(self.read_above(inputs, context), before)[0], inputs)
        return hidden

    def residual(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """A layer's output, with its input added if the stack is residual."""
        return outputs + inputs if self.is_residual else outputs


def without_context(hidden: Tensor, context: Tensor | None) -> Tensor:
    """What a layer reads of the one below [.., H] and c_t [.., M]."""
    return hidden


def with_context(hidden: Tensor, context: Tensor | None) -> Tensor:
    """The same where the context enters every layer: [.., H + M]."""
    assert context is not None, "the look comes before"
    return torch.cat([hidden, context], -1)


def all_positions(embedded: Tensor) -> Tensor:
    """[B, T, E] -> target positions [B, T] int64, from 0."""
    rows, steps = embedded.shape[:2]
    return torch.arange(steps, device=embedded.device).expand(rows, steps)


def stack_weights(steps: list[Weights]) -> Weights:
    """Weights of single steps [B, 1, W] -> weights [B, T, W]."""
    values = torch.cat([weights.values for weights in steps], 1)
    positions = [weights.positions for weights in steps if weights.positions is not None]
    return Weights(values, torch.cat(positions, 1) if positions else None, steps[0].source_length)
