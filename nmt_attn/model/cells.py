"""Recurrent cells: the only part of a recurrent network that must run step by step.

    gru       r, z = sigmoid(.); n = tanh(W x + r * (U h + b)); h' = (1 - z) n + z h     (cuDNN's order)
    gru-cho   r, z = sigmoid(.); n = tanh(W x + U (r * h));     h' = (1 - z) n + z h     (Bahdanau et al. 2015, A.1.1)
    lstm      i, f, o = sigmoid(.); g = tanh(.); c' = f c + i g; h' = o tanh(c')         (Luong et al. 2015)
    rnn       h' = tanh(W x + U h)

They are the f of Bahdanau et al. 2015 (arXiv 1409.0473v7), eq. 1 and 4, and of Luong et al. 2015 (arXiv 1508.04025),
eq. 3. Differs: the papers write z for 1 - z; a change of sign inside the sigmoid, no other model.
A cell holds U alone. What comes in from outside (W x, and C c of a context) is projected by its owner, in one
product for the whole sequence where it is known before the loop: gate inputs [.., G x H], gates in the order above.
With layer normalisation: nmt_attn/model/layer_norm.py.
Products may be taken in bfloat16 (autocast); gates are added up, and states carried on, in at least float32.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import GateProjection, Scheme
from nmt_attn.model.state import CellState
from nmt_attn.registry import Registry
from nmt_attn.runtime import at_least_float32


class Cell(nn.Module):
    """Contract: one step. A whole sequence is a loop over it."""

    gates: int
    has_cell: bool = False
    forget_gate: int | None = None  # the gate, from 0, whose bias starts at 1
    has_recurrent_bias: ClassVar[bool] = False

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.recurrent = GateProjection(hidden, hidden, self.gates, bias=self.has_recurrent_bias)  # U

    def initialise(self, scheme: Scheme) -> None:
        """Its first numbers, beyond those that the scheme sets by the number of axes."""
        scheme.recurrent(self.recurrent.weight, self.gates)
        scheme.vectors(self)

    def leave_inputs(self) -> None:
        """Called before its first step where no W x comes in, but a bias in its place."""

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        """gate inputs [N, G x H], state of N rows -> the next state."""
        raise NotImplementedError

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        """gate inputs [B, T, G x H], first state -> hidden [B, T, H] and, for an LSTM, cell [B, T, H] at every step."""
        states = []
        for step_inputs in gate_inputs.unbind(1):
            state = self(step_inputs, state)
            states.append(state)
        cells = [each.cell for each in states if each.cell is not None]
        return torch.stack([each.hidden for each in states], 1), torch.stack(cells, 1) if cells else None


class GRU(Cell):
    """r and z see U h; the candidate sees r * (U h + b)."""

    gates = 3
    has_recurrent_bias = True

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        inputs_rz, inputs_n = at_least_float32(gate_inputs).split([2 * self.hidden, self.hidden], -1)
        recurrent = at_least_float32(self.recurrent(state.hidden))
        recurrent_rz, recurrent_n = recurrent.split([2 * self.hidden, self.hidden], -1)
        reset, update = torch.sigmoid(inputs_rz + recurrent_rz).chunk(2, -1)
        candidate = torch.tanh(inputs_n + reset * recurrent_n)
        return CellState(torch.lerp(candidate, at_least_float32(state.hidden), update), None)


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

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        assert state.cell is not None
        gates = at_least_float32(gate_inputs) + self.recurrent(state.hidden)
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, -1)
        kept = torch.sigmoid(forget_gate) * state.cell
        cell = kept + torch.sigmoid(input_gate) * torch.tanh(candidate)
        return CellState(torch.sigmoid(output_gate) * torch.tanh(cell), cell)


class TanhRNN(Cell):
    """The plain recurrent network."""

    gates = 1

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        return CellState(torch.tanh(at_least_float32(gate_inputs) + self.recurrent(state.hidden)), None)


class RecurrentLayer(nn.Module):
    """A cell and the projection of its inputs (W, with the bias)."""

    def __init__(self, cell: Cell, inputs: int) -> None:
        super().__init__()
        self.input_to_gates = GateProjection(
            inputs, cell.hidden, cell.gates, bias=True, forget_gate=cell.forget_gate
        )  # W
        self.cell = cell

    def zero_state(self, like: Tensor) -> CellState:
        """The state 0, with as many rows as `like`, its type and its device."""
        zeros = like.new_zeros(like.shape[0], self.cell.hidden)
        return CellState(zeros, zeros if self.cell.has_cell else None)

    def forward(self, inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        """inputs [B, T, I], first state -> hidden [B, T, H] and, for an LSTM, cell [B, T, H]."""
        return self.cell.sequence(self.input_to_gates(inputs), state)

    def step(self, inputs: Tensor, state: CellState) -> CellState:
        """inputs [N, I], state -> the next state."""
        next_state: CellState = self.cell(self.input_to_gates(inputs), state)
        return next_state


CELLS: Registry[type[Cell]] = registries.CELLS
