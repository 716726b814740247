"""Averages of weights: one model out of several that were trained alike, and the exponential moving average.

The moving average is for validation and saved models:

    average_n = average_{n-1} + (1 - d_n) (weights_n - average_{n-1})        d_n = min(decay, (1 + n) / (10 + n))

after the n-th update, skipped ones not counted; average_0 is the initial weights. While d_n rises to `decay`, the
average spans about a ninth of the updates so far, so that early validation does not use untrained weights. Training
continues with the weights themselves.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """The moving average of the parameters of `model`: float32, by name in `values`; shared parameters once."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self.values = {name: weight.detach().float().clone() for name, weight in model.named_parameters()}

    def update(self, updates: int) -> None:
        """Updates the average with the weights after `updates` updates."""
        decay = min(self._decay, (1 + updates) / (10 + updates))
        for name, weight in self._model.named_parameters():
            self.values[name].lerp_(weight.detach().float(), 1 - decay)

    def restore(self, values: dict[str, Tensor]) -> None:
        """Restores the average from a checkpoint with the same names and shapes."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Context in which the model has the averaged weights; afterwards its own weights are restored exactly."""
        own = {name: weight.detach().clone() for name, weight in self._model.named_parameters()}
        try:
            self._put(self.values)
            yield
        finally:
            self._put(own)

    def _put(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self._model.named_parameters():
                weight.copy_(values[name])


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
