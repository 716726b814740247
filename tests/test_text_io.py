import bz2
import gzip
import io
import lzma
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nmt_attn.errors import DataError
from nmt_attn.files import writing
from nmt_attn.text_io import LONGEST_LINE_BYTES, check_readable, count_lines, read_lines, read_windows

QUIRKS = "a\u2028b\u0085c\x00d\x0be\r\n\r\nlone \r inside\nlast without an end".encode()
QUIRKY_LINES = ["a\u2028b\u0085c\x00d\x0be", "", "lone \r inside", "last without an end"]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.FileIO]:
    """What is written here is on standard input."""
    reading, feeding = os.pipe()
    with os.fdopen(reading) as stream, os.fdopen(feeding, "wb", buffering=0) as feed:
        monkeypatch.setattr(sys, "stdin", stream)
        yield feed


def lines_of(path: Path | None, window_lines: int) -> list[list[str]]:
    return [window.lines for window in read_windows(path, window_lines)]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_lines_end_with_a_newline_and_with_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(QUIRKS) if name.endswith(".gz") else QUIRKS)
    assert lines_of(path, 3) == [QUIRKY_LINES[:3], QUIRKY_LINES[3:]]
    assert count_lines(path) == 4


def test_standard_input_has_the_same_lines(pipe: io.FileIO) -> None:
    pipe.write(QUIRKS)
    pipe.close()
    assert lines_of(None, 3) == [QUIRKY_LINES[:3], QUIRKY_LINES[3:]]


def test_standard_input_that_is_no_real_stream_has_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(QUIRKS)))
    assert lines_of(None, 3) == [QUIRKY_LINES[:3], QUIRKY_LINES[3:]]


def test_a_pause_of_standard_input_ends_the_window(pipe: io.FileIO) -> None:
    windows = read_windows(None, 100)
    pipe.write(b"one\ntwo\nthr")
    assert next(windows).lines == ["one", "two"]
    pipe.write(b"ee\n")
    assert next(windows).lines == ["three"]
    pipe.write(b"four")
    pipe.close()
    assert [window.lines for window in windows] == [["four"]]


def test_a_line_may_be_longer_than_what_is_read_at_once(pipe: io.FileIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt_attn.text_io.CHUNK_BYTES", 3)
    pipe.write("äöüß\n\nzwei\n".encode())
    pipe.close()
    assert [line for lines in lines_of(None, 100) for line in lines] == ["äöüß", "", "zwei"]


def test_bytes_that_are_not_utf8_are_replaced_and_their_lines_counted(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"gut\nM\xfcller\nf\xfcr \xff\n")
    [window] = read_windows(path, 9)
    assert window.lines == ["gut", "M\ufffdller", "f\ufffdr \ufffd"]
    assert window.undecodable_lines == 2


def test_a_byte_order_mark_is_left_out_wherever_a_file_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`cat` joins files with their marks; inside a line it is a character."""
    path = tmp_path / "marked.txt"
    path.write_text("\ufeffeins\nzwei\n\ufeffdr\ufeffei\n", encoding="utf-8")
    assert lines_of(path, 2) == [["eins", "zwei"], ["dr\ufeffei"]]
    assert capsys.readouterr().err == (
        "note: byte-order mark at the start of marked.txt, left out; byte-order mark inside marked.txt, left out\n"
    )


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: expected a readable file, got no such file"):
        check_readable(tmp_path / "none.txt")
    with pytest.raises(DataError, match=r"expected a readable file, got is a directory"):
        check_readable(tmp_path)


@pytest.mark.parametrize("damage", [slice(0, -9), slice(0, 40)])
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_archive_is_refused(tmp_path: Path, compress: Callable[[bytes], bytes], damage: slice) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(compress(QUIRKS)[damage])
    with pytest.raises(DataError, match=r"a\.gz: expected a whole file, got a damaged one"):
        lines_of(path, 3)


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n" + b"a" * LONGEST_LINE_BYTES + b"\n")
    assert [len(line) for line in read_lines(path)] == [3, LONGEST_LINE_BYTES]
    path.write_bytes(b"one\n" + b"a" * (LONGEST_LINE_BYTES + 1))
    with pytest.raises(DataError, match=r"a\.txt:2: expected a line of at most 16 MiB, got a longer one"):
        read_lines(path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_what_grows_without_measure_is_refused(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    block = (b"a" * 1023 + b"\n") * (1 << 14)
    path = tmp_path / "a.txt"
    path.write_bytes(compress(block) * 3)  # 48 MiB: too little to judge
    assert count_lines(path) == 3 << 14
    path.write_bytes(compress(block) * 5)
    with pytest.raises(DataError, match=r"a\.txt: expected text, got \w+ content that grows by more than 200 times"):
        count_lines(path)


def test_a_pipe_is_not_read_to_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    check_readable(path)
    assert count_lines(path) is None


def test_standard_output_is_utf8_whatever_the_locale(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    with writing(None) as write:
        write("लाइट\u2028\n")
    assert capsysbinary.readouterr().out == "लाइट\u2028\n".encode()


def test_a_full_disk_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    message = r"standard output: expected a place that can be written to, got no space left"
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(DataError, match=message), writing(None) as write:
            write("text\n")
        monkeypatch.undo()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail() -> None:
        with writing(path) as write:
            write("new\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    with writing(path) as write:
        write("new\n")
    assert path.read_text() == "new\n"
