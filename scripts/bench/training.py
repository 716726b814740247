"""Measures training: target tokens/s, peak memory, page faults, and the time of each stage."""

import itertools
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch.nn.utils import clip_grad_norm_

from bench.flops import Shape, update_flops
from bench.systems import Corpus, configuration, in_file_order, prepared
from nmt_attn.config.schema import Config
from nmt_attn.data.batching import Plan, batches
from nmt_attn.data.prepare import PreparedData
from nmt_attn.fast.attention import AttentionLoop
from nmt_attn.fast.recurrence import LSTMLoop
from nmt_attn.fast.training import for_training
from nmt_attn.model.encoder import Encoder
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import model_from_config
from nmt_attn.processes import Processes
from nmt_attn.runtime import autocast, choose_precision, prepare_runtime
from nmt_attn.training import loss as loss_module
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.events import Observer, UpdateEvent
from nmt_attn.training.loss import token_loss
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.trainer import Trainer
from nmt_attn.types import Batch

WARM_UP = 20
"""Updates before timing starts; at most a third of all."""


class TrainingJob(NamedTuple):
    """What to train."""

    system: str
    precision: str  # fp32, bf16, auto
    updates: int
    flushes_denormals: bool = True
    settings: tuple[str, ...] = ()  # section.key=value, on top of those of the system


class TrainingResult(NamedTuple):
    """Measurements after the warm-up, in processor seconds, which exclude other processes."""

    tokens_a_second: float  # real target tokens, `</s>` counted
    update_seconds: float  # median
    flops_a_second: float
    flops_by_part: dict[str, float]  # of one update, mean
    cpu_share: float  # processor time over wall-clock time; near 1 on an idle machine
    faults_an_update: float  # minor page faults
    peak_mebibytes: float  # of the whole process
    loss: float  # nats per token, mean of the last tenth of the updates


class FixedOrder(Trainer):
    """The library's trainer on batches of consecutive lines."""

    def plan(self, epoch: int) -> Plan:
        return in_file_order(len(self.train_corpus))


