"""Whose folder it is, which keys may change, and that nothing is removed but a run."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nmt_attn.config.schema import Config
from nmt_attn.errors import CheckpointError, DataError
from nmt_attn.training.run_folder import FREE_KEYS, OWN_ENTRIES, RunFolder, differing_keys


def config_in(folder: Path, **sections: Any) -> Config:
    run = {"name": "r", "dir": str(folder), **sections.pop("run", {})}
    return Config.model_validate({"run": run, **sections})


def folder_of(folder: Path, **sections: Any) -> RunFolder:
    return RunFolder(config_in(folder, **sections))


def start(folder: Path, *, is_fresh: bool = False, **sections: Any) -> RunFolder:
    """The folder, ready; the process that had it before has ended."""
    run = folder_of(folder, **sections)
    run.check(is_fresh=is_fresh)
    with run.locked(is_fresh=is_fresh):
        return run


def fill(run: RunFolder) -> None:
    """Everything that a run leaves."""
    for name in OWN_ENTRIES:
        path = run.path / name
        if "." in name:
            path.write_text("{}")
        else:
            path.mkdir(exist_ok=True)
            (path / "file").touch()
    save_checkpoint_of(run)


def save_checkpoint_of(run: RunFolder) -> None:
    """As training does."""
    run.checkpoints.mkdir(exist_ok=True)
    (run.checkpoints / "update-000000007.safetensors").touch()
    run.checkpoint_saved()


def content(folder: Path) -> dict[str, bytes]:
    """Every file below."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_checking_changes_nothing(tmp_path: Path) -> None:
    folder_of(tmp_path).check(is_fresh=False)
    folder_of(tmp_path).check(is_fresh=True)
    assert list(tmp_path.iterdir()) == []


def test_a_new_run_holds_its_configuration(tmp_path: Path) -> None:
    run = start(tmp_path)
    assert sorted(path.name for path in run.path.iterdir()) == ["config.yaml", "previous"]
    start(tmp_path)


def test_a_run_that_was_killed_before_it_had_begun_begins(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / ".config.yaml.123.tmp").write_text("half")
    assert sorted(path.name for path in start(tmp_path).path.iterdir()) == ["config.yaml", "previous"]


@pytest.mark.parametrize("left", ["previous", "previous.moving"])
def test_a_run_that_was_killed_before_its_configuration_was_written_begins(left: str, tmp_path: Path) -> None:
    (tmp_path / "r" / left).mkdir(parents=True)
    assert sorted(path.name for path in start(tmp_path).path.iterdir()) == ["config.yaml", "previous"]


