"""Gradient: of one update, over its batches and over the processes that share them out.

    gradient = sum over the batches of d loss / d weights, divided by the tokens (or sentences) of all of them

It is that of the joined batch, not a mean of means, and the same however many processes there are: each takes its
share of the batches, and DistributedDataParallel adds the gradients up while the last backward pass of each process
goes on. What an update has to tell is read from the device once, when all of its work has been sent there.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from nmt_attn.data.batching import Plan, Sizes, batches, pad_to_bucket, total_sizes
from nmt_attn.data.encoded import EncodedCorpus
from nmt_attn.fast.graphs import Graphs, Recorder
from nmt_attn.processes import Processes
from nmt_attn.runtime import seed_batch
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.late_step import LateStep
from nmt_attn.training.objective import Objective
from nmt_attn.types import BOS, EOS, Batch

SUMS = 3
"""Numbers that the work of a batch reports."""


class UpdateLoss(NamedTuple):
    """Of all batches of one update, in all processes."""

    total: float  # nats, summed, with all that is minimised
    negative_log_likelihood: float  # nats, summed, of the target alone
    alignment: float | None  # nats, summed, of guided attention before its weight; None without it
    gradient_norm: float  # before it was clipped
    sizes: Sizes


class SentUpdate(NamedTuple):
    """An update that a device computes, or has computed."""

    numbers: Tensor  # [SUMS + 1] float64: the sums of this process, and the norm of the gradient
    has_arrived: Callable[[], object]  # waits until `numbers` may be read
    is_guided: bool
    sizes: Sizes


class Loaded(NamedTuple):
    """What one update is made of."""

    batches: list[Batch]  # this process's share
    sizes: Sizes  # of these, as they are in the corpus
    places: list[int]  # of these among all of the update's
    all_batches: int  # how many they are in all processes


class Gradients:
    """Makes the gradients of updates on `corpus`, no longer than `clip_norm`; `loss_per` token or sentence."""

    def __init__(
        self,
        objective: Objective,
        corpus: EncodedCorpus,
        processes: Processes,
        *,
        seed: int,
        loss_per: str,
        clip_norm: float | None,
        recorder: Recorder | None = None,
        steps_late: Optimizer | None = None,
    ) -> None:
        self._parameters = list(objective.model.parameters())
        self._device = objective.model.output.weight.device
        some_idle = processes.count > 1 and leaves_weights_out(objective)
        self._module = processes.parallel(_Module(objective, has_idle=some_idle), some_idle=some_idle)
        self._corpus = corpus
        self._processes = processes
        self._seed = seed
        self._is_per_token = loss_per == "token"
        self._clip_norm = math.inf if clip_norm is None else clip_norm
        self._graphs = None if recorder is None else Graphs(self._parameters, self._backward, SUMS, recorder)
        self._late_step = (
            None if steps_late is None else LateStep(self._parameters, steps_late, self._clip_norm, SUMS, recorder)
        )

    def load(self, group: Plan, epoch: int) -> Loaded:
        """The batches of `group`, some of `epoch`. May be called by another thread."""
        places = list(self._processes.share(range(len(group))))
        loaded = list(batches(self._corpus.in_epoch(epoch), [group[place] for place in places]))
        sizes = total_sizes(loaded)
        if self._graphs is not None:
            loaded = [pad_to_bucket(batch) for batch in loaded]
        if self._device.type == "cuda":
            with torch.cuda.device(self._device):  # a thread begins with the first one
                loaded = [batch.pin_memory() for batch in loaded]
        return Loaded(loaded, sizes, places, len(group))

    def make(self, loaded: Loaded, progress: Progress) -> UpdateLoss:
        """Gives each weight the gradient of these batches, the next ones of the epoch, in place of what it had."""
        return self.read(self.send(loaded, progress))

    def send(self, loaded: Loaded, progress: Progress, rate: float = 0.0) -> SentUpdate:
        """The same without waiting for the device; with `steps_late`, that optimizer steps too, at this rate."""
        self._clear()
        sizes = Sizes(*map(int, self._processes.sum(loaded.sizes)))
        count = sizes.target_tokens if self._is_per_token else sizes.sentences
        sums = torch.zeros(SUMS, dtype=torch.float64, device=self._device)
        for place, batch in zip(loaded.places, loaded.batches, strict=True):
            with self._reducing(is_last=place == loaded.places[-1]):
                seed = partial(seed_batch, self._device, self._seed, progress.epoch, progress.batch + place)
                if self._graphs is None:
                    seed()
                    sums += self._backward(batch.to(self._device), count, progress.update)
                else:
                    sums += self._graphs.do(batch, count, seed)
        if not loaded.batches:  # the epoch's last group has fewer batches than there are processes
            with self._reducing(is_last=True):
                self._module(None, progress.update).backward()
        if self._late_step is None:
            norm = clip_grad_norm_(self._parameters, self._clip_norm)
            numbers = torch.cat([sums, norm.to(sums.dtype).unsqueeze(0)])
        else:
            numbers = self._late_step.do(sums, rate)
        is_guided = any(batch.alignment is not None for batch in loaded.batches)
        here, has_arrived = _on_its_way(numbers)
        return SentUpdate(here, has_arrived, is_guided, sizes)

    def read(self, sent: SentUpdate) -> UpdateLoss:
        """Waits for the device, and for the other processes."""
        sent.has_arrived()
        *mine, gradient_norm = sent.numbers.tolist()
        total, likelihood, alignment = self._processes.sum(mine)
        return UpdateLoss(total, likelihood, alignment if sent.is_guided else None, gradient_norm, sent.sizes)

    def _clear(self) -> None:
        if self._graphs is not None:
            self._graphs.clear()
            return
        for parameter in self._parameters:
            parameter.grad = None

    def _backward(self, batch: Batch, count: int | Tensor, update: int = 0) -> Tensor:
        """Sums [3] of the batch: what is minimised, the target's negative log-likelihood, and guided attention's.

        `count` divides the loss. `update` matters to guided attention and scheduled sampling alone.
        """
        loss = self._module(batch, update)
        # The gradients of the processes become their mean, but their sum is wanted.
        (loss.total * self._processes.count / count).backward()
        alignment = torch.zeros_like(loss.negative_log_likelihood) if loss.alignment is None else loss.alignment
        return torch.stack([loss.total.detach(), loss.negative_log_likelihood, alignment])

    def _reducing(self, *, is_last: bool) -> AbstractContextManager[object]:
        """A block that, for the last batch of this process, brings the gradients of all processes together."""
        if is_last:
            return self._processes.together()
        return self._module.no_sync() if isinstance(self._module, DistributedDataParallel) else nullcontext()


def too_large(loaded: Loaded | None, device: torch.device, updates: int, saved: int) -> str:
    """What to say where the memory is too small: for these batches, or (None) for those of a validation.

    `updates` were made before, and the state after `saved` of them is in the newest checkpoint.
    """
    shapes = " and ".join(
        f"{len(batch.src_ids)} x ({batch.src_ids.shape[1]} + {batch.tgt_in.shape[1]})"
        for batch in (loaded.batches if loaded is not None else ())
    )
    found = (
        f"one of {shapes} tokens at update {updates + 1}"
        if shapes
        else f"too large ones in validation at update {updates}"
    )
    goes_on = f"the run goes on from its checkpoint of update {saved}" if saved else "the run has no checkpoint yet"
    return (
        f"training.batch_tokens: expected batches that fit into the memory of {device}, got {found} (try a smaller "
        f"one, with training.accumulate_batches for the same updates; {goes_on})"
    )


def _on_its_way(numbers: Tensor) -> tuple[Tensor, Callable[[], object]]:
    """A copy of the numbers, from a GPU to the host while it goes on; and what waits for it."""
    if not numbers.is_cuda:
        return numbers.clone(), lambda: None
    here = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    here.copy_(numbers, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return here, event.synchronize


class _Module(nn.Module):
    """The objective as a module, as DistributedDataParallel takes nothing else."""

    def __init__(self, objective: Objective, *, has_idle: bool) -> None:
        super().__init__()
        self.model = objective.model
        self._objective = objective
        self._device = objective.model.output.weight.device
        if has_idle:
            # Never takes part, as torch warns where it looks for such weights in vain.
            self.idle = nn.Parameter(torch.zeros(1, device=self._device))

    def forward(self, batch: Batch | None, update: int) -> Any:
        """The loss; without a batch a 0 in which the same weights take part."""
        if batch is None:
            return self._objective.training(one_word().to(self._device), update).total * 0
        return self._objective.training(batch, update)


def leaves_weights_out(objective: Objective) -> bool:
    """Whether some weight takes no part in the loss of a batch of one word. Its gradients are taken away again."""
    objective.training(one_word().to(objective.model.output.weight.device), 0).total.backward()
    parameters = list(objective.model.parameters())
    found = any(parameter.grad is None for parameter in parameters if parameter.requires_grad)
    for parameter in parameters:
        parameter.grad = None
    return found


def one_word() -> Batch:
    """A pair of sentences without words."""
    ids, lengths = torch.full((1, 1), EOS), torch.ones(1, dtype=torch.int64)
    return Batch(ids, lengths, torch.full((1, 1), BOS), ids, lengths, copy_rows=ids)
