"""Checkpoints: the complete state of training, so that a resumed run equals an uninterrupted one.

Each is one safetensors file: weights, their moving average and the optimizer's tensors, the rest as JSON in the header,
and a checksum of everything. Files are written atomically; a damaged one is skipped in favour of the one before it.
Loading executes no code. Random states are not saved: all randomness follows from the seed and the position
(runtime.seed_batch).
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from nmt_attn.errors import CheckpointError, DataError
from nmt_attn.files import reason, replacing
from nmt_attn.tensor_files import sort_metadata
from nmt_attn.training.moving_average import MovingAverage

PATTERN = "update-*.safetensors"

Tensors = dict[str, Tensor]


class KeptModel(NamedTuple):
    """A model in models/."""

    value: float  # of the metric, negated if greater is better
    update: int


@dataclass
class Progress:
    """The progress of training: the numbers in a checkpoint."""

    update: int = 0  # number of updates, skipped ones included
    epoch: int = 1  # the current epoch, from 1
    batch: int = 0  # batches done in that epoch
    update_batches: int = 1  # batches per update, over all processes
    seconds: float = 0.0  # of training, validation included
    sum_loss: float = 0.0  # since the last validation, negative log-likelihood in nats
    sum_tokens: int = 0  # target tokens since the last validation
    best: float | None = None  # metric of the model in best/, negated if greater is better
    best_update: int = 0
    misses: int = 0  # validations since the last improvement, for early stopping
    decay_misses: int = 0  # likewise, for the plateau schedule
    stalls: int = 0  # how many times the plateau schedule has cut the rate
    validated_update: int = 0  # the last validated update
    skipped: int = 0  # updates skipped because loss or gradient was not finite
    skipped_in_a_row: int = 0
    is_finished: bool = False
    kept: list[KeptModel] = field(default_factory=list)  # the models of training.keep_best in models/, best first

    def __post_init__(self) -> None:
        self.kept = [KeptModel(*model) for model in self.kept]  # JSON has lists

    def forget_values(self) -> None:
        """For new data: begins the epoch again, and forgets every value measured before, with the best models."""
        self.batch, self.sum_loss, self.sum_tokens = 0, 0.0, 0
        self.best, self.best_update, self.kept = None, 0, []
        self.misses = self.decay_misses = 0


class _State(NamedTuple):
    """The content of a checkpoint file: tensors `model.*`, `averaged.*`, `optimizer.<parameter>.*`, and JSON."""

    tensors: Tensors
    header: str


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizer,
    progress: Progress,
    keep: int,
    averaged: MovingAverage | None = None,
) -> Path:
    """Writes the state after `progress.update` updates and keeps the newest `keep` - 1 older files.

    Deletes files of later updates, which were damaged when training started. Raises DataError if the disk is full; the
    existing files are intact then.
    """
    state = _collect(model, optimizer, progress, averaged)
    metadata = {"state": state.header, "checksum": str(_checksum(state))}
    path = _path(folder, progress.update)
    try:
        with replacing(path) as temporary:
            safetensors.torch.save_file(state.tensors, str(temporary), metadata=metadata)
            sort_metadata(temporary)
    except SafetensorError as error:  # also wraps errors of the operating system
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
    averaged: MovingAverage | None = None,
) -> Progress | None:
    """Loads the newest intact checkpoint into model, optimizer and average; None if there is none.

    Calls `warn` for each damaged file that is skipped. Raises CheckpointError if all are damaged, or if the newest
    intact one does not fit the model.
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
    """All checkpoints in `folder`, newest first."""
    return sorted(folder.glob(PATTERN), reverse=True)


def read_newest(folder: Path, warn: Callable[[str], None]) -> Progress | None:
    """The progress in the newest intact checkpoint; None if there is none. Errors and `warn` as in `load_newest`."""
    newest = _newest(folder, warn)
    return newest and _progress(*newest)


def read_progress(path: Path) -> Progress:
    """The progress in one checkpoint, whose header alone is read. Raises CheckpointError if that is damaged."""
    try:
        with safe_open(path, framework="pt") as stream:
            header = stream.metadata()["state"]
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: expected a whole checkpoint, got {reason(error)}") from error
    return _progress(path, _State({}, header))


def read_weights(path: Path) -> Tensors:
    """The model's weights by name, as used in validation: the moving average if there is one.

    Raises CheckpointError if the file is damaged.
    """
    tensors = _read(path).tensors
    return _below("averaged.", tensors) or _below("model.", tensors)


def _path(folder: Path, update: int) -> Path:
    return folder / f"update-{update:09d}.safetensors"


def _collect(model: nn.Module, optimizer: Optimizer, progress: Progress, averaged: MovingAverage | None) -> _State:
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
            warn(f"{error}; skipping it")
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
    try:
        _restore_optimizer(optimizer, _below("optimizer.", state.tensors), json.loads(state.header)["optimizer"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: expected the optimizer's state, got {reason(error):.80} (--fresh)") from error
    return progress


def _progress(path: Path, state: _State) -> Progress:
    try:
        progress = Progress(**json.loads(state.header)["progress"])
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint of this version, got {reason(error):.200} (--fresh)"
        ) from error
    for each in fields(Progress):
        value = getattr(progress, each.name)
        if not _fits(value, each.default, optional=each.name == "best"):
            raise CheckpointError(f"{path}: expected a number of progress as {each.name}, got {value!r:.80} (--fresh)")
    if not all(_fits(model.value, 0.0) and _fits(model.update, 0) for model in progress.kept):
        raise CheckpointError(f"{path}: expected numbers of models as kept, got {progress.kept!r:.80} (--fresh)")
    return progress


def _fits(value: object, default: object, *, optional: bool = False) -> bool:
    """Whether a number of the header is of the kind of its default: a count from 0, a float, a truth value."""
    if optional and value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int):
        return isinstance(value, int) and value >= 0
    return default is MISSING or isinstance(value, int | float)


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
