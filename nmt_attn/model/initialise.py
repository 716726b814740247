"""First weights, by the name of a scheme, and linear maps that get them from nowhere else.

xavier       matrices by Glorot and Bengio 2010, one gate at a time; word vectors N(0, deviation^2), or N(0, 1 / E)
             where the output layer shares them; biases 0, but 1 at an LSTM's forget gate (Jozefowicz et al. 2015)
orthogonal   the same, recurrent matrices orthogonal, one gate at a time
uniform      everything U(-range, range)                                          Luong et al. 2015, 4.1
bahdanau     recurrent matrices orthogonal; W_a, U_a N(0, 0.001^2); v_a and biases 0; the rest N(0, 0.01^2)
                                                                                  Bahdanau et al. 2015, B.1

A scheme first sets every parameter by its number of axes. Then each part of the model that has a method `initialise`
calls those methods of the scheme that describe its own parameters (`gates`, `vectors`). Where a part has no such
method, its vectors are drawn by `vector`, so that none but a bias starts at 0 unless a part says so. Scalars are
learned gains: their first value is part of their definition.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.registry import Registry
from nmt_attn.types import PAD


class Scheme:
    """Contract. `default` sets every parameter; the other methods set what a part describes, by default not again."""

    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, initial_range: float, word_deviation: float) -> None:
        self.initial_range = initial_range
        self.word_deviation = word_deviation  # standard deviation of word vectors
        self._recurrent: list[Tensor] = []

    def initialise(self, model: nn.Module) -> None:
        """Sets every parameter of the model, matrices without a column and scalars aside."""
        for parameter in model.parameters():
            if parameter.dim() > 0 and parameter.numel() > 0:
                self.default(parameter)
        shared = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                self.embedding(module.weight, is_output=id(module.weight) in shared)
            elif isinstance(module, Initialised):
                module.initialise(self)
            else:
                self.vectors(module)
        for block in self._recurrent:
            nn.init.orthogonal_(block)

    def default(self, parameter: Tensor) -> None:
        """A parameter of at least one axis."""
        raise NotImplementedError

    def vectors(self, module: nn.Module, tanh_vectors: Sequence[str] = ()) -> None:
        """The module's own vectors, those of inner modules aside; `tanh_vectors` are the names of each v of tanh."""
        for name, vector in vectors_of(module).items():
            (self.tanh_vector if name in tanh_vectors else self.vector)(vector)

    def embedding(self, weight: Tensor, *, is_output: bool) -> None:
        """Word vectors [V, E]; `is_output`: the output layer shares them."""

    def gates(self, weight: Tensor, bias: Tensor | None, gates: int, forget_gate: int | None) -> None:
        """W or U [G x H, I], one block of rows for each of `gates` gates, and its bias [G x H]."""

    def gate_bias(self, bias: Tensor, gates: int, forget_gate: int | None) -> None:
        """The bias [G x H] of gates, which stands alone where there is no W."""

    def recurrent(self, weight: Tensor, gates: int) -> None:
        """U [G x H, H] of a cell."""

    def score_matrices(self, score: nn.Module) -> None:
        """All matrices of a score."""

    def vector(self, weight: Tensor) -> None:
        """A vector [A] that is no bias: it is multiplied, so that what it meets would not learn if it were 0."""

    def tanh_vector(self, weight: Tensor) -> None:
        """v [A] of v . tanh(...), which Bahdanau's appendix starts at 0."""


class Xavier(Scheme):
    """Glorot-uniform matrices."""

    options = ("word_deviation",)

    def default(self, parameter: Tensor) -> None:
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)

    def embedding(self, weight: Tensor, *, is_output: bool) -> None:
        nn.init.normal_(weight, std=weight.shape[1] ** -0.5 if is_output else self.word_deviation)

    def gates(self, weight: Tensor, bias: Tensor | None, gates: int, forget_gate: int | None) -> None:
        for block in weight.data.chunk(gates):
            nn.init.xavier_uniform_(block)
        if bias is not None:
            self.gate_bias(bias, gates, forget_gate)

    def gate_bias(self, bias: Tensor, gates: int, forget_gate: int | None) -> None:
        if forget_gate is not None:
            nn.init.ones_(bias.data.chunk(gates)[forget_gate])

    def vector(self, weight: Tensor) -> None:
        nn.init.uniform_(weight, -(weight.numel() ** -0.5), weight.numel() ** -0.5)

    def tanh_vector(self, weight: Tensor) -> None:
        self.vector(weight)


class Orthogonal(Xavier):
    """Glorot-uniform matrices, orthogonal U."""

    def recurrent(self, weight: Tensor, gates: int) -> None:
        self._recurrent += weight.data.chunk(gates)


class Uniform(Scheme):
    """Everything from U(-range, range)."""

    options = ("initial_range",)

    def default(self, parameter: Tensor) -> None:
        nn.init.uniform_(parameter, -self.initial_range, self.initial_range)


class Bahdanau(Scheme):
    """The paper's appendix."""

    def default(self, parameter: Tensor) -> None:
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.01)
        else:
            nn.init.zeros_(parameter)

    def recurrent(self, weight: Tensor, gates: int) -> None:
        self._recurrent += weight.data.chunk(gates)

    def score_matrices(self, score: nn.Module) -> None:
        for parameter in score.parameters():
            if parameter.dim() > 1 and parameter.numel() > 0:
                nn.init.normal_(parameter, std=0.001)

    def vector(self, weight: Tensor) -> None:
        nn.init.normal_(weight, std=0.01)


@runtime_checkable
class Initialised(Protocol):
    """A part that describes its own parameters to a scheme."""

    def initialise(self, scheme: Scheme) -> None:
        """Calls the methods of `scheme` that fit the part's parameters."""


def vectors_of(module: nn.Module) -> dict[str, nn.Parameter]:
    """The module's own parameters of one axis by name, inner modules and biases aside."""
    own = module.named_parameters(recurse=False)
    return {name: parameter for name, parameter in own if parameter.dim() == 1 and not name.endswith("bias")}


def zero_padding(model: nn.Module) -> None:
    """Sets the vector of `<pad>` to 0; it gets no gradient and stays there."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                module.weight[PAD] = 0


INITIALISATIONS: Registry[type[Scheme]] = registries.INITIALISATIONS


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
