"""Tiny corpora, trainers that are quick to make, and an observer that remembers, for the tests of training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from tiny_models import SOURCE_WORDS, TARGET_WORDS, accepted

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.data.encoded import EncodedCorpus
from nmt_attn.model.build import build_model
from nmt_attn.processes import Processes
from nmt_attn.training.checkpoint import Progress, load_newest, save_checkpoint
from nmt_attn.training.events import Observer, TextScore, UpdateEvent, ValidationEvent
from nmt_attn.training.moving_average import MovingAverage
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.trainer import Trainer

POSITIONS = 8
EPOCH = 5  # batches of `start`
DROPOUT = {"encoder.dropout": 0.3, "decoder.dropout": 0.3}


def tiny_corpus(pairs: int, seed: int = 1) -> EncodedCorpus:
    """Random sentences of 1 to 6 words; the target says the source's words backwards."""
    rng = np.random.default_rng(seed)
    sources = [rng.integers(4, SOURCE_WORDS, rng.integers(1, 7)).tolist() for _ in range(pairs)]
    sides = {"source": sources, "target": [list(reversed(source)) for source in sources]}
    ids = pa.list_(pa.int32())
    return EncodedCorpus(pa.table({name: pa.array(rows, ids) for name, rows in sides.items()}))


class Watcher(Observer):
    """An observer that remembers what it was told; with a folder it keeps checkpoints there."""

    def __init__(self, on_update: Callable[[UpdateEvent], None] = lambda report: None) -> None:
        self.updates: list[UpdateEvent] = []
        self.validations: list[ValidationEvent] = []
        self.bests: list[int] = []
        self.kept_models: list[int] = []
        self.checkpoints: list[Progress] = []
        self.save: Callable[[Progress], object] = lambda progress: None
        self._on_update = on_update

    def updated(self, report: UpdateEvent) -> None:
        self.updates.append(report)
        self._on_update(report)

    def validated(self, report: ValidationEvent) -> None:
        self.validations.append(report)

    def best(self, progress: Progress) -> None:
        self.bests.append(progress.update)

    def kept(self, progress: Progress) -> None:
        self.kept_models.append(progress.update)

    def checkpoint(self, progress: Progress) -> None:
        self.checkpoints.append(replace(progress))
        self.save(progress)


class Session(NamedTuple):
    """One start of a training: as a process has it."""

    trainer: Trainer
    watcher: Watcher

    def run(self) -> Progress:
        """To the end, or until something stops it."""
        return self.trainer.run(self.watcher)

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights."""
        return {name: value.detach().clone() for name, value in self.trainer.model.named_parameters()}


def start(
    folder: Path | None = None,
    *,
    pairs: int = 20,
    dtype: torch.dtype = torch.float32,
    bleu: Callable[[], float] | None = None,
    seed: int = 1,
    device: torch.device | str = "cpu",
    **keys: Any,
) -> Session:
    """A new model of the seed, or what the newest checkpoint in `folder` says; `keys` are of `training`.

    By default 20 pairs of 1 to 6 words are cut into batches of 21 tokens, which makes 5 batches an epoch.
    """
    plain = {"batch_tokens": 21, "epochs": 20, "learning_rate": 1e-3, "schedule": "constant", "patience": None}
    config = TrainingConfig.model_validate({**plain, "validate_translation": bleu is not None, **keys})
    torch.manual_seed(seed)
    model = build_model(accepted(DROPOUT).model, SOURCE_WORDS, TARGET_WORDS, POSITIONS).to(device)
    optimizer = build_optimizer(model.parameters(), config)
    averaged = None if config.ema is None else MovingAverage(model, config.ema)
    progress = None if folder is None else load_newest(folder, model, optimizer, print, averaged)
    trainer = Trainer(
        model,
        optimizer,
        config,
        tiny_corpus(pairs),
        tiny_corpus(5, seed=2),
        seed=seed,
        dtype=dtype,
        progress=progress or Progress(),
        processes=Processes(),
        score=None if bleu is None else lambda: {"bleu": TextScore("BLEU", bleu(), is_error=False)},
        averaged=averaged,
    )
    watcher = Watcher()
    if folder is not None:
        watcher.save = lambda progress: save_checkpoint(folder, model, optimizer, progress, 2, averaged)
    return Session(trainer, watcher)
