"""Streams: lines in from a file or standard input, text out to a file or standard output, a window at a time.

Lines end with `\\n` and with nothing else; a `\\r` before it is left out, and so is a byte order mark at the very
start. What is not UTF-8 is replaced by U+FFFD.
"""

import os
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from itertools import islice
from pathlib import Path
from select import select
from typing import NamedTuple

import typer

from nmt_attn.errors import DataError
from nmt_attn.files import open_binary, reason, replacing_text

PAUSE_SECONDS = 0.05
"""When standard input has brought nothing for so long, what has come makes a window."""
CHUNK_BYTES = 1 << 16


class Window(NamedTuple):
    """Lines that are translated together."""

    lines: list[str]
    undecodable_lines: int  # were not UTF-8


def or_standard(path: Path | None) -> Path | None:
    """None, which is standard input or output, for `-` too."""
    return None if path == Path("-") else path


def check_readable(path: Path) -> None:
    """Raises DataError if the file is missing or cannot be read. A pipe is left alone: it can be read only once."""
    if not path.exists() or path.is_file() or path.is_dir():
        open_binary(path).close()


def count_lines(path: Path) -> int | None:
    """How many lines `read_windows` gives of this file; None of a pipe. Raises DataError."""
    if not path.is_file():
        return None
    with _reading(path), open_binary(path) as stream:
        return sum(1 for _ in stream)


def read_windows(path: Path | None, window_lines: int) -> Iterator[Window]:
    """The lines of a file (.gz too) or of standard input, `window_lines` at a time; fewer when standard input pauses.

    Raises DataError if the file cannot be read.
    """
    windows = _standard_input(window_lines) if path is None else _file(path, window_lines)
    for number, window in enumerate(windows):
        if number == 0:
            window[0] = window[0].removeprefix(BOM_UTF8)
        lines = [line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace") for line in window]
        yield Window(lines, sum(map(_is_undecodable, window)))


@contextmanager
def writing(path: Path | None) -> Iterator[Callable[[str], object]]:
    """A block that writes text: at once to standard output, or to a file that is replaced whole or not at all.

    Raises DataError where that cannot be done; for a file, at the start.
    """
    if path is None:
        yield _write_standard_output
        return
    with replacing_text(path) as stream:
        yield stream.write


def _file(path: Path, window_lines: int) -> Iterator[list[bytes]]:
    with _reading(path), open_binary(path) as stream:
        yield from _full_windows(stream, window_lines)


def _standard_input(window_lines: int) -> Iterator[list[bytes]]:
    stream = sys.stdin.buffer
    try:
        descriptor = stream.fileno()
    except UnsupportedOperation:  # not a real stream
        return _full_windows(stream, window_lines)
    if os.name != "posix":  # no way to ask whether more is there
        return _full_windows(stream, window_lines)
    return _windows_between_pauses(descriptor, window_lines)


def _full_windows(lines: Iterable[bytes], window_lines: int) -> Iterator[list[bytes]]:
    remaining = iter(lines)
    return iter(lambda: list(islice(remaining, window_lines)), [])


def _windows_between_pauses(descriptor: int, window_lines: int) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    unfinished: list[bytes] = []  # the parts of a line whose end has not come
    while True:
        is_ready, _, _ = select([descriptor], [], [], PAUSE_SECONDS if lines else None)
        if not is_ready:
            yield lines
            lines = []
            continue
        chunk = os.read(descriptor, CHUNK_BYTES)
        if not chunk:
            break
        first, *others = chunk.split(b"\n")
        unfinished.append(first)
        for part in others:
            lines.append(b"".join(unfinished))
            unfinished = [part]
        while len(lines) >= window_lines:
            yield lines[:window_lines]
            lines = lines[window_lines:]
    last = b"".join(unfinished)
    yield from _full_windows([*lines, last] if last else lines, window_lines)


def _write_standard_output(text: str) -> None:
    try:
        typer.echo(text.encode("utf-8"), nl=False)  # bytes: whatever the locale; echo flushes
    except BrokenPipeError:
        raise
    except OSError as error:
        # What was not written stays in the buffer; Python must not try again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise DataError(f"standard output: expected a place that can be written to, got {reason(error)}") from error


def _is_undecodable(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected a readable file, got {reason(error)}") from error
