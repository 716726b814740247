"""Growth: time and memory of an update against the lengths, the sizes, the vocabulary and the batch."""

import math
import resource
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch

from bench.systems import SYSTEMS
from nmt_attn.config.file import parse_config
from nmt_attn.fast.training import for_training
from nmt_attn.model.build import build_model
from nmt_attn.runtime import autocast, choose_precision, prepare_runtime
from nmt_attn.training.loss import token_loss
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.types import EOS, Batch

REPEATS = 5


class GrowthJob(NamedTuple):
    """One point: a batch of sentences of the same length."""

    system: str
    precision: str
    source_length: int = 20
    target_length: int = 20
    hidden: int = 256  # of the decoder, and of both directions of the encoder together
    words: int = 4000
    sentences: int = 32


class GrowthResult(NamedTuple):
    """The cost of one update."""

    microseconds_a_token: float  # of processor time, per target token; median
    peak_mebibytes: float  # of the whole process


AXES: dict[str, tuple[int, ...]] = {
    "source_length": (10, 20, 40, 80),
    "target_length": (10, 20, 40, 80),
    "hidden": (128, 256, 512, 1024),
    "words": (2000, 8000, 16000, 32000),
    "sentences": (8, 16, 32, 64),
}
QUICK_AXES: dict[str, tuple[int, ...]] = {axis: (points[0], points[2]) for axis, points in AXES.items()}


def measure_growth(job: GrowthJob) -> GrowthResult:
    """Median over REPEATS updates after one warm-up update."""
    settings = [*SYSTEMS[job.system], "model.encoder.cell=lstm", "model.decoder.cell=lstm"]
    settings += [f"model.encoder.hidden={job.hidden // 2}", f"model.decoder.hidden={job.hidden}"]
    config = parse_config("", settings, "growth")
    prepare_runtime(1)
    model = build_model(config.model, job.words, job.words, positions=200).train()
    fast = for_training(model)
    optimizer = build_optimizer(model.parameters(), config.training)
    dtype = choose_precision(job.precision, torch.device("cpu"))
    batch, seconds = _batch(job), []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        with autocast(torch.device("cpu"), dtype):
            readouts, _ = fast(batch)
        loss = token_loss(readouts, model.output, batch.tgt_out, 0.0, dtype)
        optimizer.zero_grad(set_to_none=True)
        (loss.total / batch.tgt_lengths.sum()).backward()
        optimizer.step()
        seconds.append(time.process_time() - start)
    median = sorted(seconds[1:])[REPEATS // 2]
    tokens = job.sentences * job.target_length
    return GrowthResult(1e6 * median / tokens, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float:
    """b of the least-squares fit y = a x^b."""
    x, y = [math.log(value) for value in xs], [math.log(value) for value in ys]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((value - mean_x) ** 2 for value in x)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread


def _batch(job: GrowthJob) -> Batch:
    rows = job.sentences
    source = torch.randint(EOS + 1, job.words, (rows, job.source_length))
    target = torch.randint(EOS + 1, job.words, (rows, job.target_length))
    lengths = [torch.full((rows,), length) for length in (job.source_length, job.target_length)]
    return Batch(source, lengths[0], target, target, lengths[1])
