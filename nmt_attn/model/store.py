"""Models on disk: finding, loading and saving them. Nothing that is loaded can run code.

A model folder holds safetensors weights beside the resolved configuration and its vocabulary.
"""

from pathlib import Path

import safetensors.torch
import typer
from safetensors import SafetensorError, safe_open

from nmt_attn.config.file import load_config, save_config
from nmt_attn.config.schema import Config
from nmt_attn.errors import CheckpointError, DataError
from nmt_attn.files import reason, replacing
from nmt_attn.model.build import build_model
from nmt_attn.model.seq2seq import Seq2Seq

WEIGHTS, CONFIG, VOCAB = "model.safetensors", "config.yaml", "vocab"
"""What a model folder holds: two files, and the folder of its codecs."""

BEST = "best"
"""The model folder inside a run."""
RUNS = Path("runs")
"""Where `find_model` looks for runs."""


def model_from_config(config: Config, source_size: int, target_size: int) -> Seq2Seq:
    """A new model for vocabularies of these sizes."""
    return build_model(config.model, source_size, target_size, positions=config.data.max_length + 1)


def save_model(model: Seq2Seq, config: Config, folder: Path) -> None:
    """Writes weights and configuration into `folder`; each file is replaced whole or not at all. Raises DataError."""
    sizes = {
        "source_size": str(model.source_embedding.num_embeddings),
        "target_size": str(model.target_embedding.num_embeddings),
    }
    try:
        with replacing(folder / WEIGHTS) as path:
            safetensors.torch.save_model(model, str(path), metadata=sizes)
    except SafetensorError as error:  # stands for an error of the operating system, too
        raise DataError(f"{folder / WEIGHTS}: expected a place that can be written to, got {reason(error)}") from error
    save_config(config, folder / CONFIG)


def load_model(folder: Path) -> Seq2Seq:
    """The model of `folder` on the CPU, in evaluation mode. Raises CheckpointError."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{folder}: expected a model folder with {WEIGHTS}, got none")
    config = load_config(folder / CONFIG, [])
    try:
        with safe_open(path, framework="pt") as stream:
            sizes = stream.metadata()
        model = model_from_config(config, int(sizes["source_size"]), int(sizes["target_size"]))
        safetensors.torch.load_model(model, path)
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: expected the weights of this model, got {reason(error)}") from error
    return model.eval()


def find_model(folder: Path | None) -> Path:
    """The model folder of `folder` (a run or a model), or of the newest run, which is then named on standard error.

    The newest run is the one whose best model was written last. Raises CheckpointError if there is no model.
    """
    if folder is not None:
        return model_folder(folder)
    weights = [path for path in RUNS.glob(f"*/{BEST}/{WEIGHTS}") if path.is_file()]
    if not weights:
        raise CheckpointError(
            f"{RUNS}: expected a run with a trained model, got none "
            "(train one: nmt-attn train configs/demo.yaml; or name one: --model FOLDER)"
        )
    newest = max(weights, key=lambda path: (path.stat().st_mtime_ns, path))
    typer.echo(f"model: {newest.parent} (the newest; --model FOLDER takes another)", err=True)
    return newest.parent


def model_folder(folder: Path) -> Path:
    """The folder that holds the weights: `folder` itself, or its best/. Raises CheckpointError."""
    for candidate in (folder, folder / BEST):
        if (candidate / WEIGHTS).is_file():
            return candidate
    found = "a folder without a model" if folder.is_dir() else "a file" if folder.exists() else "nothing there"
    raise CheckpointError(f"{folder}: expected a run or a model folder (with {WEIGHTS}), got {found}")
