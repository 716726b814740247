"""Reader for the `datasets` library: a folder written by `save_to_disk`, or what `load_dataset` takes.

Rows are numbered from 1. A side is a column of text or a field of a record, such as WMT's `translation`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt_attn.config.schema import CorpusConfig
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.readers import Fields, NumberedPair, text_pair
from nmt_attn.errors import ConfigError, DataError

_SAVED = ("state.json", "dataset_dict.json")
"""Files by which a folder of `save_to_disk` is known."""

_ROWS = 1000
"""Rows decoded at a time."""


def read_dataset(
    corpus: CorpusConfig, fields: Fields, *, folder: Path, cache: Path, report: CorpusReport
) -> Iterator[NumberedPair]:
    """The rows of `folder` if it exists, else of the hub's dataset of that name, which is kept in `cache`."""
    if folder.is_dir() and corpus.revision is not None:
        expected = f"null, as {folder} is a folder and not a dataset of the hub"
        raise ConfigError(f"{report.corpus}.revision: expected {expected}, got {corpus.revision}")
    table = _one_split(_load(corpus, folder, cache), corpus, report.corpus)
    report.source = report.target = f"{corpus.dataset}[{corpus.split}]" if corpus.split else str(corpus.dataset)
    source = _path(table, fields.source, f"{report.corpus}.source")
    target = _path(table, fields.target, f"{report.corpus}.target")
    number = 0
    columns = list(dict.fromkeys([source[0], target[0]]))
    for batch in table.with_format(None).select_columns(columns).iter(batch_size=_ROWS):
        for source_text, target_text in zip(_texts(batch, source), _texts(batch, target), strict=True):
            number += 1
            yield text_pair(number, source_text, target_text, report)


def _load(corpus: CorpusConfig, folder: Path, cache: Path) -> Any:
    """A dataset, or a dict of its splits."""
    name = str(folder) if folder.is_dir() else str(corpus.dataset)
    if not folder.is_dir() and (name.count("/") > 1 or name.startswith((".", "/", "~"))):
        raise DataError(f"{folder}: expected a folder, got no such file or directory")
    import datasets
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]  # not in its __all__

    datasets.disable_progress_bars()
    disable_progress_bars()
    try:
        if any((folder / file).is_file() for file in _SAVED):
            return datasets.load_from_disk(str(folder))
        place = str(cache / "datasets")
        return datasets.load_dataset(name, corpus.subset, split=corpus.split, revision=corpus.revision, cache_dir=place)
    except Exception as error:  # the library and its network layers raise errors of many kinds
        found = (str(error) or type(error).__name__).split("\n")[0]
        raise DataError(f"{corpus.dataset}: expected a dataset that can be loaded, got: {found}") from error


def _one_split(loaded: Any, corpus: CorpusConfig, where: str) -> Any:
    got = corpus.split or "none"
    if isinstance(loaded, dict):
        if corpus.split is None and len(loaded) == 1:
            return next(iter(loaded.values()))
        if corpus.split not in loaded:
            raise ConfigError(f"{where}.split: expected one of {', '.join(sorted(loaded))}, got {got}")
        return loaded[corpus.split]
    if corpus.split not in (None, str(loaded.split)):
        raise ConfigError(f"{where}.split: expected {loaded.split or 'none'}, all that {corpus.dataset} has, got {got}")
    return loaded


def _path(table: Any, name: str, where: str) -> list[str]:
    """The names that lead to a text in each row, from the column inwards."""
    schema = table.features.arrow_schema
    paths = _text_paths([], schema)
    for path in ([name], ["translation", name], name.split(".")):
        if path in paths:
            return path
    known = ", ".join(".".join(path) for path in paths) or "none"
    raise ConfigError(f"{where}: expected one of the texts in the dataset ({known}), got {name}")


def _text_paths(outer: list[str], fields: Any) -> list[list[str]]:
    import pyarrow as pa

    paths = []
    for field in fields:
        path = [*outer, field.name]
        if pa.types.is_struct(field.type):
            paths += _text_paths(path, field.type)
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            paths.append(path)
    return paths


def _texts(batch: dict[str, list[Any]], path: list[str]) -> Iterator[str]:
    for value in batch[path[0]]:
        for name in path[1:]:
            value = value[name] if value is not None else None
        yield value or ""
