"""Recurrent loops without autograd: a GRU or LSTM over known gate inputs, its backward by hand.

One product a step. Buffers are made once for all steps; steps are axis 0, so that each step is one block of memory.
The gradient of U is gathered into one product after the loop, and the backward's factors that do not wait for a
gradient are computed for all steps at once. Products are taken in autocast's number format, all else in float32 at
least. Values and gradients equal the looped cell (tests/model/test_cells.py).
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.model.activation import lstm_activations_, tanh_
from nmt_attn.model.products import Factor, product_dtype


class CellLoop(Protocol):
    """One cell over T steps. `gates` [T, B, G x H] holds W x + C c + b of a step before it is run."""

    gates: Tensor
    hidden: Tensor  # [T + 1, B, H], the first state first
    grad_gates: Tensor  # [T, B, G x H], of the gate inputs, filled by `step_back`; takes the memory of the gates

    def step(self, t: int) -> None:
        """hidden[t] and gates[t] -> hidden[t + 1]."""

    def prepare_back(self) -> None:
        """Makes ready for `step_back`, once; the gates are lost."""

    def step_back(self, t: int, grad_hidden: Tensor) -> Tensor:
        """d loss / d hidden[t + 1] [B, H] -> d loss / d hidden[t], as far as this cell passes it on."""

    def start_gradients(self) -> list[Tensor | None]:
        """Of the first cell state, U and U's bias; None where there is none."""


class LoopStart(NamedTuple):
    """A cell's loop before its first step."""

    kind: type[CellLoop]
    gate_inputs: Tensor  # [T, B, G x H]
    hidden: Tensor  # [B, H]
    cell: Tensor | None  # [B, H]
    weight: Tensor  # U [G x H, H]
    bias: Tensor | None  # [G x H]


class GRULoop:
    """r, z, n = gates; n sees r * (U h + b)."""

    def __init__(self, gates: Tensor, start: Tensor, start_cell: None, weight: Factor, bias: Tensor) -> None:
        steps, (rows, hidden) = gates.shape[0], start.shape
        self.gates, self.weight, self.bias = gates, weight, bias
        self.hidden = start.new_empty(steps + 1, rows, hidden)
        self.hidden[0] = start
        self.recurrent_n = start.new_empty(steps, rows, hidden)  # U h + b of the candidate

    def step(self, t: int) -> None:
        before, size = self.hidden[t], self.hidden.shape[2]
        product = self.weight.times(before)
        reset_update, candidate = self.gates[t].split([2 * size, size], -1)
        reset_update.add_(product[:, : 2 * size]).add_(self.bias[: 2 * size]).sigmoid_()
        torch.add(product[:, 2 * size :], self.bias[2 * size :], out=self.recurrent_n[t])
        tanh_(candidate.addcmul_(reset_update[:, :size], self.recurrent_n[t]))
        torch.lerp(candidate, before, reset_update[:, size:], out=self.hidden[t + 1])

    def prepare_back(self) -> None:
        reset, update, candidate = self.gates.chunk(3, -1)
        self.reset, self.update = reset.clone(), update.clone()
        reset.mul_(1 - reset).mul_(self.recurrent_n)
        torch.mul(update * (1 - update), self.hidden[:-1] - candidate, out=update)
        torch.mul(1 - self.update, 1 - candidate * candidate, out=candidate)
        self.grad_gates = self.gates  # which hold their factors until `step_back`
        self.grad_recurrent = torch.empty_like(self.gates)  # of U h + b

    def step_back(self, t: int, grad_hidden: Tensor) -> Tensor:
        rows, size = grad_hidden.shape
        grad_r, _, grad_n = self.grad_gates[t].chunk(3, -1)
        self.grad_gates[t].view(rows, 3, size)[:, 1:].mul_(grad_hidden.unsqueeze(1))  # of z and n
        grad_r.mul_(grad_n)
        grad_recurrent = self.grad_recurrent[t]
        grad_recurrent[:, : 2 * size] = self.grad_gates[t, :, : 2 * size]
        torch.mul(grad_n, self.reset[t], out=grad_recurrent[:, 2 * size :])
        return self.weight.back(grad_recurrent).addcmul_(grad_hidden, self.update[t])

    def start_gradients(self) -> list[Tensor | None]:
        return [None, self.weight.gradient(self.grad_recurrent, self.hidden[:-1]), self.grad_recurrent.sum((0, 1))]


