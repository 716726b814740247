"""The README's systems: every row's keys make a model that runs, and agree with the file in configs/ that it names."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from tiny_models import POSITIONS, SOURCE_WORDS, TARGET_WORDS, tiny_batch

from nmt_attn.config.file import load_config
from nmt_attn.config.key_paths import value_at
from nmt_attn.model.build import build_model

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "systems.md"
HEADING = "### Which keys make which system\n"
TABLE = r"((?:^[^|\n].*\n)+)\n((?:^\|.*\n)+)"  # with the paragraph before it
KEY = r"`([a-z_.]+=[^`]+)`"
FEWEST_ROWS = 30


class Row(NamedTuple):
    """One system of the README."""

    name: str
    keys: tuple[str, ...]  # `decoder.style=luong`, those of the paragraph above the table first
    configs: tuple[str, ...]  # files that the row's first cell links to


def read_rows() -> list[Row]:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    rows: list[Row] = []
    for before, table in re.findall(TABLE, section, re.M):
        for name, keys in cells_of(table):
            every = (*re.findall(KEY, before), *re.findall(KEY, keys))
            rows.append(Row(name.split(", [")[0], every, tuple(re.findall(r"\((configs/\S+\.yaml)\)", name))))
    return rows


def cells_of(table: str) -> list[list[str]]:
    """The cells of each row below the head."""
    lines = table.rstrip("\n").split("\n")[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


ROWS = read_rows()


def test_both_papers_and_the_other_systems_are_there() -> None:
    assert len(ROWS) >= FEWEST_ROWS
    assert len({row.name for row in ROWS}) == len(ROWS)
    named = {path for row in ROWS for path in row.configs}
    papers = [*(ROOT / "configs").glob("luong-*.yaml"), *(ROOT / "configs").glob("rnn*.yaml")]
    big = {f"configs/{path.name}" for path in papers if not path.stem.endswith("-small")}
    assert named == big


def test_the_page_of_differences_speaks_of_these_systems() -> None:
    tables = re.findall(TABLE, PAGE.read_text(encoding="utf-8"), re.M)
    names = [name for _, table in tables for name, _ in cells_of(table)]
    assert names
    assert set(names) <= {row.name for row in ROWS}
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_rows_keys_make_a_model_that_runs(row: Row, tmp_path: Path) -> None:
    file = tmp_path / "row.yaml"
    file.write_text("", encoding="utf-8")
    config = load_config(file, [f"model.{key}" for key in row.keys])
    model = build_model(config.model, SOURCE_WORDS, TARGET_WORDS, POSITIONS).eval()
    with torch.no_grad():
        readouts, weights = model(tiny_batch([3, 5], [4, 2]))
    assert readouts.shape[:2] == (2, 4)
    assert weights.dense().shape == (2, 4, 5)
    assert model.has_attention == ("attention.score=none" not in row.keys)


@pytest.mark.parametrize("row", [row for row in ROWS if row.configs], ids=lambda row: row.configs[0])
def test_a_rows_keys_are_those_of_its_config(row: Row, tmp_path: Path) -> None:
    file = tmp_path / "row.yaml"
    file.write_text("", encoding="utf-8")
    told = load_config(file, [f"model.{key}" for key in row.keys])
    for path in row.configs:
        shipped = load_config(ROOT / path, [])
        for key in row.keys:
            name = f"model.{key.partition('=')[0]}"
            assert value_at(shipped, name) == value_at(told, name), f"{path}: {name}"
