"""`nmt-attn train` by risk: from a trained model, the same whether or not it was stopped on the way."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from nmt_attn.commands.train import train
from nmt_attn.config.file import load_config
from nmt_attn.errors import ConfigError
from nmt_attn.options.training import TrainOptions
from nmt_attn.registries import RISKS

CONFIG = """
run: {name: r, precision: fp32}
data: {train: {limit: 40}, valid: {limit: 4}}
tokenizer: {kind: word}
model:
  encoder: {hidden: 8, embedding: 4}
  attention: {score: general}
  decoder: {style: luong, hidden: 6, embedding: 5}
training: {batch_tokens: 200, validate_translation: false, schedule: constant, loss_per: sentence}
search: {max_length_factor: 1.0}
"""


def run(config: Path, folder: Path, *settings: str) -> dict[str, Tensor]:
    """The newest state of a training, optimizer included."""
    train(TrainOptions(config, (f"run.dir={folder}", *settings), fresh=False))
    return safetensors.torch.load_file(sorted((folder / "r" / "checkpoints").iterdir())[-1])


@pytest.mark.slow
@pytest.mark.parametrize("alignment", ["soft", "monotonic"])
@pytest.mark.parametrize("method", RISKS)
def test_a_stop_changes_nothing(method: str, alignment: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    model = f"model.attention.alignment={alignment}"
    run(config, tmp_path / "base", model, "training.updates=10")
    risk = (model, f"training.init_from={tmp_path / 'base' / 'r'}", f"training.risk.method={method}")
    risk = (*risk, "training.risk.metrics=[chrf, exact]", "training.risk.samples=3", "training.risk.likelihood=0.1")
    whole = run(config, tmp_path / "whole", *risk, "training.updates=8")
    run(config, tmp_path / "halves", *risk, "training.updates=3")  # in the middle of an epoch
    halves = run(config, tmp_path / "halves", *risk, "training.updates=8")
    assert whole.keys() == halves.keys()
    for key, value in whole.items():
        assert torch.equal(halves[key], value), key
    other = run(config, tmp_path / "other", *risk, "training.updates=8", "run.seed=2")
    assert any(not torch.equal(other[key], value) for key, value in whole.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["training.init_from=null"], "training.init_from: expected a run or model folder with training.risk.method"),
        (["training.loss_per=token"], "training.loss_per: expected 'sentence' with training.risk.method"),
        (["training.risk.weights=[1, 2]"], "training.risk.weights: expected one for each of training.risk.metrics"),
        (["training.cuda_graphs=true"], "training.cuda_graphs: expected auto with training.risk.method"),
        (["training.word_dropout.source=0.1"], "training.word_dropout.source: .* no effect with .*likelihood 0.0"),
        (["training.coverage_loss=1"], "training.coverage_loss: .* no effect with training.risk.likelihood 0.0"),
        (["training.risk.method=none", "training.risk.samples=3"], "training.risk.samples: .* no effect with"),
        (["training.risk.method=reinforce", "training.risk.alpha=1"], "training.risk.alpha: .*'mrt'"),
        (["training.risk.samples=1"], "training.risk.samples: expected .*2.*, got 1"),
    ],
)
def test_what_does_not_go_with_risk_is_refused(settings: list[str], message: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    risk = ["training.init_from=somewhere", "training.risk.method=mrt"]
    load_config(config, risk)
    with pytest.raises(ConfigError, match=message):
        load_config(config, [*risk, *settings])
