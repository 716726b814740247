"""Cache: folders named by a fingerprint of their inputs; a folder is either complete or absent.

A folder is written under a temporary name beside its final path and then renamed. If two processes write the same
folder, the first rename wins. A manifest of sizes and digests detects damaged folders.
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
from nmt_attn.data.codec import like_codecs
from nmt_attn.data.corpus import located
from nmt_attn.data.fingerprints import SMALL_BYTES, corpus_files, digest
from nmt_attn.errors import DataError
from nmt_attn.files import reason
from nmt_attn.text_io import open_binary

FORMAT = 1
"""Incremented whenever the same input is prepared differently."""

_MANIFEST = "manifest.json"


def fingerprint(config: Config) -> str:
    """16 hexadecimal digits: the same for the same corpora, cleaning and tokenizer. Raises DataError."""
    data = config.data
    parts = {
        "format": FORMAT,
        "tokenizer": config.tokenizer.model_dump(),
        "sentencepiece": _sentencepiece_version() if "sentencepiece" in config.tokenizer.kinds else None,
        "cleaning": [data.max_length, data.over_long, data.blank, data.undecodable],
        "train": _identity(data.train, data.root),
        "valid": _identity(data.valid, data.root),
        "held out": data.held_out.model_dump(),
    }
    if not config.model.has_source:
        parts["source"] = "none"
    if config.tokenizer.like is not None:
        parts["like"] = like_codecs(config.tokenizer).digest()
    if data.columns.source is not None:
        parts["columns"] = data.columns.model_dump(mode="json")
    if data.alignments is not None:
        parts["alignments"] = _alignments(data.alignments, data.root)
    if config.model.decoder.copying != "none":
        parts["rows"] = "kept"
    if config.training.subword_sampling.alpha is not None:
        parts["text"] = "kept"
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def is_whole(folder: Path) -> bool:
    """True if `folder` contains every file that was written to it, unchanged."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        return bool(manifest == _describe(folder))
    except (OSError, ValueError):
        return False


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Context of an empty folder that becomes `folder` if the block succeeds and is removed otherwise.

    If `folder` is complete by then, it is kept. Raises DataError if the folder cannot be written.
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
                parent.rmdir()  # only removes empty folders


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
    """Removes temporary folders of killed processes of this machine."""
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
    """Size and digest of each file by name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _MANIFEST)
    return {str(path.relative_to(folder)): [path.stat().st_size, _digest(path)] for path in paths}


def _digest(path: Path) -> str | None:
    """Digest of the content; None for files too large to be read at every start, which size and time identify."""
    if path.stat().st_size > SMALL_BYTES:
        return None
    return digest(path)


def _identity(corpus: CorpusConfig, root: str | None) -> list[Any]:
    """What determines the content of a corpus, as JSON."""
    files = corpus_files(corpus, root).values()
    if corpus.builtin is not None:
        return [corpus.model_dump(), [_digest(path) for path in files]]
    return [corpus.model_dump(), [_state(path) for path in files]]


def _alignments(name: str, root: str | None) -> list[Any]:
    """Identifies the file of word alignments, or those of the built-in corpus."""
    return [name] if name == BUILTIN else _state(located(name, root))


def _state(path: Path) -> list[Any]:
    """Identifies this file and its version."""
    with open_binary(path):
        status = path.stat()
    content = _digest(path)
    return [str(path), status.st_size, content if content is not None else status.st_mtime_ns]


def _sentencepiece_version() -> str:
    import sentencepiece

    return str(sentencepiece.__version__)
