"""Late steps: the end of an update on a GPU, launched without a sync before the next update.

    clip the gradient;   is_bad = whether loss or norm are infinite or NaN;   step of the optimizer, nothing if is_bad

The optimizer skips the step by itself (torch's `fused` ones do), so that the numbers may be read later. Where the work
of batches is recorded as CUDA graphs this is one more graph, the same for all updates. The learning rate is read from
the device.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from nmt_attn.fast.graphs import Recorder, Replay, recorded_or_warned


def skips_by_itself(optimizer: Optimizer) -> bool:
    """Whether the optimizer can step over an update whose gradient is bad."""
    return bool(optimizer.defaults.get("fused"))


class LateStep:
    """For `numbers` sums that an update reports; gradients stay where they are if there is a recorder."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        optimizer: Optimizer,
        clip_norm: float,
        numbers: int,
        recorder: Recorder | None,
    ) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._optimizer = optimizer
        self._clip_norm = clip_norm
        self._recorder = recorder
        device = self._parameters[0].device
        self._numbers = torch.zeros(numbers + 1, dtype=torch.float64, device=device)
        self._rate = torch.zeros((), device=device)
        self._holds = torch.zeros((), device=device)  # 1 while it is recorded, when nothing may change
        self._replay: Replay | None = None

    def do(self, sums: Tensor, rate: float) -> Tensor:
        """sums [numbers] float64 -> these and the norm of the gradient before it was clipped, until the next call."""
        self._numbers[:-1].copy_(sums)
        self._rate.fill_(rate)
        if self._recorder is not None and self._replay is None:
            self._record(self._recorder)
        if self._replay is None:
            self._work()
        else:
            self._replay.again()
        return self._numbers

    def _work(self) -> None:
        norm = clip_grad_norm_(self._parameters, self._clip_norm)
        self._numbers[-1:].copy_(norm)
        is_bad = 1 - torch.isfinite(self._numbers).all().float()
        self._optimizer.found_inf = torch.maximum(is_bad, self._holds)  # type: ignore[attr-defined]
        is_recorded = self._rate.is_cuda and torch.cuda.is_current_stream_capturing()
        for group in self._optimizer.param_groups:
            group["lr"], group["capturable"] = self._rate, is_recorded
        self._optimizer.step()

    def _record(self, recorder: Recorder) -> None:
        """Leaves weights, gradients and the optimizer as they are. What cannot be recorded is not tried again."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        kept = [gradient.clone() for gradient in gradients]
        self._holds.fill_(1)
        self._replay = recorded_or_warned(recorder, self._work, "optimizer steps go on without a CUDA graph")
        if self._replay is None:
            self._recorder = None
        self._holds.fill_(0)
        torch._foreach_copy_(gradients, kept)
