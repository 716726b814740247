"""CUDA graphs: the work of a batch is recorded once for each shape, and then launched as a whole.

A step of a recurrent network is a dozen small kernels, and launching them takes longer than running them. A graph holds
all kernels of forward, loss and backward with the addresses of their operands. So a batch is copied to where the
recorded one lay, gradients are added up where they always are, and random numbers follow from the generator's state at
the replay, as torch arranges it. Clipping and optimizer stay outside.

Covers training on one CUDA device in every number format. Batches come in few shapes (nmt_attn/data/batching.py); once
`MOST_BYTES` are taken, the graph that was used longest ago makes room for the next. Equal to running kernel by kernel:
tests/fast/test_graphs.py.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.data.batching import Shape, shape_of
from nmt_attn.errors import ConfigError
from nmt_attn.processes import Processes
from nmt_attn.types import Batch

MOST_BYTES = 1 << 31
"""What graphs may take of a GPU's memory beside what their work takes: their lists of kernels, some MB each."""

SPARE_BYTES = 1 << 29
"""What stays free of it when another graph is recorded."""

WARM_UPS = 2
"""Runs before a recording, in which libraries make what they need."""

Work = Callable[[Batch, Tensor], Tensor]
"""batch, divisor [] of the loss -> sums [N] to report; adds to the gradients. Never synchronises."""


class Replay(NamedTuple):
    """Recorded work."""

    again: Callable[[], object]  # does it again, on the same memory
    forget: Callable[[], object]  # gives the memory of the recording back
    bytes: int  # of that memory
    work: Callable[[], None] | None = None  # owns the buffers that the recording reads and writes, by their addresses


class Recorder(Protocol):
    """What can record work on a device."""

    def record(self, work: Callable[[], None]) -> Replay:
        """Does the work a few times, and returns what does it again. Raises RuntimeError where it cannot."""

    def run(self, work: Callable[[], Tensor]) -> Tensor:
        """Does the work without recording it, where recordings are made."""

    def free_bytes(self) -> int:
        """Of the device's memory."""


class CudaRecorder:
    """By CUDA graphs of the GPU `device`.

    All work is done on one stream, because libraries keep a workspace for each (cuBLAS up to 1 GiB).
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)

    def record(self, work: Callable[[], None]) -> Replay:
        with self._aside():
            for _ in range(WARM_UPS):
                work()
        torch.cuda.synchronize(self._device)
        before = self._taken_elsewhere()
        graph = torch.cuda.CUDAGraph()
        # Another thread may pin memory meanwhile, which a capture of all threads would not survive.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            work()
        return Replay(graph.replay, graph.reset, max(0, self._taken_elsewhere() - before), work)

    def run(self, work: Callable[[], Tensor]) -> Tensor:
        with self._aside():
            return work()

    def free_bytes(self) -> int:
        cached = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return torch.cuda.mem_get_info(self._device)[0] + cached

    def _taken_elsewhere(self) -> int:
        """Bytes of the GPU that are in use, but not by PyTorch's allocator."""
        free, total = torch.cuda.mem_get_info(self._device)
        return total - free - torch.cuda.memory_reserved(self._device)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)


def recorded_or_warned(recorder: Recorder, work: Callable[[], None], consequence: str) -> Replay | None:
    """The recording of the work; None, with a warning of the consequence, where the work cannot be recorded."""
    try:
        return recorder.record(work)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        warnings.warn(f"{consequence}, as a recording failed ({reason})", stacklevel=3)
        return None


class _Recorded(NamedTuple):
    batch: Batch
    divisor: Tensor  # []
    sums: Tensor  # [N]
    replay: Replay


class Graphs:
    """Does the work of batches on the device of `parameters`, recorded where it can be.

    The gradients of all parameters that want one are 0 from the beginning and stay where they are.
    """

    def __init__(self, parameters: list[nn.Parameter], work: Work, numbers: int, recorder: Recorder) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._device = self._parameters[0].device
        self._work = work
        self._numbers = numbers  # N
        self._recorder = recorder
        self._can_record = True  # until a recording fails
        self._recorded: dict[Shape, _Recorded] = {}  # the one that was used longest ago first
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter)

    def clear(self) -> None:
        """All gradients become 0."""
        torch._foreach_zero_(self._gradients())

    def do(self, batch: Batch, divisor: float, seed: Callable[[], None]) -> Tensor:
        """The work of a batch that lies on the CPU; `seed` is called before anything is drawn. -> sums [N].

        They are there until the next batch.
        """
        recorded = self._recorded.pop(shape_of(batch), None)
        if recorded is None:
            there = batch.to(self._device)
            number = torch.full((), divisor, device=self._device)
            recorded = self._record(there, number)
            if recorded is None:
                seed()
                return self._recorder.run(lambda: self._work(there, number))
        self._recorded[shape_of(batch)] = recorded
        for place, part in zip(recorded.batch[:5], batch[:5], strict=True):
            place.copy_(part, non_blocking=True)
        recorded.divisor.fill_(divisor)
        seed()
        recorded.replay.again()
        return recorded.sums

    def _record(self, batch: Batch, divisor: Tensor) -> _Recorded | None:
        """None where the memory is too small for it, or recording fails, which it is not tried again after."""
        if not self._can_record or not self._makes_room():
            return None
        kept = [gradient.clone() for gradient in self._gradients()]
        sums = torch.zeros(self._numbers, dtype=torch.float64, device=self._device)  # in memory that no graph owns

        def work() -> None:
            sums.copy_(self._work(batch, divisor))

        replay = recorded_or_warned(self._recorder, work, "training goes on without CUDA graphs")
        self._can_record = replay is not None
        torch._foreach_copy_(self._gradients(), kept)
        return None if replay is None else _Recorded(batch, divisor, sums, replay)

    def _makes_room(self) -> bool:
        """Whether another graph may be recorded, once those used longest ago are forgotten where they must be."""
        largest = max((each.replay.bytes for each in self._recorded.values()), default=0)
        while self._recorded and self._bytes() + largest > MOST_BYTES:
            self._forget()
        while self._recorded and self._recorder.free_bytes() < SPARE_BYTES + largest:
            self._forget()
        return self._recorder.free_bytes() >= SPARE_BYTES + largest

    def _bytes(self) -> int:
        return sum(each.replay.bytes for each in self._recorded.values())

    def _forget(self) -> None:
        self._recorded.pop(next(iter(self._recorded))).replay.forget()

    def _gradients(self) -> list[Tensor]:
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        assert len(gradients) == len(self._parameters), "none was removed"
        return gradients


def uses_graphs(config: TrainingConfig, device: torch.device, processes: Processes, *, is_odd: bool) -> bool:
    """What `training.cuda_graphs` means for this training: `auto` is true wherever graphs can be.

    A graph does the same work at every update: with scheduled sampling it changes. `is_odd`: batches with given
    alignments have the shape of no bucket, and hard attention is not recorded. `true` is checked by `check_graphs`.
    """
    can_be = device.type == "cuda" and processes.count == 1 and config.scheduled_sampling.rate == 0 and not is_odd
    return config.cuda_graphs is True or (config.cuda_graphs == "auto" and can_be)


def check_graphs(device: torch.device, processes: Processes) -> None:
    """Raises ConfigError where `training.cuda_graphs: true` cannot be."""
    if device.type != "cuda":
        raise ConfigError(f"training.cuda_graphs: expected false without a GPU, got true and run.device {device.type}")
    if processes.count > 1:
        raise ConfigError(
            "training.cuda_graphs: expected false with several processes, whose gradients meet outside of any graph, "
            f"got true and {processes.count} processes"
        )
