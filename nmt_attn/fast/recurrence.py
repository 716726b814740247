"""Recurrence: a GRU or LSTM over known gate inputs, its backward by hand, and cells that decode fast.

Training: one product a step. Buffers are made once for all steps; steps are axis 0, so that each step is one block of
memory. The gradient of U is gathered into one product after the loop, and the backward's factors that do not depend on
a gradient are computed for all steps at once. Covers gru and lstm on every device; products are taken in autocast's
number format, all else in float32 at least.

Decoding: activations in place, by the sigmoid, in float32 on a CPU; where U is packed, a sequence goes step by step;
and where a cell only adds U h to its inputs (lstm, rnn), W x + U h is one product of [x ; h].

Equal to nmt_attn/model/cells.py: tests/fast/test_recurrence.py, tests/fast/test_equal_to_plain.py.
"""

from functools import cached_property, partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from nmt_attn.fast.by_hand import by_hand
from nmt_attn.fast.packed import PackedLinear, one_product
from nmt_attn.fast.products import Factor, gains_by_sigmoid, product_dtype, tanh, tanh_
from nmt_attn.fast.views import Fast
from nmt_attn.model.cells import GRU, LSTM, Cell, RecurrentLayer, TanhRNN
from nmt_attn.model.state import CellState
from nmt_attn.runtime import at_least_float32


class CellInputs(NamedTuple):
    """What a cell's loop starts from, or the gradients of these."""

    gates: Tensor  # [T, B, G x H], W x + b of every step
    hidden: Tensor  # [B, H]
    cell: Tensor | None  # [B, H]
    weight: Tensor  # U [G x H, H]
    bias: Tensor | None  # of U [G x H]


class CellLoop(Protocol):
    """One cell over T steps. `gates` [T, B, G x H] holds W x + C c + b of a step before it is run."""

    gates: Tensor
    hidden: Tensor  # [T + 1, B, H], the first state first
    grad_gates: Tensor  # [T, B, G x H], of the gate inputs, filled by `step_back`; takes the memory of the gates

    def __init__(self, inputs: CellInputs, dtype: torch.dtype) -> None:
        """Products are taken in `dtype`."""

    def step(self, t: int) -> None:
        """hidden[t] and gates[t] -> hidden[t + 1]."""

    def prepare_back(self) -> None:
        """Makes ready for `step_back`, once; the gates are lost."""

    def step_back(self, t: int, grad_hidden: Tensor) -> Tensor:
        """d loss / d hidden[t + 1] [B, H] -> d loss / d hidden[t], as far as this cell passes it on."""

    def gradients(self, grad_hidden: Tensor) -> CellInputs:
        """After the last `step_back`, with d loss / d hidden[0] [B, H]: the gradients of all inputs."""


class GRULoop:
    """r, z, n = gates; n sees r * (U h + b)."""

    def __init__(self, inputs: CellInputs, dtype: torch.dtype) -> None:
        assert inputs.bias is not None
        self.gates, self.weight, self.bias = own_copy(inputs.gates), Factor(inputs.weight, dtype), inputs.bias
        self.hidden = with_first(inputs.hidden, len(self.gates))
        self.recurrent_n = torch.empty_like(self.hidden[1:])  # U h + b of the candidate

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

    def gradients(self, grad_hidden: Tensor) -> CellInputs:
        weight = self.weight.gradient(self.grad_recurrent, self.hidden[:-1])
        return CellInputs(self.grad_gates, grad_hidden, None, weight, self.grad_recurrent.sum((0, 1)))


