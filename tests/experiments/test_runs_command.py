"""`nmt-attn runs`: what the files of runs say, which runs are asked for, and the list in every form."""

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nmt_attn.commands.runs import runs
from nmt_attn.config.file import parse_config, save_config
from nmt_attn.config.key_paths import short_name, value_keys
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.experiments.run_filter import COLUMNS, read_condition, sorted_runs
from nmt_attn.experiments.run_list import find_runs, read_run
from nmt_attn.experiments.run_table import format_runs
from nmt_attn.options.training import RunsOptions
from nmt_attn.screen import cells
from nmt_attn.training.checkpoint import Progress, save_checkpoint

KEY = "0123456789abcdef"


def write_run(folder: Path, *keys: str, **progress: Any) -> Path:
    """A run of 15 parameters; without `progress` it has no checkpoint."""
    folder.mkdir(parents=True)
    save_config(
        parse_config("", [f"run.name={folder.name}", f"run.dir={folder.parent}", *keys], "test"), folder / "config.yaml"
    )
    (folder / "previous").mkdir()
    if progress:
        model = nn.Linear(4, 3)
        save_checkpoint(folder / "checkpoints", model, torch.optim.Adam(model.parameters()), Progress(**progress), 1)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Runs of every kind, and what is none."""
    folder = tmp_path / "runs"
    write_run(
        folder / "a", "training.metric=bleu", update=1234, epoch=6, batch=0, best=-41.5, seconds=75.0, is_finished=True
    )
    write_run(folder / "b", "model.attention.score=general", update=7, epoch=2, batch=3, best=3.25, seconds=2.0)
    write_run(folder / "begun", "model.encoder.hidden=64")
    for number, status in enumerate(("done", "given up", "failed")):
        write_run(
            folder / "sweep" / f"seed-{number}-{KEY}",
            f"run.seed={number}",
            update=9,
            epoch=3,
            batch=1,
            best=4.0 - number,
            is_finished=status == "done",
        )
    table = [
        {"run": f"elsewhere/sweep/seed-{n}-{KEY}", "status": s, "message": m}
        for n, (s, m) in enumerate([("done", ""), ("given up", "after 2 epochs"), ("failed", "no disk")])
    ]
    (folder / "sweep" / "table.json").write_text(json.dumps({"runs": table}))
    (folder / "sweep" / "logs").mkdir()
    write_run(folder / "model")
    (folder / "model" / "model.safetensors").touch()  # a model folder, not a run
    write_run(folder / "a" / "previous" / "older")  # a part of another run
    return folder


@pytest.fixture
def locked(root: Path) -> Iterator[Path]:
    """The run `b`, which a process trains: its log is ahead of its checkpoint."""
    lines = [{"kind": "update", "update": 20, "epoch": 4}, {"kind": "validation", "update": 20, "epoch": 4}]
    (root / "b" / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"kind": "upd')
    descriptor = os.open(root / "b", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield root
    os.close(descriptor)


def listed(root: Path, capsys: pytest.CaptureFixture[str], **options: Any) -> list[dict[str, Any]]:
    """The list as JSON."""
    runs(RunsOptions(root, json=Path("-"), **options))
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_every_state_is_told_from_the_files(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {Path(run["run"]).relative_to(locked): run for run in listed(locked, capsys)}
    states = {str(name): run["state"] for name, run in found.items()}
    assert states == {
        "a": "finished",
        "b": "training",
        "begun": "interrupted",
        f"sweep/seed-0-{KEY}": "finished",
        f"sweep/seed-1-{KEY}": "given up",
        f"sweep/seed-2-{KEY}": "failed",
    }
    finished, training, begun = (found[Path(name)] for name in ("a", "b", "begun"))
    assert (finished["updates"], finished["epoch"], finished["best"], finished["metric"]) == (1234, 5, 41.5, "bleu")
    assert (finished["seconds"], finished["parameters"]) == (75.0, 15)
    assert (training["updates"], training["epoch"], training["best"]) == (20, 4, 3.25)  # the log is ahead
    assert (begun["updates"], begun["best"], begun["parameters"]) == (0, None, None)
    assert found[Path(f"sweep/seed-2-{KEY}")]["message"] == "no disk"


def test_a_run_without_its_lock_is_where_its_checkpoint_is(root: Path) -> None:
    run = read_run(root / "b", root)
    assert (run.state, run.updates, run.epoch) == ("interrupted", 7, 2)


def test_keys_are_those_in_which_the_runs_differ(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(root, capsys, where=("run=a",))[0]["keys"] == {}
    between = listed(root, capsys, where=("state!=failed", "run!=sweep*"))
    assert [run["keys"] for run in between] == [
        {"model.encoder.hidden": 256, "model.attention.score": "additive"},
        {"model.encoder.hidden": 256, "model.attention.score": "general"},
        {"model.encoder.hidden": 64, "model.attention.score": "additive"},
    ]
    assert listed(root, capsys, where=("run=b",), against="defaults")[0]["keys"] == {"model.attention.score": "general"}


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("score=general", ["b"]),
        ("model.attention.score!=general", ["a", "begun", "sweep/seed-0", "sweep/seed-1", "sweep/seed-2"]),
        ("encoder.hidden<=64", ["begun"]),
        ("updates>9", ["a"]),
        ("best<3.5", ["b", "sweep/seed-1", "sweep/seed-2"]),
        ("run=sweep/*", ["sweep/seed-0", "sweep/seed-1", "sweep/seed-2"]),
        ("state=given up", ["sweep/seed-1"]),
        ("ema!=null", []),
        ("run.seed=0", ["sweep/seed-0"]),
    ],
)
def test_conditions_choose_runs(
    root: Path, capsys: pytest.CaptureFixture[str], condition: str, names: list[str]
) -> None:
    found = [run["run"] for run in listed(root, capsys, where=(condition,))]
    assert [Path(path).relative_to(root) for path in found] == [
        Path(name + f"-{KEY}" * ("sweep" in name)) for name in names
    ]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("score", "--where: expected KEY=VALUE .*, got 'score'"),
        ("scor=dot", r"--where: expected run, state, .* got scor \(did you mean score\?\)"),
        ("hidden=3", "expected one key, got hidden, the end of model.encoder.hidden"),
        ("updates>many", "expected a number after updates>, got 'many'"),
    ],
)
def test_mistakes_in_conditions_are_refused(condition: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_condition(condition)


def test_the_best_and_the_newest_come_first(root: Path) -> None:
    found = [read_run(path, root) for path in find_runs(root)]
    for age, name in enumerate(("begun", "b", "a")):
        for path in (root / name).rglob("*"):
            os.utime(path, (1e9 - age, 1e9 - age))
    by_age = sorted_runs([read_run(root / name, root) for name in ("a", "b", "begun")], "newest")
    assert [run.name for run in by_age] == ["begun", "b", "a"]
    best = [(run.metric, run.best) for run in sorted_runs(found, "best")]
    assert best == [("bleu", 41.5), ("loss", 2.0), ("loss", 3.0), ("loss", 3.25), ("loss", 4.0), ("loss", None)]
    assert [run.updates for run in sorted_runs(found, "updates")] == [0, 7, 9, 9, 9, 1234]
    assert [run.keys["model.encoder.hidden"] for run in sorted_runs(found, "encoder.hidden")] == [64, *[256] * 5]
    with pytest.raises(ConfigError, match=r"--sort: expected run, .*newest or a key of the configuration, got besst"):
        sorted_runs(found, "besst")


def test_greater_is_better_of_bleu(root: Path) -> None:
    for name, best in (("c", -50.0), ("d", -1.5)):
        write_run(root / name, "training.metric=bleu", update=1, best=best)
    found = [read_run(root / name, root) for name in ("d", "a", "c")]
    assert [run.best for run in sorted_runs(found, "best")] == [50.0, 41.5, 1.5]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(root: Path, width: int) -> None:
    write_run(root / ("long" * 9) / f"score-additive-hidden-64-seed-1-{KEY}", "training.epochs=3", "search.beam=4")
    found = [read_run(path, root) for path in find_runs(root)]
    keys = list(found[0].keys)
    text = format_runs(found, keys, width)
    assert max(map(cells, text.split("\n"))) <= width
    assert "1,234" in text or "no room for: updates" in text
    assert f"{len(keys) - 8} more keys differ" in text
    assert "…" in text and "sweep/seed-2" in text and "no disk" in text
    whole = format_runs(found, keys, None)
    assert f"score-additive-hidden-64-seed-1-{KEY}" in whole and "no room" not in whole


def test_every_title_of_a_key_stands_for_that_key() -> None:
    for key in value_keys():
        title = short_name(key, COLUMNS)
        assert read_condition(f"{title}=1").key == key


def test_csv_has_a_row_a_run(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "list.csv"
    runs(RunsOptions(root, csv=path, sort="best", where=("metric=loss",)))
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["best"] for row in rows] == ["2.0", "3.0", "3.25", "4.0", ""]
    assert rows[2]["model.attention.score"] == "general"
    shown = capsys.readouterr()
    assert shown.out.startswith("run ") and "5 of 6 runs: 1 failed, 1 finished, 1 given up, 2 interrupted" in shown.err


def test_what_cannot_be_read_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "b" / "config.yaml").write_text("- 3\n")
    assert len(listed(root, capsys)) == 5
    runs(RunsOptions(root))
    assert f"left out: {root / 'b' / 'config.yaml'}: expected the configuration of a run" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckpointError, match="nothing: expected a folder with runs, got nothing there"):
        runs(RunsOptions(root / "nothing"))
    with pytest.raises(ConfigError, match="--json: expected another place than --csv, got -"):
        runs(RunsOptions(root, csv=Path("-"), json=Path("-")))
    runs(RunsOptions(root / "sweep" / "logs"))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "0 runs\n")


def test_a_run_is_listed_by_itself_and_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [run["run"] for run in listed(root / "a", capsys)] == [str(root / "a")]
    (root / "link").symlink_to(root / "a", target_is_directory=True)
    assert len(listed(root, capsys)) == 6
