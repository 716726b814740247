"""What the run stands on: device, number format, random state."""

import os
import platform
import random
import shutil
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from nmt_attn.errors import ConfigError

DecodingPrecision = Literal["fp32", "bf16", "int8"]


def choose_device(name: str) -> torch.device:
    """`auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`, which becomes the current one of this process.

    Raises ConfigError if that GPU is not there. `auto` warns where there is a GPU that this PyTorch cannot use.
    """
    if name == "auto":
        if not torch.cuda.is_available() and not has_cuda() and has_nvidia_gpu():
            warnings.warn(f"device: a GPU stays idle, as {NO_CUDA}", stacklevel=2)
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind == "mps":
        raise ConfigError(
            "device: expected 'auto', 'cpu', 'cuda' or 'cuda:N', got 'mps' (which has no float64; take 'cpu')"
        )
    if kind not in ("cpu", "cuda") or (number and not (number.isdecimal() and kind == "cuda")):
        raise ConfigError(f"device: expected 'auto', 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    if kind == "cuda":
        _check_gpu(name, int(number or 0))
    return torch.device(name)


def _check_gpu(name: str, number: int) -> None:
    if not torch.cuda.is_available():
        if not has_cuda():
            raise ConfigError(f"device: expected a PyTorch with CUDA for {name!r}, got one without: {NO_CUDA}")
        raise ConfigError(f"device: expected a GPU for {name!r}, got a machine without one (take 'auto' or 'cpu')")
    found = torch.cuda.device_count()
    if number >= found:
        raise ConfigError(f"device: expected a GPU from cuda:0 to cuda:{found - 1}, got {name!r}")
    if number:
        torch.cuda.set_device(number)  # kernels are launched there


NO_CUDA = f"PyTorch {torch.__version__} is built for CPUs alone (see https://pytorch.org/get-started for one with CUDA)"


def has_cuda() -> bool:
    """Whether this PyTorch is built for GPUs, of NVIDIA or AMD."""
    return torch.version.cuda is not None or torch.version.hip is not None


def has_nvidia_gpu() -> bool:
    """Whether the driver of an NVIDIA GPU is installed."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format of products in training: `auto` is bf16 where the device multiplies it faster than fp32.

    Weights, sums and states stay fp32. GPUs older than compute capability 8.0 only emulate bf16, slowly, and take fp32;
    fp16 would need a scaled loss. Raises ConfigError for `tf32` (see `use_tf32`) without a GPU.
    """
    if name == "auto":
        is_gpu = device.type == "cuda"
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False) if is_gpu else cpu_has_bfloat16()
        return torch.bfloat16 if has_bfloat16 else torch.float32
    _check_tf32("run.precision", name, device)
    return {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}[name]


def use_tf32(name: str) -> None:
    """Whether a GPU rounds factors of float32 products to 10 binary digits: only for the precision `tf32`.

    For the whole process. PyTorch by itself rounds those of an LSTM or GRU, and no others.
    """
    kind = "tf32" if name == "tf32" else "ieee"
    cudnn: Any = torch.backends.cudnn
    for products in (torch.backends.cuda.matmul, cudnn.rnn, cudnn.conv):
        products.fp32_precision = kind


def _check_tf32(key: str, name: str, device: torch.device) -> None:
    if name == "tf32" and device.type != "cuda":
        raise ConfigError(f"{key}: expected a GPU for 'tf32', got device {device.type}")


def choose_decoding_precision(name: str, device: torch.device) -> DecodingPrecision:
    """The number format of products in decoding: `auto` is the fastest whose translations are as good.

    Raises ConfigError if the device has no products of 8 bits, or no TF32.
    """
    _check_tf32("search.precision", name, device)
    is_cpu = device.type == "cpu"
    if name == "auto":
        fastest: DecodingPrecision = "bf16" if cpu_has_bfloat16() else "fp32"
        return "fp32" if not is_cpu else "int8" if cpu_has_int8() else fastest
    if name == "int8" and not (is_cpu and cpu_has_int8()):
        found = "a CPU without AVX2" if is_cpu else f"device {device.type}, for which there are none"
        raise ConfigError(f"search.precision: expected a CPU with products of 8 bits for 'int8', got {found}")
    formats: dict[str, DecodingPrecision] = {"fp32": "fp32", "tf32": "fp32", "bf16": "bf16", "int8": "int8"}
    return formats[name]


def cpu_has_int8() -> bool:
    """Whether torch has fast products of 8 bits on this CPU: by oneDNN with VNNI, else by FBGEMM, which needs AVX2."""
    capabilities = torch.cpu.get_capabilities()
    has_vnni = bool(capabilities.get("avx512_vnni") or capabilities.get("avx_vnni"))
    return torch.backends.mkldnn.is_available() and (has_vnni or (bool(capabilities.get("avx2")) and has_fbgemm()))


def has_fbgemm() -> bool:
    """Whether this torch has FBGEMM's products of 8 bits: today's builds for x86 CPUs do."""
    has_tensors = hasattr(torch, "quantize_per_channel")  # which PyTorch means to drop
    return has_tensors and "fbgemm" in torch.backends.quantized.supported_engines


def cpu_has_packed_products() -> bool:
    """Whether torch has oneDNN's products, made for the layout of an x86 CPU with AVX2."""
    return torch.backends.mkldnn.is_available() and bool(torch.cpu.get_capabilities().get("avx2"))


ISAS_WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"}
"""Values of ONEDNN_MAX_CPU_ISA that keep oneDNN from a CPU's products of bf16."""


def cpu_has_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bf16 (AVX512-BF16 or AMX), and oneDNN may use them."""
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in ISAS_WITHOUT_BFLOAT16:
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def describe_machine() -> list[str]:
    """One line each: Python, torch, the CPU with what it multiplies fast, the GPUs, and what `auto` takes here."""
    device = choose_device("auto")
    numbers = str(choose_precision("auto", device)).removeprefix("torch.")
    formats = {"bf16": cpu_has_bfloat16(), "int8": cpu_has_int8()}
    fast = ", ".join(name for name, has_it in formats.items() if has_it)
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return [
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"torch {torch.__version__}, {torch.get_num_threads()} threads",
        f"CPU: {torch.backends.cpu.get_cpu_capability()}; fast products besides fp32: {fast or 'none'}",
        f"GPU: {', '.join(gpus) or 'none'}",
        f"auto: device {device.type}, products in {numbers} for training and "
        f"{choose_decoding_precision('auto', device)} for search",
    ]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """The block in which products are taken in `dtype`."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def at_least_float32(tensor: Tensor) -> Tensor:
    """bfloat16 as float32; float32 and float64 as they are. Products may be bfloat16, what is carried on may not."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


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
