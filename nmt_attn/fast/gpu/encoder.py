"""Recurrent layers over whole sequences on a GPU: one call for a GRU or LSTM, one loop for both directions of gru-cho.

An encoder's layer reads padding where it lies in one call; in the loop, sentences are reversed as in the plain one, and
so they are where each direction has inputs of its own.
Covers every number format. Equal to nmt_attn/model/encoder.py: tests/fast/test_gpu_encoder.py.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from nmt_attn.fast.gpu.cells import GpuCell
from nmt_attn.fast.gpu.loop_parts import LoopCell
from nmt_attn.fast.gpu.sequence import sequence
from nmt_attn.fast.gpu.whole import ONE_CALL, run_cell, run_layer, weights_of
from nmt_attn.fast.products import product_dtype
from nmt_attn.fast.views import Fast
from nmt_attn.model.cells import Cell, RecurrentLayer
from nmt_attn.model.encoder import Direction, EncoderLayer, reverse
from nmt_attn.model.state import CellState, gather_last
from nmt_attn.runtime import at_least_float32

Read = tuple[Tensor, Tensor, Tensor | None]


class GpuRecurrentLayer(Fast, RecurrentLayer):
    """A layer of a decoder above the bottom one, over a whole target."""

    def forward(self, inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        kind = next((each for each in ONE_CALL if isinstance(self.cell, each)), None)
        if kind is None:
            return super().forward(inputs, state)
        low = product_dtype(self.input_to_gates.weight)
        return run_cell(kind, weights_of(self), inputs, *state, low).states, None


class GpuDirection(Fast, Direction):
    """A direction with inputs of its own."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Read:
        if not isinstance(self.layer.cell, ONE_CALL):
            return super().forward(inputs, lengths)
        low = product_dtype(self.layer.input_to_gates.weight)
        read = reverse(inputs, lengths) if self.is_backward else inputs
        states, final, cell = _one_call([self], read, lengths, low)
        return (reverse(states, lengths) if self.is_backward else states), final, cell


class GpuEncoderLayer(Fast, EncoderLayer):
    """One or two directions over the same inputs."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Read:
        directions = [direction for direction in self.directions if isinstance(direction, Direction)]
        run = _way(directions[0].layer.cell)
        if run is None:
            return super().forward(inputs, lengths)
        return run(directions, inputs, lengths, product_dtype(directions[0].layer.input_to_gates.weight))


def _way(cell: Cell) -> Callable[[list[Direction], Tensor, Tensor, torch.dtype], Read] | None:
    """How layers of this cell are run; None for step by step."""
    if isinstance(cell, ONE_CALL):
        return _one_call
    return _loop if isinstance(cell, GpuCell) else None


def _one_call(directions: list[Direction], inputs: Tensor, lengths: Tensor, low: torch.dtype) -> Read:
    layers = [direction.layer for direction in directions]
    kind = next(each for each in ONE_CALL if isinstance(layers[0].cell, each))
    whole = run_layer(kind, [weights_of(layer) for layer in layers], inputs, lengths, low)
    size = layers[0].cell.hidden
    finals = [at_least_float32(gather_last(whole.states[..., :size], lengths))]
    if len(layers) == 2:  # whose backward direction ends at the first word
        finals.append(at_least_float32(whole.states[:, 0, size:]))
    cell = None if whole.cell is None else at_least_float32(whole.cell).transpose(0, 1).flatten(1)
    return whole.states, torch.cat(finals, -1), cell


def _loop(directions: list[Direction], inputs: Tensor, lengths: Tensor, low: torch.dtype) -> Read:
    """Rows of the directions stand one below the other."""
    layers: list[RecurrentLayer] = [direction.layer for direction in directions]
    cell = layers[0].cell
    assert isinstance(cell, GpuCell)
    read = [reverse(inputs, lengths) if direction.is_backward else inputs for direction in directions]
    gates = torch.cat(
        [layer.input_to_gates(part) for layer, part in zip(layers, read, strict=True)]
    )  # [D x B, S, G x H]
    start = at_least_float32(gates.new_zeros(len(gates), cell.hidden))
    weight = torch.stack([layer.cell.recurrent.weight for layer in layers])
    loop = LoopCell(cell.steps, gates.transpose(0, 1), start, None, weight, None)
    hidden, _ = sequence(loop, low)
    parts = hidden.transpose(0, 1).chunk(len(layers))  # [B, S, H] each
    final = torch.cat([at_least_float32(gather_last(part, lengths)) for part in parts], -1)
    turned = [
        reverse(part, lengths) if direction.is_backward else part
        for direction, part in zip(directions, parts, strict=True)
    ]
    return torch.cat(turned, -1), final, None
