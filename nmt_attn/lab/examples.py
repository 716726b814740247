"""The models that ship with the package, example sentences with their gold links, and neighbours of their states."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from nmt_attn.demo.corpus import demo_corpus
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.neighbours import StateIndex
from nmt_attn.types import SentencePair

SHIPPED = ("bahdanau", "luong", "luong-local")
"""Folders in nmt_attn/lab/models; scripts/make_lab_models.py makes them."""
INDEXED_PAIRS, INDEXED_WORDS = 400, 12
"""Training pairs whose states are searched for neighbours, and the most words of their sources."""


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


def shipped_index(model: LabModel) -> StateIndex:
    """The states of a shipped model over some of the built-in sentences that it learned from. Takes about a second."""
    pairs = (SentencePair(pair.source, pair.target) for pair in demo_corpus("train", 2 * INDEXED_PAIRS))
    short = (pair for pair in pairs if len(pair.source.split()) <= INDEXED_WORDS)
    return StateIndex.build(model.translator, islice(short, INDEXED_PAIRS))
