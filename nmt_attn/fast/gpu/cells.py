"""Cells on a GPU: one step is a product and one operation, a sequence of known gate inputs a loop of these.

Covers gru, gru-cho and lstm in every number format. With a gradient a step is one operation on the way back too; that
of gru-cho is the plain one. What a decoder does in its own loop: nmt_attn/fast/gpu/loops.py.

Equal to nmt_attn/model/cells.py: tests/fast/test_gpu_forms.py.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.fast.gpu.cell_loops import CellSteps, ChoGRUSteps, GRUSteps, LSTMSteps
from nmt_attn.fast.gpu.loop_parts import LoopCell
from nmt_attn.fast.gpu.sequence import sequence
from nmt_attn.fast.gpu.steps import cho_gates, cho_step, gru_back, gru_step, lstm_back, lstm_step
from nmt_attn.fast.products import product_dtype
from nmt_attn.fast.views import Fast
from nmt_attn.model.cells import GRU, LSTM, Cell, ChoGRU
from nmt_attn.model.state import CellState
from nmt_attn.runtime import at_least_float32


class GpuCell(Fast, Cell):
    """Contract: a cell that loops can run."""

    steps: ClassVar[type[CellSteps]]

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        hidden, cells = sequence(loop_cell(self, gate_inputs, state), product_dtype(self.recurrent.weight))
        return hidden.transpose(0, 1), None if cells is None else cells.transpose(0, 1)


def loop_cell(cell: GpuCell, gate_inputs: Tensor, state: CellState) -> LoopCell:
    """Gate inputs [B, T, G x H], first state -> what a loop starts from."""
    recurrent = cell.recurrent
    return LoopCell(cell.steps, gate_inputs.transpose(0, 1), *state, recurrent.weight, recurrent.bias)


class GpuLSTM(GpuCell, LSTM):
    """lstm."""

    steps = LSTMSteps

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        assert state.cell is not None
        product = self.recurrent(state.hidden)
        hidden, cell = _LSTMStep.apply(gate_inputs, product, at_least_float32(state.cell))  # type: ignore[no-untyped-call]
        return CellState(hidden, cell)


class GpuGRU(GpuCell, GRU):
    """gru."""

    steps = GRUSteps

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        weight, bias = self.recurrent.weight, self.recurrent.bias
        product = torch.nn.functional.linear(state.hidden, weight)
        before = at_least_float32(state.hidden)
        return CellState(_GRUStep.apply(gate_inputs, product, bias, before), None)  # type: ignore[no-untyped-call]


class GpuChoGRU(GpuCell, ChoGRU):
    """gru-cho."""

    steps = ChoGRUSteps

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        if torch.is_grad_enabled():
            return super().forward(gate_inputs, state)
        of_gates, of_candidate = self.recurrent.weight.split([2 * self.hidden, self.hidden])
        inputs, before = _rows(gate_inputs), at_least_float32(state.hidden)
        product = torch.nn.functional.linear(state.hidden, of_gates)
        gates, reset_state = before.new_empty(*inputs.shape), torch.empty_like(product[:, : self.hidden])
        cho_gates(gates, inputs, None, product, before, reset_state)
        hidden = torch.empty_like(before)
        cho_step(gates, inputs, None, torch.nn.functional.linear(reset_state, of_candidate), before, hidden, None)
        return CellState(hidden, None)


class _LSTMStep(Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, product: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        gates, cell, hidden = before.new_empty(*inputs.shape), torch.empty_like(before), torch.empty_like(before)
        lstm_step(gates, _rows(inputs), None, product, before, cell, hidden, None)
        ctx.save_for_backward(gates, before, cell)
        ctx.low = product.dtype
        return hidden, cell

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor, grad_cell: Tensor) -> tuple[Tensor, ...]:
        gates, before, cell = ctx.saved_tensors
        grad_gates, of_before = torch.empty_like(gates, dtype=ctx.low), grad_cell.contiguous().clone()
        lstm_back(grad_gates, gates, before, cell, _rows(grad_hidden), None, None, of_before)
        return grad_gates, grad_gates, of_before


class _GRUStep(Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, product: Tensor, bias: Tensor, before: Tensor) -> Tensor:
        gates, recurrent, hidden = before.new_empty(*inputs.shape), torch.empty_like(before), torch.empty_like(before)
        gru_step(gates, _rows(inputs), None, product, bias, before, recurrent, hidden, None)
        ctx.save_for_backward(gates, recurrent, before)
        ctx.low = product.dtype
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor) -> tuple[Tensor, ...]:
        gates, recurrent, before = ctx.saved_tensors
        grad_gates, grad_product = (torch.empty_like(gates, dtype=ctx.low) for _ in range(2))
        of_before = torch.empty_like(before)
        gru_back(grad_gates, grad_product, gates, recurrent, before, _rows(grad_hidden), None, None, of_before)
        return grad_gates, grad_product, grad_product.sum(0, dtype=before.dtype), of_before


def _rows(part: Tensor) -> Tensor:
    """With rows without gaps."""
    return part if part.stride(-1) == 1 else part.contiguous()
