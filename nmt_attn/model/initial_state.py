"""First states of the decoder, made once per sentence from the encoder's final states.

    zero             0
    learned          a vector of its own                         yoyodyne
    last             the encoder's final state
    last-forward     that of its forward direction               joeynmt
    mean             f(W mean_j h_j + b)                         dl4mt, nematus
    bridge           f(W final + b)
    backward-first   f(W backward h_1 + b)                       Bahdanau et al. 2015, A.2.2

f is tanh, relu, or nothing. Every decoder layer has a W and b (or vector) of its own, or all layers share one. Which
final state a layer reads (nmt_attn/config/derived.py: start_layer):

    layers   the stacks stand side by side at the top: the top layer of the decoder starts from the top layer of the
             encoder, and so on down
    top      that of the encoder's top layer                     joeynmt
    all      those of all layers, one after the other            OpenNMT-py's bridge

The cell state of an LSTM has its own choice: zero, learned, last, mean, bridge (read like the first), or copy (c = s).
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection
from nmt_attn.model.state import CellState, Memory
from nmt_attn.registry import Registry
from nmt_attn.types import length_mask


class StartSizes(NamedTuple):
    """What a first state is built from."""

    layer: int | None  # of the encoder, from 0, whose final state it reads; None for all of them
    final: int  # size of that state
    top: int  # M
    direction: int  # one direction of an encoder layer
    decoder: int  # H
    activation: Callable[[Tensor], Tensor]  # f


class InitialState(nn.Module):
    """Contract: the first hidden state of one decoder layer, or its first cell state."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `model.decoder` that it reads."""

    sees_source: ClassVar[bool] = True
    """Whether anything of the source is in it."""

    needs_equal_sizes: ClassVar[bool] = False
    """Whether what it reads must have the decoder's size."""

    reads_states: ClassVar[bool] = False
    """Whether it reads the states of every position, not only final ones."""

    reads_backward: ClassVar[bool] = False
    """Whether it reads the backward direction of the encoder's top layer, which must have one."""

    reads_one_direction: ClassVar[bool] = False
    """Whether it reads a part of a final state, that of one direction."""

    @classmethod
    def input_size(cls, final: int, top: int, direction: int) -> int:
        """Size of what it reads, given those of the final state, of the encoder's states, and of one direction."""
        return final

    def __init__(self, sizes: StartSizes) -> None:
        super().__init__()
        self.encoder_layer = sizes.layer
        self.hidden = sizes.decoder

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        """memory, final hidden or cell states of the encoder's layers [B, M] -> [B, H]."""
        raise NotImplementedError

    def pick(self, finals: tuple[Tensor, ...]) -> Tensor:
        """The final state of the encoder that belongs to this decoder layer."""
        return torch.cat(finals, -1) if self.encoder_layer is None else finals[self.encoder_layer]

    def share(self, other: "InitialState") -> None:
        """Takes over the parameters of another layer's."""


class Zero(InitialState):
    """0."""

    sees_source = False

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return memory.encoder_states.new_zeros(memory.encoder_states.shape[0], self.hidden)


class Last(InitialState):
    """The encoder's final state as it is."""

    options = ("init_reads",)
    needs_equal_sizes = True

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return self.pick(finals)


class LastForward(Last):
    """The final state of the forward direction, the first half of a layer's with two."""

    reads_one_direction = True

    @classmethod
    def input_size(cls, final: int, top: int, direction: int) -> int:
        return direction

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return self.pick(finals)[:, : self.hidden]


class Learned(InitialState):
    """A vector, the same for every sentence."""

    options = ("init_shared",)
    sees_source = False

    def __init__(self, sizes: StartSizes) -> None:
        super().__init__(sizes)
        self.vector = nn.Parameter(torch.empty(sizes.decoder))

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return self.vector.expand(memory.lengths.shape[0], -1)

    def share(self, other: InitialState) -> None:
        assert isinstance(other, Learned)
        self.vector = other.vector


class Projected(InitialState):
    """f(W x + b); what x is, the concrete class says."""

    options: ClassVar[tuple[str, ...]] = ("init_activation", "init_shared")

    def __init__(self, sizes: StartSizes) -> None:
        super().__init__(sizes)
        self.projection = Projection(self.input_size(sizes.final, sizes.top, sizes.direction), sizes.decoder)  # W_s
        self.activation = sizes.activation

    def forward(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return self.activation(self.projection(self.summary(memory, finals)))

    def share(self, other: InitialState) -> None:
        assert isinstance(other, Projected)
        self.projection = other.projection

    def summary(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        """x [B, inputs]."""
        raise NotImplementedError


class Mean(Projected):
    """x is the mean of the encoder states over the real positions."""

    reads_states = True

    @classmethod
    def input_size(cls, final: int, top: int, direction: int) -> int:
        return top

    def summary(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        states, lengths = memory.encoder_states, memory.read_lengths
        mask = length_mask(lengths, states.shape[1]).unsqueeze(2)
        return (states * mask).sum(1) / lengths.clamp_min(1).unsqueeze(1)


class Bridge(Projected):
    """x is the encoder's final state."""

    options = (*Projected.options, "init_reads")

    def summary(self, memory: Memory, finals: tuple[Tensor, ...]) -> Tensor:
        return self.pick(finals)


class BackwardFirst(Projected):
    """x is the backward direction's state at position 1: the second half of the top layer's final state."""

    reads_backward = True
    reads_one_direction = True

    @classmethod
    def input_size(cls, final: int, top: int, direction: int) -> int:
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


def unchanged(values: Tensor) -> Tensor:
    """f for `none`."""
    return values


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu, "none": unchanged}
INITIAL_STATES: Registry[type[InitialState]] = registries.INITIAL_STATES
INITIAL_CELL_STATES: Registry[type[InitialState]] = registries.INITIAL_CELL_STATES
