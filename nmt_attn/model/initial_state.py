"""First states of the decoder, made once per sentence from the encoder's final states.

    zero             0
    last             the encoder's final state, layer by layer
    mean             tanh(W mean_j h_j + b)                      dl4mt, nematus
    bridge           tanh(W final + b)
    backward-first   tanh(W backward h_1 + b)                    Bahdanau et al. 2015, A.2.2

Every decoder layer has a W and b of its own. The stacks stand side by side at the top: the top layer of the decoder
starts from the top layer of the encoder, and so on down (nmt_attn/config/derived.py: start_layer). The cell state of an
LSTM has its own choice: zero, last, bridge, or copy (c = s).
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection
from nmt_attn.model.state import CellState, Memory
from nmt_attn.registry import Registry
from nmt_attn.types import length_mask


class InitialState(nn.Module):
    """Contract: the first hidden state of one decoder layer, or its first cell state."""

    sees_source: ClassVar[bool] = True
    """Whether anything of the source is in it."""

    needs_equal_sizes: ClassVar[bool] = False
    """Whether the encoder layer that it starts from must have the decoder's size."""

    reads_states: ClassVar[bool] = False
    """Whether it reads the states of every position, not only final ones."""

    reads_backward: ClassVar[bool] = False
    """Whether it reads the backward direction of the encoder's top layer, which must have one."""

    @classmethod
    def input_size(cls, below: int, top: int, direction: int) -> int:
        """`inputs`, given the size of the encoder layer that it starts from, of the top one, and of one direction."""
        return below

    def __init__(self, encoder_layer: int, inputs: int, hidden: int) -> None:
        super().__init__()
        self.encoder_layer = encoder_layer
        self.hidden = hidden

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        """memory, final hidden or cell states of the encoder's layers [B, M] -> [B, H]."""
        raise NotImplementedError

    def pick(self, finals: tuple[Tensor, ...]) -> Tensor:
        """The final state of the encoder layer that belongs to this decoder layer."""
        return finals[self.encoder_layer]


class Zero(InitialState):
    """0."""

    sees_source = False

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return memory.encoder_states.new_zeros(memory.encoder_states.shape[0], self.hidden)


class Last(InitialState):
    """The encoder's final state as it is."""

    needs_equal_sizes = True

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return self.pick(finals)


class Learned(InitialState):
    """tanh(W x + b); what x is, the concrete class says."""

    def __init__(self, encoder_layer: int, inputs: int, hidden: int) -> None:
        super().__init__(encoder_layer, inputs, hidden)
        self.projection = Projection(inputs, hidden)  # W_s

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return torch.tanh(self.projection(self.summary(memory, finals)))

    def summary(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        """x [B, inputs]."""
        raise NotImplementedError


class Mean(Learned):
    """x is the mean of the encoder states over the real positions."""

    reads_states = True

    @classmethod
    def input_size(cls, below: int, top: int, direction: int) -> int:
        return top

    def summary(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        states, lengths = memory.encoder_states, memory.source_lengths
        mask = length_mask(lengths, states.shape[1]).unsqueeze(2)
        return (states * mask).sum(1) / lengths.clamp_min(1).unsqueeze(1)


class Bridge(Learned):
    """x is the encoder's final state."""

    def summary(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return self.pick(finals)


class BackwardFirst(Learned):
    """x is the backward direction's state at position 1: the second half of the top layer's final state."""

    reads_backward = True

    @classmethod
    def input_size(cls, below: int, top: int, direction: int) -> int:
        return direction

    def summary(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return finals[-1].chunk(2, -1)[1]


class StartState(nn.Module):
    """The first state of every decoder layer."""

    def __init__(self, hidden: list[InitialState], cell: list[InitialState] | None, *, copies_hidden: bool) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(hidden)
        self.cell = None if cell is None else nn.ModuleList(cell)
        self.copies_hidden = copies_hidden

    def forward(self, memory: Memory) -> tuple[CellState, ...]:
        """Memory of B sentences -> one state [B, H] per decoder layer, bottom first."""
        hidden = [layer(memory, memory.final_hidden) for layer in self.hidden]
        cells: list[Tensor | None] = [None] * len(hidden)
        if self.cell is not None:
            cells = [layer(memory, memory.final_cell) for layer in self.cell]
        elif self.copies_hidden:
            cells = list(hidden)
        return tuple(map(CellState, hidden, cells))


INITIAL_STATES: Registry[type[InitialState]] = registries.INITIAL_STATES
INITIAL_CELL_STATES: Registry[type[InitialState]] = registries.INITIAL_CELL_STATES
