"""Mean: one model's weights from those of several that were trained alike."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


@torch.no_grad()
def mean_weights(models: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each weight, by name, summed in float64; the models, at least one, have the same names and shapes.

    Only the sums and one model are held at a time.
    """
    sums: dict[str, Tensor] = {}
    types: dict[str, torch.dtype] = {}
    count = 0
    for weights in models:
        count += 1
        for name, weight in weights.items():
            types.setdefault(name, weight.dtype)
            sums[name] = weight.double() + sums.get(name, 0)
    return {name: (total / count).to(types[name]) for name, total in sums.items()}
