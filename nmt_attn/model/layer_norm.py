"""Cells with layer normalisation: gates are normalised over their units, what comes from outside and U h apart.

    LN(a; g, s) = g (a - mean a) / sqrt(var a + eps) + s

    gru-layernorm        r, z = sigmoid(LN(W x + b) + LN(U h + d)), over both together;
                         n = tanh(LN(W x + b) + r LN(U h + d)), over n alone
    gru-layernorm-joint  the same with one LN over r, z and n, and without d
    lstm-layernorm       i, f, g, o = LN(W x + b) + LN(U h), over all four; then as lstm

Ba et al. 2016 (arXiv 1607.06450), eq. 4 and the appendix's GRU and LSTM. The first is that of nematus, the others are
Marian's; eps is 1e-5 and 1e-9. Differs: b and d stand inside, as in nematus; outside (Ba et al., Marian) s does the
same. The cell state of an LSTM is not normalised, as in Marian. Nothing in nmt_attn/fast knows these cells.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt_attn.model.cells import Cell
from nmt_attn.model.initialise import Scheme
from nmt_attn.model.state import CellState
from nmt_attn.runtime import at_least_float32


class GateNorm(nn.Module):
    """LN of gates [.., G x H], each group of neighbouring gates alone."""

    def __init__(self, hidden: int, groups: tuple[int, ...], eps: float, forget_gate: int | None) -> None:
        super().__init__()
        self.gates, self.forget_gate = sum(groups), forget_gate
        self.sizes = [group * hidden for group in groups]
        self.eps = eps
        self.gain = nn.Parameter(torch.empty(self.gates * hidden))  # g
        self.bias = nn.Parameter(torch.empty(self.gates * hidden))  # s

    def initialise(self, scheme: Scheme) -> None:
        """Its first numbers: g is 1, s a bias."""
        nn.init.ones_(self.gain)
        scheme.gate_bias(self.bias, self.gates, self.forget_gate)

    def forward(self, gates: Tensor) -> Tensor:
        parts = gates.split(self.sizes, -1)
        normed = [nn.functional.layer_norm(part, part.shape[-1:], eps=self.eps) for part in parts]
        return torch.cat(normed, -1) * self.gain + self.bias


class LayerNormCell(Cell):
    """Contract: a cell over normalised gates."""

    groups: ClassVar[tuple[int, ...]]
    eps: ClassVar[float]
    opens: ClassVar[int | None] = None  # the gate, from 0, that starts at 1: its s, as b is normalised

    def __init__(self, hidden: int) -> None:
        super().__init__(hidden)
        self.input_norm: nn.Module = GateNorm(hidden, self.groups, self.eps, None)
        self.recurrent_norm = GateNorm(hidden, self.groups, self.eps, self.opens)

    def leave_inputs(self) -> None:
        self.input_norm = nn.Identity()

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        inputs = self.input_norm(at_least_float32(gate_inputs))
        return self.update(inputs, self.recurrent_norm(at_least_float32(self.recurrent(state.hidden))), state)

    def update(self, inputs: Tensor, recurrent: Tensor, state: CellState) -> CellState:
        """Both parts of the gates [N, G x H], normalised; state of N rows -> the next state."""
        raise NotImplementedError


class LayerNormGRU(LayerNormCell):
    """gru with layer normalisation, the candidate apart from r and z (nematus)."""

    gates = 3
    has_recurrent_bias = True
    groups: ClassVar[tuple[int, ...]] = (2, 1)
    eps = 1e-5

    def update(self, inputs: Tensor, recurrent: Tensor, state: CellState) -> CellState:
        sizes = [2 * self.hidden, self.hidden]
        (inputs_rz, inputs_n), (recurrent_rz, recurrent_n) = inputs.split(sizes, -1), recurrent.split(sizes, -1)
        reset, update = torch.sigmoid(inputs_rz + recurrent_rz).chunk(2, -1)
        candidate = torch.tanh(inputs_n + reset * recurrent_n)
        return CellState(torch.lerp(candidate, at_least_float32(state.hidden), update), None)


class JointLayerNormGRU(LayerNormGRU):
    """gru with one layer normalisation over all gates (Marian)."""

    has_recurrent_bias = False
    groups = (3,)
    eps = 1e-9


class LayerNormLSTM(LayerNormCell):
    """lstm with one layer normalisation over all gates (Marian)."""

    gates = 4
    has_cell = True
    opens = 1
    groups = (4,)
    eps = 1e-9

    def update(self, inputs: Tensor, recurrent: Tensor, state: CellState) -> CellState:
        assert state.cell is not None
        input_gate, forget_gate, candidate, output_gate = (inputs + recurrent).chunk(4, -1)
        kept = torch.sigmoid(forget_gate) * state.cell
        cell = kept + torch.sigmoid(input_gate) * torch.tanh(candidate)
        return CellState(torch.sigmoid(output_gate) * torch.tanh(cell), cell)