class LSTMLoop:
    """i, f, g, o = gates. `grad_cells` [T, B, H] or None: gradients that reach the cell states from outside."""

    def __init__(self, inputs: CellInputs, dtype: torch.dtype) -> None:
        assert inputs.cell is not None
        self.gates, self.weight = own_copy(inputs.gates), Factor(inputs.weight, dtype)
        self.hidden, self.cells = (with_first(start, len(self.gates)) for start in (inputs.hidden, inputs.cell))
        self.grad_cells: Tensor | None = None

    def step(self, t: int) -> None:
        cell, after = self.cells[t + 1], self.hidden[t + 1]
        gates = self.weight.add_to(self.gates[t], self.hidden[t])
        input_gate, forget_gate, candidate, output_gate = lstm_activations_(gates)
        torch.mul(forget_gate, self.cells[t], out=cell)
        cell.addcmul_(input_gate, candidate)
        tanh_(after.copy_(cell)).mul_(output_gate)

    def prepare_back(self) -> None:
        input_gate, forget_gate, candidate, output_gate = self.gates.chunk(4, -1)
        tanh_cells = tanh_(self.cells[1:].clone())
        self.to_cell = output_gate * (1 - tanh_cells * tanh_cells)
        output_gate.mul_(1 - output_gate).mul_(tanh_cells)
        del tanh_cells
        self.forget_gate = forget_gate.clone()
        forget_gate.mul_(1 - forget_gate).mul_(self.cells[:-1])
        to_input_gate = (1 - input_gate).mul_(input_gate).mul_(candidate)
        torch.mul(input_gate, 1 - candidate * candidate, out=candidate)
        input_gate.copy_(to_input_gate)
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
        grad_cell.mul_(self.forget_gate[t])
        return self.weight.back(self.grad_gates[t])

    def gradients(self, grad_hidden: Tensor) -> CellInputs:
        weight = self.weight.gradient(self.grad_gates, self.hidden[:-1])
        return CellInputs(self.grad_gates, grad_hidden, self.grad_cell, weight, None)


class SequenceLoop:
    """A cell alone, over a whole sequence: the `Loop` of `by_hand`."""

    def __init__(self, inputs: CellInputs, kind: type[CellLoop], dtype: torch.dtype) -> None:
        self.loop = kind(inputs, dtype)

    def run(self) -> tuple[Tensor, Tensor | None]:
        """Hidden [T, B, H] and, for an LSTM, cell [T, B, H]."""
        loop = self.loop
        for t in range(len(loop.gates)):
            loop.step(t)
        return loop.hidden[1:], loop.cells[1:] if isinstance(loop, LSTMLoop) else None

    def back(self, *grads: Tensor | None) -> CellInputs:
        """Gradients of both results -> of the inputs."""
        loop, (grad_hidden, grad_cells) = self.loop, grads
        loop.prepare_back()
        if isinstance(loop, LSTMLoop):
            loop.grad_cells = grad_cells
        grad = torch.zeros_like(loop.hidden[0])
        for t in reversed(range(len(loop.gates))):
            if grad_hidden is not None:
                grad = grad + grad_hidden[t]
            grad = loop.step_back(t, grad)
        return loop.gradients(grad)


def cell_inputs(cell: Cell, gate_inputs: Tensor, state: CellState) -> CellInputs:
    """gate inputs [B, T, G x H], first state -> what the cell's loop starts from."""
    hidden = at_least_float32(state.hidden)
    first_cell = None if state.cell is None else at_least_float32(state.cell)
    return CellInputs(gate_inputs.transpose(0, 1), hidden, first_cell, cell.recurrent.weight, cell.recurrent.bias)


def sequence_by_hand(
    kind: type[CellLoop], cell: Cell, gate_inputs: Tensor, state: CellState
) -> tuple[Tensor, Tensor | None]:
    """gate inputs [B, T, G x H], first state -> hidden [B, T, H] and, for an LSTM, cell [B, T, H] at every step."""
    inputs = cell_inputs(cell, gate_inputs, state)
    make = partial(SequenceLoop, kind=kind, dtype=product_dtype(inputs.hidden))
    hidden, cells = by_hand(make, inputs, gate_inputs.device)
    return hidden.transpose(0, 1), None if cells is None else cells.transpose(0, 1)  # [B, T, H] each


def own_copy(tensor: Tensor) -> Tensor:
    """A contiguous copy in float32 at least that a loop may write to."""
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    return tensor.to(dtype, copy=True, memory_format=torch.contiguous_format)


