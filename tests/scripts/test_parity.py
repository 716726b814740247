"""scripts/run_parity.py: the comparison sees what differs, and a toolkit that is not there is skipped by name."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

import run_parity
from parity.compare import STAGES, _largest


def test_the_largest_difference_is_that_at_real_positions() -> None:
    ours = torch.zeros(2, 3, 2)
    theirs = np.zeros((2, 3, 2))
    theirs[0, 2, 1] = 0.25  # the last of three positions
    theirs[1, 2, 0] = 7.0  # padding
    assert _largest([(ours, theirs)], [(3,), (2,)]) == 0.25
    assert _largest([(ours, theirs)], [(2,), (3,)]) == 7.0


def test_an_absent_toolkit_is_skipped_by_name_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "parity.yaml"
    results.write_text("- toolkit: joeynmt\n  version: 0\n", encoding="utf-8")
    monkeypatch.setattr(run_parity, "RESULTS", results)
    run_parity.main([str(tmp_path), "--only", "joeynmt"])
    assert f"joeynmt: skipped, as {tmp_path / 'joeynmt' / 'bin' / 'python'} is not there" in capsys.readouterr().err
    assert run_parity.read_rows() == [{"toolkit": "joeynmt", "version": 0}]


def test_measured_models_agree() -> None:
    variants = [(peer["toolkit"], row) for peer in run_parity.read_rows() for row in peer["variants"]]
    assert {toolkit for toolkit, _ in variants} == {peer.package for peer in run_parity.PEERS.values()}
    for toolkit, row in variants:
        hidden = (
            {"encoder states", "first states", "logits"} if toolkit == "pymarian" else set()
        )  # it does not show them
        assert row["differences"].keys() == set(STAGES) - hidden
        most = 1e-4 if hidden else 1e-12  # Marian computes in float32
        assert all(row["differences"][stage] < most for stage in row["differences"] if stage != "log p"), row
        assert row["differences"]["log p"] < 1e-4, row
        assert row["greedy"] == row["beam"]["equal"] == row["sentences"] == 4 * row["models"], row
