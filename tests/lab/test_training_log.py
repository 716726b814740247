"""A log that grows, as the page reads it."""

import json
from pathlib import Path

from tiny_runs import make_run

from nmt_attn.lab.training_log import TrainingLog


def line(kind: str, update: int) -> str:
    return (
        json.dumps({"kind": kind, "update": update, "epoch": 1, "loss": 2.5, "learning_rate": 0.1, "bleu": 7.0}) + "\n"
    )


def test_only_new_whole_lines_are_read(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    log = TrainingLog(run, "un gato")
    assert log.read(0)["updates"] == []
    path = run / "log.jsonl"
    path.write_text(line("update", 1) + line("validation", 1) + '{"kind": "upd')
    first = log.read(0)
    assert [each["update"] for each in first["updates"]] == [1]
    assert first["validations"] == [{"update": 1, "loss": 2.5, "metric": "BLEU", "score": 7.0}]
    path.write_text(line("update", 1) + line("validation", 1) + line("update", 2))
    second = log.read(first["next"])
    assert [each["update"] for each in second["updates"]] == [2]
    path.write_text(line("update", 1))  # the run begins anew
    assert log.read(second["next"])["next"] == 0


def test_the_matrix_is_that_of_the_best_model(tmp_path: Path) -> None:
    log = TrainingLog(make_run(tmp_path), "un gato")
    matrix = log.read(0)["matrix"]
    assert matrix["source"] == ("un", "gato", "</s>")
    assert len(matrix["weights"]) == len(matrix["target"])
    assert log.read(0)["matrix"] is matrix  # not made again


def test_a_run_without_a_model_has_curves_only(tmp_path: Path) -> None:
    assert TrainingLog(tmp_path, "un gato").read(0)["matrix"] is None
