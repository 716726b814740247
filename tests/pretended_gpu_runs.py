"""What tests/test_pretended_gpu.py runs in a process of its own: models on the pretended device and on the CPU.

Reads one configuration a line, as a JSON object of keys below `model` (after the word `bf16` in that format) or, after
the word `training`, below `training`;
writes one JSON object of results for each.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import tiny_training
import torch
from pretended_gpu import DEVICE, Elsewhere, Pretending
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from tiny_training import Session, start
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from nmt_attn.config.schema import Config, TrainingConfig
from nmt_attn.fast.graphs import Replay
from nmt_attn.fast.search import for_search
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.recorded import RecordedSearch
from nmt_attn.search.step_functions import ModelSteps
from nmt_attn.training import trainer
from nmt_attn.training.objective import Objective
from nmt_attn.training.optimizer import build_optimizer

SOURCE_LENGTHS, TARGET_LENGTHS, LONGEST = [3, 2], [2, 3], 3
OPTIONS = BeamOptions(beam=2, wanted=2, ranking=RANKINGS["average"](1.0), with_weights=True)


@dataclass
class Result:
    """Of one model. Differences are the largest ones from the CPU, absolute."""

    loss: float
    gradients: float
    norm: float
    weights: float  # after a step of the optimizer
    log_probs: float  # of the hypotheses of a search
    same_hypotheses: bool
    recorded_log_probs: float  # of those of a search that is recorded
    same_recorded: bool
    search_waits: dict[str, int]  # in that search, for each of its reads once
    waits: dict[str, int]  # in an update, what a host would wait for
    sent: dict[str, int]  # in an update, once its batch is there


def compare(overrides: Overrides) -> Result:
    """One update and one search, here and there."""
    config = accepted(overrides)
    here, norm = trained(config, torch.device("cpu"), lambda: None)
    with Pretending() as pretending:
        there, other_norm = trained(config, DEVICE, pretending.sent.clear)
        waits, sent = dict(pretending.waits), dict(pretending.sent)
        found = searched(there.model, DEVICE)
        recorded, search_waits = searched_recorded(there.model, pretending)
    expected = searched(here.model, torch.device("cpu"))
    pairs, recorded_pairs = paired(expected, found), paired(expected, recorded)
    return Result(
        loss=difference([here.loss], [there.loss]),
        gradients=difference(here.gradients, there.gradients),
        norm=difference([norm], [other_norm]),
        weights=difference(list(here.model.parameters()), list(there.model.parameters())),
        log_probs=max(abs(ours.log_prob - theirs.log_prob) for ours, theirs in pairs),
        same_hypotheses=all(ours.ids == theirs.ids for ours, theirs in pairs),
        recorded_log_probs=max(abs(ours.log_prob - theirs.log_prob) for ours, theirs in recorded_pairs),
        same_recorded=all(ours.ids == theirs.ids for ours, theirs in recorded_pairs),
        search_waits=search_waits,
        waits=waits,
        sent=sent,
    )


@dataclass
class Trained:
    """After one update."""

    model: Seq2Seq
    loss: Tensor
    gradients: list[Tensor | None]


def trained(config: Config, device: torch.device, ready: Callable[[], None]) -> tuple[Trained, Tensor]:
    """One update, and the norm of its gradient; `ready` is called when model and batch are on the device."""
    model = tiny_model(config).to(device)
    batch = tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS).to(device)
    ready()
    training = TrainingConfig(label_smoothing=0.1)
    optimizer = build_optimizer(model.parameters(), training)
    loss = Objective(model, training, torch.float32).training(batch, 0)
    loss.total.backward()
    norm = clip_grad_norm_(model.parameters(), 1.0)
    gradients = [None if weight.grad is None else weight.grad.clone() for weight in model.parameters()]
    optimizer.step()
    return Trained(model, loss.total.detach(), gradients), norm


@dataclass
class RoundedResult:
    """Of one update in bf16, as shares of what it is in float32: differences from float32 here and there."""

    loss_here: float
    loss_there: float
    gradients_here: float  # of all gradients as one vector
    gradients_there: float


def compare_rounded(overrides: Overrides) -> RoundedResult:
    """Here by the forms of a CPU, there by those of a GPU."""
    config = accepted(overrides)
    exact = gradients_of(config, torch.device("cpu"), torch.float32)
    here = gradients_of(config, torch.device("cpu"), torch.bfloat16)
    with Pretending():
        there = [part.cpu() for part in gradients_of(config, DEVICE, torch.bfloat16)]
    shares = [
        float((part - wanted).norm() / wanted.norm())
        for rounded in (here, there)
        for part, wanted in zip(rounded, exact, strict=True)
    ]
    return RoundedResult(shares[0], shares[2], shares[1], shares[3])


def gradients_of(config: Config, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """The loss of one update, and all its gradients as one vector."""
    model = tiny_model(config).float().to(device)
    batch = tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS).to(device)
    total = Objective(model, TrainingConfig(label_smoothing=0.1), dtype).training(batch, 0).total
    total.backward()
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in model.parameters()]
    return [total.detach(), torch.cat([gradient.flatten() for gradient in gradients])]


@torch.no_grad()  # a tensor of the device knows no inference mode
def searched(model: Seq2Seq, device: torch.device) -> list[list[Hypothesis]]:
    """Beam search of width 2."""
    fast = for_search(model.eval(), "fp32")
    batch = tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS).to(device)
    limits = Limits(torch.zeros_like(batch.src_lengths), torch.full_like(batch.src_lengths, LONGEST))
    return beam_search(ModelSteps(fast, fast.encode(batch.src_ids, batch.src_lengths)), limits, OPTIONS)


def searched_recorded(model: Seq2Seq, pretending: Pretending) -> tuple[list[list[Hypothesis]], dict[str, int]]:
    """The same by steps that are recorded, in which nothing may be waited for; and what all of it waits for."""
    batch = tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)
    limits = Limits(torch.zeros_like(batch.src_lengths), torch.full_like(batch.src_lengths, LONGEST))
    with torch.no_grad():
        search = RecordedSearch(for_search(model.eval(), "fp32"), Strict(pretending))
        search.search(batch.src_ids, batch.src_lengths, limits, OPTIONS)
        pretending.waits.clear()
        found = search.search(batch.src_ids, batch.src_lengths, limits, OPTIONS)
    return found, dict(pretending.waits)


def paired(ours: list[list[Hypothesis]], theirs: list[list[Hypothesis]]) -> list[tuple[Hypothesis, Hypothesis]]:
    return [pair for row in zip(ours, theirs, strict=True) for pair in zip(*row, strict=True)]


def difference(ours: list[Tensor | None], theirs: list[Tensor | None]) -> float:
    """The largest; a tensor that one has and the other has not differs without end."""
    largest = 0.0
    for mine, other in zip(ours, theirs, strict=True):
        if (mine is None) != (other is None):
            return float("inf")
        if mine is not None:
            assert isinstance(other, Elsewhere), "on the device"
            largest = max([largest, *(mine.detach() - other.numbers).abs().flatten().tolist()])
    return largest


@dataclass
class TrainingResult:
    """Of one training of four updates and a validation, with the numbers of the log."""

    here: list[float]
    there: list[float]
    waits: dict[str, int]


class Strict:
    """A recorder whose work must be such that a CUDA graph could hold it: nothing is waited for, nothing sent."""

    def __init__(self, pretending: Pretending) -> None:
        self.pretending = pretending

    def record(self, work: Callable[[], None]) -> Replay:
        """Work that is checked each time."""

        def replay() -> None:
            before = self.pretending.waits.total(), self.pretending.sent.total()
            work()
            assert (self.pretending.waits.total(), self.pretending.sent.total()) == before

        return Replay(replay, lambda: None, 1)

    def run(self, work: Callable[[], Tensor]) -> Tensor:
        return work()

    def free_bytes(self) -> int:
        return 1 << 40


def compare_trainings(keys: dict[str, Any]) -> TrainingResult:
    """Here and there, without dropout unless `keys` name it."""
    limits = {"updates": 4, "epochs": None, "validate_updates": 4}
    if not keys.pop("dropout", False):  # whose masks are drawn in another way there
        tiny_training.DROPOUT.clear()
    pretending = Pretending()
    trainer.CudaRecorder = lambda device: Strict(pretending)  # type: ignore[assignment, misc]
    here = start(**limits, **keys)
    here.run()
    with pretending:
        there = start(device=DEVICE, **limits, **keys)
        pretending.waits.clear()
        there.run()
        return TrainingResult(logged(here), logged(there), dict(pretending.waits))


def logged(session: Session) -> list[float]:
    """Losses and norms."""
    updates = [number for report in session.watcher.updates for number in (report.loss, report.gradient_norm)]
    return updates + [report.loss for report in session.watcher.validations]


def answer(line: str) -> Result | TrainingResult | RoundedResult:
    """The JSON object of one line."""
    if line.startswith("bf16 "):
        return compare_rounded(json.loads(line.removeprefix("bf16 ")))
    if line.startswith("training "):
        return compare_trainings(json.loads(line.removeprefix("training ")))
    return compare(json.loads(line))


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(answer(line))) + "\n")
    sys.stdout.flush()
    os._exit(0)  # torch's backward thread of a device registered from Python cannot be joined: it may abort the process
