"""The loss as a GPU computes it, on the CPU in float64, against the blocked loss: values and gradients."""

import pytest
import torch
from torch import Tensor, nn

from nmt_attn.fast.gpu import loss as module
from nmt_attn.fast.gpu.loss import token_sums
from nmt_attn.training.loss import token_loss
from nmt_attn.types import PAD


def made() -> tuple[Tensor, nn.Linear, Tensor]:
    generator = torch.Generator().manual_seed(1)
    output = nn.Linear(5, 71).double()
    readouts = torch.randn(3, 7, 5, dtype=torch.float64, generator=generator).requires_grad_()
    targets = torch.randint(4, 71, (3, 7), generator=generator)
    targets[1, 2:] = PAD
    return readouts, output, targets


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("block_bytes", [1 << 28, 2000])  # all at once; four tokens at a time
def test_the_loss_is_the_blocked_one(smoothing: float, block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    readouts, output, targets = made()
    variables = [readouts, output.weight, output.bias]
    expected = token_loss(readouts, output, targets, smoothing, torch.float64)
    total, likelihood = token_sums(readouts, output, targets, smoothing, torch.float64)
    torch.testing.assert_close((total, likelihood), (expected.total, expected.negative_log_likelihood))
    ours, plain = (torch.autograd.grad(each * 0.3, variables) for each in (total, expected.total))
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)


def test_without_a_gradient_scores_are_left_alone() -> None:
    readouts, output, targets = made()
    with torch.no_grad():
        total, _ = token_sums(readouts, output, targets, 0.1, torch.float64)
    assert not total.requires_grad
    torch.testing.assert_close(total, token_sums(readouts, output, targets, 0.1, torch.float64)[0].detach())
