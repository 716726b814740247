"""Text: the one way in for every text file and for standard input.

Lines end with `\\n` and with nothing else (not with U+2028, NUL or a lone `\\r`), so numbers never shift. A `\\r`
before the `\\n` and a byte-order mark at the start of a line (of the file, or of one that `cat` has joined to it) are
left out. What is compressed or UTF-16 is recognised by its content (text_formats.py) and read as UTF-8. A note on
standard error says what was odd.
"""

import io
import os
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any, BinaryIO, NamedTuple, cast

import typer

from nmt_attn.errors import DataError
from nmt_attn.files import check_count, reason
from nmt_attn.text_formats import MARK, UTF16_MARKS, contents, damage, find_compression, find_encoding, without_mark

PAUSE_SECONDS = 0.05
"""When standard input has brought nothing for this long, the lines that have come make a window."""
CHUNK_BYTES = 1 << 16
LONGEST_LINE_BYTES = 1 << 24
"""A line that has more is refused: a file without line ends would fill the memory."""

Note = Callable[[str, int], object]
"""Called with what is odd about a line, and the line's number, from 1."""


class LineWindow(NamedTuple):
    """Lines that are translated together."""

    lines: list[str]
    undecodable_lines: int  # were not UTF-8


# ---- reading files


def read_lines(path: Path, *, keeps_ends: bool = False) -> list[str]:
    """All lines; a missing last `\\n` is forgiven. Raises DataError, also for text that is not UTF-8.

    With `keeps_ends` each line is all that stands before its `\\n`, for files in which a `\\r` or a zero
    byte is content.
    """
    with _notes() as note:
        lines = byte_lines(path, note, keeps_ends=keeps_ends)
        return [_decoded(line, path, number) for number, line in enumerate(lines, 1)]


def read_text(path: Path) -> str:
    """The whole file, its lines ended by `\\n`. Raises DataError likewise."""
    with _notes() as note:
        decoder = _LineDecoder(path, note)
        lines = _lines(_chunks(path), decoder)
        text = "".join(f"{_decoded(line, path, number)}\n" for number, line in enumerate(lines, 1))
    return text if decoder.is_ended else text.removesuffix("\n")


def read_parallel(source: Path, target: Path) -> tuple[list[str], list[str]]:
    """The lines of a text and of its translation. Raises DataError if they are not as many."""
    sources, targets = read_lines(source), read_lines(target)
    check_count(target, len(targets), len(sources), f"as many as in {source}")
    return sources, targets


def byte_lines(path: Path, note: Note | None = None, *, keeps_ends: bool = False) -> Iterator[bytes]:
    """The lines as UTF-8 without their ends, one at a time, of a file that may be large; some may not decode.

    `note` is called with what is odd; by default one note goes to standard error, at the end. Raises DataError.
    """
    if note is not None:
        yield from _lines(_chunks(path), _LineDecoder(path, note, keeps_ends=keeps_ends))
        return
    with _notes() as collected:
        yield from _lines(_chunks(path), _LineDecoder(path, collected, keeps_ends=keeps_ends))


def open_binary(path: Path) -> BinaryIO:
    """`path` opened for reading bytes as they are. Raises DataError in words if it cannot be."""
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a readable file, got {reason(error)}") from error


def check_readable(path: Path) -> None:
    """Raises DataError if the file is missing or is no text. A pipe is left alone: it can be read only once."""
    if not path.exists() or path.is_file() or path.is_dir():
        next(byte_lines(path, _silent), None)


def count_lines(path: Path) -> int | None:
    """How many lines this file has; None of a pipe. Raises DataError."""
    return sum(1 for _ in byte_lines(path, _silent)) if path.is_file() else None


# ---- reading a window at a time


def read_windows(path: Path | None, window_lines: int) -> Iterator[LineWindow]:
    """The lines of a file or of standard input, `window_lines` at a time; fewer when standard input pauses.

    Bytes that are not UTF-8 become U+FFFD. Raises DataError if the file cannot be read.
    """
    with _notes() as note:
        decoder = _LineDecoder(path or "standard input", note)
        windows = (
            _standard_input(decoder, window_lines) if path is None else _full(_chunks(path), decoder, window_lines)
        )
        for lines in windows:
            yield LineWindow([line.decode("utf-8", "replace") for line in lines], sum(map(_is_undecodable, lines)))


def _standard_input(decoder: "_LineDecoder", window_lines: int) -> Iterator[list[bytes]]:
    stream = sys.stdin.buffer
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:  # not a real stream
        return _full(_stream_chunks(stream, decoder.name), decoder, window_lines)
    if os.name != "posix":  # no way to ask whether more is there
        return _full(_stream_chunks(stream, decoder.name), decoder, window_lines)
    head = _read_chunk(descriptor)
    if find_compression(head) is not None:
        return _full(_stream_chunks(_Resumed(head, descriptor), decoder.name), decoder, window_lines)
    return _between_pauses(head, descriptor, decoder, window_lines)


