"""First weights, by name.

xavier       matrices by Glorot and Bengio 2010, one gate at a time; word vectors N(0, 1 / E), of length 1;
             biases 0, but 1 at an LSTM's forget gate (Jozefowicz et al. 2015)
orthogonal   the same, recurrent matrices orthogonal, one gate at a time
uniform      everything U(-range, range)                                          Luong et al. 2015, 4.1
bahdanau     recurrent matrices orthogonal; W_a, U_a N(0, 0.001^2); v_a and biases 0; the rest N(0, 0.01^2)
                                                                                  Bahdanau et al. 2015, B.1
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nmt_attn.model.cells import LSTM, Cell
from nmt_attn.model.projection import GateProjection
from nmt_attn.model.scores import Score
from nmt_attn.model.windows import Window
from nmt_attn.types import PAD

Initialise = Callable[[nn.Module, float], None]


def xavier(model: nn.Module, initial_range: float) -> None:
    """Glorot-uniform matrices."""
    _plain(model, nn.init.xavier_uniform_)


def orthogonal(model: nn.Module, initial_range: float) -> None:
    """Glorot-uniform matrices, orthogonal U."""
    _plain(model, nn.init.xavier_uniform_)
    _orthogonal_recurrent(model)


def uniform(model: nn.Module, initial_range: float) -> None:
    """Everything from U(-range, range)."""
    for parameter in _own_parameters(model):
        nn.init.uniform_(parameter, -initial_range, initial_range)


def bahdanau(model: nn.Module, initial_range: float) -> None:
    """The paper's appendix."""
    for parameter in _own_parameters(model):
        if parameter.dim() < 2:
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, std=0.01)
    for module in model.modules():
        if isinstance(module, Score):
            for parameter in _own_parameters(module):
                if parameter.dim() == 2:
                    nn.init.normal_(parameter, std=0.001)
    _orthogonal_recurrent(model)


def zero_padding(model: nn.Module) -> None:
    """Sets the vector of `<pad>` to 0; it gets no gradient and stays there."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                module.weight[PAD] = 0


def _plain(model: nn.Module, fill: Callable[[Tensor], Tensor]) -> None:
    for parameter in _own_parameters(model):
        if parameter.dim() == 2:
            fill(parameter)
        elif parameter.dim() == 1:
            nn.init.zeros_(parameter)
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        elif isinstance(module, GateProjection) and module.weight.numel():
            for block in module.weight.data.chunk(module.gates):
                fill(block)
            if module.gates == LSTM.gates and module.bias is not None:
                nn.init.ones_(module.bias.data.chunk(module.gates)[1])
        elif isinstance(module, Score | Window):
            for name, parameter in module.named_parameters(recurse=False):
                if name == "vector":
                    nn.init.uniform_(parameter, -(parameter.numel() ** -0.5), parameter.numel() ** -0.5)


def _orthogonal_recurrent(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, Cell):
            for block in module.recurrent.weight.data.chunk(module.gates):
                nn.init.orthogonal_(block)


def _own_parameters(model: nn.Module) -> list[nn.Parameter]:
    """All but the learned gains, whose first value is part of their definition, and matrices without a column."""
    return [parameter for parameter in model.parameters() if parameter.dim() > 0 and parameter.numel() > 0]


INITIALISATIONS: dict[str, Initialise] = {
    "xavier": xavier,
    "orthogonal": orthogonal,
    "uniform": uniform,
    "bahdanau": bahdanau,
}
