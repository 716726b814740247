"""Processes: several that work as one, started by `torchrun ... -m nmt_attn`; by default one, alone.

Torchrun's environment says how many there are and which of them this is. What they agree on (sums, texts, whose turn
it is) goes over gloo in host memory, so that whoever waits for a process that has ended hears of it at once; gradients
on GPUs go over nccl. A process that is alone skips all of it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from nmt_attn.errors import ConfigError, ProcessError

T = TypeVar("T")

LONGEST_WAIT = timedelta(days=7)
"""Timeout for another process: reading a large corpus takes hours. A process that dies is still noticed immediately."""


class Processes:
    """This process among `count`, numbered by `rank`; `local_rank` numbers those on this machine."""

    def __init__(self, rank: int = 0, count: int = 1, local_rank: int = 0) -> None:
        self.rank = rank
        self.count = count
        self.local_rank = local_rank

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes files and speaks."""
        return self.rank == 0

    def is_restart(self) -> bool:
        """Whether torchrun has started these processes again, as one was lost."""
        return self.sum([float(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))]) > [0.0]

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """The items that are this one's to work on: each `count`-th, from `rank` on."""
        return items if self.count == 1 else items[self.rank :: self.count]

    def gather(self, done: Sequence[T]) -> list[T]:
        """What became of the items that were shared out, in their order, once all processes have done theirs."""
        if self.count == 1:
            return list(done)
        shares: list[Sequence[T]] = [()] * self.count
        with self.together():
            distributed.all_gather_object(shares, list(done))
        return [shares[i % self.count][i // self.count] for i in range(sum(map(len, shares)))]

    def sum(self, values: Sequence[float]) -> list[float]:
        """The sums over all processes, in float64; the same bits in each."""
        if self.count == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        with self.together():
            distributed.all_reduce(sums)
        return sums.tolist()

    def wait(self) -> None:
        """Goes on when all have come here."""
        if self.count > 1:
            with self.together():
                distributed.barrier()

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """A block that the others enter when the first has left it: what it has made is there for them."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def device(self, device: torch.device) -> torch.device:
        """The one of its kind that is this process's own. Raises ConfigError if there are too few."""
        if self.count == 1 or device.type == "cpu":
            return device
        if ":" in str(device):
            raise ConfigError(f"run.device: expected 'cuda' with {self.count} processes, a GPU each, got '{device}'")
        found = torch.cuda.device_count()
        if self.local_rank >= found:
            raise ConfigError(
                f"run.device: expected a GPU for each process of a machine, got {found} and a process number "
                f"{self.local_rank + 1} (torchrun --nproc-per-node {found}, or run.device: cpu)"
            )
        own = torch.device(device.type, self.local_rank)
        torch.cuda.set_device(own)
        return own

    def parallel(self, module: nn.Module, *, some_idle: bool) -> nn.Module:
        """The module; where there are several processes, one whose gradients are the mean over all of them.

        `some_idle`: not every weight takes part in every batch. The ones that do are then looked for in each, which
        costs a walk over the graph, one more reduction and a wait for it.
        """
        if self.count == 1:
            return module
        is_on_gpu = next(module.parameters()).is_cuda
        group = distributed.new_group(backend="nccl") if is_on_gpu else None
        return DistributedDataParallel(module, process_group=group, find_unused_parameters=some_idle)

    def require_same(self, key: str, value: str) -> None:
        """Raises ConfigError in every process unless `value`, what `key` has become in this one, is that of all."""
        found = self.gather([value] if self.count == 1 else self.share([value] * self.count))
        if len(set(found)) > 1:
            raise ConfigError(f"{key}: expected the same in every process, got {', '.join(found)} (name one of them)")

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block in which a process waits for the others: that one of them has ended is a ProcessError."""
        try:
            yield
        except RuntimeError as error:
            # Torch raises a bare RuntimeError for a lost connection, and subclasses for faults of its own.
            if self.count == 1 or not (type(error) is RuntimeError or isinstance(error, distributed.DistError)):
                raise
            raise ProcessError(
                f"process {self.rank} of {self.count}: expected the others to go on, got one that has ended "
                f"(see what it said; here: {str(error).partition(chr(10))[0]})"
            ) from error


@contextmanager
def joined() -> Iterator[Processes]:
    """A block in which the processes that torchrun has started are a group; without it, one alone."""
    environment = os.environ
    count = int(environment.get("WORLD_SIZE", 1))
    if count == 1:
        yield Processes()
        return
    rank = int(environment["RANK"])
    distributed.init_process_group("gloo", store=_store(), rank=rank, world_size=count, timeout=LONGEST_WAIT)
    yield Processes(rank, count, int(environment.get("LOCAL_RANK", rank)))
    # Not after an error: the group's end would wait for processes that may be gone.
    distributed.destroy_process_group()


def _store() -> Store:
    """Where processes leave their addresses for each other: torchrun's, or one of the first process.

    Torchrun's outlives the processes that it starts again (torch 2.13), so that they would find addresses of those
    before them; each start on one machine has a part of its own. The machines of several do not count starts alike:
    there TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 makes torch use a new store for each (docs/scaling.md).
    """
    store, _, _ = next(rendezvous("env://", timeout=LONGEST_WAIT))
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        return PrefixStore(f"start {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    return store
