"""Threads of the CPU: how they wait for one another, and how many compute.

Threads that share a matrix product meet at its end, hundreds of times in an update. OpenMP lets them wait there by
spinning: on cores that have other work, or other processes, all then wait for one that was put aside, and two threads
fall to a tenth of the speed of one. Asleep, they leave their core to the thread they wait for.
"""

import os
from typing import Literal

SMALL_HIDDEN = 256
"""Below this size of the states, products are too small to share: a second thread costs more than it computes."""


def wait_passively() -> None:
    """Lets waiting threads sleep. Before torch is imported, as OpenMP reads it when it is loaded; changes no result.

    OMP_WAIT_POLICY, and KMP_BLOCKTIME (milliseconds) of Intel's and LLVM's libraries, stay as they are where set.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def choose_threads(threads: int | Literal["auto"], hidden: int, default: int) -> int:
    """`threads`, at most one a core of this machine, as more slow each other down and take memory.

    For `auto` 1 where the largest state has fewer than SMALL_HIDDEN units, else the `default`.
    """
    if threads != "auto":
        return min(threads, os.cpu_count() or 1)
    return 1 if hidden < SMALL_HIDDEN else default
