"""Decay: what is left of an influence after i updates, from 1 towards 0.

    linear            1 - i / k, at least 0
    exponential       exp(-i / k)
    inverse-sigmoid   k / (k + exp(i / k))

Bengio et al. 2015 (arXiv 1506.03099), 2.4, with their slope and base written by the one number k, in updates.
"""

import math
from collections.abc import Callable

from nmt_attn import registries
from nmt_attn.registry import Registry

_LARGEST_EXPONENT = 700.0
"""exp of a little more is infinite."""


def linear(update: int, scale: int) -> float:
    """In a straight line to 0 at k."""
    return max(0.0, 1 - update / scale)


def exponential(update: int, scale: int) -> float:
    """1 / e at k."""
    return math.exp(-update / scale)


def inverse_sigmoid(update: int, scale: int) -> float:
    """Nearly 1 for long; a half at k log k."""
    return scale / (scale + math.exp(min(update / scale, _LARGEST_EXPONENT)))


DECAYS: Registry[Callable[[int, int], float]] = registries.DECAYS
