"""Index tensors that every step of search needs again: made once, never written into."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def numbers(count: int, device: torch.device) -> Tensor:
    """0 ... count - 1 [count] int64."""
    return torch.arange(count, device=device)


@lru_cache(maxsize=64)
def first_rows(count: int, width: int, device: torch.device) -> Tensor:
    """The first rows [count, 1] int64 of sentences that have `width` each."""
    return torch.arange(count, device=device).unsqueeze(1) * width


@lru_cache(maxsize=64)
def index(ids: tuple[int, ...], device: torch.device) -> Tensor:
    """These [n] int64."""
    return torch.tensor(ids).to(device)
