"""`training.loss_per`: the papers' learning rates and norms are of a loss per sentence."""

from pathlib import Path

import torch
from tiny_models import accepted, tiny_model

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.data.encoded import EncodedCorpus, EncodedPair, open_encoded, write_encoded
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.processes import Processes
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.events import Observer, UpdateEvent
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.trainer import Trainer
from nmt_attn.types import SentencePair

SENTENCES, TOKENS = 2, 5  # targets of 2 and 1 words, each with </s>


class Losses(Observer):
    """An observer that keeps the norms of gradients."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def updated(self, report: UpdateEvent) -> None:
        self.norms.append(report.gradient_norm)


def two_pairs(folder: Path) -> EncodedCorpus:
    text = SentencePair("", "")
    pairs = [EncodedPair([4, 5, 6], [7, 8], text), EncodedPair([5], [9], text)]
    write_encoded(folder / "pairs.arrow", pairs, keep_text=True)
    return open_encoded(folder / "pairs.arrow")


def after_one_update(config: TrainingConfig, corpus: EncodedCorpus) -> tuple[Seq2Seq, float]:
    """The model after one update with both pairs, and the norm of its gradient before clipping."""
    model, watcher = tiny_model(accepted({})).float(), Losses()
    optimizer = build_optimizer(model.parameters(), config)
    progress = Progress()
    trainer = Trainer(
        model,
        optimizer,
        config,
        corpus,
        corpus,
        seed=1,
        dtype=torch.float32,
        progress=progress,
        processes=Processes(),
        score=None,
    )
    trainer.run(watcher)
    return model, watcher.norms[0]


def test_a_loss_per_sentence_is_that_per_token_times_the_tokens_of_a_sentence(tmp_path: Path) -> None:
    corpus = two_pairs(tmp_path)
    fixed = {
        "batch_tokens": 2048,
        "updates": 1,
        "schedule": "constant",
        "optimizer": "sgd",
        "clip_norm": None,
        "validate_translation": False,
    }
    ratio = TOKENS / SENTENCES
    per_sentence = TrainingConfig.model_validate({**fixed, "loss_per": "sentence", "learning_rate": 0.1})
    per_token = TrainingConfig.model_validate({**fixed, "loss_per": "token", "learning_rate": 0.1 * ratio})
    model, norm = after_one_update(per_sentence, corpus)
    other, smaller_norm = after_one_update(per_token, corpus)
    assert abs(norm / smaller_norm - ratio) < 1e-4
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, other.get_parameter(name), rtol=1e-5, atol=1e-6)
