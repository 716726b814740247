"""`nmt-attn plot`: which logs are read, and what is refused."""

import json
from pathlib import Path

import pytest

from nmt_attn.commands.plot import plot
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.evaluation.training_curves import TrainingLog
from nmt_attn.options.training import PlotOptions

UPDATE = {"kind": "update", "update": 1, "loss": 2.0, "learning_rate": 0.1, "seconds": 0.5}


def make_log(run: Path, *records: dict[str, object]) -> Path:
    run.mkdir(parents=True)
    (run / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return run


def test_runs_of_one_name_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[list[TrainingLog]] = []
    monkeypatch.setattr("nmt_attn.commands.plot.draw_training", lambda logs, path, across: drawn.append(logs))
    runs = [make_log(tmp_path / place, UPDATE) for place in ("a/demo", "b/demo", "c/other")]
    plot(PlotOptions(tuple(runs), tmp_path / "curves.svg"))
    assert [log.run for log in drawn[0]] == [str(runs[0]), str(runs[1]), "other"]
    assert f"wrote {tmp_path / 'curves.svg'}" in capsys.readouterr().err


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing: expected a run's folder with log.jsonl, got none"):
        plot(PlotOptions((tmp_path / "nothing",), tmp_path / "a.png"))


def test_a_log_without_an_update_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"log.jsonl: expected at least one update, got none"):
        plot(PlotOptions((make_log(tmp_path / "run"),), tmp_path / "a.png"))


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--output: expected a name that ends in .pdf, .png, .svg, got a.jpg"):
        plot(PlotOptions((tmp_path,), Path("a.jpg")))
