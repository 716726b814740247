"""The same numbers on a GPU as on the CPU. Run by `make test-gpu`, where there is a CUDA device."""

from itertools import product

import pytest
import torch
from tiny_models import accepted, tiny_batch, tiny_model

from nmt_attn.model.build import DECODERS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.windows import WINDOWS
from nmt_attn.runtime import autocast
from nmt_attn.training.loss import token_loss

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
        readouts, _ = model(batch.to(device))
        loss = token_loss(readouts, model.output, batch.tgt_out.to(device), 0.1, torch.float64)
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
            readouts, _ = model(batch)
        losses.append(token_loss(readouts, model.output, batch.tgt_out, 0.0, dtype).total)
    assert losses[1].isfinite()
    torch.testing.assert_close(losses[0], losses[1], rtol=0.05, atol=0)
    losses[1].backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())
