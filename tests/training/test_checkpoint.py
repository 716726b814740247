"""Checkpoints: whole round trips, and every way in which a file can be less than whole."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.errors import CheckpointError, DataError
from nmt_attn.training import checkpoint
from nmt_attn.training.checkpoint import KeptModel, Progress, load_newest, save_checkpoint
from nmt_attn.training.optimizer import OPTIMIZERS, build_optimizer

SOME_PROGRESS = Progress(
    update=7,
    epoch=2,
    batch=3,
    seconds=0.1 + 0.2,
    sum_loss=1 / 3,
    sum_tokens=11,
    best=-0.0,
    misses=1,
    is_finished=True,
    kept=[KeptModel(-1 / 3, 7), KeptModel(0.25, 5)],
)


class Training:
    """A layer of 2 x 3 numbers with a bias, and its optimizer."""

    def __init__(self, optimizer: str = "adam", seed: int = 1) -> None:
        torch.manual_seed(seed)
        self.model = nn.Linear(3, 2)
        self.optimizer: Optimizer = build_optimizer(self.model.parameters(), TrainingConfig(optimizer=optimizer))

    def update(self) -> None:
        self.optimizer.zero_grad()
        self.model(torch.ones(5, 3)).square().sum().backward()
        self.optimizer.step()

    def save(self, folder: Path, update: int, keep: int = 2) -> Path:
        return save_checkpoint(folder, self.model, self.optimizer, replace(SOME_PROGRESS, update=update), keep)

    def load(self, folder: Path) -> tuple[Progress | None, list[str]]:
        """The progress, and what was said of damaged files."""
        warnings: list[str] = []
        return load_newest(folder, self.model, self.optimizer, warnings.append), warnings

    def tensors(self) -> list[Tensor]:
        """Every number of model and optimizer, in order."""
        states = self.optimizer.state_dict()["state"]
        moments = [value for _, state in sorted(states.items()) for _, value in sorted(state.items())]
        numbers = [torch.as_tensor(moment) for moment in moments if moment is not None]
        return [tensor.detach().clone() for tensor in (*self.model.parameters(), *numbers)]


def are_equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def trained(folder: Path, updates: list[int]) -> Training:
    """A training with a checkpoint after each of `updates`."""
    training = Training()
    for update in updates:
        training.update()
        training.save(folder, update)
    return training


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_nothing_is_lost(name: str, tmp_path: Path) -> None:
    training = Training(name)
    training.update()
    training.save(tmp_path, update=7)
    other = Training(name, seed=2)
    assert other.load(tmp_path) == (SOME_PROGRESS, [])
    assert are_equal(other.tensors(), training.tensors())
    other.update()
    went_on = other.tensors()
    assert not are_equal(went_on, training.tensors())
    training.update()
    assert are_equal(went_on, training.tensors())


def test_an_empty_or_missing_folder_holds_no_checkpoint(tmp_path: Path) -> None:
    assert Training().load(tmp_path) == (None, [])
    assert Training().load(tmp_path / "none") == (None, [])


def test_the_newest_stay_and_nothing_else_lies_there(tmp_path: Path) -> None:
    trained(tmp_path, [1, 2, 10, 9_999_999])
    assert names(tmp_path) == ["update-000000010.safetensors", "update-009999999.safetensors"]


def test_the_newest_is_read(tmp_path: Path) -> None:
    newest = trained(tmp_path, [9, 10]).tensors()
    other = Training(seed=3)
    progress, _ = other.load(tmp_path)
    assert progress is not None and progress.update == 10
    assert are_equal(other.tensors(), newest)


def test_nothing_is_pickled(tmp_path: Path) -> None:
    path = Training().save(tmp_path, update=7)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])  # safetensors: a JSON header, then numbers and nothing else
    spans = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    assert 8 + size + max(end for _, end in spans) == len(content)


DAMAGES = {
    "empty": lambda content: b"",
    "cut in the header": lambda content: content[:100],
    "cut by a byte": lambda content: content[:-1],
    "zeros at the end": lambda content: content[:-64] + bytes(64),
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "text": lambda content: b"not a checkpoint\n" * 99,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_is_passed_over_and_named(damage: str, tmp_path: Path) -> None:
    before = trained(tmp_path, [5]).tensors()
    newest = trained(tmp_path, [5, 6]).save(tmp_path, update=6)
    newest.write_bytes(DAMAGES[damage](newest.read_bytes()))
    other = Training(seed=3)
    progress, warnings = other.load(tmp_path)
    assert progress is not None and progress.update == 5
    assert are_equal(other.tensors(), before)
    assert len(warnings) == 1 and "update-000000006.safetensors" in warnings[0]


def test_a_damaged_file_goes_once_training_has_gone_on(tmp_path: Path) -> None:
    trained(tmp_path, [5, 9])
    (tmp_path / "update-000000009.safetensors").write_bytes(b"")
    other = Training()
    other.load(tmp_path)
    other.save(tmp_path, update=6)
    assert names(tmp_path) == ["update-000000005.safetensors", "update-000000006.safetensors"]


def test_only_damaged_files_are_an_error(tmp_path: Path) -> None:
    trained(tmp_path, [5, 6])
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="expected a whole checkpoint, got 2 damaged"):
        Training().load(tmp_path)


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = Training().save(tmp_path, update=7)
    content = path.read_bytes()
    header_end = 8 + int.from_bytes(content[:8], "little")
    for position in [*range(0, header_end, 11), *range(header_end, len(content), 251)]:
        changed = bytearray(content)
        changed[position] ^= 0x01
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="got 1 damaged"):
            Training().load(tmp_path)


def test_bytes_read_as_another_type_are_noticed(tmp_path: Path) -> None:
    path = Training().save(tmp_path, update=7)
    path.write_bytes(path.read_bytes().replace(b'"dtype":"F32"', b'"dtype":"I32"', 1))
    with pytest.raises(CheckpointError, match="got 1 damaged"):
        Training().load(tmp_path)


def test_a_model_of_other_sizes_is_refused(tmp_path: Path) -> None:
    Training().save(tmp_path, update=7)
    other = Training()
    other.model = nn.Linear(3, 1)
    with pytest.raises(CheckpointError, match=r"expected bias of shape \[1\], got \[2\]"):
        other.load(tmp_path)


def test_a_model_with_other_parts_is_refused(tmp_path: Path) -> None:
    Training().save(tmp_path, update=7)
    other = Training()
    other.model = nn.Linear(3, 2, bias=False)
    with pytest.raises(CheckpointError, match=r"expected bias of shape None, got \[2\]"):
        other.load(tmp_path)


def test_shared_parameters_are_kept_once(tmp_path: Path) -> None:
    training = Training()
    training.model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    training.model[1].weight = training.model[0].weight
    training.optimizer = build_optimizer(training.model.parameters(), TrainingConfig())
    training.update()
    path = training.save(tmp_path, update=7)
    kept = [name for name in safetensors.torch.load_file(path) if name.startswith("model.")]
    assert sorted(kept) == ["model.0.bias", "model.0.weight", "model.1.bias"]
    assert training.load(tmp_path)[0] is not None


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["from Python", "from safetensors"],
)
def test_a_full_disk_leaves_the_old_files_whole(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trained(tmp_path, [5, 6])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def write_half(tensors: dict[str, Tensor], name: str, metadata: dict[str, str]) -> None:
        Path(name).write_bytes(b"half")
        raise error

    monkeypatch.setattr(safetensors.torch, "save_file", write_half)
    with pytest.raises(DataError, match=r"(?i)update-000000007.safetensors: .*no space left on device"):
        training.save(tmp_path, update=7)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_kill_while_writing_leaves_the_old_files_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = trained(tmp_path, [5, 6])

    def stop(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)  # all is written, but nothing renamed
    with pytest.raises(KeyboardInterrupt):
        training.save(tmp_path, update=7)
    progress, warnings = Training().load(tmp_path)
    assert progress is not None and progress.update == 6 and warnings == []


FORGED: list[tuple[object, str]] = [
    ({"update": "many"}, r"expected a number of progress as update, got 'many' \(--fresh\)"),
    ({"epoch": 1.5}, r"as epoch, got 1.5"),
    ({"batch": -1}, r"as batch, got -1"),
    ({"batch": True}, r"as batch, got True"),
    ({"seconds": None}, r"as seconds, got None"),
    ({"best": [1]}, r"as best, got \[1\]"),
    ({"is_finished": 1}, r"as is_finished, got 1"),
    ({"kept": [["a", 3]]}, r"expected numbers of models as kept, got \[KeptModel\(value='a', update=3\)\]"),
    ({"kept": [5]}, r"expected a checkpoint of this version"),
    ({"no_such_number": 5}, r"expected a checkpoint of this version, got .*no_such_number"),
    ([], r"expected a checkpoint of this version"),
]


@pytest.mark.parametrize(("progress", "message"), FORGED, ids=lambda value: str(value)[:30])
def test_a_forged_header_is_one_line(progress: object, message: str, tmp_path: Path) -> None:
    training = Training()
    training.update()
    forge(training.save(tmp_path, 7), {"progress": progress, "optimizer": {}})
    with pytest.raises(CheckpointError, match=message) as caught:
        training.load(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("optimizer", [None, 5, {"x": {}}, {"9": 5}])
def test_a_forged_state_of_the_optimizer_is_one_line(optimizer: object, tmp_path: Path) -> None:
    training = Training()
    training.update()
    forge(training.save(tmp_path, 7), {"progress": {"update": 7}, "optimizer": optimizer})
    with pytest.raises(CheckpointError, match=r"expected the optimizer's state, got .* \(--fresh\)"):
        training.load(tmp_path)


def test_a_header_nested_too_deeply_is_one_line(tmp_path: Path) -> None:
    training = Training()
    forge(training.save(tmp_path, 7), "[" * 100_000)
    with pytest.raises(CheckpointError, match=r"expected a checkpoint of this version, got maximum recursion"):
        training.load(tmp_path)


def forge(path: Path, header: object) -> None:
    """The file with another header and the checksum that belongs to it."""
    tensors = safetensors.torch.load_file(path)
    text = header if isinstance(header, str) else json.dumps(header)
    checksum = checkpoint._checksum(checkpoint._State(tensors, text))
    safetensors.torch.save_file(tensors, path, metadata={"state": text, "checksum": str(checksum)})
