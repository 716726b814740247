"""The systems of docs/systems.yaml: each builds a model that runs, agrees with its config, and is in the README."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from tiny_models import POSITIONS, SOURCE_WORDS, TARGET_WORDS, tiny_batch

from nmt_attn.config.file import load_config
from nmt_attn.config.words import value_at
from nmt_attn.model.build import build_model

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "systems.md"
FEWEST_ROWS = 30


class Row(NamedTuple):
    """One system."""

    name: str
    keys: tuple[str, ...]  # `decoder.style=luong`, those of its table first
    config: str | None  # the file that has these keys

    def cells(self, common: int) -> str:
        """Its line of the README's table, without the first `common` keys."""
        link = f", [{self.config}]({self.config})" if self.config else ""
        keys = " ".join(f"`{key}`" for key in self.keys[common:])
        return f"| {self.name}{link} | {keys or 'none more'} |\n"


def read_tables() -> list[tuple[int, list[Row]]]:
    """The tables: how many keys all rows have in common, and the rows."""
    tables = yaml.safe_load((ROOT / "docs" / "systems.yaml").read_text(encoding="utf-8"))
    return [
        (
            len(table["common"]),
            [Row(row["name"], (*table["common"], *row["keys"]), row.get("config")) for row in table["rows"]],
        )
        for table in tables
    ]


TABLES = read_tables()
ROWS = [row for _, rows in TABLES for row in rows]


def test_the_readme_has_these_tables() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for common, rows in TABLES:
        assert "| system | keys |\n|---|---|\n" + "".join(row.cells(common) for row in rows) + "\n" in readme
        assert all(f"`{key}`" in readme for key in rows[0].keys[:common])


def test_both_papers_and_the_other_systems_are_there() -> None:
    assert len(ROWS) >= FEWEST_ROWS
    assert len({row.name for row in ROWS}) == len(ROWS)
    named = {row.config for row in ROWS if row.config}
    papers = [*(ROOT / "configs").glob("luong-*.yaml"), *(ROOT / "configs").glob("rnn*.yaml")]
    big = {f"configs/{path.name}" for path in papers if not path.stem.endswith("-small")}
    assert named == big


def test_the_page_of_differences_speaks_of_these_systems() -> None:
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    names = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    names = [name for name in names if name != "system"]
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


@pytest.mark.parametrize("row", [row for row in ROWS if row.config], ids=lambda row: row.config)
def test_a_rows_keys_are_those_of_its_config(row: Row, tmp_path: Path) -> None:
    file = tmp_path / "row.yaml"
    file.write_text("", encoding="utf-8")
    told = load_config(file, [f"model.{key}" for key in row.keys])
    assert row.config is not None
    shipped = load_config(ROOT / row.config, [])
    for key in row.keys:
        name = f"model.{key.partition('=')[0]}"
        assert value_at(shipped, name) == value_at(told, name), f"{row.config}: {name}"
