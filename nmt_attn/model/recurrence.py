"""Whole sequences of a GRU or LSTM in one call: a loop without autograd and its backward by hand.

The loop does one product a step. Its backward gathers the gradient of U into one product after the loop and keeps
only the activated gates. Steps are axis 0 inside, so that each step's slice is one block of memory.
Values and gradients equal the looped cell (tests/model/test_cells.py).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def gru_sequence(gate_inputs: Tensor, start: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """gate inputs [B, T, 3H] (r, z, n), start [B, H], U [3H, H], b [3H] -> hidden [B, T, H]."""
    dtype = torch.promote_types(gate_inputs.dtype, torch.float32)
    hidden: Tensor = _GRUSequence.apply(gate_inputs.transpose(0, 1).to(dtype), start.to(dtype), weight, bias)  # type: ignore[no-untyped-call]
    return hidden.transpose(0, 1)  # [B, T, H]


def lstm_sequence(gate_inputs: Tensor, start: Tensor, start_cell: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """gate inputs [B, T, 4H] (i, f, g, o), start and cell [B, H], U [4H, H] -> hidden and cell [B, T, H]."""
    dtype = torch.promote_types(gate_inputs.dtype, torch.float32)
    inputs = gate_inputs.transpose(0, 1).to(dtype)
    hidden, cell = _LSTMSequence.apply(inputs, start.to(dtype), start_cell.to(dtype), weight)  # type: ignore[no-untyped-call]
    return hidden.transpose(0, 1), cell.transpose(0, 1)  # [B, T, H] each


class _GRUSequence(Function):
    @staticmethod
    def forward(ctx: Any, gate_inputs: Tensor, start: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        steps, (rows, hidden) = gate_inputs.shape[0], start.shape
        gates = gate_inputs.clone(memory_format=torch.contiguous_format)  # becomes r, z, n
        recurrent_n = start.new_empty(steps, rows, hidden)  # U h + b of the candidate
        states = start.new_empty(steps + 1, rows, hidden)
        states[0] = start
        product = start.new_empty(rows, 3 * hidden)
        for t in range(steps):
            torch.addmm(bias, states[t], weight.T, out=product)
            reset_update, candidate = gates[t, :, : 2 * hidden], gates[t, :, 2 * hidden :]
            reset_update.add_(product[:, : 2 * hidden]).sigmoid_()
            recurrent_n[t] = product[:, 2 * hidden :]
            candidate.addcmul_(reset_update[:, :hidden], recurrent_n[t]).tanh_()
            torch.lerp(candidate, states[t], reset_update[:, hidden:], out=states[t + 1])
        ctx.save_for_backward(gates, recurrent_n, states, weight)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        gates, recurrent_n, states, weight = ctx.saved_tensors
        steps, rows, hidden = recurrent_n.shape
        reset, update, candidate = gates.split(hidden, -1)
        # Factors that do not depend on the incoming gradient, for all steps at once.
        to_candidate = (1 - update) * (1 - candidate * candidate)
        to_reset = recurrent_n * reset * (1 - reset)
        to_update = (states[:-1] - candidate) * update * (1 - update)
        grad_inputs = torch.empty_like(gates)
        grad_recurrent = torch.empty_like(gates)
        grad = grad_states.new_zeros(rows, hidden)
        for t in reversed(range(steps)):
            grad += grad_states[t]
            grad_r, grad_z, grad_n = grad_inputs[t].split(hidden, -1)
            torch.mul(grad, to_candidate[t], out=grad_n)
            torch.mul(grad, to_update[t], out=grad_z)
            torch.mul(grad_n, to_reset[t], out=grad_r)
            grad_recurrent[t, :, : 2 * hidden] = grad_inputs[t, :, : 2 * hidden]
            torch.mul(grad_n, reset[t], out=grad_recurrent[t, :, 2 * hidden :])
            grad = torch.addmm(grad * update[t], grad_recurrent[t], weight)
        flat = grad_recurrent.flatten(0, 1)  # [T x B, 3H]
        return grad_inputs, grad, flat.T @ states[:-1].flatten(0, 1), flat.sum(0)


class _LSTMSequence(Function):
    @staticmethod
    def forward(
        ctx: Any, gate_inputs: Tensor, start: Tensor, start_cell: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        steps, (rows, hidden) = gate_inputs.shape[0], start.shape
        gates = gate_inputs.clone(memory_format=torch.contiguous_format)  # becomes i, f, g, o
        states = start.new_empty(steps + 1, rows, hidden)
        cells = start.new_empty(steps + 1, rows, hidden)
        states[0], cells[0] = start, start_cell
        for t in range(steps):
            gates[t].addmm_(states[t], weight.T)
            keep_forget, candidate, output = gates[t].split([2 * hidden, hidden, hidden], -1)
            keep_forget.sigmoid_(), candidate.tanh_(), output.sigmoid_()
            torch.mul(keep_forget[:, hidden:], cells[t], out=cells[t + 1])
            cells[t + 1].addcmul_(keep_forget[:, :hidden], candidate)
            torch.tanh(cells[t + 1], out=states[t + 1])
            states[t + 1].mul_(output)
        ctx.save_for_backward(gates, states, cells, weight)
        ctx.set_materialize_grads(False)
        return states[1:], cells[1:]

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_states: Tensor | None, grad_cells: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        gates, states, cells, weight = ctx.saved_tensors
        steps, rows, hidden = gates.shape[0], cells.shape[1], cells.shape[2]
        keep, forget, candidate, output = gates.split(hidden, -1)
        tanh_cells = torch.tanh(cells[1:])
        to_cell = output * (1 - tanh_cells * tanh_cells)
        to_output = tanh_cells * output * (1 - output)
        to_keep = candidate * keep * (1 - keep)
        to_forget = cells[:-1] * forget * (1 - forget)
        to_candidate = keep * (1 - candidate * candidate)
        grad_gates = torch.empty_like(gates)
        grad, grad_cell = gates.new_zeros(rows, hidden), gates.new_zeros(rows, hidden)
        for t in reversed(range(steps)):
            if grad_states is not None:
                grad += grad_states[t]
            if grad_cells is not None:
                grad_cell += grad_cells[t]
            grad_cell.addcmul_(grad, to_cell[t])
            grad_i, grad_f, grad_g, grad_o = grad_gates[t].split(hidden, -1)
            torch.mul(grad, to_output[t], out=grad_o)
            torch.mul(grad_cell, to_keep[t], out=grad_i)
            torch.mul(grad_cell, to_forget[t], out=grad_f)
            torch.mul(grad_cell, to_candidate[t], out=grad_g)
            grad = grad_gates[t] @ weight
            grad_cell *= forget[t]
        grad_weight = grad_gates.flatten(0, 1).T @ states[:-1].flatten(0, 1)
        return grad_gates, grad, grad_cell, grad_weight
