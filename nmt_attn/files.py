"""Files and folders: their names, and writing them; each is written beside its target and renamed.

Text is written as UTF-8 with `\\n` line ends, compressed if the name ends in `.gz`. Reading text: text_io.py.
"""

import errno
import gzip
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import IO

import typer

from nmt_attn.errors import CheckpointError, ConfigError, DataError

MOST_SHOWN = 200
"""Letters of another library's message."""
OUTPUT_ERRORS = {errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
"""What the operating system says, without a file's name, where a stream cannot be written to."""


def usable_path(text: str | Path, where: str = "") -> Path:
    """The path, with `~` expanded. Raises DataError if there can be no file of that name, or it cannot be asked for.

    `where` says in errors what names it, such as an option. Nothing needs to be there yet.
    """
    name, place = str(text), f"{where}: " if where else ""
    problem = _problem(name)
    if problem is not None:
        raise DataError(f"{place}expected a path, got {problem}")
    path = Path(name).expanduser()
    try:
        path.stat()  # of what a link leads to
    except (FileNotFoundError, NotADirectoryError):
        return path
    except OSError as error:
        raise DataError(f"{place}expected a path that can be used, got {shown(name)}: {reason(error)}") from error
    return path


def _problem(name: str) -> str | None:
    """What is wrong with the name of a file; None if nothing is."""
    if not name.strip():
        return f"an empty one, {name!r}"
    if "\0" in name:
        return f"a NUL character in {shown(name)}"
    if not is_unicode(name):
        return f"{shown(name)}, which is not UTF-8"
    if name.startswith("~") and os.path.expanduser(name) == name:  # noqa: PTH111  # Path.expanduser raises
        return f"{shown(name)}: no such user (a file of that name: ./{shown(name)[1:-1]})"
    return None


def check_apart(inputs: Mapping[str, Path | None], outputs: Mapping[str, Path | None]) -> None:
    """Raises ConfigError if an output would overwrite an input, or another output; both by the names of their options.

    A device or a pipe is not overwritten.
    """
    known = {name: path for name, path in inputs.items() if path is not None}
    for name, path in outputs.items():
        if path is None or (path.exists() and not path.is_file()):
            continue
        for other, taken in known.items():
            if path.resolve() == taken.resolve():
                raise ConfigError(f"--{name}: expected another file than --{other}, got {path}")
        known[name] = path


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: what a shell passes on may be other bytes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """At most 80 letters of the text in quotes, with escapes for what cannot be written."""
    return ascii(text[:80]) if not is_unicode(text) else repr(text[:80])


def check_inside(path: Path, folder: Path) -> None:
    """Raises CheckpointError if the file lies outside `folder`, by a link: what it holds might be shown."""
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # a loop of links
        raise CheckpointError(f"{path}: expected a file of this folder, got {reason(error)}") from error
    if not is_inside:
        raise CheckpointError(f"{path}: expected a file of {folder}, got a link to a place outside (copy the file)")


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
        _remove_leftovers(path)
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
        _remove_leftovers(path)
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


def _remove_leftovers(path: Path) -> None:
    """Removes what a process that was killed left beside `path`: `.NAME.PID.tmp`, of a PID that is gone.

    Where it was killed between moving the old folder away and the new one there, the old one comes back.
    """
    for leftover in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        match = re.fullmatch(r"(old\.)?(\d{1,9})\.tmp", leftover.name.removeprefix(f".{path.name}."), re.ASCII)
        if match is None or _is_running(int(match[2])):
            continue
        with suppress(OSError):
            if match[1] and not path.exists():
                leftover.rename(path)
            elif leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


def _is_running(pid: int) -> bool:
    """Whether this machine has a process of that number; where it cannot be asked, yes."""
    if os.name != "posix":  # os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


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
        if path.suffix.lower() == ".gz":
            with gzip.open(temporary, "wt", encoding="utf-8", newline="\n") as stream:
                yield stream
        else:
            with temporary.open("w", encoding="utf-8", newline="\n") as plain:
                yield plain


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by `text`, whole or not at all. Raises DataError."""
    with replacing_text(path) as stream:
        stream.write(text)


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


def _write_standard_output(text: str) -> None:
    try:
        typer.echo(text.encode("utf-8"), nl=False)  # bytes: whatever the locale; echo flushes
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_unwritten()
        raise DataError(f"standard output: expected a place that can be written to, got {reason(error)}") from error


def open_streams() -> None:
    """Opens the standard streams that are closed (`>&-`), so that no file becomes one of them.

    From such an input nothing can be read, to such an output nothing written; what goes to such an error is lost.
    """
    for number, (name, flags) in enumerate((("stdin", os.O_WRONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def drop_unwritten() -> None:
    """What an output stream cannot write goes nowhere: it stays in a buffer, and Python would try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except ValueError:  # it is closed, with all that it held
            continue


def or_standard(path: Path | None) -> Path | None:
    """None, which is standard input or output, for `-` too."""
    return None if path == Path("-") else path


def reason(error: Exception) -> str:
    """What went wrong, in the operating system's words, without its number; at most MOST_SHOWN letters of one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text[: 2 * MOST_SHOWN].split())[:MOST_SHOWN].lower()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
