"""A cell over a whole sequence on a GPU with few launches, as one Function: s_t = cell(s_{t-1}, x_t).

One layer, a cell of nmt_attn/fast/gpu/cell_loops.py. Gradients of matrices are one product after the loop. The plain
cells define the results (tests/fast/test_gpu_loops.py).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.fast.gpu.cell_loops import CellSteps, LSTMSteps, Start, multiply, product_gradient
from nmt_attn.fast.gpu.loop_parts import LoopCell, dense, exact_states, loop_states, plus
from nmt_attn.fast.gpu.sizes import Part


def sequence(cell: LoopCell, low: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """A cell over known inputs; groups of rows, such as directions, may have a U each [D, G x H, H].

    -> hidden [T, B, H] in the format of products, and, for an LSTM, cell [T, B, H] exact.
    """
    kind, *parts = cell
    with torch.autocast(cell.inputs.device.type, enabled=False):
        hidden, cells = _Sequence.apply(kind, low, *exact_states(parts))  # type: ignore[no-untyped-call]
    return hidden, cells


class _Sequence(Function):
    @staticmethod
    def forward(
        ctx: Any,
        kind: Any,
        low: torch.dtype,
        inputs: Tensor,
        start: Tensor,
        start_cell: Part,
        weight: Tensor,
        bias: Part,
    ) -> tuple[Tensor, Part]:
        states, lows, _, cells = loop_states(start, start_cell, len(inputs), low)
        cell: CellSteps = kind(Start(inputs, weight.to(low), bias), states)
        product = lows.new_empty(len(start), cell.weight.shape[-2])
        for t in range(len(inputs)):
            multiply(lows[t], cell.weight.mT, product)
            cell.step(t, None, product)
        ctx.loop = cell, lows
        ctx.set_materialize_grads(False)
        return lows[1:], None if cells is None else cells[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Part, grad_cells: Part) -> tuple[Part, ...]:
        (cell, lows), ctx.loop = ctx.loop, None
        grads = torch.empty_like(cell.gates, dtype=lows.dtype)
        cell.prepare_back(grads)
        through, rows = torch.zeros_like(lows[0]), cell.weight.shape[-2]
        outer = dense(grad_hidden)
        for t in reversed(range(len(grads))):
            if grad_cells is not None:
                cell.grad_cell += grad_cells[t]
            cell.back(t, None if outer is None else outer[t], cell.carry, through)
            multiply(grads[t][:, :rows], cell.weight, through)
        weight = cell.weight_gradient(product_gradient(grads[..., :rows], lows[:-1], cell.weight))
        of_start = plus(through, cell.carry)
        of_cell = cell.grad_cell if isinstance(cell, LSTMSteps) else None
        return None, None, cell.grad_inputs, of_start, of_cell, weight, cell.bias_gradient()
