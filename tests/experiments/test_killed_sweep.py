"""A sweep of 12 small runs that is killed ten times ends with the same table as one that nobody disturbs."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFIG = """
run: {precision: fp32}
data: {train: {limit: 60}, valid: {limit: 8}}
model:
  encoder: {hidden: 8, embedding: 8}
  decoder: {hidden: 8, embedding: 8}
training: {batch_tokens: 200, epochs: 4, learning_rate: 1e-2, checkpoint_updates: 3, alignment_picture: false}
"""
SWEEP = """
config: tiny.yaml
grid:
  model.attention.score: [additive, general]
  training.learning_rate: [1e-2, 3e-2]
seeds: 3
"""
KILLS = 10


def start(folder: Path) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    (folder / "tiny.yaml").write_text(CONFIG)
    (folder / "sweep.yaml").write_text(SWEEP)
    command = [sys.executable, "-m", "nmt_attn", "sweep", "sweep.yaml", "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def table(folder: Path) -> Any:
    """The whole result but for its times."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: timeless(each) for key, each in value.items() if key != "seconds"}
        return [timeless(each) for each in value] if isinstance(value, list) else value

    return timeless(json.loads((folder / "runs" / "sweep" / "table.json").read_text()))


def progress(folder: Path) -> int:
    """Lines that all runs together have in their logs."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("runs/**/log.jsonl"))


def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    """Each kill comes after a random share of the work, at most a twelfth, so that none comes too late."""
    whole, killed = start(tmp_path / "whole"), tmp_path / "killed"
    _, said = whole.communicate()
    assert whole.returncode == 0, said
    choose, share = random.Random(1), progress(tmp_path / "whole") // (KILLS + 2)
    assert share > 2
    for _ in range(KILLS):
        process, goal = start(killed), progress(killed) + choose.randint(0, share)
        while process.poll() is None and progress(killed) < goal:
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    last = start(killed)
    _, said = last.communicate()
    assert last.returncode == 0, said
    assert table(killed) == table(tmp_path / "whole")
