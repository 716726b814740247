"""Linear maps whose first numbers come from model/initialise.py alone; they may have no input column at all."""

from torch import nn


class Projection(nn.Linear):
    """y = W x [+ b]."""

    def reset_parameters(self) -> None:
        """Nothing: the numbers are set when the whole model stands."""


class GateProjection(Projection):
    """A map whose rows are G blocks, one for each gate; knows G so that each block is initialised alone."""

    def __init__(self, inputs: int, hidden: int, gates: int, *, bias: bool) -> None:
        self.gates = gates
        super().__init__(inputs, gates * hidden, bias=bias)
