"""Averaged weights: an exponential moving average, for validation and for the models that are kept.

    average_n = average_{n-1} + (1 - d_n) (weights_n - average_{n-1})        d_n = min(decay, (1 + n) / (10 + n))

after the n-th update that was made; average_0 is the first weights. While d_n rises to `decay` the average looks back
over about a ninth of the updates so far, so that early validation is not of weights that nothing has been learnt with.
Training goes on with the weights themselves.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """The average of `model`'s parameters, float32, by their names in `values`; those that are shared once."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self.values = {name: weight.detach().float().clone() for name, weight in model.named_parameters()}

    def update(self, updates: int) -> None:
        """Takes in the weights after so many updates."""
        decay = min(self._decay, (1 + updates) / (10 + updates))
        for name, weight in self._model.named_parameters():
            self.values[name].lerp_(weight.detach().float(), 1 - decay)

    def restore(self, values: dict[str, Tensor]) -> None:
        """Goes on from a checkpoint's values, of the same names and shapes."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A block in which the model has the average for its weights; then it has its own again, bit for bit."""
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