def _read_chunk(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except OSError as error:
        raise DataError(f"standard input: expected text, got {reason(error)}") from error


def _full(chunks: Iterator[bytes], decoder: "_LineDecoder", window_lines: int) -> Iterator[list[bytes]]:
    window: list[bytes] = []
    for line in _lines(chunks, decoder):
        window.append(line)
        if len(window) == window_lines:
            yield window
            window = []
    if window:
        yield window


def _between_pauses(chunk: bytes, descriptor: int, decoder: "_LineDecoder", window_lines: int) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    while chunk:
        lines += decoder.feed(chunk)
        while len(lines) >= window_lines:
            yield lines[:window_lines]
            lines = lines[window_lines:]
        if lines and not select([descriptor], [], [], PAUSE_SECONDS)[0]:
            yield lines
            lines = []
        chunk = _read_chunk(descriptor)
    lines += decoder.feed(b"", is_end=True)
    for start in range(0, len(lines), window_lines):
        yield lines[start : start + window_lines]


# ---- from bytes to lines


class _LineDecoder:
    """Chunks of bytes in, as they come; whole lines out, as UTF-8 without their ends."""

    def __init__(self, where: Path | str, note: Note, *, keeps_ends: bool = False) -> None:
        self.name = where
        self.is_ended = True  # whether the last line had its `\n`
        self._short = where.name if isinstance(where, Path) else where
        self._note = note
        self._keeps_ends = keeps_ends
        self._to_utf8: Callable[[bytes, bool], bytes] | None = None  # None until enough has come to recognise it
        self._unfinished: list[bytes] = []  # the parts of a line whose end has not come
        self._unfinished_bytes = 0
        self._lines = 0

    def feed(self, chunk: bytes, *, is_end: bool = False) -> list[bytes]:
        """The lines that `chunk` ends, or the last one of all. Raises DataError for what is no text."""
        if self._to_utf8 is None:
            self._unfinished.append(chunk)
            head = b"".join(self._unfinished)
            if len(head) < 4 and b"\n" not in head and not is_end:
                return []
            self._unfinished = []
            self._to_utf8, chunk = self._recognise(head)
        first, *others = self._to_utf8(chunk, is_end).split(b"\n")
        self._unfinished.append(first)
        self._unfinished_bytes += len(first)
        if self._unfinished_bytes > LONGEST_LINE_BYTES:
            place, most = f"{self.name}:{self._lines + 1}", f"{LONGEST_LINE_BYTES >> 20} MiB"
            raise DataError(f"{place}: expected a line of at most {most}, got a longer one")
        lines: list[bytes] = []
        if others:
            lines = [b"".join(self._unfinished), *others[:-1]]
            self._unfinished = others[-1:]
            self._unfinished_bytes = len(others[-1])
        if is_end and (last := b"".join(self._unfinished)):
            self.is_ended = False
            lines.append(last)
        return [self._cleaned(line) for line in lines]

    def _recognise(self, head: bytes) -> tuple[Callable[[bytes, bool], bytes], bytes]:
        """What brings its chunks to UTF-8, and `head` without a mark of UTF-16."""
        try:
            encoding = find_encoding(head)
        except ValueError as error:
            raise DataError(f"{self.name}: expected UTF-8 text, got {error}") from error
        if encoding == "utf-8" or (self._keeps_ends and not head.startswith(tuple(UTF16_MARKS))):
            return (lambda chunk, is_end: chunk), head
        self._note(f"{self._short} is UTF-16, read as such", 1)
        decoder = getincrementaldecoder(encoding)("surrogatepass")

        def to_utf8(chunk: bytes, is_end: bool) -> bytes:
            text = decoder.decode(chunk).encode("utf-8", "surrogatepass")  # half a pair is found where it is decoded
            return text + b"\xff" if is_end and decoder.getstate()[0] else text

        return to_utf8, without_mark(head)

    def _cleaned(self, line: bytes) -> bytes:
        self._lines += 1
        if line.startswith(MARK) and (self._lines == 1 or not self._keeps_ends):
            place = "at the start of" if self._lines == 1 else "inside"
            self._note(f"byte-order mark {place} {self._short}, left out", self._lines)
            line = line[len(MARK) :]
        if line.endswith(b"\r") and not self._keeps_ends:
            self._note(f"\\r\\n line ends in {self._short}, read as \\n", self._lines)
            line = line[:-1]
        return line


class _Resumed(io.RawIOBase):
    """A stream of which `head` has been read already."""

    def __init__(self, head: bytes, descriptor: int) -> None:
        self._head = head
        self._descriptor = descriptor

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._head[: len(buffer)] or os.read(self._descriptor, len(buffer))
        self._head = self._head[len(chunk) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _lines(chunks: Iterator[bytes], decoder: _LineDecoder) -> Iterator[bytes]:
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.feed(b"", is_end=True)


def _chunks(path: Path) -> Iterator[bytes]:
    with open_binary(path) as stream:
        yield from _stream_chunks(stream, path)


def _stream_chunks(stream: BinaryIO | io.RawIOBase, name: Path | str) -> Iterator[bytes]:
    """The content, decompressed. Raises DataError."""
    try:
        is_buffered = isinstance(stream, io.BufferedReader)
        buffered = cast(io.BufferedReader, stream) if is_buffered else io.BufferedReader(cast(io.RawIOBase, stream))
        yield from contents(buffered, CHUNK_BYTES)
    except ValueError as error:
        raise DataError(f"{name}: expected text, got {error}") from error
    except damage() as error:
        raise DataError(f"{name}: expected a whole file, got a damaged one: {reason(error)}") from error


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"the byte {line[error.start]:#04x}"
        raise DataError(f"{path}:{number}: expected UTF-8 text, got {found}") from error


def _is_undecodable(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


@contextmanager
def _notes() -> Iterator[Note]:
    """A block whose notes, each once, become one line on standard error."""
    found: dict[str, int] = {}
    try:
        yield found.setdefault
    finally:
        if found:
            typer.echo(f"note: {'; '.join(found)}", err=True)


def _silent(text: str, number: int) -> None:
    """For files that are read again."""
