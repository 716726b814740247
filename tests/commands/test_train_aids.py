"""`nmt-attn train` with every aid to learning at once: it ends the same whether or not it was stopped on the way."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from nmt_attn.commands.train import train
from nmt_attn.options.training import TrainOptions

CONFIG = """
run: {name: r}
data: {train: {limit: 40}, valid: {limit: 4}, alignments: builtin}
tokenizer: {kind: sentencepiece, vocab_size: 120}
model:
  encoder: {hidden: 8, embedding: 4, layers: 2, layer_dropout: 0.1}
  decoder: {style: luong, input_feeding: attentional, hidden: 6, embedding: 5, attentional_dropout: 0.1}
  dropout_mask: sentence
training:
  batch_tokens: 200
  validate_translation: false
  schedule: constant  # another one would end elsewhere with another number of updates
  word_dropout: {source: 0.1, target: 0.1}
  scheduled_sampling: {rate: 0.8, decay: linear, updates: 10, choice: sample}
  subword_sampling: {alpha: 0.3}
  guided_attention: {weight: 0.5, decay: exponential, updates: 10}
"""


def weights(folder: Path) -> dict[str, Tensor]:
    """Of the newest state of training, optimizer included."""
    return safetensors.torch.load_file(sorted((folder / "r" / "checkpoints").iterdir())[-1])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stop_changes_nothing(precision: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    ends = {}
    for name, stops in (("whole", [20]), ("halves", [7, 20])):  # in the middle of an epoch
        folder = tmp_path / name
        for updates in stops:
            settings = [f"run.dir={folder}", f"run.precision={precision}", f"training.updates={updates}"]
            train(TrainOptions(config, tuple(settings), fresh=False))
        ends[name] = weights(folder)
    assert ends["whole"].keys() == ends["halves"].keys()
    for key, value in ends["whole"].items():
        assert torch.equal(ends["halves"][key], value), key
