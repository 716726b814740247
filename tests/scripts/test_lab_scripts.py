"""The scripts of the lab: models that ship, and load on the server."""

import asyncio
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml
from tiny_runs import make_run

from nmt_attn.config.file import parse_config
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.search.translator import Translator

SCRIPTS = Path(__file__).parents[2] / "scripts"
NAMES = ("bahdanau", "luong", "luong-local")


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.mark.parametrize("name", NAMES)
def test_the_configurations_of_the_shipped_models_are_accepted(name: str) -> None:
    import make_lab_models

    assert set(make_lab_models.MODELS) == set(NAMES)
    config = parse_config(yaml.safe_dump(make_lab_models.configuration(name, 1.0)), [], name)
    assert config.run.name == name


def test_a_model_is_shipped_in_half_the_bytes_and_loads(tmp_path: Path) -> None:
    import make_lab_models

    run = make_run(tmp_path)
    make_lab_models.ship(run, tmp_path / "shipped")
    tensors = safetensors.torch.load_file(tmp_path / "shipped" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    shipped, whole = (LabModel.load(folder).trace("un gato negro") for folder in (tmp_path / "shipped", run))
    assert shipped.target == whole.target
    assert shipped.log_prob == pytest.approx(whole.log_prob, abs=0.05)


@pytest.mark.slow
def test_many_clients_get_right_answers_before_and_after_a_kill(tmp_path: Path) -> None:
    import lab_load

    run = make_run(tmp_path)
    texts = ["un gato", "el perro ve el gato negro", "dos perros", "el gato"]
    found = Translator.load(run).translate(texts, beam=1)
    expected = dict(zip(texts, (each.text for each in found), strict=True))
    process = lab_load.start_server(run)
    try:
        result = asyncio.run(lab_load.load(30, 3, expected))
        assert result.counts["right"] > 30
        assert set(result.counts) == {"right"}
    finally:
        process.kill()
        process.wait()
    broken = asyncio.run(lab_load.killed_in_the_middle(10, expected, run))
    assert broken.counts["right"] > 0
    assert set(broken.counts) == {"right", "lost"}
