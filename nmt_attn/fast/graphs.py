"""CUDA graphs: the work of a batch is recorded once for each shape, and then launched as a whole.

A step of a recurrent network is a dozen small kernels, and launching them takes longer than running them. A graph holds
all kernels of forward, loss and backward with the addresses of their operands. So a batch is copied to where the
recorded one lay, gradients are added up where they always are, and random numbers follow from the generator's state at
the replay, as torch arranges it. Clipping and optimizer stay outside.

Covers training on one CUDA device in every number format. Batches come in few shapes (nmt_attn/data/batching.py); once
`MOST_GRAPHS` are kept, other shapes run kernel by kernel. Equal to that: tests/fast/test_graphs.py, on a GPU
tests/test_gpu.py.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from nmt_attn.data.batching import Shape, shape_of
from nmt_attn.errors import ConfigError
from nmt_attn.processes import Processes
from nmt_attn.types import Batch

MOST_GRAPHS = 64
"""Graphs that are kept. They share their memory; each has its batch and its list of kernels."""

WARM_UPS = 2
"""Runs before a recording, in which libraries make what they need."""

Work = Callable[[Batch, Tensor], Tensor]
"""batch, divisor [] of the loss -> sums [N] to report; adds to the gradients. Never synchronises."""


class Recorder(Protocol):
    """What can record work on a device."""

    def record(self, work: Callable[[], None]) -> Callable[[], object]:
        """Does the work a few times, and returns what does it again, on the same memory."""


class CudaRecorder:
    """By CUDA graphs of the GPU `device`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, work: Callable[[], None]) -> Callable[[], object]:
        side = torch.cuda.Stream(self._device)
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                work()
        torch.cuda.current_stream(self._device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Another thread may pin memory meanwhile, which a capture of all threads would not survive.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            work()
        return graph.replay


class _Recorded(NamedTuple):
    batch: Batch
    divisor: Tensor  # []
    sums: Tensor  # [N]
    replay: Callable[[], object]


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
        self._recorded: dict[Shape, _Recorded] = {}
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter)

    def clear(self) -> None:
        """All gradients become 0."""
        torch._foreach_zero_(self._gradients())

    def do(self, batch: Batch, divisor: float, seed: Callable[[], None]) -> Tensor:
        """The work of a batch that lies on the CPU; `seed` is called before anything is drawn. -> sums [N].

        They are there until the next batch.
        """
        shape = shape_of(batch)
        if shape not in self._recorded:
            there = batch.to(self._device)
            number = torch.full((), divisor, device=self._device)
            if len(self._recorded) == MOST_GRAPHS:
                seed()
                return self._work(there, number)
            self._recorded[shape] = self._record(there, number)
        recorded = self._recorded[shape]
        for place, part in zip(recorded.batch[:5], batch[:5], strict=True):
            place.copy_(part, non_blocking=True)
        recorded.divisor.fill_(divisor)
        seed()
        recorded.replay()
        return recorded.sums

    def _record(self, batch: Batch, divisor: Tensor) -> _Recorded:
        kept = [gradient.clone() for gradient in self._gradients()]
        sums = torch.zeros(self._numbers, dtype=torch.float64, device=self._device)  # in memory that no graph owns

        def work() -> None:
            sums.copy_(self._work(batch, divisor))

        replay = self._recorder.record(work)
        torch._foreach_copy_(self._gradients(), kept)
        return _Recorded(batch, divisor, sums, replay)

    def _gradients(self) -> list[Tensor]:
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        assert len(gradients) == len(self._parameters), "none was removed"
        return gradients


def check_graphs(device: torch.device, processes: Processes) -> None:
    """Raises ConfigError where `training.cuda_graphs: true` cannot be."""
    if device.type != "cuda":
        raise ConfigError(f"training.cuda_graphs: expected false without a GPU, got true and run.device {device.type}")
    if processes.count > 1:
        raise ConfigError(
            "training.cuda_graphs: expected false with several processes, whose gradients meet outside of any graph, "
            f"got true and {processes.count} processes"
        )
