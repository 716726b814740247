"""Products by the fast path equal torch's own, and so do their gradients."""

import pytest
import torch

from nmt_attn.fast import products
from nmt_attn.fast.products import Factor, linear, matmul, over_rows, product_dtype
from nmt_attn.runtime import autocast

CPU = torch.device("cpu")


@pytest.fixture(params=[True, False], ids=["onednn", "torch"], autouse=True)
def _path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not products.HAS_ONEDNN:
        pytest.skip("this build of torch has no oneDNN for x86")
    monkeypatch.setattr(products, "HAS_ONEDNN", request.param)
    torch.manual_seed(1)


def test_a_product_of_views_and_of_nothing() -> None:
    left, right = torch.randn(7, 3).T, torch.randn(11, 5)[2:9].T[1:].T  # strides of both are not their own
    torch.testing.assert_close(matmul(left, right), (left.double() @ right.double()).float())
    assert matmul(torch.ones(3, 0), torch.ones(0, 2)).eq(0).all()


@pytest.mark.parametrize("columns", [(9, 4), (4, 9), (4, 4)])
def test_a_product_over_rows_is_that_of_the_transpose_whichever_is_wider(columns: tuple[int, int]) -> None:
    left, right = (torch.randn(6, size) for size in columns)
    torch.testing.assert_close(over_rows(left, right), (left.double().T @ right.double()).float())


@pytest.mark.parametrize("use_bias", [False, True])
def test_a_linear_map_and_its_gradients_are_torchs(use_bias: bool) -> None:
    inputs = torch.randn(2, 5, 3, requires_grad=True)
    weight = torch.randn(7, 3, requires_grad=True)
    bias = torch.randn(7, requires_grad=True) if use_bias else None
    leaves = [leaf for leaf in (inputs, weight, bias) if leaf is not None]
    outputs = [linear(inputs, weight, bias), torch.nn.functional.linear(inputs, weight, bias)]
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*(torch.autograd.grad((output**3).sum(), leaves) for output in outputs))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_factor_multiplies_forward_back_and_by_steps(dtype: torch.dtype) -> None:
    given = torch.float64 if dtype == torch.float64 else torch.float32
    weight, inputs, slopes = (torch.randn(*size, dtype=given) for size in ((7, 5), (3, 2, 5), (3, 2, 7)))
    factor, total = Factor(weight, dtype), torch.ones(2, 7, dtype=given)
    near = {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {}  # 8 bits; sums of 7 products at most
    torch.testing.assert_close(factor.times(inputs[0]).to(given), inputs[0] @ weight.T, **near)
    torch.testing.assert_close(factor.back(slopes[0]), slopes[0] @ weight, **near)
    torch.testing.assert_close(factor.times(inputs[1]).to(given), inputs[1] @ weight.T, **near)  # laid out by now
    torch.testing.assert_close(factor.add_to(total, inputs[0]), 1 + inputs[0] @ weight.T, **near)
    assert total.ne(1).all()
    expected = torch.einsum("tbo,tbi->oi", slopes, inputs)
    torch.testing.assert_close(factor.gradient(slopes, inputs), expected, **near)


def test_autocast_chooses_the_number_format_of_loops_but_never_for_float64() -> None:
    assert product_dtype(torch.ones(1)) == product_dtype(torch.ones(1).bfloat16()) == torch.float32
    with autocast(CPU, torch.bfloat16):
        assert product_dtype(torch.ones(1)) == torch.bfloat16
        assert product_dtype(torch.ones(1).double()) == torch.float64
        assert linear(torch.ones(2, 3), torch.ones(5, 3), None).dtype == torch.bfloat16


def test_what_onednn_gets_lies_without_gaps() -> None:
    whole = torch.randn(7, 11)
    for matrix in (whole, whole.T):
        assert products._dense(matrix) is matrix
    for part in (whole[:, 2:5], whole[:, 2:5].T):
        assert products._dense(part).is_contiguous()
    assert Factor(whole[:, 2:5], torch.float32).weight.is_contiguous()
