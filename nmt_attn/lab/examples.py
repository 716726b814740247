"""The models that ship with the package, and example sentences with their gold links."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

SHIPPED = ("bahdanau", "luong", "luong-local")
"""Folders in nmt_attn/lab/models; scripts/make_lab_models.py makes them."""


class Example(NamedTuple):
    """A sentence, its translation by people, and links (source word, target word) from 0 where they are known."""

    source: str
    target: str
    links: tuple[tuple[int, int], ...]


@contextmanager
def shipped_models() -> Iterator[list[Path]]:
    """The block in which the folders of the shipped models are files on the disk."""
    with as_file(files("nmt_attn.lab") / "models") as folder:
        yield [folder / name for name in SHIPPED]


def shipped_examples() -> list[Example]:
    """Sentences of the built-in test set."""
    text = (files("nmt_attn.lab") / "models" / "examples.json").read_text(encoding="utf-8")
    return [Example(each["source"], each["target"], tuple(map(tuple, each["links"]))) for each in json.loads(text)]
