"""Every kernel against its definition in float64; on a CPU Triton interprets it. Skipped without Triton."""

from typing import Any

import interpreted  # noqa: F401, before the kernels
import pytest
import torch
from kernel_operands import CASES, LOW, Made
from torch import Tensor

from nmt_attn.fast.gpu import beam_steps, kernels, operation, steps

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ROUNDING = {torch.float64: 0.0, torch.float32: 0.0, torch.bfloat16: 2**-7, torch.float16: 2**-10}
"""The distance between two numbers of the format, as a share of them: Triton's interpreter cuts, a GPU rounds."""


def moved(operands: list[Any], dtype: torch.dtype | None = None) -> list[Any]:
    """Copies on the device, numbers in `dtype`; rows keep their gaps."""
    return [_moved(each, dtype) if isinstance(each, Tensor) else each for each in operands]


def _moved(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=wanted, device=DEVICE if dtype is None else "cpu")
    return made.copy_(tensor)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("low", LOW, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_on_a_gpu_a_kernel_gives_what_its_definition_gives(name: str, low: torch.dtype) -> None:
    check(name, low)


@pytest.mark.skipif(torch.cuda.is_available(), reason="runs as a test of the GPU")
@pytest.mark.parametrize("low", LOW, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_a_kernel_gives_what_its_definition_gives(name: str, low: torch.dtype) -> None:
    check(name, low)


def definition(name: str) -> Any:
    return getattr(steps if hasattr(steps, name) else beam_steps, name)


def check(name: str, low: torch.dtype) -> None:
    operation_name, make = CASES[name]
    operands = make(Made(low))
    found, expected = moved(operands), moved(operands, torch.float64)
    getattr(kernels, operation_name)(*found)
    definition(operation_name)(*expected)
    written = 0
    for before, wanted, got in zip(operands, expected, found, strict=True):
        if not isinstance(wanted, Tensor):
            continue
        if not wanted.is_floating_point():
            assert torch.equal(got.cpu(), wanted)
            continue
        is_new = wanted != before.double()
        written += int(is_new.any())
        atol = 2e-5 * float(wanted.abs().max())
        torch.testing.assert_close(got.cpu().double(), wanted, rtol=1e-5 + ROUNDING[got.dtype], atol=atol)
    assert written


def test_a_kernel_that_fails_is_left_out_with_a_warning() -> None:
    operands = moved(CASES["cho_step"][1](Made(torch.float32)))
    with pytest.warns(
        UserWarning, match=r"^cho_step runs as several operations on .* \(RuntimeError: no compiler at all"
    ):
        assert not operation.compare("cho_step", steps.cho_step, _failing, tuple(operands))
    with pytest.warns(UserWarning, match=r"\(operand 5 is off by 0\.\d+ where the largest number is "):
        assert not operation.compare("cho_step", steps.cho_step, _wrong, tuple(operands))
    assert operation.compare("cho_step", steps.cho_step, lambda name: getattr(kernels, name), tuple(operands))


def _failing(name: str) -> Any:
    raise RuntimeError("no compiler\n at all")


def _wrong(name: str) -> Any:
    def kernel(*operands: Any) -> None:
        steps.cho_step(*operands)
        operands[5][1, 2] += 0.5

    return kernel
