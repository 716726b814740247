"""Counts what an update sends to a GPU, on a machine without one.

    python scripts/launches.py

Small models run on the tests' pretended device (tests/pretended_gpu.py), in bf16. Each operation of torch that computes
counts as one launch, views and new memory as none, and each operation of nmt_attn/fast/gpu as the one kernel that
Triton makes of it. A call of cuDNN counts as one, two on the way back: what it launches inside is its own.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pretended_gpu import CUDNN, DEVICE, Elsewhere, Pretending  # type: ignore[import-not-found]

from nmt_attn.config.file import parse_config
from nmt_attn.config.schema import Config
from nmt_attn.fast.gpu.operation import observed
from nmt_attn.fast.graphs import Replay
from nmt_attn.fast.search import for_search
from nmt_attn.model.store import model_from_config
from nmt_attn.runtime import DecodingPrecision
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.recorded import RecordedSearch
from nmt_attn.training.objective import Objective
from nmt_attn.types import Batch

SENTENCES, WORDS, SHORT, LONG = 3, 20, 4, 8

STYLES: dict[str, tuple[str, ...]] = {
    "bahdanau, gru": ("model.decoder.style=bahdanau", "model.encoder.cell=gru", "model.decoder.cell=gru"),
    "bahdanau, gru-cho": ("model.decoder.style=bahdanau", "model.encoder.cell=gru-cho", "model.decoder.cell=gru-cho"),
    "bahdanau, lstm": ("model.decoder.style=bahdanau", "model.encoder.cell=lstm", "model.decoder.cell=lstm"),
    "conditional, gru": ("model.decoder.style=conditional", "model.encoder.cell=gru", "model.decoder.cell=gru"),
    "luong, lstm, feeding": (
        "model.decoder.style=luong",
        "model.encoder.cell=lstm",
        "model.decoder.cell=lstm",
        "model.attention.score=general",
        "model.decoder.input_feeding=attentional",
    ),
    "luong, lstm": (
        "model.decoder.style=luong",
        "model.encoder.cell=lstm",
        "model.decoder.cell=lstm",
        "model.attention.score=general",
        "model.decoder.input_feeding=none",
    ),
    "luong, lstm, feeding, 4 layers": (
        "model.decoder.style=luong",
        "model.encoder.cell=lstm",
        "model.decoder.cell=lstm",
        "model.attention.score=general",
        "model.decoder.input_feeding=attentional",
        "model.encoder.layers=4",
        "model.decoder.layers=4",
    ),
}
"""What is counted, in bf16."""

PRECISIONS: tuple[DecodingPrecision, ...] = ("fp32", "bf16")

NOTHING = {
    "_local_scalar_dense",
    "_reshape_alias",
    "_unsafe_view",
    "empty",
    "empty_like",
    "empty_strided",
    "lift_fresh",
    "new_empty",
    "new_empty_strided",
    "split",
    "split_with_sizes",
    "unbind",
}
"""Operations beside views that launch nothing."""


class Launches(TorchDispatchMode):
    """A block in which launches are counted, by operation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()
        self._inside = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if not self._inside and not func.is_view and name not in NOTHING and _is_there(args, kwargs or {}):
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))

    def hear(self, name: str) -> None:
        """The observer of nmt_attn/fast/gpu/operation.py."""
        if name:
            self.counts[f"kernel {name}"] += 1
        self._inside += 1 if name else -1


class UpdateLaunches(NamedTuple):
    """Of forward and backward of one batch."""

    target_step: float  # for each
    source_step: float
    rest: float  # whatever the lengths


def count_update(config: Config) -> UpdateLaunches:
    """By counting three shapes of batches."""
    short, longer_target, longer_source = (
        sum(count(config, source, target).values()) for source, target in ((SHORT, SHORT), (SHORT, LONG), (LONG, SHORT))
    )
    target_step, source_step = ((more - short) / (LONG - SHORT) for more in (longer_target, longer_source))
    return UpdateLaunches(target_step, source_step, short - SHORT * (target_step + source_step))


