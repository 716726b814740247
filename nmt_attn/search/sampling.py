"""Sampling: translations drawn from the model's distribution instead of the best ones.

At every step p ~ exp(log p / temperature), cut to the `top_k` likeliest tokens, then to the fewest of these that hold
`top_p` of the probability (Holtzman et al. 2020, arXiv 1904.09751), and scaled to sum to 1 again. What the
constraints forbid has left before the cuts.

The token is where a number u from [0, 1) falls among the sums of p in the order of ids. Sample n of line i has its
own stream of such numbers, one a step, from the counter-based generator Philox with the key (seed, i) and the counter
n: it hangs on nothing else, neither on the other lines nor on how many samples there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nmt_attn.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """How to draw. Raises ConfigError for numbers that make no distribution."""

    temperature: float = 1.0  # below 1: closer to the likeliest tokens; above 1: closer to chance
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(f"temperature: expected a number above 0, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top_k: expected at least 1, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p: expected a share above 0 and up to 1, got {self.top_p}")
        if not 0 <= self.seed < 1 << 64:
            raise ConfigError(f"seed: expected a whole number from 0 to 2^64 - 1, got {self.seed}")


def draws_of(sampling: Sampling, lines: Sequence[int], samples: int, steps: int) -> Tensor:
    """The numbers u [lines, samples, steps] float64 of the lines with these numbers."""
    numbers = np.empty((len(lines), samples, steps))
    for row, line in enumerate(lines):
        for sample in range(samples):
            key = np.array([sampling.seed, line], dtype=np.uint64)  # a list would lose the lowest bits of large seeds
            stream = np.random.Philox(key=key, counter=[0, 0, sample, 0])
            numbers[row, sample] = np.random.Generator(stream).random(steps)
    return torch.from_numpy(numbers)


def draw(log_probs: Tensor, numbers: Tensor, sampling: Sampling) -> Tensor:
    """A token [N] int64 for each row of log_probs [N, V] and number [N]; never one of -inf where another one is."""
    scaled = log_probs.double().nan_to_num(nan=-torch.inf) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scaled.size(1):
        scaled = _without_rest(scaled, scaled.new_full((len(scaled), 1), sampling.top_k))
    if sampling.top_p is not None:
        ordered = scaled.softmax(1).sort(dim=1, descending=True).values
        is_needed = ordered.cumsum(1) - ordered < sampling.top_p  # what comes before holds less than top_p
        scaled = _without_rest(scaled, is_needed.sum(1, keepdim=True))
    sums = scaled.softmax(1).cumsum(1)
    whole = sums[:, -1:]
    places = torch.minimum(numbers.unsqueeze(1) * whole, whole.nextafter(torch.zeros_like(whole)))
    return torch.searchsorted(sums, places, right=True).squeeze(1).clamp(max=scaled.size(1) - 1)


def _without_rest(scaled: Tensor, counts: Tensor) -> Tensor:
    """The `counts` [N, 1] greatest values of each row, of equal ones those of lower ids; -inf elsewhere."""
    order = scaled.argsort(dim=1, descending=True, stable=True)
    places = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.size(1), device=order.device).expand_as(order)
    )
    return scaled.masked_fill(places >= counts, -torch.inf)
