"""`torchrun ... -m nmt_attn train`: two real processes over gloo are one process with twice the batches to an update.

Torchrun gives its workers sessions of their own; they are told from others by their parent.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_train_command import Place, place_in

ROOT = Path(__file__).parents[2]
SECONDS = 300
TINY = """
run: {name: r, precision: fp32, device: cpu}
data: {train: {limit: 60}, valid: {limit: 5}}
model:
  encoder: {hidden: 8, embedding: 4}
  decoder: {hidden: 6, embedding: 5}
training: {batch_tokens: 90, updates: 24, validate_updates: 10, checkpoint_updates: 4, schedule: cosine, ema: 0.9}
"""
BOTH = "training.accumulate_batches=2"

pytestmark = pytest.mark.slow


def place_with(folder: Path) -> Place:
    place = place_in(folder)
    place.config.write_text(TINY)
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_with(tmp_path)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run of one process with two batches to an update."""
    place = place_with(tmp_path_factory.mktemp("alone"))
    place.train(BOTH)
    return place


def start(place: Place, *overrides: str, options: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *options]
    command = [*torchrun, "-m", "nmt_attn", *place.command(*overrides)[3:]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> str:
    """What it said, when it has ended."""
    try:
        return process.communicate(timeout=SECONDS)[1]
    finally:
        process.kill()


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def workers(process: "subprocess.Popen[str]") -> list[int]:
    """Process numbers of the two, the first's first."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(int(child) for child in children)


def has_updates(place: Place, number: int) -> Callable[[], bool]:
    log = place.run / "log.jsonl"
    return lambda: log.is_file() and log.read_text().count('"kind": "update"') >= number


def largest_difference(place: Place, other: Place) -> float:
    found, expected = place.state(), other.state()
    assert found.keys() == expected.keys()
    return max((found[name].double() - expected[name].double()).abs().max().item() for name in expected)


def assert_same_curve(place: Place, alone: Place) -> None:
    """The same lines; losses, norms and weights up to the rounding of sums in another order."""
    for found, expected in zip(place.log(), alone.log(), strict=True):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert found[key] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), (key, found)
    assert largest_difference(place, alone) < 1e-5


def test_two_processes_are_one_with_twice_the_batches(place: Place, alone: Place) -> None:
    process = start(place)
    said = finish(process)
    assert process.returncode == 0, said
    assert_same_curve(place, alone)
    assert len(re.findall(r"parameters on cpu in 2 processes", said)) == 1  # only the first speaks
    assert len(re.findall(r"update 24, epoch", said)) == 1
    assert "Warning" not in said.replace("OMP_NUM_THREADS", "")
    assert list(place.run.rglob("*.tmp")) == []
    assert len(list((place.run / "events").iterdir())) == 1


def test_what_two_have_begun_one_goes_on_with_and_back(place: Place, alone: Place) -> None:
    assert "stopped" not in finish(start(place, "training.updates=9", "training.schedule=constant"))
    place.train(BOTH, "training.updates=17", "training.schedule=constant")
    said = finish(start(place, "training.updates=24", "training.schedule=constant"))
    assert "going on after update 17 " in said
    whole = place_with(place.folder / "whole")
    whole.train(BOTH, "training.schedule=constant")
    assert [line for line in place.log() if line["kind"] == "update"] == [
        {key: pytest.approx(value, rel=1e-5) if isinstance(value, float) else value for key, value in line.items()}
        for line in whole.log()
        if line["kind"] == "update"
    ]


def test_another_number_of_processes_is_refused(place: Place) -> None:
    place.train("training.updates=3")
    process = start(place, "training.updates=6")
    said = finish(process)
    assert process.returncode != 0
    assert "expected 1 batches to an update, over all processes, as the run was begun with, got 2 processes" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_all_after_the_same_update(number: signal.Signals, place: Place) -> None:
    many = "training.updates=100000", "training.schedule=constant"
    process = start(place, *many)
    wait_for(has_updates(place, 5), process)
    process.send_signal(number)
    said = finish(process)
    done = place.log()[-1]["update"]
    assert f"stopped after update {done:,}, saved; the same command goes on from there" in said
    assert said.count("finishing the update and saving") == 1
    assert place.checkpoints()[-1].name == f"update-{done:09d}.safetensors"
    assert "Terminated" not in said


def test_a_signal_to_one_stops_all(place: Place) -> None:
    process = start(place, "training.updates=100000", "training.schedule=constant")
    wait_for(has_updates(place, 5), process)
    os.kill(workers(process)[1], signal.SIGTERM)
    said = finish(process)
    assert f"stopped after update {place.log()[-1]['update']:,}, saved" in said


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_is_started_again_from_the_last_checkpoint(victim: int, place: Place, alone: Place) -> None:
    process = start(place, options=("--max-restarts", "3"))
    wait_for(has_updates(place, 10), process)
    os.kill(workers(process)[victim], signal.SIGKILL)
    said = finish(process)
    assert process.returncode == 0, said
    assert re.search(r"going on after update (8|12|16|20) ", said)
    assert_same_curve(place, alone)


def test_without_restarts_the_others_end_soon(place: Place) -> None:
    process = start(place, "training.updates=100000", "training.schedule=constant")
    wait_for(has_updates(place, 5), process)
    killed = time.monotonic()
    os.kill(workers(process)[1], signal.SIGKILL)
    said = finish(process)
    assert time.monotonic() - killed < 30
    assert process.returncode != 0
    assert "process 0 of 2: expected the others to go on, got one that has ended" in said or "SIGTERM" in said


def test_a_mistake_ends_all_soon(place: Place) -> None:
    process = start(place, "data.train={source: none, target: none}", "data.valid={source: none, target: none}")
    said = finish(process)
    assert process.returncode != 0
    assert "nmt-attn: " in said
    assert not place.run.exists()
