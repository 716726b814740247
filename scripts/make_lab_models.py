"""Trains the tiny models that ship with the package, and writes them in float16 into nmt_attn/lab/models.

    python scripts/make_lab_models.py [--minutes 12] [--runs FOLDER]

English to Hindi on the built-in corpus: Bahdanau's order, Luong's with the global and with the predictive local window.
With --runs, finished runs named as the models are taken instead of training.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import yaml
from safetensors import safe_open

from nmt_attn.data.codec import load_codecs
from nmt_attn.demo.corpus import demo_corpus
from nmt_attn.files import write_text
from nmt_attn.model.store import BEST, CONFIG, VOCAB, WEIGHTS

FOLDER = Path(__file__).parents[1] / "nmt_attn" / "lab" / "models"
SPLITS = {split: {"builtin": "demo", "split": split} for split in ("train", "valid", "test")}
ENCODER = {"hidden": 80, "embedding": 80, "dropout": 0.1}
DECODER = {"hidden": 160, "embedding": 80, "dropout": 0.1}
LUONG = {"style": "luong", "cell": "lstm", "init": "last", "init_cell": "last", "input_feeding": "attentional"}
MODELS: dict[str, dict[str, Any]] = {
    "bahdanau": {
        "encoder": {"cell": "gru", **ENCODER},
        "attention": {"score": "additive"},
        "decoder": {
            "style": "bahdanau",
            "cell": "gru",
            "init": "backward-first",
            "readout": "maxout",
            "readout_hidden": 80,
            **DECODER,
        },
    },
    "luong": {
        "encoder": {"cell": "lstm", **ENCODER},
        "attention": {"score": "general"},
        "decoder": {**LUONG, **DECODER},
    },
    "luong-local": {
        "encoder": {"cell": "lstm", "hidden": 64, "embedding": 64, "dropout": 0.1},
        "attention": {"score": "general", "window": "local-p", "half_width": 6},
        "decoder": {**LUONG, "hidden": 128, "embedding": 64, "dropout": 0.1},
    },
}
EXAMPLES = (0, 14, 49, 28, 1, 2)
"""Places in the test set: the sentence of the lecture, a negation, a question, a place, and long ones."""


def configuration(name: str, minutes: float) -> dict[str, Any]:
    """The run's configuration. The local window learns its centre from the true links, on sentences it can span."""
    is_local = MODELS[name]["attention"].get("window") == "local-p"
    data = {**SPLITS, "alignments": "builtin", "max_length": 30} if is_local else SPLITS
    return {
        "run": {"name": name},
        "data": data,
        "model": {**MODELS[name], "initialisation": "uniform"},
        "training": {
            "batch_tokens": 512,
            "learning_rate": 3e-3,
            "schedule": "cosine",
            "epochs": 14,
            "minutes": minutes,
        },
        "evaluate": {"tokenize": "none"},
    }


def train(name: str, minutes: float, runs: Path) -> None:
    """Trains one model below `runs`."""
    runs.mkdir(parents=True, exist_ok=True)
    path = runs / f"{name}.yaml"
    path.write_text(yaml.safe_dump(configuration(name, minutes)), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "nmt_attn", "train", path.name], cwd=runs, check=True)


def ship(run: Path, folder: Path) -> int:
    """Writes the best model of a run in float16; its bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with safe_open(run / BEST / WEIGHTS, framework="pt") as stream:
        metadata = stream.metadata()
        tensors = {key: stream.get_tensor(key).to(torch.float16) for key in stream.keys()}  # noqa: SIM118
    safetensors.torch.save_file(tensors, folder / WEIGHTS, metadata)
    write_text(folder / CONFIG, (run / BEST / CONFIG).read_text(encoding="utf-8"))
    load_codecs(run / BEST / VOCAB).save(folder / VOCAB)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def examples() -> str:
    """Sentences of the test set with their links, one a line."""
    pairs = demo_corpus("test", max(EXAMPLES) + 1)
    lines = [json.dumps(pairs[place]._asdict(), ensure_ascii=False) for place in EXAMPLES]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def main() -> None:
    """Trains and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=12.0, help="of training, for each model")
    parser.add_argument("--runs", type=Path, help="folder with finished runs")
    options = parser.parse_args()
    runs = options.runs or Path("lab-models")
    for name in MODELS:
        if options.runs is None:
            train(name, options.minutes, runs)
        size = ship(runs / "runs" / name, FOLDER / name)
        sys.stdout.write(f"{FOLDER / name}: {size:,} bytes\n")
    write_text(FOLDER / "examples.json", examples())


if __name__ == "__main__":
    main()
