"""bf16 learns what fp32 learns: the loss curves of one small model on the built-in corpus, update by update."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmt_attn.commands.train import train
from nmt_attn.options.training import TrainOptions

UPDATES, WINDOW = 250, 50
TRAINING_TOLERANCE = 0.01
"""Nats per token, between means over WINDOW updates."""
VALIDATION_TOLERANCE = 0.02
"""Nats per token, at each validation."""
CONFIG = f"""
run: {{name: r}}
data: {{train: {{limit: 2000}}, valid: {{limit: 100}}}}
model:
  encoder: {{hidden: 48, embedding: 40, dropout: 0.1}}
  decoder: {{hidden: 48, embedding: 40, dropout: 0.1}}
training: {{batch_tokens: 600, updates: {UPDATES}, validate_updates: {WINDOW}, learning_rate: 5.0e-3,
           validate_translation: false, alignment_picture: false}}
"""


def log_of(folder: Path, precision: str) -> list[dict[str, Any]]:
    folder.mkdir()
    (folder / "c.yaml").write_text(CONFIG)
    train(
        TrainOptions(
            folder / "c.yaml",
            (
                f"run.dir={folder}",
                f"run.precision={precision}",
            ),
            fresh=False,
        )
    )
    return [json.loads(line) for line in (folder / "r" / "log.jsonl").read_text().split("\n")[:-1]]


def losses(log: list[dict[str, Any]], kind: str) -> np.ndarray[Any, Any]:
    return np.array([record["loss"] for record in log if record["kind"] == kind])


@pytest.mark.slow
def test_the_curves_of_bf16_and_fp32_agree(tmp_path: Path) -> None:
    exact, rounded = (log_of(tmp_path / precision, precision) for precision in ("fp32", "bf16"))
    updates = [losses(log, "update").reshape(-1, WINDOW).mean(1) for log in (exact, rounded)]
    validations = [losses(log, "validation") for log in (exact, rounded)]
    apart = [abs(first - second).max() for first, second in (updates, validations)]
    assert (updates[0] != updates[1]).all()  # they are two computations
    assert validations[0][-1] < losses(exact, "update")[0] / 2  # and something was learnt
    assert apart[0] < TRAINING_TOLERANCE
    assert apart[1] < VALIDATION_TOLERANCE
