"""Batches made by a thread while the model works: the same training, and no thread after it."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import Session, start

from nmt_attn.data.encoded import EncodedCorpus, EncodedRows
from nmt_attn.training.events import UpdateEvent
from nmt_attn.training.trainer import UPDATES_AHEAD


def ahead(folder: Path | None = None, **keys: Any) -> Session:
    session = start(folder, updates=12, epochs=None, validate_updates=5, **keys)
    assert session.trainer.updates_ahead == 0  # on a CPU
    session.trainer.updates_ahead = UPDATES_AHEAD
    return session


def no_thread_is_left() -> bool:
    return all(thread.name != "prefetch" for thread in threading.enumerate())


def without_time(session: Session) -> list[UpdateEvent]:
    return [report._replace(seconds=0.0) for report in session.watcher.updates]


@pytest.mark.parametrize("batches", [1, 2])
def test_training_is_the_same_also_after_a_stop(batches: int, tmp_path: Path) -> None:
    plain = start(updates=12, epochs=None, validate_updates=5, accumulate_batches=batches)
    plain.run()
    first = ahead(tmp_path, accumulate_batches=batches)
    names = set()

    def stop(report: UpdateEvent) -> None:
        names.update(thread.name for thread in threading.enumerate())
        first.trainer.must_stop = report.update == 7

    first.watcher._on_update = stop
    assert not first.run().is_finished and no_thread_is_left()
    assert "prefetch" in names
    second = ahead(tmp_path, accumulate_batches=batches)
    assert second.run().is_finished and no_thread_is_left()
    assert without_time(first) + without_time(second) == without_time(plain)
    for name, weight in second.weights().items():
        assert torch.equal(weight, plain.weights()[name]), name


def test_an_unreadable_batch_ends_training_where_it_would_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    read, seen = EncodedCorpus.rows, []

    def rows(self: EncodedCorpus, indices: Any) -> EncodedRows:
        seen.append(threading.current_thread().name)
        if len(seen) == 3:
            raise OSError("disk gone")
        return read(self, indices)

    session = ahead()
    monkeypatch.setattr(EncodedCorpus, "rows", rows)
    with pytest.raises(OSError, match="disk gone"):
        session.run()
    assert len(session.watcher.updates) == 2
    assert set(seen) == {"prefetch"} and no_thread_is_left()


def test_ctrl_c_ends_the_thread() -> None:
    session = ahead()

    def interrupt(report: UpdateEvent) -> None:
        if report.update == 3:
            raise KeyboardInterrupt

    session.watcher._on_update = interrupt
    with pytest.raises(KeyboardInterrupt):
        session.run()
    assert no_thread_is_left()
