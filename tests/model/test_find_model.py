import os
from pathlib import Path

import pytest

from nmt_attn.errors import CheckpointError
from nmt_attn.model.store import find_model


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty runs/ in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    return Path("runs")


def make_run(folder: Path, seconds: int) -> Path:
    weights = folder / "best" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    os.utime(weights, (seconds, seconds))
    return weights.parent


def test_the_run_whose_model_was_written_last_is_taken_and_named(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(runs / "c", 100)
    newest = make_run(runs / "a", 300)
    make_run(runs / "b", 200)
    (runs / "just-begun" / "checkpoints").mkdir(parents=True)
    assert find_model(None) == newest
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"model: {newest}")


def test_a_named_run_is_taken_without_a_word(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(runs / "new", 200)
    old = make_run(runs / "old", 100)
    assert find_model(runs / "old") == find_model(old) == old
    assert capsys.readouterr().err == ""


def test_without_a_trained_run_it_says_how_to_get_one(runs: Path) -> None:
    (runs / "just-begun").mkdir()
    with pytest.raises(CheckpointError, match=r"runs: expected a run with a trained model, got none .*--model"):
        find_model(None)


def test_a_folder_without_a_model_is_refused(runs: Path) -> None:
    (runs / "just-begun").mkdir()
    with pytest.raises(CheckpointError, match=r"runs/just-begun: expected a run or a model folder"):
        find_model(runs / "just-begun")