def count(config: Config, source: int, target: int) -> Counter[str]:
    """By operation, for a batch of these lengths."""
    with Pretending():
        model = model_from_config(config, WORDS, WORDS).to(DEVICE)
        model.train()
        objective = Objective(model, config.training, torch.bfloat16)
        batch = any_batch(source, target).to(DEVICE)
        with Launches() as launches, observed(launches.hear), cudnn(launches):
            objective.training(batch, 0).total.backward()
    return launches.counts


def count_search_step(config: Config, precision: DecodingPrecision = "fp32") -> Counter[str]:
    """By operation, of one step of beam search that is recorded as one graph."""
    recorder = OneStep()
    with Pretending(), torch.no_grad():
        model = model_from_config(config, WORDS, WORDS).to(DEVICE).eval()
        search = RecordedSearch(for_search(model, precision), recorder)
        lengths = torch.full((SENTENCES,), SHORT)
        limits = Limits(torch.zeros_like(lengths), lengths)
        options = BeamOptions(beam=5, wanted=1, ranking=RANKINGS["average"](1.0), with_weights=False)
        search.search(torch.full((SENTENCES, SHORT), 5), lengths, limits, options)
        with Launches() as launches, observed(launches.hear):
            recorder.step()
    return launches.counts


class OneStep:
    """A recorder that keeps the step."""

    step: Callable[[], None]

    def record(self, work: Callable[[], None]) -> Replay:
        self.step = work
        return Replay(work, lambda: None, 0)

    def run(self, work: Callable[[], torch.Tensor]) -> torch.Tensor:
        return work()

    def free_bytes(self) -> int:
        return 1 << 40


def any_batch(source: int, target: int) -> Batch:
    """Of words that do not matter."""
    ids = [torch.full((SENTENCES, size), 5) for size in (source, target, target)]
    lengths = [torch.full((SENTENCES,), size) for size in (source, target)]
    return Batch(ids[0], lengths[0], ids[1], ids[2], lengths[1])


def _is_there(*parts: Any) -> bool:
    """Whether any of the operands, or what is to be made, is of the device."""
    for part in parts:
        if isinstance(part, Elsewhere) or (isinstance(part, torch.device) and part == DEVICE):
            return True
        if isinstance(part, dict) and _is_there(*part.values()):
            return True
        if isinstance(part, list | tuple) and _is_there(*part):
            return True
    return False


@contextmanager
def cudnn(launches: Launches) -> Iterator[None]:
    """A block in which calls of cuDNN count."""

    def hear(name: str) -> None:
        launches.counts[name] += 1

    CUDNN.append(hear)
    try:
        yield
    finally:
        CUDNN.remove(hear)


def configuration(style: str) -> Config:
    """Sizes do not matter to the counts."""
    sizes = (
        "model.encoder.hidden=8",
        "model.decoder.hidden=16",
        "model.encoder.embedding=8",
        "model.decoder.embedding=8",
    )
    return parse_config("", (*sizes, *STYLES[style]), style)


def table(count_one: Callable[[Config], UpdateLaunches] = count_update) -> str:
    """One row a style."""
    lines = [
        f"{'launches of an update':32s}{'target step':>13s}{'source step':>13s}{'the rest':>10s}{'T = S = 30':>12s}"
    ]
    for style in STYLES:
        found = count_one(configuration(style))
        whole = 30 * (found.target_step + found.source_step) + found.rest
        lines.append(f"{style:32s}{found.target_step:13.1f}{found.source_step:13.1f}{found.rest:10.0f}{whole:12.0f}")
    lines += ["", f"{'launches of a search step, beam 5':32s}{'fp32':>13s}{'bf16':>13s}"]
    for style in STYLES:
        fp32, bf16 = (sum(count_search_step(configuration(style), each).values()) for each in PRECISIONS)
        lines.append(f"{style:32s}{fp32:13d}{bf16:13d}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
