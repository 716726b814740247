"""Cells over whole sequences in one call of torch, which cuDNN runs on a GPU: what waits for nothing from outside.

Both directions of an encoder's layer are one call, with padding where it lies: one more input marks it, whose weights
shut the gates, so that a state passes through padding unchanged (LSTM: i = 0, f = 1, only the cell state; GRU: z = 1).
The backward direction comes through it with the state 0. Gradients there are 0 exactly.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.model.cells import GRU, LSTM, Cell, RecurrentLayer
from nmt_attn.types import length_mask

SHUT = 1000.0
"""What shuts or opens a gate whatever else reaches it: the sigmoid is 0 or 1 exactly, in every number format."""

MARK = 8
"""Inputs that mark padding: one, and zeros that keep rows on whole blocks of memory."""

ONE_CALL: tuple[type[Cell], ...] = (LSTM, GRU)
"""Cells that torch has."""


class LayerWeights(NamedTuple):
    """Of one direction: a cell's W, b, U and U's bias."""

    inputs: Tensor  # W [G x H, I]
    bias: Tensor  # b [G x H]
    recurrent: Tensor  # U [G x H, H]
    recurrent_bias: Tensor | None  # [G x H]; None for 0


class Whole(NamedTuple):
    """All steps."""

    states: Tensor  # [B, T, D x H]
    hidden: Tensor  # [D, B, H], after each direction's last step
    cell: Tensor | None  # [D, B, H], LSTM


def weights_of(layer: RecurrentLayer) -> LayerWeights:
    """Of a layer with one of the cells of `ONE_CALL`."""
    projection, recurrent = layer.input_to_gates, layer.cell.recurrent
    return LayerWeights(projection.weight, projection.bias, recurrent.weight, recurrent.bias)


def run_layer(
    kind: type[Cell], directions: list[LayerWeights], inputs: Tensor, lengths: Tensor, low: torch.dtype
) -> Whole:
    """One or two directions from the state 0 over sentences inputs [B, S, I] of `lengths` [B], padded on the right."""
    rows, steps, _ = inputs.shape
    mark = inputs.new_zeros(rows, steps, MARK, dtype=low)
    mark[..., 0] = ~length_mask(lengths, steps)
    hidden = directions[0].recurrent.shape[1]
    zeros = inputs.new_zeros(len(directions), rows, hidden, dtype=low)
    return _call(kind, directions, torch.cat([inputs.to(low), mark], -1), (zeros, zeros), low, has_mark=True)


def run_cell(
    kind: type[Cell], weights: LayerWeights, inputs: Tensor, hidden: Tensor, cell: Tensor | None, low: torch.dtype
) -> Whole:
    """One direction over inputs [B, T, I] from the states [B, H], padding not marked."""
    start = hidden.to(low).unsqueeze(0), (hidden if cell is None else cell).to(low).unsqueeze(0)
    return _call(kind, [weights], inputs.to(low), start, low, has_mark=False)


def _call(
    kind: type[Cell],
    directions: list[LayerWeights],
    inputs: Tensor,
    start: tuple[Tensor, Tensor],
    low: torch.dtype,
    *,
    has_mark: bool,
) -> Whole:
    with torch.autocast(inputs.device.type, enabled=False), _no_word_of_layout():
        parts = [part for weights in directions for part in weights]
        flat = list(_Flat.apply(kind, low, has_mark, *parts))  # type: ignore[no-untyped-call]
        options = (True, 1, 0.0, torch.is_grad_enabled(), len(directions) == 2, True)
        if kind is LSTM:
            states, hidden, cell = torch.lstm(inputs, start, flat, *options)
            return Whole(states, hidden, cell)
        states, hidden = torch.gru(inputs, start[0], flat, *options)
        return Whole(states, hidden, None)


@contextmanager
def _no_word_of_layout() -> Iterator[None]:
    """A block in which PyTorch does not warn that cuDNN pads matrices of this size in another way, and copies them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        yield


class _Flat(Function):
    """Weights of the directions -> W, U, b and the bias of U of each, in the one block of memory that cuDNN wants."""

    @staticmethod
    def forward(ctx: Any, kind: type[Cell], low: torch.dtype, has_mark: bool, *parts: Any) -> tuple[Tensor, ...]:
        directions = [LayerWeights(*parts[first : first + 4]) for first in range(0, len(parts), 4)]
        matrices, biases = [], []
        for inputs, bias, recurrent, recurrent_bias in directions:
            marked = torch.cat([inputs, _mark_columns(kind, inputs)], 1) if has_mark else inputs
            matrices += [marked, recurrent]
            biases += [bias, torch.zeros_like(bias) if recurrent_bias is None else recurrent_bias]
        ordered = matrices + biases  # all matrices lie before all biases
        block = torch.cat([part.flatten() for part in ordered]).to(low)
        views = [
            view.view(part.shape)
            for view, part in zip(block.split([part.numel() for part in ordered]), ordered, strict=True)
        ]
        ctx.inputs = [weights.inputs.shape[1] for weights in directions]
        ctx.has_recurrent_bias = [weights.recurrent_bias is not None for weights in directions]
        ctx.set_materialize_grads(False)
        half = len(matrices)
        return tuple(
            views[i] for first in range(0, half, 2) for i in (first, first + 1, half + first, half + first + 1)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        given: list[Tensor | None] = []
        for i, size in enumerate(ctx.inputs):
            inputs, recurrent, bias, recurrent_bias = grads[4 * i : 4 * i + 4]
            kept = recurrent_bias if ctx.has_recurrent_bias[i] else None
            given += [None if inputs is None else inputs[:, :size], bias, recurrent, kept]
        return None, None, None, *given


def _mark_columns(kind: type[Cell], weight: Tensor) -> Tensor:
    """What the marking inputs do to the gates [G x H, MARK]."""
    columns = weight.new_zeros(kind.gates, len(weight) // kind.gates, MARK)
    if kind is LSTM:  # i, f, g, o
        columns[0, :, 0], columns[1, :, 0] = -SHUT, SHUT
    else:  # r, z, n
        columns[1, :, 0] = SHUT
    return columns.flatten(0, 1)