def with_first(start: Tensor, steps: int) -> Tensor:
    """[B, H] -> [T + 1, B, H] whose first step it is; the others are not filled."""
    whole = start.new_empty(steps + 1, *start.shape)
    whole[0] = start
    return whole


def lstm_activations_(gates: Tensor) -> tuple[Tensor, ...]:
    """gates [N, 4 x H] (i, f, g, o) -> sigmoid(i), sigmoid(f), tanh(g), sigmoid(o), in place, without a gradient."""
    parts = gates.chunk(4, -1)
    parts[2].mul_(2)
    gates.sigmoid_()  # all four at once
    parts[2].mul_(2).sub_(1)
    return parts


class FastGRU(Fast, GRU):
    """gru."""

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        inputs_rz, inputs_n = at_least_float32(gate_inputs).split([2 * self.hidden, self.hidden], -1)
        recurrent = at_least_float32(self.recurrent(state.hidden))
        recurrent_rz, recurrent_n = recurrent.split([2 * self.hidden, self.hidden], -1)
        reset, update = torch.sigmoid(inputs_rz + recurrent_rz).chunk(2, -1)
        candidate = tanh(torch.addcmul(inputs_n, reset, recurrent_n))
        return CellState(torch.lerp(candidate, at_least_float32(state.hidden), update), None)

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        if isinstance(self.recurrent, PackedLinear):
            return super().sequence(gate_inputs, state)
        return sequence_by_hand(GRULoop, self, gate_inputs, state)


class SumCell(Fast, Cell):
    """A cell that sees W x and U h in their sum alone."""

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        return self.finish(at_least_float32(gate_inputs) + self.recurrent(state.hidden), state)

    def finish(self, gates: Tensor, state: CellState) -> CellState:
        """W x + U h [N, G x H], which may be written over, the last state -> the next."""
        raise NotImplementedError


class FastLSTM(SumCell, LSTM):
    """lstm."""

    def finish(self, gates: Tensor, state: CellState) -> CellState:
        assert state.cell is not None
        if gains_by_sigmoid(gates):
            input_gate, forget_gate, candidate, output_gate = lstm_activations_(gates)
        else:
            input_gate, forget_gate, candidate, output_gate = gates.chunk(4, -1)
            input_gate, forget_gate, output_gate = map(torch.sigmoid, (input_gate, forget_gate, output_gate))
            candidate = torch.tanh(candidate)
        cell = torch.addcmul(forget_gate * state.cell, input_gate, candidate)
        return CellState(output_gate * tanh(cell), cell)

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        if isinstance(self.recurrent, PackedLinear):
            return super().sequence(gate_inputs, state)
        return sequence_by_hand(LSTMLoop, self, gate_inputs, state)


class FastTanhRNN(SumCell, TanhRNN):
    """rnn."""

    def finish(self, gates: Tensor, state: CellState) -> CellState:
        return CellState(tanh(gates), None)


LOOPS: dict[type[Cell], type[CellLoop]] = {FastGRU: GRULoop, FastLSTM: LSTMLoop}
"""The cells whose training loops are written by hand."""


class FastRecurrentLayer(Fast, RecurrentLayer):
    """A layer above the bottom one; its step takes one packed product where it can."""

    @cached_property
    def joined(self) -> PackedLinear | None:
        """[x ; h] -> W x + U h."""
        return joined_with_state(self.input_to_gates, self.cell)

    def step(self, inputs: Tensor, state: CellState) -> CellState:
        if self.joined is None:
            return super().step(inputs, state)
        assert isinstance(self.cell, SumCell)
        return self.cell.finish(self.joined(torch.cat([inputs, state.hidden], -1)), state)


def joined_with_state(extra_input: nn.Linear, cell: Cell) -> PackedLinear | None:
    """The map [x ; h] -> X x + U h, packed as U is; None if U is not packed or the cell needs the two apart."""
    recurrent: nn.Module | None = cell.recurrent if isinstance(cell, SumCell) else None
    return one_product(extra_input, recurrent) if isinstance(recurrent, PackedLinear) else None
