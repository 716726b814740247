"""What a run leaves behind: the log, the events, and the order in which they reach the disk."""

import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nmt_attn.config.schema import Config, RunConfig, TrainingConfig
from nmt_attn.errors import DataError
from nmt_attn.training import tensorboard as events_module
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.events import TextScore, UpdateEvent, ValidationEvent
from nmt_attn.training.recorder import RunRecorder, Saves
from nmt_attn.training.run_folder import RunFolder
from nmt_attn.training.tensorboard import Draw

SCORES = {"wer": TextScore("WER", 17.25, is_error=True), "exact": TextScore("exact", 82.75, is_error=False)}


def update_report(update: int, loss: float = 2.5) -> UpdateEvent:
    return UpdateEvent(
        update,
        epoch=2,
        loss=loss,
        gradient_norm=0.7,
        learning_rate=0.001,
        sentences=30,
        source_tokens=300,
        target_tokens=500,
        padding_share=0.1,
        seconds=0.5,
        share_done=update / 10,
        is_skipped=not math.isfinite(loss),
    )


def validation_report(update: int) -> ValidationEvent:
    return ValidationEvent(update, 2, 2.6, 2.4, scores=SCORES, seconds=63.0, is_best=True, misses=0)


def nothing(progress: Progress) -> None:
    """Saves nothing."""


class Run:
    """A run's folder and the recorder of one start of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = RunFolder(Config(run=RunConfig(name="r", dir=str(folder))))
        self.folder.path.mkdir(exist_ok=True)

    def recorder(
        self, update: int = 0, checkpoint: Callable[[Progress], None] = nothing, draw: Draw | None = None
    ) -> RunRecorder:
        return RunRecorder(
            self.folder, TrainingConfig(), Progress(update=update), Saves(nothing, nothing, checkpoint), draw
        )

    def updates(self) -> list[int]:
        """The updates in the log, every line of which is whole."""
        text = self.folder.log.read_text()
        assert text.endswith("\n") or not text
        return [json.loads(line)["update"] for line in text.split("\n")[:-1]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


# The log


def test_the_log_has_one_json_object_for_each_report(run: Run) -> None:
    with run.recorder() as recorder:
        recorder.updated(update_report(1))
        recorder.validated(validation_report(1))
    update, validation = (json.loads(line) for line in run.folder.log.read_text().split("\n")[:-1])
    assert update == {"kind": "update", **update_report(1)._asdict()}
    fields = {name: value for name, value in validation_report(1)._asdict().items() if name != "scores"}
    assert validation == {"kind": "validation", **fields, "wer": 17.25, "exact": 82.75}


def test_a_number_that_is_not_finite_is_null(run: Run) -> None:
    with run.recorder() as recorder:
        recorder.updated(update_report(1, loss=math.nan))
    text = run.folder.log.read_text()
    assert json.loads(text)["loss"] is None and json.loads(text)["is_skipped"] is True
    assert "NaN" not in text


def test_each_line_can_be_read_at_once(run: Run) -> None:
    with run.recorder() as recorder:
        recorder.updated(update_report(1))
        assert run.updates() == [1]


@pytest.mark.parametrize("half", ["", '{"kind": "update", "upda', '{"kind": "update", "update": 5', "\x00\x00", "17"])
def test_the_log_goes_on_after_the_checkpoints_update(half: str, run: Run) -> None:
    with run.recorder() as recorder:
        for update in (1, 2, 3, 4, 5):
            recorder.updated(update_report(update))
    with run.folder.log.open("a") as stream:
        stream.write(half)  # a line that a crash has cut short
    with run.recorder(update=3) as recorder:
        recorder.updated(update_report(4))
    assert run.updates() == [1, 2, 3, 4]


def test_a_last_line_without_its_end_is_kept_and_ended(run: Run) -> None:
    with run.recorder() as recorder:
        recorder.updated(update_report(1))
        recorder.updated(update_report(2))
    run.folder.log.write_text(run.folder.log.read_text()[:-1])
    with run.recorder(update=2) as recorder:
        recorder.updated(update_report(3))
    assert run.updates() == [1, 2, 3]


def test_a_validation_at_the_checkpoints_update_stays(run: Run) -> None:
    with run.recorder() as recorder:
        recorder.updated(update_report(2))
        recorder.validated(validation_report(2))
    with run.recorder(update=2):
        pass
    assert run.updates() == [2, 2]


def test_the_log_is_on_the_disk_before_the_checkpoint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append("log"))
    with run.recorder(checkpoint=lambda progress: order.append(f"checkpoint {progress.update}")) as recorder:
        recorder.checkpoint(Progress(update=3))
    assert order == ["log", "checkpoint 3"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, which plays a full disk, is missing")
def test_a_full_disk_is_said_in_words(run: Run) -> None:
    recorder = run.recorder()
    with Path("/dev/full").open("w") as full:
        os.dup2(full.fileno(), recorder._log.fileno())
    with pytest.raises(DataError, match=r"log.jsonl: expected a place .*, got no space left on device"), recorder:
        recorder.updated(update_report(1))


# The events


def read_events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reader = accumulator.EventAccumulator(str(folder))
    reader.Reload()
    return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def test_tensorboard_shows_the_figures(run: Run) -> None:
    with run.recorder() as recorder:
        recorder.updated(update_report(1))
        recorder.validated(validation_report(1))
    found = read_events(run.folder.events)
    assert found["training/loss"] == [(1, 2.5)]
    assert found["training/gradient_norm"] == [(1, pytest.approx(0.7))]
    assert found["training/learning_rate"] == [(1, pytest.approx(0.001))]
    assert found["training/source_tokens_per_second"] == [(1, 600.0)]
    assert found["training/target_tokens_per_second"] == [(1, 1000.0)]
    assert found["training/padding_share"] == [(1, pytest.approx(0.1))]
    assert found["validation/loss"] == [(1, pytest.approx(2.4))]
    assert found["validation/wer"] == [(1, 17.25)]
    assert found["validation/exact"] == [(1, 82.75)]


def test_tensorboard_shows_a_picture_of_each_validation(run: Run) -> None:
    image = pytest.importorskip("PIL.Image")
    pictures = iter([np.zeros((2, 3, 3)), np.ones((2, 3, 3))])
    with run.recorder(draw=pictures.__next__) as recorder:
        recorder.updated(update_report(1))
        recorder.validated(validation_report(5))
        recorder.validated(validation_report(10))
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reader = accumulator.EventAccumulator(str(run.folder.events))
    reader.Reload()
    shown = reader.Images("validation/alignment")
    assert [(each.step, each.height, each.width) for each in shown] == [(5, 2, 3), (10, 2, 3)]
    levels = [np.asarray(image.open(io.BytesIO(each.encoded_image_string))) for each in shown]
    assert [np.unique(level).tolist() for level in levels] == [[0], [255]]


def test_tensorboard_forgets_updates_that_are_made_again(run: Run) -> None:
    for first in (1, 3):
        with run.recorder(update=first - 1) as recorder:
            for update in range(first, 5):
                recorder.updated(update_report(update, loss=float(first)))
    assert read_events(run.folder.events)["training/loss"] == [(1, 1.0), (2, 1.0), (3, 3.0), (4, 3.0)]


def test_without_tensorboard_nothing_is_missed(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(events_module, "find_spec", lambda name: None)
    with run.recorder(draw=lambda: pytest.fail("nobody would see it")) as recorder:
        recorder.updated(update_report(1))
        recorder.validated(validation_report(1))
        recorder.checkpoint(Progress(update=1))
    assert not run.folder.events.exists()
    assert "tensorboard" not in capsys.readouterr().err.lower()
