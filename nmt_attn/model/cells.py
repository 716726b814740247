"""Recurrent cells: the only part of a recurrent network that must run step by step.

    gru       r, z = sigmoid(.); n = tanh(W x + r * (U h + b)); h' = (1 - z) n + z h     (cuDNN's order)
    gru-cho   r, z = sigmoid(.); n = tanh(W x + U (r * h));     h' = (1 - z) n + z h     (Bahdanau et al. 2015, A.1.1)
    lstm      i, f, o = sigmoid(.); g = tanh(.); c' = f c + i g; h' = o tanh(c')         (Luong et al. 2015)
    rnn       h' = tanh(W x + U h)

Differs: the papers write z for 1 - z; a change of sign inside the sigmoid, no other model.
A cell holds U alone. What comes in from outside (W x, and C c of a context) is projected by its owner, in one
product for the whole sequence where it is known before the loop: gate inputs [.., G x H], gates in the order above.
Products may be taken in bfloat16 (autocast); gates are added up, and states carried on, in at least float32.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.activation import lstm_activations, tanh
from nmt_attn.model.initialise import Scheme
from nmt_attn.model.precision import at_least_float32
from nmt_attn.model.projection import GateProjection
from nmt_attn.model.recurrence import CellLoop, GRULoop, LoopStart, LSTMLoop, gru_sequence, lstm_sequence
from nmt_attn.model.state import CellState
from nmt_attn.registry import Registry


class Cell(nn.Module):
    """Contract: one step, and a whole sequence of known gate inputs."""

    gates: ClassVar[int]
    has_cell: ClassVar[bool] = False
    forget_gate: ClassVar[int | None] = None  # the gate, from 0, whose bias starts at 1
    has_recurrent_bias: ClassVar[bool] = False
    is_sum: ClassVar[bool] = False  # U h is only added to the gate inputs, so that both can be one product
    loop: ClassVar[type[CellLoop] | None] = None  # the same cell with a backward by hand, if it has one

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.recurrent = GateProjection(hidden, hidden, self.gates, bias=self.has_recurrent_bias)  # U

    def initialise(self, scheme: Scheme) -> None:
        """Its first numbers, beyond those that the scheme sets by the number of axes."""
        scheme.recurrent(self.recurrent.weight, self.gates)
        scheme.vectors(self)

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        """gate inputs [N, G x H], state of N rows -> the next state."""
        return self.finish(at_least_float32(gate_inputs) + self.recurrent(state.hidden), state)

    def finish(self, gates: Tensor, state: CellState) -> CellState:
        """gates [N, G x H] with U h in them, which may be written over, the last state -> the next; where `is_sum`."""
        raise NotImplementedError

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        """gate inputs [B, T, G x H], first state -> hidden [B, T, H] and, for an LSTM, cell [B, T, H] at every step."""
        states = []
        for step_inputs in gate_inputs.unbind(1):
            state = self(step_inputs, state)
            states.append(state.hidden)
        return torch.stack(states, 1), None

    def loop_start(self, gate_inputs: Tensor, state: CellState) -> LoopStart:
        """What the hand-written loop starts from: gate inputs [B, T, G x H], first state."""
        assert self.loop is not None
        return LoopStart(self.loop, gate_inputs.transpose(0, 1), *state, self.recurrent.weight, self.recurrent.bias)


class GRU(Cell):
    """r and z see U h; the candidate sees r * (U h + b)."""

    gates = 3
    has_recurrent_bias = True
    loop = GRULoop

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        inputs_rz, inputs_n = at_least_float32(gate_inputs).split([2 * self.hidden, self.hidden], -1)
        recurrent = at_least_float32(self.recurrent(state.hidden))
        recurrent_rz, recurrent_n = recurrent.split([2 * self.hidden, self.hidden], -1)
        reset, update = torch.sigmoid(inputs_rz + recurrent_rz).chunk(2, -1)
        candidate = tanh(torch.addcmul(inputs_n, reset, recurrent_n))
        return CellState(torch.lerp(candidate, at_least_float32(state.hidden), update), None)

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        return gru_sequence(gate_inputs, state.hidden, self.recurrent.weight, self.recurrent.bias), None


class ChoGRU(Cell):
    """The reset gate is applied to the state before the product, as Cho et al. 2014 and Bahdanau et al. 2015 write."""

    gates = 3

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        inputs_rz, inputs_n = at_least_float32(gate_inputs).split([2 * self.hidden, self.hidden], -1)
        weight_rz, weight_n = self.recurrent.weight.split([2 * self.hidden, self.hidden])
        reset, update = torch.sigmoid(inputs_rz + state.hidden @ weight_rz.T).chunk(2, -1)
        candidate = torch.tanh(inputs_n + (reset * state.hidden) @ weight_n.T)
        return CellState(torch.lerp(candidate, at_least_float32(state.hidden), update), None)


class LSTM(Cell):
    """Gates in the order input, forget, candidate, output; no peepholes."""

    gates = 4
    has_cell = True
    forget_gate = 1
    is_sum = True
    loop = LSTMLoop

    def finish(self, gates: Tensor, state: CellState) -> CellState:
        assert state.cell is not None
        keep, forget, candidate, output = lstm_activations(gates)
        cell = torch.addcmul(forget * state.cell, keep, candidate)
        return CellState(output * tanh(cell), cell)

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        assert state.cell is not None
        return lstm_sequence(gate_inputs, state.hidden, state.cell, self.recurrent.weight)


class TanhRNN(Cell):
    """The plain recurrent network."""

    gates = 1
    is_sum = True

    def finish(self, gates: Tensor, state: CellState) -> CellState:
        return CellState(tanh(gates), None)


class RecurrentLayer(nn.Module):
    """A cell and the projection of its inputs (W, with the bias)."""

    def __init__(self, cell: Cell, inputs: int) -> None:
        super().__init__()
        self.input_to_gates = GateProjection(
            inputs, cell.hidden, cell.gates, bias=True, forget_gate=cell.forget_gate
        )  # W
        self.cell = cell
        self.joined: nn.Module | None = None  # [x ; h] -> W x + U h, of a packed model

    def zero_state(self, like: Tensor) -> CellState:
        """The state 0, with as many rows as `like`, its type and its device."""
        zeros = like.new_zeros(like.shape[0], self.cell.hidden)
        return CellState(zeros, zeros if self.cell.has_cell else None)

    def forward(self, inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        """inputs [B, T, I], first state -> hidden [B, T, H] and, for an LSTM, cell [B, T, H]."""
        return self.cell.sequence(self.input_to_gates(inputs), state)

    def step(self, inputs: Tensor, state: CellState) -> CellState:
        """inputs [N, I], state -> the next state."""
        if self.joined is not None:
            return self.cell.finish(self.joined(torch.cat([inputs, state.hidden], -1)), state)
        next_state: CellState = self.cell(self.input_to_gates(inputs), state)
        return next_state


CELLS: Registry[type[Cell]] = registries.CELLS
