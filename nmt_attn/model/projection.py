"""Linear maps whose first numbers come from model/initialise.py alone; they may have no input column at all."""

from torch import nn

from nmt_attn.model.initialise import Scheme


class Projection(nn.Linear):
    """y = W x [+ b]."""

    def reset_parameters(self) -> None:
        """Nothing: the numbers are set when the whole model stands."""


class GateProjection(Projection):
    """A map whose rows are G blocks, one for each gate; knows G so that each block is initialised alone.

    `forget_gate` is the block, from 0, whose bias keeps the cell state at first; None if there is none.
    """

    def __init__(self, inputs: int, hidden: int, gates: int, *, bias: bool, forget_gate: int | None = None) -> None:
        self.gates = gates
        self.forget_gate = forget_gate
        super().__init__(inputs, gates * hidden, bias=bias)

    def initialise(self, scheme: Scheme) -> None:
        """Its first numbers, one gate at a time."""
        if self.weight.numel():
            scheme.gates(self.weight, self.bias, self.gates, self.forget_gate)
