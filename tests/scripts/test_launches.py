"""What an update launches stays what it is, within a tenth. In a process of its own, as its device stays known."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPECTED = {
    "bahdanau, gru": (8, 0, 157),
    "bahdanau, gru-cho": (12, 8, 195),
    "bahdanau, lstm": (8, 0, 165),
    "conditional, gru": (12, 0, 162),
    "luong, lstm, feeding": (12, 0, 142),
    "luong, lstm": (0, 0, 136),
    "luong, lstm, feeding, 4 layers": (38, 0, 392),
}
"""For each target step, each source step, and whatever the lengths."""

MOST_OF_A_SEARCH = {"luong, lstm, feeding, 4 layers": (33, 42)}
"""Launches of a step of beam search, in fp32 and bf16; all others at most 25."""

COUNT = """
import json, sys, launches
found = {style: launches.count_update(launches.configuration(style)) for style in launches.STYLES}
search = {style: [launches.count_search_step(launches.configuration(style), each).total() for each in ("fp32", "bf16")]
          for style in launches.STYLES}
sys.stdout.write(json.dumps([found, search]))
"""


def test_launches_of_an_update_and_a_search_step() -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "scripts")])
    run = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert run.returncode == 0, run.stderr
    found, search = json.loads(run.stdout)
    assert found.keys() == search.keys() == EXPECTED.keys()
    for style, steps in search.items():
        assert all(step <= most for step, most in zip(steps, MOST_OF_A_SEARCH.get(style, (25, 25)), strict=True)), style
    for style, counts in EXPECTED.items():
        assert found[style] == pytest.approx(counts, rel=0.1), style
