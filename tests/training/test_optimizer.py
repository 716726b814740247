"""Every optimizer's first update of one parameter, by hand: parameter 2, gradient 0.5, learning rate 0.1."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.training.optimizer import OPTIMIZERS, build_optimizer


def updated(name: str, gradients: tuple[float, ...] = (0.5,), **keys: Any) -> float:
    parameter = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    optimizer = build_optimizer([parameter], TrainingConfig(optimizer=name, learning_rate=0.1, **keys))
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    return parameter.item()


FIRST = {
    "sgd": 2 - 0.1 * 0.5,
    # Both moments, corrected for their start, are the gradient and its square: a step of 0.1 x g / |g|.
    "adam": 2 - 0.1,
    "adamw": 2 - 0.1,
    # The sum of squares is 0.25: a step of 0.1 x 0.5 / sqrt(0.25).
    "adagrad": 2 - 0.1,
    # E[g^2] = 0.05 x 0.25 = 0.0125, E[x^2] = 0: a step of 0.1 x sqrt(0 + e) / sqrt(0.0125 + e) x 0.5 with e = 1e-6.
    "adadelta": 2 - 0.1 * math.sqrt(1e-6) / math.sqrt(0.0125 + 1e-6) * 0.5,
}

WITH_DECAY = {  # 0.2: the gradient becomes 0.5 + 0.2 x 2 = 0.9
    "sgd": 2 - 0.1 * 0.9,
    "adam": 2 - 0.1,  # the size of a single gradient is lost on it
    "adamw": 2 * (1 - 0.1 * 0.2) - 0.1,  # beside the gradient, not in it
    "adagrad": 2 - 0.1,
    "adadelta": 2 - 0.1 * math.sqrt(1e-6) / math.sqrt(0.05 * 0.81 + 1e-6) * 0.9,
}

WITH_EPSILON = {  # 1.5
    "adam": 2 - 0.1 * 0.5 / (0.5 + 1.5),
    "adamw": 2 - 0.1 * 0.5 / (0.5 + 1.5),
    "adagrad": 2 - 0.1 * 0.5 / (0.5 + 1.5),
    "adadelta": 2 - 0.1 * math.sqrt(1.5) / math.sqrt(0.0125 + 1.5) * 0.5,
}


def test_every_optimizer_has_its_numbers() -> None:
    assert FIRST.keys() == WITH_DECAY.keys() == WITH_EPSILON.keys() | {"sgd"} == OPTIMIZERS.keys()


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_first_update(name: str) -> None:
    assert updated(name) == pytest.approx(FIRST[name], rel=1e-7)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_first_update_with_weight_decay(name: str) -> None:
    assert updated(name, weight_decay=0.2) == pytest.approx(WITH_DECAY[name], rel=1e-7)


@pytest.mark.parametrize("name", sorted(WITH_EPSILON))
def test_first_update_with_epsilon(name: str) -> None:
    assert updated(name, epsilon=1.5) == pytest.approx(WITH_EPSILON[name], rel=1e-7)


@pytest.mark.parametrize(("name", "plain"), [("sgd", SGD), ("adam", Adam), ("adamw", AdamW)])
def test_one_kernel_for_all_weights_is_torchs_loop_over_them(name: str, plain: type[Optimizer]) -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = ([nn.Parameter(torch.linspace(-1, 1, 7 * size).view(7, size)) for size in (2, 3, 5)] for _ in "ab")
    fused = build_optimizer(ours, TrainingConfig(optimizer=name, learning_rate=0.1, weight_decay=0.01))
    looped = plain(theirs, lr=0.1, weight_decay=0.01, foreach=False)
    assert fused.defaults["fused"] and not looped.defaults["fused"]
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = other.grad = torch.randn(mine.shape, generator=generator)
        fused.step()
        looped.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0 if name == "sgd" else 1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_betas_are_the_decay_of_the_moments(name: str) -> None:
    # Gradients 0.5 and 1 with betas 1/2 and 3/4. First moment: 1/2 x 0.5 + 1/2 x ... = 0.25, then 0.625, corrected by
    # 1 - 1/4. Second: 0.0625, then 0.75 x 0.0625 + 0.25 = 0.296875, corrected by 1 - 9/16.
    second = 0.1 * (0.625 / 0.75) / math.sqrt(0.296875 / 0.4375)
    assert updated(name, (0.5, 1.0), betas=(0.5, 0.75)) == pytest.approx(2 - 0.1 - second, rel=1e-7)


def test_rho_is_the_decay_of_the_averages() -> None:
    # rho 3/4: E[g^2] = 0.25 x 0.25.
    expected = 2 - 0.1 * math.sqrt(1e-6) / math.sqrt(0.0625 + 1e-6) * 0.5
    assert updated("adadelta", rho=0.75) == pytest.approx(expected, rel=1e-7)
