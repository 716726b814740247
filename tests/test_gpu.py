"""The same numbers on a GPU as on the CPU. Run by `make test-gpu`, where there is a CUDA device.

CUDA graphs: tests/fast/test_graphs.py. Where there is no GPU: tests/test_pretended_gpu.py.
"""

from itertools import product

import pytest
import torch
from tiny_models import accepted, tiny_batch, tiny_model
from tiny_training import start
from torch.nn.utils import clip_grad_norm_

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.fast.training import for_training
from nmt_attn.model.build import DECODERS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.windows import WINDOWS
from nmt_attn.runtime import autocast
from nmt_attn.training.loss import token_loss
from nmt_attn.training.objective import Objective
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.trainer import UPDATES_AHEAD

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
COMBINATIONS = [*product(sorted(SCORES), sorted(WINDOWS), sorted(DECODERS)), ("none", "global", "bahdanau")]
CUDA = torch.device("cuda")


@pytest.mark.parametrize(("score", "window", "style"), COMBINATIONS)
def test_loss_and_gradients_are_those_of_the_cpu(score: str, window: str, style: str) -> None:
    project = {"attention.project": True} if score in ("dot", "scaled-dot") else {}
    config = accepted({"attention.score": score, "attention.window": window, "decoder.style": style, **project})
    batch, results = tiny_batch([4, 2, 5], [3, 6, 1]), []
    for device in (torch.device("cpu"), CUDA):
        model = tiny_model(config).to(device)
        readouts, _ = for_training(model)(batch.to(device))
        targets, keeps_padding = batch.tgt_out.to(device), device == CUDA
        loss = token_loss(readouts, model.output, targets, 0.1, torch.float64, keeps_padding=keeps_padding)
        gradients = torch.autograd.grad(loss.total, list(model.parameters()), allow_unused=True)
        results.append((loss.total.cpu(), [None if gradient is None else gradient.cpu() for gradient in gradients]))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("style", sorted(DECODERS))
def test_bf16_trains_on_a_gpu(style: str) -> None:
    config = accepted({"decoder.style": style})
    model = tiny_model(config).float().to(CUDA)
    batch = tiny_batch([4, 2, 5], [3, 6, 1]).to(CUDA)
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        with autocast(CUDA, dtype):
            readouts, _ = for_training(model)(batch)
        losses.append(token_loss(readouts, model.output, batch.tgt_out, 0.0, dtype).total)
    assert losses[1].isfinite()
    torch.testing.assert_close(losses[0], losses[1], rtol=0.05, atol=0)
    losses[1].backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("style", sorted(DECODERS))
def test_no_update_waits_for_the_gpu(style: str) -> None:
    model = tiny_model(accepted({"decoder.style": style})).float().to(CUDA)
    objective = Objective(model, TrainingConfig(), torch.float32)
    optimizer = build_optimizer(model.parameters(), TrainingConfig())
    batch = tiny_batch([4, 2, 5], [3, 6, 1]).pin_memory().to(CUDA)
    for mode in ("default", "error"):  # the first update loads libraries
        torch.cuda.set_sync_debug_mode(mode)
        try:
            objective.training(batch, 0).total.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_training_is_that_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiny_training.DROPOUT", {})  # whose masks are drawn by another generator
    here, there = start(updates=12, epochs=None), start(updates=12, epochs=None, device=CUDA)
    assert (here.trainer.updates_ahead, there.trainer.updates_ahead) == (0, UPDATES_AHEAD)
    for session in (here, there):
        session.run()
    losses = [[report.loss for report in session.watcher.updates] for session in (here, there)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_batches_are_pinned() -> None:
    session = start(device=CUDA)
    loaded = session.trainer._gradients.load(session.trainer.plan(1)[:1], 1)
    assert all(part.is_pinned() for part in loaded.batches[0][:5])
