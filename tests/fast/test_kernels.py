"""Every kernel against its definition in float64; on a CPU Triton interprets it. Skipped without Triton."""

from typing import Any

import interpreted  # noqa: F401, before the kernels
import pytest
import torch
from kernel_operands import CASES, LOW, Made, best_words
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


def test_what_does_not_fit_into_a_kernel_is_done_by_the_definition() -> None:
    long = moved(CASES["attend, dot"][1](Made(torch.float32)))
    for place in (4, 6, 7):  # keys, states, mask
        long[place] = torch.cat([long[place]] * 49, dim=1)  # of 49 x 21 positions
    long[0] = torch.zeros(len(long[0]), 1029, device=DEVICE)
    said = r"^attend runs as several operations on .*: expected at most 1024 source positions, got 1029$"
    with pytest.warns(UserWarning, match=said):
        assert not operation.run_kernel("attend", steps.attend, tuple(long), lambda name: getattr(kernels, name))
    wide = moved(beam_operands(33))
    with pytest.warns(UserWarning, match=r"^best_words .*: expected a beam of at most 32, got 33$"):
        assert not operation.run_kernel(
            "best_words", beam_steps.best_words, tuple(wide), lambda name: getattr(kernels, name)
        )
    short = moved(CASES["attend, dot"][1](Made(torch.float32)))
    assert operation.run_kernel("attend", steps.attend, tuple(short), lambda name: getattr(kernels, name))


def beam_operands(beam: int) -> list[Any]:
    return best_words(Made(torch.float32), words=2311, count=beam)


def _failing(name: str) -> Any:
    raise RuntimeError("no compiler\n at all")


def _wrong(name: str) -> Any:
    def kernel(*operands: Any) -> None:
        steps.cho_step(*operands)
        operands[5][1, 2] += 0.5

    return kernel
