"""Models on disk: finding, loading and saving them. Nothing that is loaded can run code.

A model folder holds safetensors weights beside the resolved configuration and its vocabulary.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
import typer
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nmt_attn.bounds import MOST_WORDS
from nmt_attn.config.extends import EXTENDS
from nmt_attn.config.file import dump_config, load_resolved, save_config
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import FACTOR_PATTERN
from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.files import check_inside, reason, replacing, shown
from nmt_attn.model.build import build_model
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.tensor_files import sort_metadata
from nmt_attn.text_io import read_text

WEIGHTS, CONFIG, VOCAB, SHORTLIST = "model.safetensors", "config.yaml", "vocab", "shortlist.txt"
"""What a model folder holds: two files, the folder of its codecs, and perhaps a shortlist."""

FACTOR_SIZES = "factor_sizes"
"""In the metadata of the weights: how many values each factor of the source has."""

BEST = "best"
"""The model folder inside a run."""
RUNS = Path("runs")
"""Where `find_model` looks for runs."""


def model_from_config(
    config: Config, source_size: int, target_size: int, factors: Mapping[str, int] | None = None
) -> Seq2Seq:
    """A new model for vocabularies of these sizes; `factors`: how many values each of the source's has, by name."""
    return build_model(config.model, source_size, target_size, config.data.max_length + 1, factors)


def check_output(folder: Path, record: str) -> None:
    """Raises ConfigError unless a model may be written there: the folder is new, empty, or a model with this record."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    is_own = record in names and names <= {record, WEIGHTS, CONFIG, VOCAB}
    if (names and not is_own) or (folder.exists() and not folder.is_dir()):
        found = "a folder of something else" if names else "a file"
        raise ConfigError(
            f"--output: expected a new or empty folder, or one that this command has made, got {folder}, {found}"
        )


def save_model(model: Seq2Seq, config: Config, folder: Path, *, vocabulary: str) -> None:
    """Writes weights and configuration into `folder`; each file is replaced whole or not at all. Raises DataError.

    `vocabulary` is the digest of the codecs that the model was trained with. It is kept in the weights' metadata,
    beside the digest of the configuration, so that neither can be exchanged unnoticed.
    """
    metadata = {
        "source_size": str(model.source_embedding.num_embeddings),
        "target_size": str(model.target_embedding.num_embeddings),
        **({FACTOR_SIZES: json.dumps(factors)} if (factors := model.factor_sizes) else {}),
        "vocabulary": vocabulary,
        "config": _config_digest(dump_config(config)),
    }
    try:
        with replacing(folder / WEIGHTS) as path:
            safetensors.torch.save_model(model, str(path), metadata=metadata)
            sort_metadata(path)
    except SafetensorError as error:  # stands for an error of the operating system, too
        raise DataError(f"{folder / WEIGHTS}: expected a place that can be written to, got {reason(error)}") from error
    save_config(config, folder / CONFIG)


def load_model(folder: Path, vocabulary: str | None = None) -> Seq2Seq:
    """The model of `folder` on the CPU, in evaluation mode. Leaves torch's random state as it is.

    Raises CheckpointError if a file is damaged, a weight is NaN or infinite, or the configuration or the codecs, whose
    digest is `vocabulary`, are not those that the weights were written with.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{folder}: expected a model folder with {WEIGHTS}, got none")
    metadata, shapes = _read_header(path)
    _check_digests(folder, metadata, vocabulary)
    config = load_resolved(folder / CONFIG)
    try:
        sizes = _size(metadata["source_size"]), _size(metadata["target_size"]), _factor_sizes(metadata)
        with torch.device("meta"):  # no memory: the sizes may be anything
            _check_shapes(path, shapes, model_from_config(config, *sizes))
        with torch.random.fork_rng(devices=[]):
            model = model_from_config(config, *sizes)
        safetensors.torch.load_model(model, path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: expected the weights of this model, got {reason(error)}") from error
    check_finite(path, dict(model.named_parameters()))
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
            "(train one: nmt-attn train demo; or name one: --model FOLDER)"
        )
    newest = max(weights, key=lambda path: (path.stat().st_mtime_ns, path))
    typer.echo(f"model: {newest.parent} (the newest; --model FOLDER takes another)", err=True)
    return model_folder(newest.parent)


