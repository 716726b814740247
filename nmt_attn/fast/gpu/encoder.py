"""An encoder's layer on a GPU: one call for a GRU or LSTM, one loop for both directions of a gru-cho.

Both read padding where it lies in the first case; in the second, sentences are turned round as in the plain encoder.
"""

import torch
from torch import Tensor

from nmt_attn.fast.gpu.cell_loops import GPU_CELLS
from nmt_attn.fast.gpu.loops import LoopCell, sequence
from nmt_attn.fast.gpu.whole import ONE_CALL, run_layer, weights_of
from nmt_attn.model.cells import RecurrentLayer
from nmt_attn.model.encoder import Direction, EncoderLayer, reverse
from nmt_attn.model.precision import at_least_float32
from nmt_attn.model.products import product_dtype
from nmt_attn.model.state import gather_last

Read = tuple[Tensor, Tensor, Tensor | None]


def read_layer(layer: EncoderLayer, inputs: Tensor, lengths: Tensor) -> Read | None:
    """As `layer.forward`: inputs [B, S, I] -> states [B, S, M], final hidden and cell [B, M]; None for other cells."""
    directions = [direction for direction in layer.directions if isinstance(direction, Direction)]
    kind = type(directions[0].layer.cell)
    low = product_dtype(directions[0].layer.cell.recurrent.weight)
    if kind in ONE_CALL:
        return _one_call(directions, inputs, lengths, low)
    return _loop(directions, inputs, lengths, low) if kind in GPU_CELLS else None


def _one_call(directions: list[Direction], inputs: Tensor, lengths: Tensor, low: torch.dtype) -> Read:
    layers = [direction.layer for direction in directions]
    kind = type(layers[0].cell)
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
    read = [reverse(inputs, lengths) if direction.is_backward else inputs for direction in directions]
    gates = torch.cat(
        [layer.input_to_gates(part) for layer, part in zip(layers, read, strict=True)]
    )  # [D x B, S, G x H]
    start = at_least_float32(gates.new_zeros(len(gates), cell.hidden))
    weight = torch.stack([layer.cell.recurrent.weight for layer in layers])
    loop = LoopCell(GPU_CELLS[type(cell)], gates.transpose(0, 1), start, None, weight, None)
    hidden, _ = sequence(loop, low)
    parts = hidden.transpose(0, 1).chunk(len(layers))  # [B, S, H] each
    final = torch.cat([at_least_float32(gather_last(part, lengths)) for part in parts], -1)
    turned = [
        reverse(part, lengths) if direction.is_backward else part
        for direction, part in zip(directions, parts, strict=True)
    ]
    return torch.cat(turned, -1), final, None
