"""Files and folders: text is UTF-8, lines end with `\\n` and nothing else; written beside the target and renamed.

A file whose name ends in `.gz` is read and written compressed.
"""

import gzip
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from nmt_attn.errors import DataError


def open_binary(path: Path) -> BinaryIO:
    """`path` opened for reading bytes. Raises DataError in words if it cannot be."""
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rb")  # type: ignore[return-value]  # a GzipFile reads as a BinaryIO
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, got {reason(error)}") from error


def read_text(path: Path) -> str:
    """The whole file. Raises DataError if it is missing or not UTF-8."""
    try:
        with open_binary(path) as stream:
            return stream.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text, got the byte {error.object[error.start]:#04x}") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: expected a readable file, got {reason(error)}") from error


def binary_lines(path: Path) -> Iterator[bytes]:
    """The lines without their `\\n`, one at a time, of a file that may be large. Raises DataError."""
    with open_binary(path) as stream:
        try:
            for line in stream:
                yield line.removesuffix(b"\n")
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: expected a whole file, got a damaged one: {reason(error)}") from error


def read_lines(path: Path) -> list[str]:
    """The lines without their `\\n`; a missing last `\\n` is forgiven. Raises DataError."""
    lines = read_text(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def read_parallel(path: Path, count: int, like: str) -> list[str]:
    """The lines of a file that must have `count` of them. Raises DataError; `like` says where the number is from."""
    lines = read_lines(path)
    check_count(path, len(lines), count, like)
    return lines


def check_count(where: object, found: int, expected: int, like: str, unit: str = "lines") -> None:
    """Raises DataError, `where: expected 3 lines, as in other.txt, got 2`, unless the two numbers are equal."""
    if found != expected:
        raise DataError(f"{where}: expected {expected} {unit}, {like}, got {found}")


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """A block in which whatever the operating system refuses is a DataError about `path`."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: expected a place that can be written to, got {reason(error)}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; renamed onto `path` when the block ends well, removed otherwise.

    A device or a pipe, such as /dev/null, is written to as it is. Raises DataError if the folder cannot be written
    to or the disk is full; the old file stays whole. A broken pipe of another stream passes through.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "a folder")
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"{path}: expected a place that can be written to, got {reason(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()  # which it does only if the block has left it empty


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` to write files to; renamed to `path` when the block ends well, removed otherwise.

    What `path` was before stays until then. Raises DataError if the place cannot be written to.
    """
    temporary, old = (path.with_name(f".{path.name}.{kind}{os.getpid()}.tmp") for kind in ("", "old."))
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.rename(old)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise DataError(f"{path}: expected a place that can be written to, got {reason(error)}") from error
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()  # which it does only if the block has left it empty


def remove_folder(path: Path) -> None:
    """Removes it with all it holds, and is never seen half removed. Raises DataError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing_to(path):
        path.rename(temporary)
        shutil.rmtree(temporary)


@contextmanager
def replacing_text(path: Path) -> Iterator[IO[str]]:
    """Like `replacing`, as a UTF-8 text stream (compressed if `path` ends in `.gz`)."""
    with replacing(path) as temporary:
        if path.suffix == ".gz":
            with gzip.open(temporary, "wt", encoding="utf-8", newline="\n") as stream:
                yield stream
        else:
            with temporary.open("w", encoding="utf-8", newline="\n") as plain:
                yield plain


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by `text`, whole or not at all. Raises DataError."""
    with replacing_text(path) as stream:
        stream.write(text)


def reason(error: Exception) -> str:
    """What went wrong, in the operating system's words, without its number."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