class Clock(Observer):
    """An observer that records the time after every update."""

    def __init__(self, updates: int) -> None:
        self.warm_up = min(WARM_UP, updates // 3)
        self.reports: list[UpdateEvent] = []
        self.times: list[float] = []
        self.processor: list[float] = []
        self.faults: list[int] = []

    def updated(self, report: UpdateEvent) -> None:
        self.reports.append(report)
        self.times.append(time.perf_counter())
        self.processor.append(time.process_time())
        self.faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

    def result(self, flops_by_part: dict[str, float]) -> TrainingResult:
        """Speeds between the warm-up and the last update."""
        first = self.warm_up - 1
        seconds = self.processor[-1] - self.processor[first]
        timed = self.reports[self.warm_up :]
        last = self.reports[-max(1, len(self.reports) // 10) :]
        clock = self.processor[first:]
        steps = [after - before for before, after in itertools.pairwise(clock)]
        return TrainingResult(
            tokens_a_second=sum(report.target_tokens for report in timed) / seconds,
            update_seconds=statistics.median(steps),
            flops_a_second=sum(flops_by_part.values()) * len(timed) / seconds,
            flops_by_part=flops_by_part,
            cpu_share=seconds / (self.times[-1] - self.times[first]),
            faults_an_update=(self.faults[-1] - self.faults[first]) / len(timed),
            peak_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            loss=sum(report.loss for report in last) / len(last),
        )


class Ready(NamedTuple):
    """The model and data of a measurement."""

    config: Config
    data: PreparedData
    model: Seq2Seq
    optimizer: torch.optim.Optimizer
    dtype: torch.dtype


def make_ready(job: TrainingJob, corpus: Corpus) -> Ready:
    """A new model with its optimizer, initialised with `run.seed`."""
    config = configuration(job.system, corpus, job.updates, job.settings)
    data = prepared(corpus)
    prepare_runtime(config.run.seed)
    torch.set_flush_denormal(job.flushes_denormals)
    model = model_from_config(config, data.source.size, data.target.size, data.source.vocabulary.factor_sizes)
    dtype = choose_precision(job.precision, torch.device("cpu"))
    return Ready(config, data, model, build_optimizer(model.parameters(), config.training), dtype)


def train(job: TrainingJob, corpus: Corpus) -> tuple[Ready, TrainingResult]:
    """Runs the library's trainer for the job's updates."""
    ready = make_ready(job, corpus)
    trainer = FixedOrder(
        ready.model,
        ready.optimizer,
        ready.config.training,
        ready.data.train,
        ready.data.valid,
        seed=ready.config.run.seed,
        dtype=ready.dtype,
        progress=Progress(),
        score=None,
        processes=Processes(),
    )
    clock = Clock(job.updates)
    trainer.run(clock)
    plan = in_file_order(len(ready.data.train))
    timed = [plan[update % len(plan)] for update in range(clock.warm_up, job.updates)]
    return ready, clock.result(_mean_flops(ready, timed))


def _mean_flops(ready: Ready, plan: Plan) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    source, target = ready.data.train.source_lengths, ready.data.train.target_lengths
    for rows in plan:
        shape = Shape(
            sentences=len(rows),
            source_length=int(source[rows].max()),
            target_length=int(target[rows].max()),
            target_tokens=int(target[rows].sum()),
            words=ready.data.target.size,
        )
        for part, count in update_flops(ready.config.model, shape).items():
            total[part] += count / len(plan)
    return dict(total)


class Stopwatch:
    """Processor seconds by name, which exclude other processes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Adds the block's seconds to `name`."""
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.process_time() - start

    def wrap(self, owner: Any, method: str, name: str) -> Callable[[], None]:
        """Times every call of `owner.method`; returns a function that restores the method."""
        original = getattr(owner, method)

        def timed(*args: Any, **keys: Any) -> Any:
            with self.span(name):
                return original(*args, **keys)

        setattr(owner, method, timed)
        return lambda: setattr(owner, method, original)


WATCHED = (
    (Encoder, "forward", "encoder, forward"),
    (AttentionLoop, "step", "looped attention, forward"),
    (AttentionLoop, "step_back", "looped attention, backward"),
    (LSTMLoop, "step", "cells (encoder's too), forward"),
    (LSTMLoop, "step_back", "cells (encoder's too), backward"),
    (loss_module._BlockedLoss, "forward", "output layer and loss, both ways"),
)
"""Parts within the stages."""


def profile(job: TrainingJob, corpus: Corpus) -> dict[str, float]:
    """Mean milliseconds of an update by stage, which add up, and by part within the stages."""
    ready = make_ready(job, corpus)
    ready.model.train()
    fast = for_training(ready.model)
    watch = Stopwatch()
    undo = [watch.wrap(*watched) for watched in WATCHED]
    feed = _endless(ready)
    try:
        for update in range(job.updates + 3):
            if update == 3:
                watch.seconds.clear()
            with watch.span("data"):
                batch = next(feed)
            _staged_update(ready, fast, batch, watch)
    finally:
        for put_back in undo:
            put_back()
    return {name: 1000 * seconds / job.updates for name, seconds in watch.seconds.items()}


def _endless(ready: Ready) -> Iterator[Batch]:
    while True:
        yield from batches(ready.data.train, in_file_order(len(ready.data.train)))


def _staged_update(ready: Ready, fast: Seq2Seq, batch: Batch, watch: Stopwatch) -> None:
    with autocast(torch.device("cpu"), ready.dtype), watch.span("forward"):
        readouts, _ = fast(batch)
    with watch.span("loss"):
        loss = token_loss(readouts, ready.model.output, batch.tgt_out, 0.0, ready.dtype)
    ready.optimizer.zero_grad(set_to_none=True)
    with watch.span("backward"):
        (loss.total / batch.tgt_lengths.sum()).backward()
    with watch.span("clipping"):
        clip_grad_norm_(ready.model.parameters(), 1.0)
    with watch.span("optimizer"):
        ready.optimizer.step()
