"""Slots: what runs side by side. One run a GPU where the runs use GPUs, else several on the CPU."""

import os
from collections.abc import Sequence

from nmt_attn.config.schema import Config
from nmt_attn.experiments.jobs import Slot

VISIBLE = "CUDA_VISIBLE_DEVICES"


def choose_slots(configs: Sequence[Config], jobs: int | None, threads: int) -> list[Slot]:
    """`jobs` slots; by default one a GPU, or one for `threads` CPU cores."""
    count = {"OMP_NUM_THREADS": str(threads)}
    gpus = _gpus() if all(config.run.device in ("auto", "cuda") for config in configs) else []
    if gpus:
        return [{**count, VISIBLE: gpus[number % len(gpus)]} for number in range(jobs or len(gpus))]
    return [count] * (jobs or max(1, (os.cpu_count() or 1) // threads))


def _gpus() -> list[str]:
    """The GPUs that this process sees, by the names that its environment has for them."""
    import torch

    found = torch.cuda.device_count()
    names = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return names[:found] if names else [str(number) for number in range(found)]
