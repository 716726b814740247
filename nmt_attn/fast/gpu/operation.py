"""Operation: a step of a loop, defined in plain PyTorch, that a GPU runs as one Triton kernel.

The plain definition works on every device and in every number format. On a GPU the kernel of the same name
(nmt_attn/fast/gpu/kernels.py) takes its place once it was compared with the definition there, on the operands of its
first call. A kernel that does not compile, or whose result differs, is left out with a warning that says why.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from nmt_attn.fast.gpu.sizes import DoesNotFit

Definition = TypeVar("Definition", bound=Callable[..., None])
Key = tuple[str, torch.device, tuple[torch.dtype | None, ...]]

TOLERANCES = {torch.float32: 2e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest difference from the definition, as a share of the largest number; an error of a kernel is of size 1."""

_works: dict[Key, bool] = {}
_observers: list[Callable[[str], None]] = []


@cache
def has_triton() -> bool:
    """Whether Triton is installed; builds of PyTorch for CUDA bring it along."""
    return find_spec("triton") is not None


def operation(define: Definition) -> Definition:
    """Makes a definition that writes its results into its operands an operation. The first operand is a tensor."""
    name = define.__name__

    @wraps(define)
    def call(*operands: Any) -> None:
        if _observers:
            with _observed(name):
                define(*operands)
        elif not _may_have_kernel(operands[0]) or not run_kernel(name, define, operands, _kernel):
            define(*operands)

    return cast(Definition, call)


def run_kernel(
    name: str, define: Callable[..., None], operands: tuple[Any, ...], find: Callable[[str], Callable[..., None]]
) -> bool:
    """Runs the kernel if it may take the place of the definition -> whether it has."""
    try:
        if not _is_usable(name, define, operands, find):
            return False
        find(name)(*operands)
    except DoesNotFit as reason:
        warnings.warn(f"{name} runs as several operations on {operands[0].device}: {reason}", stacklevel=3)
        return False
    return True


@contextmanager
def observed(observer: Callable[[str], None]) -> Iterator[None]:
    """A block in which `observer` hears the name of each operation before and, with "", after its definition runs."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


@contextmanager
def _observed(name: str) -> Iterator[None]:
    for observer in _observers:
        observer(name)
    yield
    for observer in _observers:
        observer("")


def _may_have_kernel(operand: Tensor) -> bool:
    """Kernels compute in float32; they would lose what float64 holds."""
    return operand.is_cuda and operand.dtype != torch.float64 and has_triton()


def _kernel(name: str) -> Callable[..., None]:
    kernels = import_module("nmt_attn.fast.gpu.kernels")  # which needs Triton, and the definitions
    kernel: Callable[..., None] = getattr(kernels, name)
    return kernel


def _is_usable(
    name: str, define: Callable[..., None], operands: tuple[Any, ...], find: Callable[[str], Callable[..., None]]
) -> bool:
    tensors = [operand if isinstance(operand, Tensor) else None for operand in operands]
    key = (name, operands[0].device, tuple(None if tensor is None else tensor.dtype for tensor in tensors))
    if key not in _works:
        if operands[0].is_cuda and torch.cuda.is_current_stream_capturing():
            return False  # a comparison waits for the GPU, which no recording may
        _works[key] = compare(name, define, find, operands)
    return _works[key]


def compare(
    name: str, define: Callable[..., None], find: Callable[[str], Callable[..., None]], operands: tuple[Any, ...]
) -> bool:
    """Whether the kernel gives what the definition gives, on copies of the operands; if not, a warning says why."""
    try:
        expected, found = _copies(operands), _copies(operands)
        define(*expected)
        find(name)(*found)
        reason = _difference(operands, expected, found)
    except DoesNotFit:
        raise
    except Exception as error:  # whatever a compiler or driver may say
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if reason:
        warnings.warn(
            f"{name} runs as several operations on {operands[0].device}, as its kernel fails ({reason})", stacklevel=2
        )
    return not reason


def _copies(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(operand.clone() if isinstance(operand, Tensor) else operand for operand in operands)


def _difference(before: tuple[Any, ...], expected: tuple[Any, ...], found: tuple[Any, ...]) -> str:
    """What is wrong, or nothing. Only numbers that the definition has written count for the size."""
    for place, (old, wanted, got) in enumerate(zip(before, expected, found, strict=True)):
        if not isinstance(wanted, Tensor) or not wanted.is_floating_point():
            continue
        is_new = (wanted != old) & wanted.isfinite()
        size = torch.where(is_new, wanted.abs(), 0).amax() if wanted.numel() else wanted.new_zeros(())
        tolerance = TOLERANCES.get(wanted.dtype, 2e-3) * size
        off = torch.where(wanted.isfinite(), (got - wanted).abs(), 0)
        if not bool((off <= tolerance).all()):
            return f"operand {place} is off by {float(off.max()):.2g} where the largest number is {float(size):.2g}"
    return ""
