"""The gradient of an update: the mean over processes, which torch takes, is the gradient of one process with all."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from tiny_training import start
from torch import Tensor, nn

from nmt_attn.processes import Processes
from nmt_attn.training.gradient import Gradients
from nmt_attn.training.trainer import Trainer


class Pretended(Processes):
    """One of several, which knows beforehand what the sizes of an update add up to."""

    def __init__(self, rank: int, count: int, sizes: Sequence[float]) -> None:
        super().__init__(rank, count)
        self.sums = iter([list(sizes)])

    def sum(self, values: Sequence[float]) -> list[float]:
        return next(self.sums, list(values))

    def parallel(self, module: nn.Module, *, some_idle: bool) -> nn.Module:
        return module

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()


def gradients_of(trainer: Trainer, processes: Processes, batches: int, loss_per: str) -> dict[str, Tensor]:
    """Of the first N batches as one update; a weight that takes no part has 0."""
    trainer.optimizer.zero_grad()
    made = Gradients(trainer._objective, trainer.train_corpus, processes, seed=1, loss_per=loss_per, clip_norm=None)
    made.make(made.load(trainer.plan(1)[:batches], 1), trainer.progress)
    weights = trainer.model.named_parameters()
    return {name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone() for name, weight in weights}


@pytest.mark.parametrize("loss_per", ["token", "sentence"])
@pytest.mark.parametrize(("count", "batches"), [(2, 4), (2, 3), (2, 1), (3, 5)])
def test_processes_make_the_gradient_of_one(count: int, batches: int, loss_per: str) -> None:
    trainer = start().trainer  # with dropout, whose masks follow from the position
    whole = gradients_of(trainer, Processes(), batches, loss_per)
    sizes = Gradients(trainer._objective, trainer.train_corpus, Processes(), seed=1, loss_per=loss_per, clip_norm=None)
    total = sizes.make(sizes.load(trainer.plan(1)[:batches], 1), trainer.progress).sizes
    shares = [gradients_of(trainer, Pretended(rank, count, total), batches, loss_per) for rank in range(count)]
    for name, expected in whole.items():
        mean = sum(share[name] for share in shares) / count
        torch.testing.assert_close(mean, expected, rtol=1e-5, atol=1e-6)
    assert any(weight.abs().max() > 1e-3 for weight in whole.values())


def test_a_process_without_a_batch_has_no_gradient() -> None:
    trainer = start().trainer
    gradients = gradients_of(trainer, Pretended(1, 2, (3, 9, 9, 18)), 1, "token")
    assert all(gradient.eq(0).all() for gradient in gradients.values())
