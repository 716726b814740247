"""What the run stands on: device, number format, random state."""

import random
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch

from nmt_attn.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """`auto` (a GPU if there is one), `cpu` or `cuda`. Raises ConfigError if no GPU is there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: expected a GPU for 'cuda', got a machine without one (take 'auto' or 'cpu')")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format of products in training: `auto` is bf16 where the device multiplies it faster than fp32.

    Weights, sums and states stay fp32.
    """
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" or cpu_has_bfloat16() else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[name]


def cpu_has_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bf16 (AVX512-BF16 or AMX)."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """The block in which products are taken in `dtype`."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def prepare_runtime(seed: int) -> None:
    """Seeds every generator and flushes denormal numbers, which slow a CPU down as training goes on."""
    random.seed(seed)
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)


def seed_batch(device: torch.device, seed: int, epoch: int, batch: int) -> None:
    """Makes what is drawn next depend on nothing but the run's seed and the batch's place in its epoch.

    So a batch has the same dropout wherever it is computed: after a stop, or by another process.
    """
    # Not torch.manual_seed: it looks for every kind of device, and notes its caller, at each call.
    number = int(np.random.SeedSequence([seed, epoch, batch]).generate_state(1, np.uint64)[0])
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