def model_folder(folder: Path) -> Path:
    """The folder that holds the weights: `folder` itself, or its best/. Raises CheckpointError, as `check_own` does."""
    for candidate in (folder, folder / BEST):
        if (candidate / WEIGHTS).is_file():
            check_own(candidate)
            return candidate
    found = "a folder without a model" if folder.is_dir() else "a file" if folder.exists() else "nothing there"
    nearby = [RUNS / folder / BEST, folder.parent, *sorted(folder.glob(f"*/{BEST}"))]
    meant = next((path for path in nearby if path != Path() and (path / WEIGHTS).is_file()), None)
    hint = f" (did you mean {meant.parent if meant.name == BEST else meant}?)" if meant else ""
    raise CheckpointError(f"{folder}: expected a run or a model folder (with {WEIGHTS}), got {found}{hint}")


def check_own(folder: Path) -> None:
    """Raises CheckpointError if the configuration or the shortlist of a run or model is in a file elsewhere.

    What another one gives away might be shown: neither may be a link to a place outside, or name one by `extends`.
    """
    for name in (CONFIG, SHORTLIST):
        check_inside(folder / name, folder)
    path = folder / CONFIG
    tree, _ = parse_yaml(read_text(path), str(path)) if path.is_file() else (None, [])
    if isinstance(tree, dict) and EXTENDS in tree:
        raise CheckpointError(
            f"{path}: expected every key of this model in it, got {EXTENDS}: {shown(str(tree[EXTENDS]))}"
        )


def check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Raises CheckpointError if a weight is NaN or infinite."""
    for name, weight in weights.items():
        if not torch.isfinite(weight).all():
            raise CheckpointError(f"{path}: expected finite weights, got NaN or infinity in {name}")


def _read_header(path: Path) -> tuple[dict[str, str], dict[str, list[int]]]:
    """The metadata of a file of weights, and the shape of each. Raises CheckpointError."""
    try:
        with safe_open(path, framework="pt") as stream:
            shapes = {name: list(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118
            return stream.metadata() or {}, shapes
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: expected the weights of this model, got {reason(error)}") from error


def _size(text: str) -> int:
    """Of a vocabulary, as metadata has it. Raises ValueError."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) > MOST_WORDS:
        raise ValueError(f"a vocabulary of {shown(text)} tokens in its metadata")
    return int(text)


def _factor_sizes(metadata: Mapping[str, str]) -> dict[str, int]:
    """Of each factor, by name. Raises ValueError."""
    found = json.loads(metadata.get(FACTOR_SIZES, "{}"))
    if not isinstance(found, dict) or not all(re.fullmatch(FACTOR_PATTERN, name) for name in found):
        raise ValueError(f"factors {shown(metadata[FACTOR_SIZES])} in its metadata")
    return {name: _size(str(size)) for name, size in found.items()}


def _check_digests(folder: Path, metadata: Mapping[str, str], vocabulary: str | None) -> None:
    """Raises CheckpointError for a configuration or codecs of another model; a note where nothing can be compared."""
    if "config" not in metadata or "vocabulary" not in metadata:
        if vocabulary is not None:
            typer.echo(
                f"note: {folder} is of an earlier version: whether vocabulary and configuration are its own is unknown",
                err=True,
            )
        return
    if metadata["config"] != _config_digest(read_text(folder / CONFIG)):
        raise CheckpointError(
            f"{folder / CONFIG}: expected model, tokenizer and data.max_length of {WEIGHTS}, got others"
        )
    if vocabulary is not None and metadata["vocabulary"] != vocabulary:
        raise CheckpointError(f"{folder / VOCAB}: expected the vocabulary that {WEIGHTS} was trained with, got another")


def _config_digest(text: str) -> str:
    """Of the keys that give the weights their meaning; those of the run, of search or of evaluation may be edited."""
    tree, _ = parse_yaml(text, CONFIG)
    sections = tree if isinstance(tree, dict) else {}
    data = sections.get("data")
    length = data.get("max_length") if isinstance(data, dict) else None
    parts = json.dumps([sections.get("model"), sections.get("tokenizer"), length], sort_keys=True)
    return hashlib.blake2b(parts.encode(), digest_size=8).hexdigest()


def _check_shapes(path: Path, found: Mapping[str, list[int]], model: Seq2Seq) -> None:
    """Raises CheckpointError unless the file has every weight of the model, tied ones once, and no other."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    written = {id(parameters[name]) for name in found if name in parameters}
    needed = {name: list(each.shape) for name, each in parameters.items() if name in found or id(each) not in written}
    if found != needed:
        name = min(key for key in found.keys() | needed.keys() if found.get(key) != needed.get(key))
        raise CheckpointError(
            f"{path}: expected {name} of shape {needed.get(name)}, as {CONFIG} says, got {found.get(name)}"
        )
