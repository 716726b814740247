"""Fingerprints: the content of every file that a run learns from, so that a changed one is noticed.

    {"data.train": {"train.tsv": [size in bytes, modification time in ns, digest]}, "data.valid": ..., ...}

Small files are always read; of a larger one the digest is taken again only if its size or time has changed.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from nmt_attn import demo
from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.data.alignments import BUILTIN
from nmt_attn.data.corpus import located
from nmt_attn.text_io import open_binary

SMALL_BYTES = 64 << 20
"""Files up to this size are read at every start."""

VECTORS = "data.vectors"

FileState = tuple[int, int, str]
"""Size in bytes, modification time in ns, digest of the content."""

Fingerprints = dict[str, dict[str, FileState]]
"""The state of each file by its name in the configuration, by the key that names it."""


def fingerprints(config: Config, before: Fingerprints) -> Fingerprints:
    """Of all files of `config`; `before` are those of an earlier start. Raises DataError if a file cannot be read."""
    found: Fingerprints = {}
    for key, name, path in _files(config):
        earlier = before.get(key, {}).get(name)
        if earlier is not None and key.startswith(VECTORS) and not path.exists():
            found.setdefault(key, {})[name] = earlier  # a model that has begun needs its vectors no more
        elif not path.exists() or path.is_file():  # a pipe can be read only once
            found.setdefault(key, {})[name] = _state(path, earlier)
    return found


def changed_files(before: Fingerprints, now: Fingerprints) -> list[str]:
    """`key (file)` for every file whose content differs, or that is new or gone."""
    changed = []
    for key in sorted(before.keys() | now.keys()):
        old, new = ({name: state[2] for name, state in each.get(key, {}).items()} for each in (before, now))
        changed += [f"{key} ({name})" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return changed


def corpus_files(corpus: CorpusConfig, root: str | None) -> dict[str, Path]:
    """The files that hold a corpus, by name; those of its generator if it is the built-in one."""
    if corpus.builtin is not None:
        return {f"demo/{path.name}": path for path in sorted(Path(demo.__file__).parent.glob("*.py"))}
    if corpus.dataset is not None:
        folder = located(corpus.dataset, root)
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {str(Path(corpus.dataset) / path.relative_to(folder)): path for path in paths}
    names = [corpus.tsv, corpus.jsonl] if corpus.tsv or corpus.jsonl else [corpus.source, corpus.target]
    return {str(name): located(str(name), root) for name in names if name is not None}


def digest(path: Path) -> str:
    """16 hexadecimal digits that stand for the content. Raises DataError if it cannot be read."""
    with open_binary(path) as opened:
        stream = cast(io.BufferedReader, opened)
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _files(config: Config) -> Iterator[tuple[str, str, Path]]:
    """(key, name, path) of every file."""
    data = config.data
    for key, corpus in (("data.train", data.train), ("data.valid", data.valid)):
        for name, path in corpus_files(corpus, data.root).items():
            yield key, name, path
    others = {
        "data.alignments": None if data.alignments == BUILTIN else data.alignments,
        f"{VECTORS}.source": data.vectors.source,
        f"{VECTORS}.target": data.vectors.target,
    }
    for key, other in others.items():
        if other is not None:
            yield key, str(other), located(str(other), data.root)


def _state(path: Path, before: FileState | None) -> FileState:
    with open_binary(path):  # or raises DataError
        status = path.stat()
    if before is not None and status.st_size > SMALL_BYTES and before[:2] == (status.st_size, status.st_mtime_ns):
        return before
    return status.st_size, status.st_mtime_ns, digest(path)
