"""scripts/neighbours.py: its neighbours are there for as long as they are wanted, and the rate is that of the clock."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_each_core_has_its_neighbour_until_the_block_ends() -> None:
    from neighbours import busy_neighbours

    core = min(os.sched_getaffinity(0))
    with busy_neighbours([core], 2) as started:
        assert [os.sched_getaffinity(process.pid) for process in started] == [{core}, {core}]
        assert all(process.poll() is None for process in started)
    assert all(process.poll() is not None for process in started)
    with busy_neighbours([core], 0) as none:
        assert none == []


def test_neighbours_end_with_an_error_too() -> None:
    from neighbours import busy_neighbours

    cores = sorted(os.sched_getaffinity(0))[:1] if hasattr(os, "sched_getaffinity") else [0]
    with pytest.raises(KeyError), busy_neighbours(cores, 1) as started:
        raise KeyError
    assert started[0].poll() is not None


def test_the_rate_is_that_of_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that had 1.5 processors: 400 tokens a second of the processor are 600 of the clock."""
    import neighbours
    from bench.systems import Corpus

    asked: dict[str, Any] = {}

    def run_job(kind: str, parts: dict[str, Any], *, threads: int, environment: dict[str, str]) -> dict[str, float]:
        asked.update(kind=kind, threads=threads, environment=environment, settings=parts["settings"])
        return {"tokens_a_second": 400.0, "cpu_share": 1.5}

    monkeypatch.setattr(neighbours, "run_job", run_job)
    case = neighbours.Case(hidden=96, threads=2, waits="spin", neighbours=0)
    assert neighbours.measure(case, Corpus(tmp_path / "a", tmp_path / "b", tmp_path), 5) == 600.0
    assert (asked["kind"], asked["threads"]) == ("train", 2)
    assert asked["environment"] == {"OMP_WAIT_POLICY": "ACTIVE"}
    assert asked["settings"] == ("model.encoder.hidden=48", "model.decoder.hidden=96")


def test_a_job_has_the_threads_and_variables_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    from bench import jobs

    given: dict[str, str] = {}

    def run(command: list[str], *, env: dict[str, str], **keys: Any) -> Any:
        given.update(env)
        return subprocess.CompletedProcess(command, 0, stdout="[1]")

    monkeypatch.setattr(jobs.subprocess, "run", run)
    assert jobs.run_job("ceiling", {}, threads=3, environment={"KMP_BLOCKTIME": "0"}) == [1]
    assert (given["OMP_NUM_THREADS"], given["KMP_BLOCKTIME"]) == ("3", "0")
    assert str(SCRIPTS) in given["PYTHONPATH"].split(os.pathsep)
    assert sys.path[1] in given["PYTHONPATH"]
