"""`nmt-attn train` with every aid to learning at once: it ends the same whether or not it was stopped on the way."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from nmt_attn.commands.train import _set_threads, train
from nmt_attn.config.file import parse_config
from nmt_attn.options import TrainOptions

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


@pytest.mark.parametrize(("hidden", "asked", "expected"), [(255, None, 1), (256, None, 2), (255, 2, 2), (256, 1, 1)])
def test_a_small_model_takes_one_thread_unless_asked(hidden: int, asked: int | None, expected: int) -> None:
    config = parse_config("", ["model.encoder.hidden=8", f"model.decoder.hidden={hidden}"], "f.yaml")
    before, notes = torch.get_num_threads(), list[str]()
    try:
        torch.set_num_threads(2)
        _set_threads(asked, config, torch.device("cpu"), notes.append)
        assert torch.get_num_threads() == expected
        assert len(notes) == (asked is None and expected == 1)
        torch.set_num_threads(2)
        _set_threads(asked, config, torch.device("cuda"), notes.append)
        assert torch.get_num_threads() == (asked or 2), "a GPU computes"
    finally:
        torch.set_num_threads(before)
