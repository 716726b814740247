"""Checkpoints: everything that training needs to go on as if it had never stopped.

One safetensors file each: weights, their average and the optimizer's tensors, the rest as JSON in its header, a
checksum over all of it. Written beside, synced and renamed; a damaged file is passed over for the one before it.
Nothing that is read can run code. Random states are not needed: what is random follows from the seed and the position
(runtime.seed_batch).
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from nmt_attn.errors import CheckpointError, DataError
from nmt_attn.files import reason, replacing
from nmt_attn.training.moving_average import AveragedWeights

PATTERN = "update-*.safetensors"

Tensors = dict[str, Tensor]


class KeptModel(NamedTuple):
    """A model in models/."""

    value: float  # of the metric, turned so that smaller is better
    update: int


@dataclass
class Progress:
    """Where training stands: the numbers of a checkpoint."""

    update: int = 0  # updates made, skipped ones included
    epoch: int = 1  # the epoch that is under way, from 1
    batch: int = 0  # batches of that epoch that are done
    update_batches: int = 1  # that make one update, over all processes
    seconds: float = 0.0  # spent in training, validation included
    sum_loss: float = 0.0  # since the last validation, of the target alone, nats
    sum_tokens: int = 0  # target tokens since then
    best: float | None = None  # value of the metric that best/ was chosen by, turned so that smaller is better
    best_update: int = 0
    misses: int = 0  # validations since the last gain, for early stopping
    decay_misses: int = 0  # the same for the plateau schedule
    stalls: int = 0  # how often the plateau schedule has cut the rate
    validated_update: int = 0  # the update that was validated last
    skipped: int = 0  # updates skipped because loss or gradient was not finite
    skipped_in_a_row: int = 0
    is_finished: bool = False
    kept: list[KeptModel] = field(default_factory=list)  # those of training.keep_best in models/, the best first

    def __post_init__(self) -> None:
        self.kept = [KeptModel(*model) for model in self.kept]  # JSON makes lists of them


class _State(NamedTuple):
    """A checkpoint as it is on disk: tensors `model.*`, `averaged.*`, `optimizer.<parameter>.*`, and JSON."""

    tensors: Tensors
    header: str


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizer,
    progress: Progress,
    keep: int,
    averaged: AveragedWeights | None = None,
) -> Path:
    """Writes the state after `progress.update` updates; of the older files the newest `keep` - 1 stay.

    Files of later updates go: they were found damaged when training started. Raises DataError if the disk is full;
    what was there is whole then.
    """
    state = _collect(model, optimizer, progress, averaged)
    metadata = {"state": state.header, "checksum": str(_checksum(state))}
    path = _path(folder, progress.update)
    try:
        with replacing(path) as temporary:
            safetensors.torch.save_file(state.tensors, str(temporary), metadata=metadata)
    except SafetensorError as error:  # stands for an error of the operating system, too
        raise DataError(f"{path}: expected a place that can be written to, got {reason(error)}") from error
    paths = sorted(folder.glob(PATTERN))
    position = paths.index(path)
    for other in paths[: max(0, position + 1 - keep)] + paths[position + 1 :]:
        other.unlink()
    return path


def load_newest(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizer,
    warn: Callable[[str], None],
    averaged: AveragedWeights | None = None,
) -> Progress | None:
    """Puts the newest whole checkpoint into model, optimizer and average; None if there is none.

    `warn` is told of each damaged file that is passed over. Raises CheckpointError if all are damaged, or if the
    newest whole one does not fit the model.
    """
    newest = _newest(folder, warn)
    if newest is None:
        return None
    path, state = newest
    progress = _restore(path, model, optimizer, state)
    if averaged is not None:
        values = _below("averaged.", state.tensors)
        _check_shapes(path, values, averaged.values)
        averaged.restore(values)
    return progress


def checkpoint_paths(folder: Path) -> list[Path]:
    """All of them, the newest first."""
    return sorted(folder.glob(PATTERN), reverse=True)


def read_newest(folder: Path, warn: Callable[[str], None]) -> Progress | None:
    """The numbers of the newest whole checkpoint; None if there is none. Errors and `warn` as in `load_newest`."""
    newest = _newest(folder, warn)
    return newest and _progress(*newest)


def read_weights(path: Path) -> Tensors:
    """The model's weights by name, as they would be validated: their average, if training keeps one.

    Raises CheckpointError if the file is damaged.
    """
    tensors = _read(path).tensors
    return _below("averaged.", tensors) or _below("model.", tensors)


def _path(folder: Path, update: int) -> Path:
    return folder / f"update-{update:09d}.safetensors"


def _collect(model: nn.Module, optimizer: Optimizer, progress: Progress, averaged: AveragedWeights | None) -> _State:
    tensors: Tensors = {f"model.{name}": parameter for name, parameter in model.named_parameters()}
    if averaged is not None:
        tensors |= {f"averaged.{name}": value for name, value in averaged.values.items()}
    numbers: dict[int, dict[str, Any]] = {}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
        numbers[index] = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
    header = json.dumps({"progress": asdict(progress), "optimizer": numbers})
    return _State({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, header)


def _read(path: Path) -> _State:
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata()
        state = _State(safetensors.torch.load_file(path), metadata["state"])
        expected = int(metadata["checksum"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a whole checkpoint, got {reason(error)}") from error
    if (found := _checksum(state)) != expected:
        raise CheckpointError(f"{path}: expected the checksum {expected}, got {found}")
    return state


def _newest(folder: Path, warn: Callable[[str], None]) -> tuple[Path, _State] | None:
    paths = checkpoint_paths(folder)
    for path in paths:
        try:
            return path, _read(path)
        except CheckpointError as error:
            warn(f"{error}; it is passed over")
    if paths:
        raise CheckpointError(f"{folder}: expected a whole checkpoint, got {len(paths)} damaged (start over: --fresh)")
    return None


def _restore(path: Path, model: nn.Module, optimizer: Optimizer, state: _State) -> Progress:
    weights = _below("model.", state.tensors)
    parameters = dict(model.named_parameters())
    _check_shapes(path, weights, parameters)
    progress = _progress(path, state)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])
    _restore_optimizer(optimizer, _below("optimizer.", state.tensors), json.loads(state.header)["optimizer"])
    return progress


def _progress(path: Path, state: _State) -> Progress:
    try:
        return Progress(**json.loads(state.header)["progress"])
    except TypeError as error:
        raise CheckpointError(f"{path}: expected a checkpoint of this version, got {error} (--fresh)") from error


def _check_shapes(path: Path, found: Tensors, expected: Mapping[str, Tensor]) -> None:
    misfits = {name for name in found.keys() | expected.keys() if _shape(found, name) != _shape(expected, name)}
    if misfits:
        name = min(misfits)
        raise CheckpointError(
            f"{path}: expected {name} of shape {_shape(expected, name)}, got {_shape(found, name)} "
            "(start over: --fresh)"
        )


def _restore_optimizer(optimizer: Optimizer, tensors: Tensors, numbers: dict[str, dict[str, Any]]) -> None:
    saved = optimizer.state_dict()
    saved["state"] = {int(index): dict(values) for index, values in numbers.items()}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        saved["state"][int(index)][key] = tensor
    optimizer.load_state_dict(saved)


def _below(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _shape(tensors: Mapping[str, Tensor], name: str) -> list[int] | None:
    tensor = tensors.get(name)
    return None if tensor is None else list(tensor.shape)


def _checksum(state: _State) -> int:
    """CRC-32 of the header and of every tensor's name, type, shape and bytes."""
    total = zlib.crc32(state.header.encode())
    for name, tensor in sorted(state.tensors.items()):
        total = zlib.crc32(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), total)
        total = zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data, total)
    return total
