"""`training.accumulate_batches`: several batches make one update, as if they were one batch.

An epoch of the tiny corpus has EPOCH = 5 batches: with 2 to an update, 3 updates, the last of one batch.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import EPOCH, Session, start
from torch import nn

from nmt_attn.data.batching import Plan, batches, total_sizes

BOTH = {"accumulate_batches": 2}


def without_dropout(session: Session) -> Session:
    """Masks are of one batch's shape, so those of a joined batch are others."""
    model = session.trainer.model
    model.train = lambda mode=True: nn.Module.train(model, False)  # type: ignore[method-assign]
    return session


def joined(session: Session) -> Session:
    """The same, with each two batches as one."""
    plan = session.trainer.plan

    def in_twos(epoch: int) -> Plan:
        whole = plan(epoch)
        return [np.concatenate(whole[first : first + 2]) for first in range(0, len(whole), 2)]

    session.trainer.plan = in_twos  # type: ignore[method-assign]
    return session


@pytest.mark.parametrize("loss_per", ["token", "sentence"])
@pytest.mark.parametrize("clip_norm", [0.05, None])
def test_two_batches_are_one_update_on_both(loss_per: str, clip_norm: float | None) -> None:
    keys = {"epochs": 2, "loss_per": loss_per, "clip_norm": clip_norm, "optimizer": "sgd", "learning_rate": 0.1}
    added = without_dropout(start(**keys, **BOTH))
    together = without_dropout(joined(start(**keys)))
    before = added.weights()
    for session in (added, together):
        session.run()
    torch.testing.assert_close(added.weights(), together.weights(), rtol=1e-5, atol=1e-6)
    assert not all(torch.allclose(before[name], weight, atol=1e-3) for name, weight in added.weights().items())
    for found, expected in zip(added.watcher.updates, together.watcher.updates, strict=True):
        assert found.loss == pytest.approx(expected.loss, rel=1e-6)
        assert found.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-5)
        assert found.target_tokens == expected.target_tokens


def test_a_mean_of_means_would_be_something_else() -> None:
    """Else the test above could not fail: in each epoch, batches of one update differ in tokens and in sentences."""
    trainer = start().trainer
    for epoch in (1, 2):
        groups = trainer.plan(epoch)[:2], trainer.plan(epoch)[2:4]
        sizes = [[total_sizes([batch]) for batch in batches(trainer.train_corpus, group)] for group in groups]
        assert any(one.target_tokens != other.target_tokens for one, other in sizes)
        assert any(one.sentences != other.sentences for one, other in sizes)


def test_updates_count_and_the_last_of_an_epoch_has_what_is_left() -> None:
    session = start(epochs=2, **BOTH)
    progress = session.run()
    updates = session.watcher.updates
    assert (progress.update, progress.epoch, progress.batch) == (6, 3, 0)
    assert [report.epoch for report in updates] == [1, 1, 1, 2, 2, 2]
    assert [report.share_done for report in updates] == pytest.approx([0.2, 0.4, 0.5, 0.7, 0.9, 1.0])
    assert [report.update for report in session.watcher.validations] == [3, 6]
    assert sum(report.sentences for report in updates[:3]) == len(session.trainer.train_corpus)
    assert session.trainer.epoch_updates == 3


def test_more_than_an_epoch_is_the_epoch() -> None:
    session = start(epochs=2, accumulate_batches=EPOCH + 2)
    assert session.run().update == 2
    assert [report.sentences for report in session.watcher.updates] == [20, 20]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_stop_in_the_middle_of_an_epoch_changes_nothing(dtype: torch.dtype, tmp_path: Path) -> None:
    whole = start(updates=8, dtype=dtype, **BOTH)
    whole.run()
    first = start(tmp_path, updates=8, dtype=dtype, **BOTH)
    first.watcher._on_update = lambda report: setattr(first.trainer, "must_stop", report.update == 5)
    stopped = first.run()
    assert (stopped.epoch, stopped.batch, stopped.update_batches) == (2, 4, 2)
    torch.manual_seed(99)
    second = start(tmp_path, updates=8, dtype=dtype, **BOTH)
    second.run()
    for name, weight in second.weights().items():
        assert torch.equal(weight, whole.weights()[name]), name
    losses = [report.loss for session in (first, second) for report in session.watcher.updates]
    assert losses == [report.loss for report in whole.watcher.updates]


@pytest.mark.parametrize("bad", [3, 4])
def test_one_bad_batch_skips_the_whole_update(bad: int) -> None:
    session = start(updates=3, **BOTH)
    calls = iter(range(1, 7))
    session.trainer.model.output.weight.register_hook(lambda grad: grad / 0 if next(calls) == bad else grad)
    seen = []
    session.watcher._on_update = lambda report: seen.append(session.weights())
    progress = session.run()
    assert [report.is_skipped for report in session.watcher.updates] == [False, True, False]
    assert all(torch.equal(seen[1][name], seen[0][name]) for name in seen[0])
    assert not torch.equal(seen[2]["output.weight"], seen[1]["output.weight"])
    assert (progress.skipped, progress.update) == (1, 3)
    assert all(math.isfinite(weight.sum()) for weight in session.weights().values())
