"""The code of CONTRIBUTING.md: a score from outside the package is a score like any other."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch
from tiny_models import Overrides, accepted

from nmt_attn.commands.train import train
from nmt_attn.config.file import dump_config, parse_config
from nmt_attn.config.reference import reference_yaml
from nmt_attn.errors import ConfigError
from nmt_attn.model.build import build_model
from nmt_attn.model.initialise import INITIALISATIONS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.store import load_model
from nmt_attn.options.training import TrainOptions
from nmt_attn.registries import DECODERS, WINDOWS
from nmt_attn.registry import load_extensions
from nmt_attn.search.translator import Translator

ROOT = Path(__file__).parents[1]
[CODE] = re.findall(r"^```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M | re.S)
ENTRY_POINTS = "[nmt_attn.extensions]\ncosine = cosine\nbroken = cosine_that_is_not_there\n"
COSINE = "model.attention.score=cosine"


@pytest.fixture
def cosine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The score, registered for one test."""
    monkeypatch.setattr(SCORES, "_places", dict(SCORES._places))
    monkeypatch.setattr(SCORES, "_parts", dict(SCORES._parts))
    exec(compile(CODE, "CONTRIBUTING.md", "exec"), {"__name__": "cosine"})
    yield


def installed(folder: Path) -> dict[str, str]:
    """The environment in which the block is an installed package, beside one that cannot be imported."""
    (folder / "cosine.py").write_text(CODE, encoding="utf-8")
    metadata = folder / "cosine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: cosine\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def test_the_class_takes_fewer_than_fifteen_lines() -> None:
    code = CODE[CODE.index("@SCORES") :]
    assert len([line for line in code.split("\n") if line.strip()]) < 15


def test_without_it_the_name_is_refused_with_the_known_ones_and_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"one of 'none', 'additive', .*, got 'cosine' \(is the extension that") as e:
        parse_config("", [COSINE], "f.yaml")
    assert str(e.value).endswith("registers 'cosine' missing?)")


def test_a_name_is_registered_once(cosine: None) -> None:
    with pytest.raises(ConfigError, match=r"expected a new name for model\.attention\.score, got 'cosine' of cosine:"):
        SCORES.register("cosine")(object)


@pytest.mark.parametrize(("window", "style"), list(product(WINDOWS, DECODERS)))
def test_it_goes_with_every_window_and_decoder(window: str, style: str, cosine: None) -> None:
    keys = [COSINE, f"model.attention.window={window}", f"model.decoder.style={style}"]
    assert parse_config("", keys, "f.yaml").model.attention.score == "cosine"


def test_it_is_shown_among_the_accepted_values(cosine: None) -> None:
    assert "# | location | cosine]" in reference_yaml()
    assert "score: cosine" in dump_config(parse_config("", [COSINE], "f.yaml"))


def test_a_misspelt_name_is_told_it(cosine: None) -> None:
    with pytest.raises(ConfigError, match=r"got 'cosin' \(did you mean 'cosine'\?\)"):
        parse_config("", ["model.attention.score=cosin"], "f.yaml")


def test_a_key_that_it_does_not_read_is_refused(cosine: None) -> None:
    with pytest.raises(ConfigError, match=r"attention\.bias: .* with model\.attention\.score 'cosine', got true"):
        parse_config("", [COSINE, "model.attention.bias=true"], "f.yaml")


@pytest.mark.parametrize("scheme", INITIALISATIONS)
def test_its_vector_starts_at_sensible_numbers(scheme: str, cosine: None) -> None:
    torch.manual_seed(3)
    keys: Overrides = {"attention.score": "cosine", "initialisation": scheme, "decoder.hidden": 400}
    score = build_model(accepted(keys).model, 11, 13, positions=7).decoder.attention.score
    assert isinstance(score, torch.nn.Module)
    spread = {"xavier": 0.05 / 3**0.5, "orthogonal": 0.05 / 3**0.5, "uniform": 0.1 / 3**0.5, "bahdanau": 0.01}
    vector = score.get_parameter("vector").detach()
    assert vector.std().item() == pytest.approx(spread[scheme], rel=0.1)  # U(-a, a) with a = 400^-1/2: a / sqrt(3)
    assert score.get_parameter("key_projection.weight").detach().abs().max() > 0


def test_it_trains_searches_and_aligns(tmp_path: Path, cosine: None) -> None:
    file = tmp_path / "cosine.yaml"
    file.write_text(
        "data: {train: {limit: 40}, valid: {limit: 3}}\n"
        "model: {encoder: {hidden: 8, embedding: 4}, attention: {score: cosine}, decoder: {hidden: 6, embedding: 5}}\n"
        "training: {batch_tokens: 90, updates: 4, validate_updates: 4}\n",
        encoding="utf-8",
    )
    train(TrainOptions(file, (f"run.dir={tmp_path / 'runs'}", "run.name=r")))
    best = tmp_path / "runs" / "r" / "best"
    [translation] = Translator.load(str(best)).translate(["Turn off the lights"], beam=3)
    assert translation.alignment is not None
    weights = torch.as_tensor(translation.alignment.weights)
    torch.testing.assert_close(weights.sum(-1), torch.ones(len(weights)), rtol=0, atol=1e-5)
    SCORES._places.pop("cosine")  # as where no extension is installed
    message = r"best/config\.yaml: model\.attention\.score: .* 'location', got 'cosine' \(is the extension"
    with pytest.raises(ConfigError, match=message):
        load_model(best)


def test_an_installed_extension_is_there_when_the_command_line_starts(tmp_path: Path) -> None:
    environment = installed(tmp_path)
    command = [sys.executable, "-m", "nmt_attn", "config", "demo", "--set", COSINE, "--set", "model.attention.window=local-p"]  # fmt: skip  # noqa: E501
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "score: cosine" in done.stdout
    assert re.search(r"^# attention score +[\d,]+ .*vector (\d+), key_projection \1x\d+$", done.stdout, re.M)
    assert done.stderr == (
        "nmt-attn: extension 'broken': expected to import cosine_that_is_not_there, got ModuleNotFoundError: "
        "No module named 'cosine_that_is_not_there'\n"
    )


def test_nothing_is_said_where_there_is_no_extension() -> None:
    assert load_extensions() == []


@pytest.mark.slow
def test_it_keeps_the_laws(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "cosine", "tests/model/test_laws.py", "-k", "cosine"]
    environment = installed(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 4 * len(WINDOWS) * len(DECODERS)
