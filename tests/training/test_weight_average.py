"""The mean of weights, by hand."""

import pytest
import torch

from nmt_attn.training.moving_average import mean_weights


def test_each_weight_is_the_mean_of_its_own() -> None:
    first = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3.0]])}
    second = {"a": torch.tensor([2.0, -2.0]), "b": torch.tensor([[5.0]])}
    third = {"a": torch.tensor([6.0, 3.0]), "b": torch.tensor([[7.0]])}
    found = mean_weights(iter([first, second, third]))
    assert {name: value.tolist() for name, value in found.items()} == {"a": [3.0, 1.0], "b": [[5.0]]}
    assert first["a"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10])
def test_the_mean_of_equals_is_each_of_them_bit_for_bit(count: int) -> None:
    weights = {"a": torch.randn(1000, generator=torch.Generator().manual_seed(1))}
    assert torch.equal(mean_weights([weights] * count)["a"], weights["a"])


def test_sums_are_of_float64() -> None:
    # In float32, 1 is lost beside 2^25, as a number has 24 binary digits there.
    large = {"a": torch.tensor(2.0**25)}
    found = mean_weights([large, {"a": torch.tensor(1.0)}, {"a": torch.tensor(-(2.0**25))}, {"a": torch.tensor(3.0)}])
    assert found["a"].item() == 1.0 and found["a"].dtype == torch.float32


def test_weights_that_want_gradients_are_taken_as_numbers() -> None:
    found = mean_weights([{"a": torch.nn.Parameter(torch.ones(2))}])
    assert not found["a"].requires_grad
