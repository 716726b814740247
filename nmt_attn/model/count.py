"""Parameters by part: what each piece of a model costs, before it is built.

The model is built on torch's meta device, which has shapes and no numbers: four layers of 1000 units take no memory.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nmt_attn.config.schema import Config
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import model_from_config

_PARTS = (
    (r"source_embedding", "source embedding"),
    (r"encoder\.layers\.(\d+)", "encoder layer {}"),
    (r"target_embedding", "target embedding"),
    (r"decoder\.start_state", "decoder first state"),
    (r"decoder\.(?:embedding_to_gates|bottom|context_to_gates|feed_to_gates|second)", "decoder layer 1"),
    (r"decoder\.upper\.(\d+)", "decoder layer {}"),
    (r"decoder\.attention\.score", "attention score"),
    (r"decoder\.attention\.window", "attention window"),
    (r"decoder\.attention\.transition", "attention jumps"),
    (r"decoder\.attention\.coverage", "attention coverage"),
    (r"decoder\.attention\.projection", "fixed context"),
    (r"decoder\.attentional_state", "attentional state"),
    (r"decoder\.copying", "copying gate"),
    (r"decoder\.readout", "readout"),
    (r"output", "output layer"),
)
"""The beginning of a parameter's name, and the part that it belongs to, in the order of the table."""

_ALWAYS_SHOWN = ("attention score", "attention window", "readout")
"""Parts that some models have without a single parameter, which is worth knowing."""


_DRAWS = (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.orthogonal_)


class PartCount(NamedTuple):
    """One part of a model."""

    part: str
    parameters: int  # numbers to learn; what is shared counts where it comes first
    tensors: str  # names and shapes, such as `key_projection 5x7`


def count_parameters(model: Seq2Seq) -> list[PartCount]:
    """Every part of the model, from source to output; their sum is the number of its parameters."""
    named: dict[str, dict[str, nn.Parameter]] = {part: {} for part in _ALWAYS_SHOWN}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        named.setdefault(_part_of(name), {})[name] = parameter
    owners: dict[nn.Parameter, str] = {}
    counts = []
    for part in sorted(named, key=_rank):
        count = sum(parameter.numel() for parameter in named[part].values() if parameter not in owners)
        counts.append(PartCount(part, count, _tensors(named[part], owners)))
        owners |= {parameter: owners.get(parameter, part) for parameter in named[part].values()}
    return counts


def count_from_config(config: Config, source_size: int, target_size: int) -> list[PartCount]:
    """The same of the model that `config` describes, for vocabularies of these sizes."""
    factors = dict.fromkeys(config.tokenizer.factors.names, source_size)
    with torch.device("meta"), _NoDraw():
        return count_parameters(model_from_config(config, source_size, target_size, factors))


class _NoDraw(TorchFunctionMode):
    """Leaves out drawing numbers, for which torch would first import its compiler (over a second)."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = {**(kwargs or {})}
        return given.get("tensor", *args[:1]) if func in _DRAWS else func(*args, **given)


def _part_of(name: str) -> str:
    """`encoder.layers.0.directions...` -> `encoder layer 1`."""
    for pattern, part in _PARTS:
        if match := re.match(rf"{pattern}\.", name):
            first = 2 if part.startswith("decoder") else 1  # `upper` holds the layers above the first
            return part.format(*(int(group) + first for group in match.groups()))
    return name


def _rank(part: str) -> tuple[int, str]:
    """The place in the table, layers in the order of their numbers."""
    for i, (_, known) in enumerate(_PARTS):
        if match := re.fullmatch(known.replace("{}", r"(\d+)"), part):
            return i, "".join(match.groups()).zfill(4)
    return len(_PARTS), part


def _tensors(parameters: dict[str, nn.Parameter], owners: dict[nn.Parameter, str]) -> str:
    """`2 x (input_to_gates 12x5), ...`: name and shape of each, equal ones together."""
    labels = Counter(
        _label(name, parameter, owners.get(parameter)) for name, parameter in parameters.items() if parameter.numel()
    )
    return ", ".join(f"{number} x ({label})" if number > 1 else label for label, number in labels.items())


def _label(name: str, parameter: nn.Parameter, owner: str | None) -> str:
    module, _, kind = name.rpartition(".")
    own = module.rpartition(".")[2]
    words = {"weight": own, "bias": f"{own} bias"}.get(kind, kind)
    shape = "x".join(map(str, parameter.shape)) or "1"
    return f"{words} {shape}" + (f" shared with the {owner}" if owner else "")
