"""Checkpoints: everything that training needs to go on as if it had never stopped.

One safetensors file each: weights, the optimizer's tensors and torch's random states as tensors, the rest as JSON in
its header, a checksum over all of it. Written beside, synced and renamed; a damaged file is passed over for the one
before it. Nothing that is read can run code.
"""

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from nmt_attn.errors import CheckpointError
from nmt_attn.files import reason, replacing

PATTERN = "update-*.safetensors"


@dataclass
class Progress:
    """Where training stands: the numbers of a checkpoint."""

    update: int = 0  # updates made
    epoch: int = 1  # the epoch that is under way, from 1
    batch: int = 0  # batches of that epoch that are done
    seconds: float = 0.0  # spent in training, validation included
    sum_loss: float = 0.0  # since the last validation: what was minimised, nats
    sum_tokens: int = 0  # target tokens since then
    best: float | None = None  # value of the metric that best/ was chosen by
    best_update: int = 0
    misses: int = 0  # validations since the last gain, for early stopping
    decay_misses: int = 0  # the same for the plateau schedule
    stalls: int = 0  # how often the plateau schedule has cut the rate
    validated_update: int = 0  # the update that was validated last
    skipped: int = 0  # updates skipped because loss or gradient was not finite
    skipped_in_a_row: int = 0
    is_finished: bool = False


def save_checkpoint(folder: Path, model: nn.Module, optimizer: Optimizer, progress: Progress, keep: int) -> Path:
    """Writes the state after `progress.update` updates and removes all but the newest `keep` files."""
    tensors, numbers = _optimizer_parts(optimizer)
    tensors |= {f"model.{name}": value for name, value in _unique_parameters(model).items()}
    tensors |= {f"random.{name}": value for name, value in _random_states().items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    header = json.dumps({"progress": asdict(progress), "optimizer": numbers})
    metadata = {"state": header, "checksum": str(_checksum(tensors, header))}
    path = folder / f"update-{progress.update:09d}.safetensors"
    with replacing(path) as temporary:
        safetensors.torch.save_file(tensors, str(temporary), metadata=metadata)
    for old in sorted(folder.glob(PATTERN))[:-keep]:
        old.unlink()
    return path


def load_newest(folder: Path, model: nn.Module, optimizer: Optimizer, warn: Callable[[str], None]) -> Progress | None:
    """Puts the newest whole checkpoint into model, optimizer and random states; None if there is none.

    `warn` is told of each damaged file that is passed over. Raises CheckpointError if the files there are all damaged.
    """
    paths = sorted(folder.glob(PATTERN), reverse=True)
    for path in paths:
        try:
            tensors, state = _read(path)
        except CheckpointError as error:
            warn(str(error))
            continue
        _restore(model, optimizer, tensors, state)
        return Progress(**state["progress"])
    if paths:
        raise CheckpointError(f"{folder}: expected a whole checkpoint, got {len(paths)} damaged (start over: --fresh)")
    return None


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata()
        tensors = safetensors.torch.load_file(path)
        header, expected = metadata["state"], int(metadata["checksum"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a whole checkpoint, got {reason(error)}") from error
    if _checksum(tensors, header) != expected:
        raise CheckpointError(f"{path}: expected the checksum {expected}, got {_checksum(tensors, header)}")
    return tensors, json.loads(header)


def _restore(model: nn.Module, optimizer: Optimizer, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    with torch.no_grad():
        for name, parameter in _unique_parameters(model).items():
            parameter.copy_(tensors[f"model.{name}"])
    saved = optimizer.state_dict()
    saved["state"] = {int(key): dict(values) for key, values in state["optimizer"].items()}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, key = rest.partition(".")
            saved["state"].setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict(saved)
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])


def _optimizer_parts(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, dict[str, float]]]:
    """The optimizer's state as tensors `optimizer.<parameter>.<name>` and plain numbers."""
    tensors: dict[str, Tensor] = {}
    numbers = {}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": v for key, v in values.items() if isinstance(v, Tensor)}
        numbers[str(index)] = {key: v for key, v in values.items() if not isinstance(v, Tensor)}
    return tensors, numbers


def _unique_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters by name; one that is shared appears once."""
    return dict(model.named_parameters())


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _checksum(tensors: dict[str, Tensor], header: str) -> int:
    total = zlib.crc32(header.encode())
    for name in sorted(tensors):
        total = zlib.crc32(name.encode(), total)
        total = zlib.crc32(tensors[name].flatten().view(torch.uint8).numpy().data, total)
    return total
