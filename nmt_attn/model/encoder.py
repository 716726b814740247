"""Encoder: the source sentence as one state for each position.

    h_j = [forward h_j ; backward h_j]        Bahdanau et al. 2015 (arXiv 1409.0473v7), 3.2 and A.2.1; its eq. 1 is the
                                              loop of one direction
    h_j of the top layer                      Luong et al. 2015

Sentences are padded on the right, and the backward direction reads each sentence from its own last token, so that
padding is never read before a real token. Above the bottom each direction reads both directions of the layer below, or
one of them: its own (`separate`), or the other's (`alternating`: a stack that begins forward goes on backward; Zhou et
al. 2016, arXiv 1606.04199, and nematus). Forward stands first in every layer.
`reverse_source` feeds the words from last to first (`</s>` stays last) and puts the states back in their places:
positions are those of the sentence as written, in every alignment. Without `reads_eos` the words alone are read, and
the state of `</s>` is 0; so are the final states of no words.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from nmt_attn.model.cells import Cell, RecurrentLayer
from nmt_attn.model.dropout import Dropout
from nmt_attn.model.state import gather_last
from nmt_attn.types import length_mask


class Encoded(NamedTuple):
    """The encoder's output."""

    states: Tensor  # [B, S, M]
    lengths: Tensor  # [B] int64, how many positions were read
    final_hidden: tuple[Tensor, ...]  # per layer [B, its size], forward direction first
    final_cell: tuple[Tensor, ...]  # likewise, LSTM only


class Direction(nn.Module):
    """One layer read in one direction."""

    def __init__(self, layer: RecurrentLayer, *, backward: bool) -> None:
        super().__init__()
        self.layer = layer
        self.is_backward = backward

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """inputs [B, S, I], lengths [B] -> states [B, S, H], and hidden and cell [B, H] after the last token read."""
        if self.is_backward:
            inputs = reverse(inputs, lengths)
        states, cells = self.layer(inputs, self.layer.zero_state(inputs))
        final_cell = None if cells is None else gather_last(cells, lengths)
        final = gather_last(states, lengths)
        return (reverse(states, lengths) if self.is_backward else states), final, final_cell


class EncoderLayer(nn.Module):
    """One or two directions over the same inputs."""

    def __init__(self, cells: list[Cell], inputs: int) -> None:
        super().__init__()
        layers = [RecurrentLayer(cell, inputs) for cell in cells]
        self.directions = nn.ModuleList(Direction(layer, backward=i == 1) for i, layer in enumerate(layers))

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """inputs [B, S, I] -> states [B, S, M], final hidden and cell [B, M]; directions concatenated."""
        parts = self.split(inputs)
        read = [direction(part, lengths) for direction, part in zip(self.directions, parts, strict=True)]
        states, final = (torch.cat([result[i] for result in read], -1) for i in (0, 1))
        cells = [result[2] for result in read if result[2] is not None]
        return states, final, torch.cat(cells, -1) if cells else None

    def order(self, states: Tensor) -> Tensor:
        """States of the layer below [B, S, M] -> the inputs of this one, what its first direction reads first."""
        return states

    def split(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """inputs [B, S, I] -> what each direction reads of them."""
        return (inputs,) * len(self.directions)


class SeparateLayer(EncoderLayer):
    """Two directions over one half of the inputs each: the states of its own direction below."""

    def __init__(self, cells: list[Cell], inputs: int) -> None:
        super().__init__(cells, inputs // 2)

    def split(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return inputs.chunk(2, -1)


class AlternatingLayer(SeparateLayer):
    """The same over the states of the other direction below."""

    def order(self, states: Tensor) -> Tensor:
        forward, backward = states.chunk(2, -1)
        return torch.cat([backward, forward], -1)


class Encoder(nn.Module):
    """Stacked layers. `is_residual` adds a layer's input to its output wherever the two sizes are equal."""

    def __init__(
        self,
        layers: list[EncoderLayer],
        dropout: Dropout,
        *,
        is_residual: bool,
        is_reversed: bool,
        reads_eos: bool,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = dropout  # between layers
        self.is_residual = is_residual
        self.is_reversed = is_reversed
        self.reads_eos = reads_eos

    def forward(self, embedded: Tensor, lengths: Tensor) -> Encoded:
        """embedded source [B, S, E], lengths [B] int64 (`</s>` counted) -> states and every layer's final state."""
        words = lengths - 1
        if not self.reads_eos:
            lengths = words = words.clamp_min(0)
        states = reverse(embedded, words) if self.is_reversed else embedded
        final_hidden, final_cell = [], []
        for depth, module in enumerate(self.layers):
            layer = cast(EncoderLayer, module)
            inputs = layer.order(self.dropout(states)) if depth else states
            states, hidden, cell = layer(inputs, lengths)
            if self.is_residual and inputs.shape == states.shape:
                states = states + inputs
            final_hidden.append(hidden)
            if cell is not None:
                final_cell.append(cell)
        states = reverse(states, words) if self.is_reversed else states
        encoded = Encoded(states.contiguous(), lengths, tuple(final_hidden), tuple(final_cell))
        return encoded if self.reads_eos else _words_alone(encoded)


def _words_alone(encoded: Encoded) -> Encoded:
    """The same with 0 wherever nothing was read."""
    is_read = length_mask(encoded.lengths, encoded.states.shape[1]).unsqueeze(2)
    has_words = (encoded.lengths > 0).unsqueeze(1)
    finals = (tuple(final * has_words for final in part) for part in (encoded.final_hidden, encoded.final_cell))
    return Encoded(encoded.states * is_read, encoded.lengths, *finals)


def reverse(sequence: Tensor, lengths: Tensor) -> Tensor:
    """sequence [B, S, I] with the first `lengths` [B] positions of each sentence reversed, the rest in place."""
    size = sequence.shape[1]
    positions = torch.arange(size, device=sequence.device)
    mirrored = lengths.unsqueeze(1) - 1 - positions
    source = torch.where(mirrored >= 0, mirrored, positions)
    firsts = size * torch.arange(len(lengths), device=sequence.device)
    return sequence.flatten(0, 1).index_select(0, (firsts.unsqueeze(1) + source).flatten()).view_as(sequence)
