"""Data paths: a relative path of `data` is looked for beside the configuration file, then in the working directory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt_attn.config.key_paths import value_at
from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.errors import DataError
from nmt_attn.files import usable_path

_FILES = ("data.alignments", "data.vectors.source", "data.vectors.target")
_CORPORA = ("train", "valid", "test")


def find_beside(config: Config, folder: Path) -> Config:
    """The configuration with `data.root` inside `folder` if a file of `data` is there.

    What is in the working directory alone keeps its place, as an absolute path. Raises DataError for an impossible
    path.
    """
    here = usable_path(config.data.root or ".", "data.root")
    beside = folder / here
    names = {key: name for key, name in _names(config) if not Path(name).is_absolute()}
    if here.is_absolute() or beside.resolve() == here.resolve():
        return config
    if not any((beside / name).exists() for name in names.values()):
        return config
    if all(key in _FILES for key in names):  # a built-in corpus has no root
        return _with_values(
            config, {key: str(beside / name) for key, name in names.items() if (beside / name).exists()}
        )
    elsewhere = {
        key: str((here / name).absolute())
        for key, name in names.items()
        if not (beside / name).exists() and (here / name).exists()
    }
    return _with_values(config, {"data.root": str(beside), **elsewhere})


def require_files(config: Config, file: Path, *, is_new: bool = True) -> None:
    """Raises DataError, with both places, for a file of `data` that is neither beside `file` nor in the working folder.

    Where both are one folder nothing is said: whoever reads the file names it. A run that is not new needs no vectors.
    """
    here = usable_path(config.data.root or ".", "data.root")
    for key, name in _names(config):
        if key.startswith("data.vectors.") and not is_new:
            continue
        beside = file.parent / here / name
        is_missing = not (here / name).exists() and not beside.exists()
        if is_missing and not key.endswith(".dataset") and beside.absolute() != (here / name).absolute():
            raise DataError(
                f"{key}: expected a file, got none at {beside} (beside {file}) and none at {here / name} (in the "
                "working directory)"
            )


def _names(config: Config) -> Iterator[tuple[str, str]]:
    """The keys of `data` that name files, with the names."""
    for part in _CORPORA:
        corpus: CorpusConfig = value_at(config, f"data.{part}")
        forms = {"tsv": corpus.tsv, "jsonl": corpus.jsonl, "dataset": corpus.dataset, "builtin": corpus.builtin}
        given = {name: value for name, value in forms.items() if value is not None}
        found: dict[str, Any] = given or {"source": corpus.source, "target": corpus.target}
        yield from (
            (f"data.{part}.{name}", str(value))
            for name, value in found.items()
            if value is not None and name != "builtin"
        )
    for key in _FILES:
        if (name := value_at(config, key)) is not None and name != "builtin":
            yield key, str(name)


def _with_values(config: Config, values: dict[str, str]) -> Config:
    """A copy in which these keys of any depth have other values; which keys were given does not change."""
    copy = config
    for key, value in values.items():
        copy = _replaced(copy, key.split("."), value)
    return copy


def _replaced(section: Any, keys: list[str], value: str) -> Any:
    first, *rest = keys
    return section.model_copy(update={first: _replaced(getattr(section, first), rest, value) if rest else value})
