"""Compiles kernels for GPUs that need not be there: Triton's interpreter does not show what does not compile.

Run by tests/fast/test_kernels_compile.py in a process of its own, in which nothing is interpreted. Arguments: compute
capabilities, such as 80 and 90. Writes a line for each kernel that fails.
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch
import triton
from kernel_operands import CASES, LOW, Made
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction, mangle_type

from nmt_attn.fast.gpu import kernels


class Launch(Exception):  # noqa: N818, not an error
    """What a kernel would have been launched with."""

    def __init__(self, kernel: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        super().__init__(kernel.fn.__name__)
        self.kernel, self.arguments, self.options = kernel, arguments, options


def stop(kernel: Any, *arguments: Any, grid: Any, warmup: bool, **options: Any) -> None:
    raise Launch(kernel, arguments, options)


def launches(low: torch.dtype) -> Iterator[Launch]:
    for name, make in CASES.values():
        try:
            getattr(kernels, name)(*make(Made(low)))
        except Launch as launch:
            yield launch
        else:
            raise AssertionError(f"{name} launches nothing")


def source(launch: Launch) -> ASTSource:
    signature, constants = {}, {}
    for parameter, value in zip(launch.kernel.params, launch.arguments, strict=True):
        if parameter.is_constexpr or value is None:
            signature[parameter.name], constants[parameter.name] = "constexpr", value
        else:
            signature[parameter.name] = mangle_type(value)
    return ASTSource(launch.kernel, signature, constants)


def main() -> None:
    JITFunction.run = stop
    for low in LOW:
        for launch in launches(low):
            for capability in map(int, sys.argv[1:]):
                try:
                    made = triton.compile(source(launch), GPUTarget("cuda", capability, 32), launch.options)
                    assert made.asm["cubin"]
                except Exception as error:  # whatever the compiler says
                    reason = " ".join(str(error).split())[-300:]
                    print(f"{launch} {low} sm_{capability}: {type(error).__name__} {reason}")  # noqa: T201


if __name__ == "__main__":
    assert isinstance(torch.zeros(1), Tensor)
    main()
