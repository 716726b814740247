"""Run folder: the files of a run, and whether a new start can resume it.

config.yaml   vocab/   checkpoints/   best/ (model.safetensors, config.yaml, vocab/)   log.jsonl   events/
models/update-N/, each like best/: the best models, if training.keep_best is above 1
data.json: the fingerprints of the data, as of the last checkpoint
previous/: until the first checkpoint, the run that --fresh replaces, or nothing

A run that has no checkpoint is started over only while it has previous/: it never had one. Without previous/ its
checkpoints have been deleted, and only --fresh replaces what is left.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt_attn.config.file import load_resolved, save_config
from nmt_attn.config.messages import show
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SIDES
from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.data.fingerprints import Fingerprints, changed_files, fingerprints
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.files import remove_folder, usable_path, write_text, writing_to
from nmt_attn.model.store import BEST, CONFIG, VOCAB
from nmt_attn.text_io import read_text
from nmt_attn.training.checkpoint import checkpoint_paths

LOG, CHECKPOINTS, MODELS, EVENTS, DATA = "log.jsonl", "checkpoints", "models", "events", "data.json"
PREVIOUS, MOVING = "previous", "previous.moving"

OWN_ENTRIES = (BEST, MODELS, LOG, VOCAB, EVENTS, DATA, "eval", CHECKPOINTS)
"""What --fresh replaces, in the order in which it is moved aside; `eval` describes the old model. config.yaml is
copied, so that both folders are runs throughout."""

LOCK_TRIES, LOCK_SECONDS = 4, 0.05
"""How often a start asks for the lock of the run, and the time between."""

_TEMPORARY = ".*.tmp"  # of nmt_attn/files.py

FREE_KEYS = (
    "run.name",
    "run.dir",
    "run.device",
    "run.threads",
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

KEYS_FROM_CORPUS = ("training.batch_tokens", "training.label_smoothing")
"""Keys that the run's configuration has completed: where the user leaves them open, they stay as they were."""
KEYS_OF_TOKENIZER = ("kind", "vocab_size", "shared", *SIDES)
"""Those of `tokenizer` likewise, all of them where its kind is open."""


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
        self.previous = self.path / PREVIOUS
        self._config = config
        self._data: Fingerprints | None = None  # of this start

    def complete(self, config: Config) -> None:
        """Takes the same configuration with the values that it had left to the corpus."""
        self._config = config

    def with_settled(self, config: Config) -> Config:
        """The configuration with what the run that is there has settled, where it names nothing itself."""
        if not self._is_run():
            return config
        run, training, tokenizer = load_resolved(self.path / CONFIG), config.training, config.tokenizer
        if tokenizer.kind is None:
            free = tokenizer.model_fields_set - {"kind"}
            kept = {key: getattr(run.tokenizer, key) for key in KEYS_OF_TOKENIZER if key not in free}
            tokenizer = tokenizer.model_copy(update=kept)
        names = [key.removeprefix("training.") for key in KEYS_FROM_CORPUS]
        kept = {name: getattr(run.training, name) for name in names if getattr(training, name) is None}
        return config.model_copy(update={"tokenizer": tokenizer, "training": training.model_copy(update=kept)})

    def check(self, *, is_fresh: bool, accepts_new_data: bool = False) -> None:
        """Raises CheckpointError if the folder is not a run, or is one that this start would not go on with.

        That is a run with other keys, without its checkpoints, or (unless `accepts_new_data`) with other data. All of
        these `is_fresh` allows. Changes nothing.
        """
        if self._is_run():
            if not is_fresh:
                self._require_same(load_resolved(self.path / CONFIG))
                self._require_checkpoints()
                if (changed := self.changed_data()) and not accepts_new_data:
                    raise CheckpointError(
                        f"{self.path}: expected the data that the run has been trained with, got other content: "
                        f"{', '.join(changed)} (--accept-new-data goes on with it, --fresh starts over)"
                    )
        elif self.path.is_dir() and not all(map(_is_of_a_start, self.path.iterdir())):
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
                self._put_back()
                self._remove_temporaries()
                if is_fresh:
                    self._set_aside()
                else:
                    self._require_checkpoints()
                if not self.has_checkpoints():
                    self.previous.mkdir(exist_ok=True)
            save_config(self._config, self.path / CONFIG)
            yield
        finally:
            os.close(lock)

    def has_checkpoints(self) -> bool:
        """True if there is a checkpoint to resume from."""
        return bool(checkpoint_paths(self.checkpoints))

    def has_data(self) -> bool:
        """True if the run knows the fingerprints of its data: an earlier version kept none."""
        return (self.path / DATA).is_file()

    def changed_data(self) -> list[str]:
        """`key (file)` for every file that has changed since the last checkpoint. Raises DataError, CheckpointError.

        The files are read at the first call alone.
        """
        before = self._data_before()
        if self._data is None:
            self._data = fingerprints(self._config, before)
        return changed_files(before, self._data) if self.has_data() and self.has_checkpoints() else []

    def checkpoint_saved(self) -> None:
        """Keeps the fingerprints of the data, and removes the run before. Call it after saving a checkpoint."""
        if self._data is None:
            self._data = fingerprints(self._config, {})
        text = json.dumps(self._data, indent=2, ensure_ascii=False) + "\n"
        if not self.has_data() or read_text(self.path / DATA) != text:
            write_text(self.path / DATA, text)
        if self.previous.exists():
            remove_folder(self.previous)

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
        """Locks the folder until the descriptor is closed, which the operating system does when the process ends.

        Whoever asks whether the run is being trained holds the lock for an instant: hence several tries.
        """
        for tries_left in reversed(range(LOCK_TRIES)):
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if tries_left:
                time.sleep(LOCK_SECONDS)
        raise CheckpointError(
            f"{self.path}: expected a run that no other process trains, got one that another process is training"
        )

    def _require_checkpoints(self) -> None:
        """Raises CheckpointError if a model or a log would be overwritten because the checkpoints have gone."""
        if self.has_checkpoints() or self.previous.exists():
            return
        left = [name for name in (BEST, MODELS, LOG) if _has_content(self.path / name)]
        if left:
            raise CheckpointError(
                f"{self.path}: expected a checkpoint to go on from, got none beside {', '.join(left)} "
                "(another run.name keeps the run, --fresh starts over)"
            )

    def _data_before(self) -> Fingerprints:
        path = self.path / DATA
        if not path.is_file():
            return {}
        try:
            tree = json.loads(read_text(path))
            return {
                key: {name: (int(size), int(time), str(digest)) for name, (size, time, digest) in files.items()}
                for key, files in tree.items()
            }
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                f"{path}: expected fingerprints of data, got a damaged file (without it, nothing is compared)"
            ) from error

    def _set_aside(self) -> None:
        """Moves the run to previous/; removes it instead if it never had a checkpoint: previous/ has a better one."""
        if self.previous.exists():
            if not self.has_checkpoints():
                for name in OWN_ENTRIES:
                    _remove(self.path / name)
                return
            remove_folder(self.previous)  # the process was killed before it did so
        moving = self.path / MOVING
        moving.mkdir()
        if (self.path / CONFIG).is_file():
            shutil.copyfile(self.path / CONFIG, moving / CONFIG)
        for name in OWN_ENTRIES:
            if os.path.lexists(self.path / name):
                (self.path / name).rename(moving / name)
        moving.rename(self.previous)

    def _put_back(self) -> None:
        """Undoes what a killed process has moved aside in part."""
        moving = self.path / MOVING
        for name in OWN_ENTRIES:
            if os.path.lexists(moving / name):
                (moving / name).rename(self.path / name)
        if moving.exists():
            shutil.rmtree(moving)

    def _remove_temporaries(self) -> None:
        """Removes what nmt_attn/files.py was writing or removing when an earlier process was killed."""
        for folder in (self.path, self.vocab, self.checkpoints, self.best, self.best / VOCAB, self.models):
            for path in folder.glob(_TEMPORARY):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _has_content(path: Path) -> bool:
    if path.is_dir():
        return any(path.iterdir())
    return path.is_file() and path.stat().st_size > 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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


def _is_of_a_start(path: Path) -> bool:
    """Whether a start that was killed before it had written config.yaml can have left it in the run's folder."""
    return path.match(_TEMPORARY) or path.name in (PREVIOUS, MOVING)
