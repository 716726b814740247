"""`nmt-attn train --seeds`: each run is what it is alone, goes on after an interruption, and failures are named."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from nmt_attn.commands.train import train
from nmt_attn.errors import ConfigError, ProcessError
from nmt_attn.experiments import seeds
from nmt_attn.experiments.jobs import Job, Note, Slot
from nmt_attn.options.training import TrainOptions

ROOT = Path(__file__).parents[2]
CONFIG = """
run: {name: tiny, precision: fp32, seed: 4}
data: {train: {limit: 60}, valid: {limit: 8}}
model:
  encoder: {hidden: 8, embedding: 8}
  decoder: {hidden: 8, embedding: 8}
training: {batch_tokens: 200, epochs: 4, learning_rate: 1e-2, checkpoint_updates: 3, alignment_picture: false}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the tiny configuration."""
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "nmt_attn", "train", "tiny.yaml", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=-1, stderr=-1, text=True)


def weights(folder: Path) -> dict[str, Tensor]:
    return safetensors.torch.load_file(folder / "best" / "model.safetensors")


@pytest.mark.slow
def test_each_seed_is_the_run_that_it_is_alone(folder: Path) -> None:
    begun = start(folder, "--seeds", "2", "--jobs", "1")
    deadline = time.monotonic() + 300
    while not any((folder / "runs").glob("*/checkpoints/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    begun.send_signal(signal.SIGINT)
    _, error = begun.communicate(timeout=300)
    assert begun.returncode == 130, error
    again = start(folder, "--seeds", "2")
    out, error = again.communicate(timeout=300)
    assert again.returncode == 0, error
    assert re.search(r"tiny-seed-4 +finished", out) and re.search(r"tiny-seed-5 +finished", out)
    assert re.search(r"best validation loss: mean [\d.]+, standard deviation [\d.]+", out)
    assert "nmt-attn eval --model runs/tiny --seeds 2" in error
    _, error = start(folder, "--name", "alone", "--set", "run.seed=5", "--threads", "1").communicate(timeout=300)
    expected, found = (weights(folder / "runs" / name) for name in ("alone", "tiny-seed-5"))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert not torch.equal(weights(folder / "runs" / "tiny-seed-4")["output.weight"], expected["output.weight"])


def test_each_run_gets_its_seed_and_what_was_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Job] = []

    def fail_the_second(jobs: Sequence[Job], slots: Sequence[Slot], note: Note) -> dict[str, str]:
        given.extend(jobs)
        return {jobs[1].name: "out of luck"}

    monkeypatch.setattr(seeds, "work_on", fail_the_second)
    options = TrainOptions(
        Path("tiny.yaml"), ("model.encoder.hidden=9", "run.seed=7"), name="mine", threads=2, seeds=2, fresh=True
    )
    with pytest.raises(ProcessError, match=r"mine-seed-8: out of luck"):
        train(options)
    first, second = given
    assert (first.name, second.name) == ("mine-seed-7", "mine-seed-8")
    command = " ".join(second.steps[0].command)
    assert command.endswith(
        "nmt_attn train tiny.yaml --set model.encoder.hidden=9 --set run.name=mine-seed-8 --set run.seed=8 "
        "--set run.threads=2 --fresh"
    )


def test_mistakes_are_found_before_anything_is_trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--jobs: expected --seeds beside it, got 2 alone"):
        TrainOptions(Path("tiny.yaml"), jobs=2)
    with pytest.raises(ConfigError, match=r"model\.encoder\.hidden"):
        train(TrainOptions(Path("tiny.yaml"), ("model.encoder.hidden=0",), seeds=2))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="--seeds: expected one process"):
        train(TrainOptions(Path("tiny.yaml"), seeds=2))
    assert not (folder / "runs").exists()
