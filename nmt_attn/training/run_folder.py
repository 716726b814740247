"""Run folder: the files of a run, and whether a new start can resume it.

config.yaml   vocab/   checkpoints/   best/ (model.safetensors, config.yaml, vocab/)   log.jsonl   events/
models/update-N/, each like best/: the best models, if training.keep_best is above 1
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nmt_attn.config.file import load_config, save_config
from nmt_attn.config.messages import show
from nmt_attn.config.schema import Config
from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.files import remove_folder, usable_path, writing_to
from nmt_attn.model.store import BEST, CONFIG, VOCAB
from nmt_attn.text_io import read_text

LOG, CHECKPOINTS, MODELS, EVENTS = "log.jsonl", "checkpoints", "models", "events"

OWN_ENTRIES = (CHECKPOINTS, BEST, MODELS, LOG, VOCAB, EVENTS, "eval")
"""What --fresh removes; `eval` describes the old model. config.yaml is replaced, so the folder is a run throughout."""

_TEMPORARY = ".*.tmp"  # of nmt_attn/files.py

FREE_KEYS = (
    "run.name",
    "run.dir",
    "run.device",
    "training.accumulate_batches",  # except for the batches per update, which the checkpoint has
    "training.epochs",
    "training.updates",
    "training.minutes",
    "training.patience",
    "training.validate_translation",
    "training.alignment_picture",
    "training.checkpoint_updates",
    "training.keep_last",
    "training.keep_best",
    "search",
    "evaluate",
    "data.test",
    "data.cache",
)
"""Keys that may change between two starts of a run, because they do not affect what has been learned."""

KEYS_FROM_CORPUS = ("training.batch_tokens",)
"""Keys that the run's configuration has completed: where the user leaves them open, they stay as they were."""


class RunFolder:
    """The folder of the run that `config` names."""

    def __init__(self, config: Config) -> None:
        self.path = usable_path(Path(config.run.dir) / config.run.name, "run.dir")
        self.log = self.path / LOG
        self.vocab = self.path / VOCAB
        self.checkpoints = self.path / CHECKPOINTS
        self.best = self.path / BEST
        self.models = self.path / MODELS
        self.events = self.path / EVENTS
        self._config = config

    def check(self, *, is_fresh: bool) -> None:
        """Raises CheckpointError if the folder is not a run, or is a run with other keys and not `is_fresh`.

        Changes nothing.
        """
        if self._is_run():
            if not is_fresh:
                self._require_same(load_config(self.path / CONFIG, []))
        elif self.path.is_dir() and any(not path.match(_TEMPORARY) for path in self.path.iterdir()):
            raise CheckpointError(f"{self.path}: expected a run's folder or none, got a folder of something else")

    @contextmanager
    def locked(self, *, is_fresh: bool) -> Iterator[None]:
        """Context that creates the folder and locks it. Enter it after `check` and all other checks.

        Raises CheckpointError if another process trains this run, DataError if the folder cannot be written.
        """
        with writing_to(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path, os.O_RDONLY)
        try:
            with writing_to(self.path):
                self._lock(lock)
                if is_fresh:
                    self._clear()
                self._remove_temporaries()
            save_config(self._config, self.path / CONFIG)
            yield
        finally:
            os.close(lock)

    def has_checkpoints(self) -> bool:
        """True if there is a checkpoint to resume from."""
        return self.checkpoints.is_dir() and any(self.checkpoints.iterdir())

    def model(self, update: int) -> Path:
        """The folder of the model of `update`, if it is one of the best."""
        return model_path(self.path, update)

    def remove_models_but(self, updates: Iterable[int]) -> None:
        """Removes all other models in models/. Call it after saving the checkpoint that names `updates`."""
        kept = {self.model(update) for update in updates}
        for path in sorted(self.models.glob("update-*")):
            if path not in kept:
                remove_folder(path)

    def _is_run(self) -> bool:
        """True if there is a resolved configuration: one with every section, even if of another version."""
        try:
            tree, _ = parse_yaml(read_text(self.path / CONFIG), CONFIG)
        except (DataError, ConfigError):
            return False
        return isinstance(tree, dict) and Config.model_fields.keys() <= tree.keys()

    def _require_same(self, before: Config) -> None:
        changed = learned_differences(before, self._config)
        if changed:
            raise CheckpointError(
                f"{self.path}: expected the keys that the run was started with, got others: {'; '.join(changed)} "
                "(another run.name keeps both, --fresh starts over)"
            )

    def _lock(self, descriptor: int) -> None:
        """Locks the folder until the descriptor is closed, which the operating system does when the process ends."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(
                f"{self.path}: expected a run that no other process trains, got one that another process is training"
            ) from error

    def _clear(self) -> None:
        for name in OWN_ENTRIES:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _remove_temporaries(self) -> None:
        """Removes what nmt_attn/files.py was writing or removing when an earlier process was killed."""
        for folder in (self.path, self.vocab, self.checkpoints, self.best, self.best / VOCAB, self.models):
            for path in folder.glob(_TEMPORARY):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def model_path(run: Path, update: int) -> Path:
    """Where a run keeps the model of `update`, if it is one of the best."""
    return run / MODELS / f"update-{update:09d}"


def learned_differences(before: Config, now: Config) -> list[str]:
    """`key was X, is Y` for every key that differs and affects what is learned."""
    return [
        f"{key} was {show(old)}, is {show(new)}"
        for key, old, new in differing_keys(before.model_dump(mode="json"), now.model_dump(mode="json"))
        if not any(key == free or key.startswith(f"{free}.") for free in FREE_KEYS)
        and not (key in KEYS_FROM_CORPUS and new is None)
    ]


def differing_keys(
    before: dict[str, object], now: dict[str, object], prefix: str = ""
) -> list[tuple[str, object, object]]:
    """(key, value before, value now) of every leaf that differs."""
    found = []
    for name, old in before.items():
        new, key = now[name], prefix + name
        if isinstance(old, dict) and isinstance(new, dict):
            found += differing_keys(old, new, f"{key}.")
        elif old != new:
            found.append((key, old, new))
    return found
