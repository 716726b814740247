"""tanh by the sigmoid: values and gradients of torch's own, in float32."""

import pytest
import torch

from nmt_attn.fast.attention import sigmoid_scores
from nmt_attn.fast.products import tanh, tanh_

NEAR = 4e-7  # four roundings of float32


def test_tanh_is_tanh_from_one_end_to_the_other() -> None:
    values = torch.tensor([-torch.inf, -90.0, -20.0, -3.0, -1e-3, 0.0, 1e-3, 0.5, 3.0, 20.0, 90.0, torch.inf])
    exact = torch.tanh(values.double())
    before = values.clone()
    for found in (tanh(values), tanh_(values.clone())):
        torch.testing.assert_close(found.double(), exact, rtol=0, atol=NEAR)
        assert found.abs().max() <= 1
    assert torch.equal(values, before), "only tanh_ writes"
    assert torch.tanh(torch.tensor(torch.nan)).isnan() and tanh(torch.tensor(torch.nan)).isnan()


@pytest.mark.parametrize("wants_gradient", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_score_is_v_times_tanh(dtype: torch.dtype, wants_gradient: bool) -> None:
    torch.manual_seed(1)
    parts = [torch.randn(2, 3, 1, 5), torch.randn(2, 1, 4, 5), torch.randn(5)]
    ours, theirs = (
        [part.to(kind, copy=True).requires_grad_(wants_gradient) for part in parts] for kind in (dtype, torch.float64)
    )
    queries, keys, vector = theirs
    exact = torch.tanh(queries + keys) @ vector
    found = sigmoid_scores(*ours)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=5 * 4 * NEAR)
    if wants_gradient:
        found.square().sum().backward()
        exact.square().sum().backward()
        for mine, torchs in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine.grad.double(), torchs.grad, rtol=1e-4, atol=1e-4)
