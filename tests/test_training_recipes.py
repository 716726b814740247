"""Recipes of the papers and of other toolkits: their keys are valid and agree with the shipped configurations."""

from pathlib import Path
from typing import NamedTuple

import pytest

from nmt_attn.config.file import load_config, parse_config
from nmt_attn.config.key_paths import value_at

ROOT = Path(__file__).parents[1]


class Recipe(NamedTuple):
    """Keys below `training`."""

    source: str
    keys: tuple[str, ...]
    config: str | None = None


RECIPES = [
    Recipe(
        "Bahdanau et al. 2015, appendix B.2",
        (
            "optimizer=adadelta",
            "learning_rate=1.0",
            "schedule=constant",
            "rho=0.95",
            "epsilon=1e-6",
            "clip_norm=1.0",
            "loss_per=sentence",
        ),
        "rnnsearch-50",
    ),
    Recipe(
        "Luong et al. 2015, 4.1",
        (
            "optimizer=sgd",
            "learning_rate=1.0",
            "schedule=halving",
            "halve_after_epochs=5",
            "epochs=10",
            "clip_norm=5.0",
            "loss_per=sentence",
        ),
        "luong-base",
    ),
    Recipe("with dropout", ("schedule=halving", "halve_after_epochs=8", "epochs=12"), "luong-dropout"),
    Recipe("tensorflow/nmt, luong5", ("schedule=step-halving", "decay_after=0.5", "decay_times=5")),
    Recipe("tensorflow/nmt, luong234", ("schedule=step-halving", "decay_after=0.6667", "decay_times=4")),
    Recipe(
        "Vaswani et al. 2017, 5.3",
        ("schedule=inverse-sqrt", "warmup_updates=4000", "betas=[0.9, 0.98]", "epsilon=1e-9"),
    ),
    Recipe("small corpus", ("learning_rate=6e-3", "schedule=cosine"), "demo"),
    Recipe("until it stops improving", ("schedule=plateau", "patience=5", "epochs=100")),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.source)
def test_a_recipe_is_a_configuration(recipe: Recipe) -> None:
    config = parse_config("", [f"training.{key}" for key in recipe.keys], recipe.source)
    if recipe.config is not None:
        shipped = load_config(ROOT / "configs" / f"{recipe.config}.yaml", [])
        for key in (key.partition("=")[0] for key in recipe.keys):
            assert value_at(config, f"training.{key}") == value_at(shipped, f"training.{key}"), key
