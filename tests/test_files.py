import os
import subprocess
import sys
from pathlib import Path

import pytest

from nmt_attn.errors import DataError
from nmt_attn.files import remove_folder, replacing, replacing_folder, replacing_text, write_text
from nmt_attn.text_io import read_lines


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_text_is_read_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new folder" / name
    write_text(path, "a\u2028b\r\n\nलाइट\n")
    assert read_lines(path) == ["a\u2028b", "", "लाइट"]
    assert read_lines(path, keeps_ends=True) == ["a\u2028b\r", "", "लाइट"]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing_text(path) as stream:
            stream.write("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_and_a_place_below_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=rf"{tmp_path.name}: expected a place that can be written to, got a folder"):
        write_text(tmp_path, "text")
    with pytest.raises(DataError, match=r"file/a: expected a place that can be written to, got"):
        write_text(tmp_path / "file" / "a", "text")


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_text(path, "text\n")
    assert os.read(reader, 9) == b"text\n"
    os.close(reader)
    assert path.is_fifo()


def test_the_broken_pipe_of_another_stream_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), replacing(tmp_path / "a.txt"):
        raise BrokenPipeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_for_a_file_that_was_not_written_goes_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), replacing(tmp_path / "new" / "deeper" / "a.txt"):
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


# Folders


def fill(folder: Path, text: str) -> None:
    with replacing_folder(folder) as new:
        (new / "a.txt").write_text(text)
        (new / "deeper").mkdir()


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    fill(folder, "old")
    (folder / "b.txt").touch()
    fill(folder, "new")
    assert (folder / "a.txt").read_text() == "new"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "deeper"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_cannot_be_filled_is_as_it_was(tmp_path: Path) -> None:
    for place in (tmp_path / "folder", tmp_path / "deep" / "folder"):
        with pytest.raises(ValueError, match="stop"), replacing_folder(place) as new:
            (new / "a.txt").touch()
            raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []
    fill(tmp_path / "folder", "old")
    with pytest.raises(ValueError, match="stop"), replacing_folder(tmp_path / "folder"):
        raise ValueError("stop")
    assert (tmp_path / "folder" / "a.txt").read_text() == "old"


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    fill(folder, "old")

    def refuse(source: Path, target: Path) -> None:
        raise OSError(None, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match=r"folder: expected a place that can be written to, got no space left"):
        fill(folder, "new")
    assert (folder / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/a: expected a place that can be written to, got not a directory"):
        fill(tmp_path / "file" / "a", "text")


def test_a_removed_folder_is_gone_with_all_it_held(tmp_path: Path) -> None:
    fill(tmp_path / "folder", "text")
    remove_folder(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match=r"folder: expected a place that can be written to, got no such file"):
        remove_folder(tmp_path / "folder")


# What a killed process has left


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    dead, alive = tmp_path / f".a.txt.{gone.pid}.tmp", tmp_path / f".a.txt.{os.getppid()}.tmp"
    other, own = tmp_path / f".b.txt.{gone.pid}.tmp", tmp_path / ".a.txt.mine.tmp"
    for path in (dead, alive, other, own):
        path.touch()
    write_text(tmp_path / "a.txt", "text")
    assert sorted(tmp_path.iterdir()) == sorted([alive, other, own, tmp_path / "a.txt"])


def test_a_folder_that_was_moved_away_by_a_killed_process_comes_back(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    fill(tmp_path / f".a.old.{gone.pid}.tmp", "old")
    fill(tmp_path / f".a.{gone.pid}.tmp", "half")
    with pytest.raises(ValueError, match="stop"), replacing_folder(tmp_path / "a"):
        raise ValueError("stop")
    assert (tmp_path / "a" / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
