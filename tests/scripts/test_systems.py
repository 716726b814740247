"""scripts/systems.yaml: the keys of every system build a model that runs and agree with its shipped configuration."""

import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from tiny_models import POSITIONS, SOURCE_WORDS, TARGET_WORDS, tiny_batch

from nmt_attn.config.file import load_config, parse_config
from nmt_attn.config.key_paths import value_at
from nmt_attn.model.build import build_model

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from systems_page import PAGE, ROOT, page, read_groups


class Row(NamedTuple):
    """One system with all its keys."""

    name: str
    keys: tuple[str, ...]
    config: str | None


GROUPS = read_groups()
ROWS = [Row(system.name, group.common + system.keys, system.config) for group in GROUPS for system in group.systems]


def test_both_papers_and_the_other_systems_are_there() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 30
    papers = [*(ROOT / "configs").glob("luong-*.yaml"), *(ROOT / "configs").glob("rnn*.yaml")]
    big = {f"configs/{path.name}" for path in papers if not path.stem.endswith("-small")}
    assert {row.config for row in ROWS} - {None} == big


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(GROUPS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_rows_keys_make_a_model_that_runs(row: Row) -> None:
    config = parse_config("", [f"model.{key}" for key in row.keys], row.name)
    model = build_model(config.model, SOURCE_WORDS, TARGET_WORDS, POSITIONS).eval()
    with torch.no_grad():
        readouts, weights = model(tiny_batch([3, 5], [4, 2]))
    assert readouts.shape[:2] == (2, 4)
    assert weights.dense().shape == (2, 4, 5)
    assert model.has_attention == ("attention.score=none" not in row.keys)


@pytest.mark.parametrize("row", [row for row in ROWS if row.config], ids=lambda row: row.config)
def test_a_rows_keys_are_those_of_its_config(row: Row) -> None:
    built = parse_config("", [f"model.{key}" for key in row.keys], row.name)
    shipped = load_config(ROOT / str(row.config), [])
    for key in row.keys:
        name = f"model.{key.partition('=')[0]}"
        assert value_at(shipped, name) == value_at(built, name), f"{row.config}: {name}"
