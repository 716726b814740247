"""The wheel: everything that the package needs travels in it, and every command runs from it, far from a checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import torch
import typer.main

from nmt_attn.cli import app

ROOT = Path(__file__).parents[1]
SMALL = [
    "data.train.limit=60",
    "data.valid.limit=10",
    "data.test.limit=12",
    "model.encoder.hidden=12",
    "model.encoder.embedding=8",
    "model.decoder.hidden=24",
    "model.decoder.embedding=8",
    "training.keep_best=2",
    "training.updates=4",
    "training.validate_updates=2",
]
SET = [word for key in SMALL for word in ("--set", key)]
COMMANDS = {
    "train": ["demo", *SET, "--name", "tiny", "--threads", "1"],
    "demo-corpus": ["data"],
    "init": ["--source", "data/train.en", "--target", "data/train.hi", "--name", "mine"],
    "translate": ["--input", "data/test.en", "--output", "test.hi", "--alignments", "test.pharaoh", "--beam", "2"],
    "eval": ["--report", "report"],
    "align": ["--source", "data/test.en", "--target", "data/test.hi", "--output", "found.pharaoh"],
    "aer": ["found.pharaoh", "--gold", "data/test.pharaoh"],
    "score": ["--source", "data/test.en", "--target", "data/test.hi", "--output", "scores.tsv"],
    "shortlist": [],
    "explain": ["Turn off the lights", "--html", "lights.html"],
    "average": ["runs/tiny", "--output", "averaged"],
    "plot": ["runs/tiny", "--output", "curves.svg"],
    "config": ["--diff", "demo", "runs/tiny"],
    "index": ["runs/tiny", "--limit", "20"],
    "serve": ["--save", "page.html"],
    "sweep": ["sweep.yaml", "--jobs", "1"],
    "runs": ["--where", "state=finished", "--sort", "best", "--csv", "runs.csv"],
    "import": ["--help"],  # what it reads comes from other toolkits
}
SWEEP = {
    "config": "demo",
    "set": {key: int(value) for key, _, value in (each.partition("=") for each in SMALL)},
    "grid": {"model.attention.score": ["additive", "dot"]},
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`nmt-attn` of a new environment with the wheel; what it depends on is borrowed from the one that runs the tests.

    A line of a .pth file adds a folder, and leaves alone what .pth files in that folder say: no editable install.
    """
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(python)]
    _run([*pip, "install", "--no-deps", "--no-index", str(wheel)], folder)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    site.joinpath("borrowed.pth").write_text(f"{Path(torch.__file__).parents[1]}\n", encoding="utf-8")
    return folder / "bin" / "nmt-attn"


def _run(command: list[str], folder: Path) -> str:
    """Standard output and error of a command that must do what it should."""
    unwanted = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {key: value for key, value in os.environ.items() if key not in unwanted}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_the_wheel_has_all_data_files_and_nothing_of_the_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files", "nmt_attn"], cwd=ROOT, capture_output=True, text=True, check=True)
    configs = {f"nmt_attn/configs/{file.name}" for file in (ROOT / "configs").glob("*.yaml")}
    assert {*listed.stdout.split(), *configs, "nmt_attn/py.typed"} <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"nmt_attn"}
    assert {Path(name).name for name in names} >= {"LICENSE", "NOTICE", "METADATA", "entry_points.txt"}


def test_its_metadata_names_what_it_offers(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
    text = archive.read(name).decode()
    extras = {line.partition(": ")[2] for line in text.split("\n") if line.startswith("Provides-Extra")}
    assert {"serve", "tensorboard", "gpu", "zstd", "docs", "dev"} <= extras
    assert "License-Expression: Apache-2.0" in text


def test_every_command_is_tried() -> None:
    assert set(COMMANDS) == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_every_command_runs_from_the_wheel(program: Path, tmp_path: Path) -> None:
    where = _run([str(program.with_name("python")), "-c", "import nmt_attn; print(nmt_attn.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(program.parents[1])
    (tmp_path / "sweep.yaml").write_text(json.dumps(SWEEP), encoding="utf-8")  # JSON is YAML
    for name, arguments in COMMANDS.items():
        _run([str(program), name, *arguments], tmp_path)
    assert (tmp_path / "runs" / "tiny" / "best" / "model.safetensors").is_file()
    assert "nmt-attn" in _run([str(program), "--version"], tmp_path)
