"""Run folder: where a run lives, what may be found there, and whether a new start can go on from it.

config.yaml   vocab/   checkpoints/   best/ (model.safetensors, config.yaml, vocab/)   log.jsonl
"""

import shutil
from pathlib import Path

from nmt_attn.config import Config
from nmt_attn.config_file import load_config, save_config
from nmt_attn.errors import CheckpointError

CONFIG, LOG, VOCAB, CHECKPOINTS, BEST = "config.yaml", "log.jsonl", "vocab", "checkpoints", "best"

FREE_KEYS = (
    "run.device",
    "training.epochs",
    "training.updates",
    "training.minutes",
    "training.patience",
    "training.checkpoint_updates",
    "search",
    "evaluate",
    "data.test",
    "data.cache",
)
"""Keys that may change between one start of a run and the next: they do not touch what has been learnt."""


class RunFolder:
    """The folder of the run that `config` names."""

    def __init__(self, config: Config) -> None:
        self.path = Path(config.run.dir) / config.run.name
        self.log = self.path / LOG
        self.vocab = self.path / VOCAB
        self.checkpoints = self.path / CHECKPOINTS
        self.best = self.path / BEST

    def open(self, config: Config, *, is_fresh: bool) -> bool:
        """Makes the folder ready and tells whether a run is already there that `config` can go on with.

        Raises CheckpointError if the folder is not a run's, or the run there was begun with other keys.
        """
        if is_fresh and self._is_run():
            shutil.rmtree(self.path)
        is_known = self._is_run()
        if is_known:
            self._require_same(load_config(self.path / CONFIG, []), config)
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise CheckpointError(f"{self.path}: expected a run's folder or none, got a folder of something else")
        save_config(config, self.path / CONFIG)
        return is_known

    def _is_run(self) -> bool:
        return (self.path / CONFIG).is_file()

    def _require_same(self, before: Config, now: Config) -> None:
        changed = [
            f"{key} was {old!r}, is {new!r}"
            for key, old, new in differing_keys(before.model_dump(), now.model_dump())
            if not any(key == free or key.startswith(f"{free}.") for free in FREE_KEYS)
        ]
        if changed:
            raise CheckpointError(
                f"{self.path}: expected the keys that the run was begun with, got {'; '.join(changed)} "
                "(another run.name keeps both, --fresh starts over)"
            )


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
