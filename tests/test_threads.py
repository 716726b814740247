"""Threads: how many a training takes, and that they sleep while they wait."""

import os
import subprocess
import sys

import pytest
import torch

from nmt_attn.commands.train import _set_threads
from nmt_attn.config.file import parse_config


@pytest.mark.parametrize(
    ("hidden", "asked", "expected"), [(255, "auto", 1), (256, "auto", 2), (255, "2", 2), (256, "1", 1)]
)
def test_as_many_threads_as_asked_or_one_for_a_small_model(
    hidden: int, asked: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["model.encoder.hidden=8", f"model.decoder.hidden={hidden}", f"run.threads={asked}"]
    config = parse_config("", settings, "f.yaml")
    before, notes = torch.get_num_threads(), list[str]()
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    try:
        torch.set_num_threads(2)
        _set_threads(config, torch.device("cuda"), notes.append)
        assert (torch.get_num_threads(), notes) == (2, []), "a GPU computes"
        _set_threads(config, torch.device("cpu"), notes.append)
        assert torch.get_num_threads() == expected
        assert len(notes) == (asked == "auto" and expected == 1)
    finally:
        torch.set_num_threads(before)


def test_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand threads each reserve a stack: under a limit of memory OpenMP ends the whole process."""
    config, before, notes = parse_config("", ["run.threads=1000"], "f.yaml"), torch.get_num_threads(), list[str]()
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    try:
        _set_threads(config, torch.device("cpu"), notes.append)
        assert torch.get_num_threads() == 2
        assert notes == ["run.threads 1000: this machine has 2 cores, so 2 threads compute"]
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not torch.backends.openmp.is_available(), reason="this torch has no OpenMP")
@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(given: str | None, expected: str) -> None:
    """OpenMP itself says how it was set up, when the command line loads it."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME")
    }
    environment |= {"OMP_DISPLAY_ENV": "true", **({} if given is None else {"OMP_WAIT_POLICY": given})}
    command = [sys.executable, "-m", "nmt_attn", "--version"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    assert f"OMP_WAIT_POLICY = '{expected}'" in shown or f"OMP_WAIT_POLICY='{expected}'" in shown
