"""Sampling: translations drawn from the model's distribution.

At every step p ~ exp(log p / temperature), truncated to the `top_k` most likely tokens, then to the smallest set of
these with probability `top_p` (Holtzman et al. 2020, arXiv 1904.09751), and renormalised. Tokens that the token rules
forbid are removed before truncation.

The token is drawn by inverse transform: the first id whose cumulative p exceeds a number u from [0, 1). Sample n of
line i has its own stream of such numbers, one per step, from the counter-based generator Philox with key (seed, i) and
counter n. It depends on nothing else, neither on the other lines nor on the number of samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nmt_attn.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """How to draw. Raises ConfigError for values out of range."""

    temperature: float = 1.0  # below 1: sharper than the model; above 1: flatter
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
    """Uniform numbers [lines, samples, steps] float64 for the lines with these line numbers."""
    uniforms = np.empty((len(lines), samples, steps))
    for row, line in enumerate(lines):
        for sample in range(samples):
            key = np.array([sampling.seed, line], dtype=np.uint64)  # a list would lose the low bits of large seeds
            stream = np.random.Philox(key=key, counter=[0, 0, sample, 0])
            uniforms[row, sample] = np.random.Generator(stream).random(steps)
    return torch.from_numpy(uniforms)


def draw(log_probs: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
    """One token [N] int64 for each row of log_probs [N, V], by `uniforms` [N] in [0, 1).

    A token of log-probability -inf is drawn only if all others are -inf too.
    """
    scaled = log_probs.double().nan_to_num(nan=-torch.inf) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scaled.size(1):
        scaled = _keep_greatest(scaled, scaled.new_full((len(scaled), 1), sampling.top_k))
    if sampling.top_p is not None:
        ordered = scaled.softmax(1).sort(dim=1, descending=True).values
        is_needed = ordered.cumsum(1) - ordered < sampling.top_p  # the tokens before have less than top_p
        scaled = _keep_greatest(scaled, is_needed.sum(1, keepdim=True))
    cumulative = scaled.softmax(1).cumsum(1)
    whole = cumulative[:, -1:]
    places = torch.minimum(uniforms.unsqueeze(1) * whole, whole.nextafter(torch.zeros_like(whole)))
    return torch.searchsorted(cumulative, places, right=True).squeeze(1).clamp(max=scaled.size(1) - 1)


def _keep_greatest(scaled: Tensor, counts: Tensor) -> Tensor:
    """The `counts` [N, 1] greatest values of each row, ties in favour of lower ids; -inf elsewhere."""
    order = scaled.argsort(dim=1, descending=True, stable=True)
    places = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.size(1), device=order.device).expand_as(order)
    )
    return scaled.masked_fill(places >= counts, -torch.inf)
