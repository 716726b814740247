"""docs/training.md: its recipes are configurations, its keys may change, and the tests of its table exist."""

import re
from pathlib import Path

import pytest

from nmt_attn.config.file import load_config, parse_config
from nmt_attn.config.key_paths import value_at
from nmt_attn.training.run_folder import FREE_KEYS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


RECIPES = [line for line in section("Recipes").split("\n") if re.match(r"\|.*`[a-z_]+=", line)]
TESTS = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda line: line.split("|")[1].strip())
def test_a_recipe_is_a_configuration(recipe: str) -> None:
    keys = re.findall(r"`([a-z_]+=[^`]+)`", recipe)
    config = parse_config("", [f"training.{key}" for key in keys], "page")
    if named := re.search(r"`(configs/\S+)`", recipe):
        shipped = load_config(ROOT / named[1], [])
        for key in (key.partition("=")[0] for key in keys):
            assert value_at(config, f"training.{key}") == value_at(shipped, f"training.{key}"), key


def test_there_are_recipes_and_tests() -> None:
    assert len(RECIPES) >= 8 and len(TESTS) >= 15


@pytest.mark.parametrize("file, name", TESTS, ids=[name for _, name in TESTS])
def test_the_tests_of_the_table_exist(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_keys_that_may_change_are_those() -> None:
    paragraph = PAGE.partition("these may change:")[2].partition("Larger\nlimits")[0]
    named = set(re.findall(r"`([a-z_.]+)`", paragraph))
    assert {key.removeprefix("training.") for key in FREE_KEYS} == named - {"training"}