def test_an_empty_folder_may_become_a_run(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    start(tmp_path)


FOREIGN = {
    "a note": {"notes.txt": "mine"},
    "a config of another program": {"config.yaml": "model: mine\nrun: {name: r}\n", "thesis.tex": "mine"},
    "a config that is no YAML": {"config.yaml": "a: [", "thesis.tex": "mine"},
    "a config that is a list": {"config.yaml": "- run\n", "thesis.tex": "mine"},
}


@pytest.mark.parametrize("is_fresh", [False, True], ids=["", "fresh"])
@pytest.mark.parametrize("content", FOREIGN)
def test_a_folder_of_something_else_is_refused_and_untouched(content: str, is_fresh: bool, tmp_path: Path) -> None:
    run = folder_of(tmp_path)
    run.path.mkdir()
    for name, text in FOREIGN[content].items():
        (run.path / name).write_text(text)
    with pytest.raises(CheckpointError, match="r: expected a run's folder or none, got a folder of something else"):
        run.check(is_fresh=is_fresh)
    assert {path.name: path.read_text() for path in run.path.iterdir()} == FOREIGN[content]


def test_fresh_moves_a_run_aside_until_the_first_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    run = start(tmp_path)
    fill(run)
    before = content(run.path)
    (run.path / "notes.txt").write_text("mine")
    changed = {"training": {"epochs": 3, "learning_rate": 0.5}}
    for _ in range(2):  # also when the first new start ends before its first checkpoint
        new = start(tmp_path, is_fresh=True, **changed)
        assert sorted(path.name for path in run.path.iterdir()) == ["config.yaml", "notes.txt", "previous"]
        assert content(run.previous) == before
        assert "learning_rate: 0.5" in (run.path / "config.yaml").read_text()
        (run.path / "log.jsonl").write_text("of the new run")
    start(tmp_path, **changed)  # it has no checkpoint yet: nothing is lost by starting over
    assert content(run.previous) == before
    save_checkpoint_of(new)
    assert not run.previous.exists()


@pytest.mark.parametrize("name", ["best", "models", "log.jsonl"])
def test_a_run_without_its_checkpoints_is_replaced_by_fresh_alone(name: str, tmp_path: Path) -> None:
    run = start(tmp_path)
    fill(run)
    for other in {"best", "models", "log.jsonl", "checkpoints"} - {name}:
        path = run.path / other
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = content(run.path)
    with pytest.raises(CheckpointError, match=f"r: expected a checkpoint to go on from, got none beside {name} .*--fr"):
        folder_of(tmp_path).check(is_fresh=False)
    assert content(run.path) == before
    start(tmp_path, is_fresh=True)
    assert content(run.previous) == before


@pytest.mark.parametrize("moved", range(len(OWN_ENTRIES) + 1))
def test_a_process_killed_while_it_moves_a_run_aside_loses_nothing(moved: int, tmp_path: Path) -> None:
    run = start(tmp_path)
    fill(run)
    before = content(run.path)
    moving = run.path / "previous.moving"
    moving.mkdir()
    for name in OWN_ENTRIES[:moved]:
        (run.path / name).rename(moving / name)
    assert content(start(tmp_path).path) == before


def test_changed_data_are_refused_by_name(tmp_path: Path) -> None:
    texts = {name: tmp_path / f"{name}.tsv" for name in ("train", "valid", "links")}
    for path in texts.values():
        path.write_text("a\tb\nc\td\n")
    parts = {part: {"tsv": str(texts[part])} for part in ("train", "valid")}
    parts["test"] = parts["valid"]
    data = {"data": {**parts, "alignments": str(texts["links"])}}
    run = start(tmp_path, **data)
    save_checkpoint_of(run)
    start(tmp_path, **data)
    for name, key in [("train", "data.train"), ("valid", "data.valid"), ("links", "data.alignments")]:
        texts[name].write_text("a\td\nc\tb\n")  # as many lines, words and bytes
        with pytest.raises(CheckpointError, match=rf"r: expected the data .* {key} \(.*{name}.tsv\) \(--accept-new-d"):
            folder_of(tmp_path, **data).check(is_fresh=False)
        folder_of(tmp_path, **data).check(is_fresh=True)
        other = folder_of(tmp_path, **data)
        other.check(is_fresh=False, accepts_new_data=True)
        assert other.changed_data() == [f"{key} ({texts[name]})"]
        save_checkpoint_of(other)  # not before: a process that is killed first must tell it again
        start(tmp_path, **data)


def test_damaged_fingerprints_are_one_line(tmp_path: Path) -> None:
    run = start(tmp_path)
    save_checkpoint_of(run)
    for text in ("[1]", '{"data.train": 5}', "[" * 100_000):
        (run.path / "data.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"data.json: expected fingerprints of data, got a damaged file"):
            folder_of(tmp_path).check(is_fresh=False)


def test_fresh_does_not_follow_links(tmp_path: Path) -> None:
    run = start(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    run.checkpoints.symlink_to(elsewhere)
    start(tmp_path, is_fresh=True)
    assert (elsewhere / "file").exists() and not run.checkpoints.exists()


def test_fresh_takes_a_run_of_another_version(tmp_path: Path) -> None:
    run = start(tmp_path)
    path = run.path / "config.yaml"
    path.write_text(path.read_text().replace("  seed: 1\n", "  seed: 1\n  old_key: 5\n"))
    start(tmp_path, is_fresh=True)
    assert "old_key" not in path.read_text()


def test_changed_keys_are_refused_with_old_and_new_values(tmp_path: Path) -> None:
    run = start(tmp_path)
    before = (run.path / "config.yaml").read_text()
    with pytest.raises(
        CheckpointError,
        match=r"model.decoder.cell was 'gru', is 'lstm'; training.betas was \[0.9, 0.999\], is \[0.5, 0.9\] .*--fresh",
    ):
        folder_of(tmp_path, model={"decoder": {"cell": "lstm"}}, training={"betas": [0.5, 0.9]}).check(is_fresh=False)
    assert (run.path / "config.yaml").read_text() == before


@pytest.mark.parametrize(
    "sections",
    [
        {"run": {"device": "cpu"}},
        {"training": {"epochs": 7}},
        {"training": {"epochs": None, "updates": 70}},
        {"training": {"minutes": 3.5}},
        {"training": {"patience": 3}},
        {"training": {"validate_translation": False, "alignment_picture": False}},
        {"training": {"checkpoint_updates": 9, "keep_last": 5, "keep_best": 3}},
        {"search": {"beam": 2, "alpha": 0.5}},
        {"evaluate": {"lowercase": True}},
        {"data": {"test": {"tsv": "other.tsv"}, "cache": "elsewhere"}},
    ],
    ids=str,
)
def test_keys_that_touch_nothing_learnt_may_change(sections: dict[str, Any], tmp_path: Path) -> None:
    start(tmp_path)
    run = start(tmp_path, **sections)
    assert (run.path / "config.yaml").read_text() != (start(tmp_path / "other").path / "config.yaml").read_text()


def test_a_run_may_be_moved_and_renamed(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.path.rename(tmp_path / "s")
    start(tmp_path, run={"name": "s"})


def test_free_keys_are_keys() -> None:
    keys = [key for key, _, _ in differing_keys(Config().model_dump(), dict.fromkeys(Config.model_fields))]
    assert set(keys) == set(Config.model_fields)
    for key in FREE_KEYS:
        node: Any = Config()
        for part in key.split("."):
            node = getattr(node, part)


def test_differing_keys_are_leaves() -> None:
    before = {"a": {"b": 1, "c": [2]}, "d": None, "e": 5}
    now = {"a": {"b": 1, "c": [3]}, "d": {"f": 6}, "e": 5}
    assert differing_keys(before, now) == [("a.c", [2], [3]), ("d", None, {"f": 6})]


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    run = start(tmp_path)
    for folder in (run.path, run.checkpoints, run.best, run.best / "vocab", run.vocab):
        folder.mkdir(exist_ok=True)
        (folder / ".file.123.tmp").touch()
        (folder / "file").touch()
    start(tmp_path)
    assert list(run.path.rglob("*.tmp")) == []
    assert len(list(run.path.rglob("file"))) == 5


def test_what_a_killed_process_was_removing_is_removed(tmp_path: Path) -> None:
    run = start(tmp_path)
    leftover = run.models / ".update-000000040.123.tmp"
    leftover.mkdir(parents=True)
    (leftover / "file").touch()
    run.model(60).mkdir()
    start(tmp_path)
    assert list(run.models.iterdir()) == [run.model(60)]


def test_only_the_named_models_stay(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.remove_models_but([40])  # there are none yet
    for update in (40, 60, 1_000_000_000):
        run.model(update).mkdir(parents=True)
        (run.model(update) / "file").touch()
    (run.models / "notes.txt").touch()
    run.remove_models_but([40, 80])
    assert sorted(path.name for path in run.models.iterdir()) == ["notes.txt", "update-000000040"]


def test_two_processes_do_not_train_one_run(tmp_path: Path) -> None:
    program = (
        "import sys; from nmt_attn.config.schema import Config; from nmt_attn.training.run_folder import RunFolder;"
        "run = RunFolder(Config.model_validate({'run': {'name': 'r', 'dir': sys.argv[1]}}));"
        "held = run.locked(is_fresh=False); held.__enter__(); print('ready', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdin is not None
    assert other.stdout.readline() == "ready\n"
    run = folder_of(tmp_path)
    run.check(is_fresh=True)
    with (
        pytest.raises(CheckpointError, match=r"r: .* got one that another process is training"),
        run.locked(is_fresh=True),
    ):
        pass
    assert (run.path / "config.yaml").is_file()
    other.kill()
    other.communicate()
    start(tmp_path)


def test_a_place_that_cannot_be_written_to_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = folder_of(tmp_path / "file")
    run.check(is_fresh=False)
    with (
        pytest.raises(DataError, match="file/r: expected a place that can be written to, got not a directory"),
        run.locked(is_fresh=False),
    ):
        pass
