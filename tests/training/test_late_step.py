"""The end of an update without a sync: what clipping and optimizer do, recorded or not."""

from typing import Any

import pytest
import torch
from recorders import Repeating
from torch import nn
from torch.nn.utils import clip_grad_norm_

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.fast.graphs import Replay
from nmt_attn.training.late_step import LateStep, skips_by_itself
from nmt_attn.training.optimizer import OPTIMIZERS, build_optimizer

CPU = torch.device("cpu")
RATES = [0.1, 0.02, 0.3]
FUSED = ["adam", "adamw", "sgd"]


class Failing(Repeating):
    """Cannot record."""

    def record(self, work: Any) -> Replay:
        work()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")


def weights_and_gradients(seed: int = 1) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    weights = [nn.Parameter(torch.randn(size, generator=generator)) for size in ((2, 3), (5,))]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    return weights


def fill(weights: list[nn.Parameter], update: int) -> None:
    generator = torch.Generator().manual_seed(update)
    for weight in weights:
        assert weight.grad is not None
        weight.grad.copy_(torch.randn(weight.shape, generator=generator))


def test_the_fused_optimizers_skip_by_themselves() -> None:
    weights = [nn.Parameter(torch.zeros(1))]
    kinds = {name: build_optimizer(weights, TrainingConfig(optimizer=name)) for name in OPTIMIZERS}
    assert [name for name, optimizer in sorted(kinds.items()) if skips_by_itself(optimizer)] == FUSED


@pytest.mark.parametrize("recorder", [None, Repeating(CPU), Failing(CPU)], ids=["plain", "recorded", "failing"])
@pytest.mark.parametrize("name", FUSED)
def test_it_is_clipping_and_a_step(name: str, recorder: Repeating | None) -> None:
    config = TrainingConfig(optimizer=name, weight_decay=0.1)
    ours, theirs = weights_and_gradients(), weights_and_gradients()
    late = LateStep(ours, build_optimizer(ours, config), 0.5, 2, recorder)
    plain = build_optimizer(theirs, config)
    for update, rate in enumerate(RATES):
        fill(ours, update)
        fill(theirs, update)
        sums = torch.tensor([1.5, update], dtype=torch.float64)
        if update == 0 and isinstance(recorder, Failing):
            with pytest.warns(UserWarning, match=r"^optimizer steps go on without a CUDA graph, .* \(operation not"):
                numbers = late.do(sums, rate)
        else:
            numbers = late.do(sums, rate)
        norm = clip_grad_norm_(theirs, 0.5)
        plain.param_groups[0]["lr"] = rate
        plain.step()
        assert numbers.tolist() == pytest.approx([1.5, update, float(norm)])
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)  # its rate is in float32


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("place", ["gradient", "loss"])
def test_a_bad_update_changes_nothing(place: str, bad: float) -> None:
    weights = weights_and_gradients()
    optimizer = build_optimizer(weights, TrainingConfig())
    late = LateStep(weights, optimizer, 0.5, 1, Repeating(CPU))
    fill(weights, 1)
    late.do(torch.ones(1, dtype=torch.float64), 0.1)
    before = [weight.detach().clone() for weight in weights]
    moments = [{key: value.clone() for key, value in optimizer.state[weight].items()} for weight in weights]
    fill(weights, 2)
    if place == "gradient":
        assert weights[0].grad is not None
        weights[0].grad[1, 1] = bad
    numbers = late.do(torch.full((1,), bad if place == "loss" else 1.0, dtype=torch.float64), 0.1)
    assert not numbers.isfinite().all()
    for weight, old, old_moments in zip(weights, before, moments, strict=True):
        assert torch.equal(weight, old)
        for key, value in optimizer.state[weight].items():
            assert torch.equal(value, old_moments[key]), key
