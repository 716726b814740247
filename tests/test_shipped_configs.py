"""Every file in configs/ loads; every small twin is its big one in small, and makes a training step."""

from pathlib import Path

import pytest
import torch
from tiny_training import Watcher

from nmt_attn.config.file import load_config
from nmt_attn.config.key_paths import all_keys, locate, value_at
from nmt_attn.config.schema import Config
from nmt_attn.data.prepare import prepare_training
from nmt_attn.model.count import count_from_config
from nmt_attn.model.store import model_from_config
from nmt_attn.processes import Processes
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.trainer import Trainer

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(path.name for path in CONFIGS.glob("*.yaml"))
SYSTEMS = sorted(path.stem.removesuffix("-small") for path in CONFIGS.glob("*-small.yaml"))
KEYS = [".".join(keys) for keys in all_keys() if locate(keys).section is None]

DATA = {key for key in KEYS if key.startswith(("data.train.", "data.valid.", "data.test."))}
SIZES = {
    "data.max_length",
    "model.encoder.hidden",
    "model.encoder.embedding",
    "model.attention.hidden",
    "model.decoder.hidden",
    "model.decoder.embedding",
    "model.decoder.readout_hidden",
}
LIMITS = {"training.batch_tokens", "training.epochs", "training.halve_after_epochs"}
MEASURED_OTHERWISE = {"run.name", "evaluate.tokenize"}
OF_BAHDANAU = {"model.initialisation", "training.clip_norm"}
OF_LUONG = {"model.initial_range", "training.learning_rate", "model.encoder.dropout", "model.decoder.dropout"}
"""Why these differ stands in the files: what suits 1000 units and days does not suit 100 units and minutes."""


def load(name: str, *overrides: str) -> Config:
    return load_config(CONFIGS / name, overrides)


@pytest.mark.parametrize("name", [name for name in FILES if name != "reference.yaml"])
def test_no_shipped_training_depends_on_the_clock(name: str) -> None:
    training = load_config(CONFIGS / name, []).training
    assert training.minutes is None
    assert training.epochs is not None or training.updates is not None


@pytest.mark.parametrize("name", FILES)
def test_every_file_loads_and_names_its_run_after_itself(name: str) -> None:
    config = load(name)
    assert config.run.name == ("run" if name == "reference.yaml" else name.removesuffix(".yaml"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_small_twin_differs_in_named_keys_alone(system: str) -> None:
    big, small = load(f"{system}.yaml"), load(f"{system}-small.yaml")
    different = {key for key in KEYS if value_at(big, key) != value_at(small, key)}
    own = OF_LUONG if system.startswith("luong") else OF_BAHDANAU
    assert different <= DATA | SIZES | LIMITS | MEASURED_OTHERWISE | own
    assert {"data.train.builtin", "model.decoder.hidden"} <= different


def test_the_papers_systems_are_there() -> None:
    luong = ["luong-base", "luong-dropout", "luong-local-p", "luong-location", "luong-location-feed", "luong-reverse"]
    assert [*luong, "rnnencdec-50", "rnnsearch-50"] == SYSTEMS


@pytest.mark.parametrize(
    ("system", "keys"),
    [
        ("luong-reverse", {"model.encoder.reverse_source"}),
        (
            "luong-dropout",
            {"model.encoder.dropout", "model.decoder.dropout", "training.epochs", "training.halve_after_epochs"},
        ),
        (
            "luong-location",
            {"model.attention.score", "model.attention.attend_eos", "model.decoder.attentional_state"},
        ),
        ("luong-location-feed", {"model.decoder.input_feeding"}),
        ("luong-local-p", {"model.attention.score", "model.attention.window"}),
    ],
)
def test_each_row_of_luongs_table_changes_what_its_name_says(system: str, keys: set[str]) -> None:
    rows = ["luong-base", "luong-reverse", "luong-dropout", "luong-location", "luong-location-feed", "luong-local-p"]
    before, after = load(f"{rows[rows.index(system) - 1]}.yaml"), load(f"{system}.yaml")
    assert {key for key in KEYS if value_at(before, key) != value_at(after, key)} == {*keys, "run.name"}


def test_rnnsearch_has_the_papers_sizes() -> None:
    config = load("rnnsearch-50.yaml")
    parts = {part.part: part.parameters for part in count_from_config(config, 30004, 30004)}
    assert parts["encoder layer 1"] == 2 * (3 * 1000 * (620 + 1000) + 3 * 1000)  # two directions: W, U, biases
    assert parts["decoder layer 1"] == 3 * 1000 * (620 + 1000 + 2000) + 3 * 1000  # W, U, C, biases
    assert parts["attention score"] == 1000 * 1000 + 1000 * 2000 + 1000  # W_a, U_a, v_a
    assert parts["decoder first state"] == 1000 * 1000 + 1000  # W_s
    assert parts["readout"] == 1000 * (1000 + 620 + 2000) + 1000  # U_o, V_o, C_o of 2 x 500 rows
    assert parts["output layer"] == 30004 * 500 + 30004  # W_o


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_small_twin_makes_a_training_step(system: str, tmp_path: Path) -> None:
    few = [f"data.{part}.limit={number}" for part, number in (("train", 12), ("valid", 4))]
    limits = [
        "training.batch_tokens=100",
        "training.epochs=null",
        "training.updates=1",
        "training.validate_translation=false",
    ]
    config = load(f"{system}-small.yaml", *few, *limits, f"run.dir={tmp_path}")
    data = prepare_training(config)
    torch.manual_seed(1)
    model = model_from_config(config, data.source.size, data.target.size)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer, watcher = build_optimizer(model.parameters(), config.training), Watcher()
    trainer = Trainer(
        model,
        optimizer,
        config.training,
        data.train,
        data.valid,
        seed=1,
        dtype=torch.float32,
        progress=Progress(),
        processes=Processes(),
        score=None,
    )
    assert trainer.run(watcher).update == 1
    assert 3 < watcher.updates[0].loss < 6  # between 70 words and 280, all alike
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert {"source_embedding.weight", "output.weight"} <= changed
