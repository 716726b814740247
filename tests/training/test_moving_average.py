"""The average of the weights, by hand, and that nothing but validation and what is kept sees it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_training import Session, start
from torch import nn

from nmt_attn.errors import CheckpointError
from nmt_attn.training.checkpoint import Progress, load_newest, save_checkpoint
from nmt_attn.training.moving_average import MovingAverage
from nmt_attn.training.optimizer import build_optimizer


class OneWeight(nn.Module):
    """A single number, shared by two names."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(value))
        self.shared = self.weight

    def put(self, value: float) -> None:
        with torch.no_grad():
            self.weight.fill_(value)


def averages(weights: list[float], decay: float) -> list[float]:
    """Of a weight that is the first of `weights`, then the next after each update."""
    model = OneWeight(weights[0])
    averaged, found = MovingAverage(model, decay), []
    for update, weight in enumerate(weights[1:], start=1):
        model.put(weight)
        averaged.update(update)
        found.append(averaged.values["weight"].item())
    return found


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        # d = 2/11, 3/12, 4/13: 9/11 of 11 is 9; 9 + 3/4 (1 - 9) = 3; 3 + 9/13 (16 - 3) = 12.
        (0.999, [9.0, 3.0, 12.0]),
        # The decay is reached with the second update: 9; 9 + 4/5 (1 - 9) = 2.6; 2.6 + 4/5 (16 - 2.6) = 13.32.
        (0.2, [9.0, 2.6, 13.32]),
    ],
)
def test_the_average_follows_the_weights(decay: float, expected: list[float]) -> None:
    assert averages([0.0, 11.0, 1.0, 16.0], decay) == pytest.approx(expected, rel=1e-6)


def test_the_decay_is_reached() -> None:
    # (1 + n) / (10 + n) = 1/2 at n = 8: with the first weight 1 and zeros from then on, each of the next is a half.
    found = averages([1.0, *[0.0] * 12], decay=0.5)
    assert found[-1] == pytest.approx(found[6] / 2**5, rel=1e-6)
    assert found[6] < found[5] / 2


def test_the_model_has_the_average_in_the_block_and_its_own_weights_after() -> None:
    model = OneWeight(0.0)
    averaged = MovingAverage(model, 0.9)
    model.put(11.0)
    averaged.update(1)
    with pytest.raises(KeyboardInterrupt), averaged.in_place():
        assert model.weight.item() == pytest.approx(9.0) and model.shared is model.weight
        raise KeyboardInterrupt
    assert model.weight.item() == 11.0
    assert list(averaged.values) == ["weight"]


def test_a_half_precise_model_is_averaged_in_float32() -> None:
    model = OneWeight(0.0).bfloat16()
    averaged = MovingAverage(model, 0.9)
    averaged.update(1)
    assert averaged.values["weight"].dtype == torch.float32


def test_training_goes_on_with_the_weights_themselves() -> None:
    plain = start(updates=7)
    plain.run()
    averaging = start(updates=7, ema=0.9)
    averaging.run()
    assert [report.loss for report in averaging.watcher.updates] == [report.loss for report in plain.watcher.updates]
    assert all(torch.equal(weight, plain.weights()[name]) for name, weight in averaging.weights().items())


def test_validation_and_the_best_see_the_average() -> None:
    session = start(updates=5, validate_updates=5, ema=0.9, keep_best=2)
    seen = []

    def remember(progress: Progress) -> None:
        seen.append(session.weights())

    session.watcher.best = session.watcher.kept = remember  # type: ignore[method-assign]
    session.run()
    averaged = session.trainer.averaged
    assert averaged is not None and len(seen) == 2
    for weights in seen:
        assert all(torch.equal(weights[name], value) for name, value in averaged.values.items())
    assert not torch.equal(seen[0]["output.bias"], session.weights()["output.bias"])
    session.trainer.model.eval()
    with averaged.in_place():
        assert session.watcher.validations[0].loss == session.trainer.validation_loss()
    assert session.watcher.validations[0].loss != session.trainer.validation_loss()


def spoil_second_gradient(session: Session) -> None:
    numbers = iter([False, True, False])
    session.trainer.model.output.weight.register_hook(lambda grad: grad / 0 if next(numbers) else grad)


def test_a_skipped_update_leaves_the_average_as_it_is() -> None:
    session = start(updates=3, ema=0.9)
    spoil_second_gradient(session)
    averaged, weights = session.trainer.averaged, [session.weights()["output.bias"]]
    assert averaged is not None
    session.watcher._on_update = lambda report: weights.append(session.weights()["output.bias"])
    session.run()
    # Updates 1 and 3 were made: they are the first and the second, with d = 2/11 and 3/12.
    first = weights[0] + 9 / 11 * (weights[1] - weights[0])
    torch.testing.assert_close(averaged.values["output.bias"], first + 3 / 4 * (weights[3] - first))


def test_a_checkpoint_without_the_average_is_refused(tmp_path: Path) -> None:
    session = start(updates=1)
    trainer, progress = session.trainer, replace(session.run())
    save_checkpoint(tmp_path, trainer.model, trainer.optimizer, progress, keep=2)
    optimizer = build_optimizer(trainer.model.parameters(), trainer.config)
    with pytest.raises(CheckpointError, match=r"update-000000001.*: expected \S+ of shape \[.*\], got None"):
        load_newest(tmp_path, trainer.model, optimizer, print, MovingAverage(trainer.model, 0.9))
