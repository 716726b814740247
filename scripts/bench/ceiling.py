"""Peak speed of the machine on one thread: large matrix products in fp32 and bf16, and memory bandwidth.

bf16 is measured where the CPU has instructions for it: elsewhere one product takes minutes.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from nmt_attn.runtime import cpu_has_bfloat16

SIZE = 2048
COPIED_NUMBERS = 1 << 26
REPEATS = 5


class Ceiling(NamedTuple):
    """Best of several runs."""

    fp32: float  # FLOP/s, the faster of torch and oneDNN
    fp32_torch: float  # FLOP/s of torch's own product
    bf16: float | None  # None: the CPU has no instructions for it
    bandwidth: float  # bytes/s, read and written, for a copy larger than the caches


def measure_ceiling() -> Ceiling:
    """Measures products of SIZE^3 and a copy of a quarter of a gigabyte."""
    operations = 2 * SIZE**3
    a, b = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    own = operations / _best(lambda: a @ b)
    fp32 = max(own, operations / _best(lambda: _onednn(a, b))) if torch.backends.mkldnn.is_available() else own
    low, other = a.bfloat16(), b.bfloat16()
    source = torch.zeros(COPIED_NUMBERS)
    target = torch.zeros(COPIED_NUMBERS)
    return Ceiling(
        fp32=fp32,
        fp32_torch=own,
        bf16=operations / _best(lambda: low @ other) if cpu_has_bfloat16() else None,
        bandwidth=2 * 4 * COPIED_NUMBERS / _best(lambda: target.copy_(source)),
    )


def _onednn(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return product


def _best(job: Callable[[], object]) -> float:
    """Seconds of the fastest of REPEATS runs, after one to warm up."""
    job()
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        job()
        seconds.append(time.process_time() - start)
    return min(seconds)
