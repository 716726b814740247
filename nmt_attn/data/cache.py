"""Cache: folders that are whole or not there, named after all that their content depends on.

A folder is written under a temporary name beside its place and renamed. When two processes make the same one, the
first rename wins. A manifest of sizes and digests tells a whole folder from a damaged one.
"""

import hashlib
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.data.alignments import BUILTIN
from nmt_attn.data.corpus import located
from nmt_attn.errors import DataError
from nmt_attn.files import reason
from nmt_attn.text_io import open_binary

FORMAT = 1
"""Raised whenever the same input would be prepared in another way."""

SMALL_BYTES = 64 << 20
"""Files up to this size are known by their content, larger ones by size and time of change."""

_MANIFEST = "manifest.json"


def fingerprint(config: Config) -> str:
    """16 hexadecimal digits: the same for the same corpora, cleaning and tokenizer. Raises DataError."""
    data = config.data
    parts = {
        "format": FORMAT,
        "tokenizer": config.tokenizer.model_dump(),
        "sentencepiece": _sentencepiece_version() if config.tokenizer.kind == "sentencepiece" else None,
        "cleaning": [data.max_length, data.over_long, data.blank, data.undecodable],
        "train": _identity(data.train, data.root),
        "valid": _identity(data.valid, data.root),
    }
    if data.alignments is not None:
        parts["alignments"] = _alignments(data.alignments, data.root)
    if config.training.subword_sampling.alpha is not None:
        parts["text"] = "kept"
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def is_whole(folder: Path) -> bool:
    """Whether every file that was written to `folder` is there as it was."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        return bool(manifest == _describe(folder))
    except (OSError, ValueError):
        return False


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`; renamed onto it when the block ends well, removed otherwise.

    If a whole folder is there by then, it stays. Raises DataError if the place cannot be written to.
    """
    owner = f".{folder.name}.{socket.gethostname()}.{os.getpid()}."
    temporary = folder.with_name(f"{owner}{secrets.token_hex(4)}.tmp")
    missing = [parent for parent in temporary.parents if not parent.exists()]
    try:
        temporary.mkdir(parents=True)
        _remove_abandoned(folder.parent)
        yield temporary
        manifest = json.dumps(_describe(temporary), indent=2) + "\n"
        (temporary / _MANIFEST).write_text(manifest, encoding="utf-8", newline="\n")
        _rename(temporary, folder)
    except OSError as error:
        raise DataError(f"{folder}: expected a place that can be written to, got {reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in missing:
            with suppress(OSError):
                parent.rmdir()  # which it does only if the block has left it empty


def _rename(temporary: Path, folder: Path) -> None:
    if folder.exists() and not is_whole(folder):
        damaged = temporary.with_name(f"{temporary.name}.damaged.tmp")
        folder.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        temporary.rename(folder)
    except OSError:
        if not is_whole(folder):
            raise


def _remove_abandoned(parent: Path) -> None:
    """Removes what killed processes of this machine have left behind."""
    for path in parent.glob(f".*.{socket.gethostname()}.*.tmp"):
        pid = path.name.split(f".{socket.gethostname()}.")[1].split(".")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _describe(folder: Path) -> dict[str, list[Any]]:
    """Size and digest of each file, by its name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _MANIFEST)
    return {str(path.relative_to(folder)): [path.stat().st_size, _digest(path)] for path in paths}


def _digest(path: Path) -> str | None:
    """Of the content; None for a file that is too large to be read at every start."""
    if path.stat().st_size > SMALL_BYTES:
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _identity(corpus: CorpusConfig, root: str | None) -> list[Any]:
    """What a corpus is made of, as JSON."""
    if corpus.builtin is not None:
        generator = sorted(Path(__file__).parent.glob("demo_*.py"))
        return [corpus.model_dump(), [_digest(path) for path in generator]]
    names = [corpus.tsv, corpus.jsonl] if corpus.tsv or corpus.jsonl else [corpus.source, corpus.target]
    if corpus.dataset is None:
        return [corpus.model_dump(), [_state(located(str(name), root)) for name in names if name is not None]]
    folder = located(corpus.dataset, root)
    return [corpus.model_dump(), [_state(path) for path in sorted(folder.rglob("*")) if path.is_file()]]


def _alignments(name: str, root: str | None) -> list[Any]:
    """What the file of word alignments is, or that they are the built-in corpus's."""
    return [name] if name == BUILTIN else _state(located(name, root))


def _state(path: Path) -> list[Any]:
    """Identifies this file and its version."""
    with open_binary(path):
        status = path.stat()
    digest = _digest(path)
    return [str(path), status.st_size, digest if digest is not None else status.st_mtime_ns]


def _sentencepiece_version() -> str:
    import sentencepiece

    return str(sentencepiece.__version__)