class LSTMLoop:
    """i, f, g, o = gates. `grad_cells` [T, B, H] or None: gradients that reach the cell states from outside."""

    def __init__(self, gates: Tensor, start: Tensor, start_cell: Tensor, weight: Factor, bias: None) -> None:
        steps, (rows, hidden) = gates.shape[0], start.shape
        self.gates, self.weight = gates, weight
        self.hidden = start.new_empty(steps + 1, rows, hidden)
        self.cells = start.new_empty(steps + 1, rows, hidden)
        self.hidden[0], self.cells[0] = start, start_cell
        self.grad_cells: Tensor | None = None

    def step(self, t: int) -> None:
        cell, after = self.cells[t + 1], self.hidden[t + 1]
        gates = self.weight.add_to(self.gates[t], self.hidden[t])
        keep, forget, candidate, output = lstm_activations_(gates)
        torch.mul(forget, self.cells[t], out=cell)
        cell.addcmul_(keep, candidate)
        tanh_(after.copy_(cell)).mul_(output)

    def prepare_back(self) -> None:
        keep, forget, candidate, output = self.gates.chunk(4, -1)
        tanh_cells = tanh_(self.cells[1:].clone())
        self.to_cell = output * (1 - tanh_cells * tanh_cells)
        output.mul_(1 - output).mul_(tanh_cells)
        del tanh_cells
        self.forget = forget.clone()
        forget.mul_(1 - forget).mul_(self.cells[:-1])
        to_keep = (1 - keep).mul_(keep).mul_(candidate)
        torch.mul(keep, 1 - candidate * candidate, out=candidate)
        keep.copy_(to_keep)
        self.grad_gates = self.gates  # which hold their factors until `step_back`
        self.grad_cell = torch.zeros_like(self.cells[0])

    def step_back(self, t: int, grad_hidden: Tensor) -> Tensor:
        rows, size = grad_hidden.shape
        if self.grad_cells is not None:
            self.grad_cell += self.grad_cells[t]
        grad_cell = self.grad_cell.addcmul_(grad_hidden, self.to_cell[t])
        grad_gates = self.grad_gates[t].view(rows, 4, size)
        grad_gates[:, 3].mul_(grad_hidden)
        grad_gates[:, :3].mul_(grad_cell.unsqueeze(1))
        grad_cell.mul_(self.forget[t])
        return self.weight.back(self.grad_gates[t])

    def start_gradients(self) -> list[Tensor | None]:
        return [self.grad_cell, self.weight.gradient(self.grad_gates, self.hidden[:-1]), None]


def gru_sequence(gate_inputs: Tensor, start: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """gate inputs [B, T, 3H] (r, z, n), start [B, H], U [3H, H], b [3H] -> hidden [B, T, H]."""
    inputs, start, _ = loop_inputs(gate_inputs, start, None)
    dtype = product_dtype(start)
    hidden, _ = _Sequence.apply(GRULoop, dtype, inputs, start, None, weight, bias)  # type: ignore[no-untyped-call]
    return hidden.transpose(0, 1)  # [B, T, H]


def lstm_sequence(gate_inputs: Tensor, start: Tensor, start_cell: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """gate inputs [B, T, 4H] (i, f, g, o), start and cell [B, H], U [4H, H] -> hidden and cell [B, T, H]."""
    inputs, start, cell = loop_inputs(gate_inputs, start, start_cell)
    dtype = product_dtype(start)
    hidden, cells = _Sequence.apply(LSTMLoop, dtype, inputs, start, cell, weight, None)  # type: ignore[no-untyped-call]
    return hidden.transpose(0, 1), cells.transpose(0, 1)  # [B, T, H] each


def loop_inputs(gates: Tensor, start: Tensor, cell: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """gates [B, T, G x H] -> [T, B, G x H]; the states in float32 at least."""
    dtype = torch.promote_types(gates.dtype, torch.float32)
    return gates.transpose(0, 1), start.to(dtype), None if cell is None else cell.to(dtype)


def own_copy(tensor: Tensor) -> Tensor:
    """A contiguous copy in float32 at least that a loop may write to."""
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    return tensor.to(dtype, copy=True, memory_format=torch.contiguous_format)


class _Sequence(Function):
    @staticmethod
    def forward(
        ctx: Any, kind: Any, dtype: torch.dtype, gates: Tensor, start: Tensor, cell: Tensor | None, *u: Any
    ) -> tuple[Tensor, Tensor | None]:
        weight, bias = u
        loop = kind(own_copy(gates), start, cell, Factor(weight, dtype), bias)
        for t in range(len(gates)):
            loop.step(t)
        ctx.loop = loop
        ctx.set_materialize_grads(False)
        return loop.hidden[1:], None if cell is None else loop.cells[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor | None, grad_cells: Tensor | None) -> tuple[Tensor | None, ...]:
        loop, ctx.loop = ctx.loop, None  # else all of it lives until the whole graph has gone
        loop.prepare_back()
        if grad_cells is not None:
            loop.grad_cells = grad_cells
        grad = torch.zeros_like(loop.hidden[0])
        for t in reversed(range(len(loop.gates))):
            if grad_hidden is not None:
                grad = grad + grad_hidden[t]
            grad = loop.step_back(t, grad)
        cell, weight, bias = loop.start_gradients()
        return None, None, loop.grad_gates, grad, cell, weight, bias
