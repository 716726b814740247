"""Speed of training with one thread and with several, on free cores and beside neighbours that keep every core busy.

    python scripts/neighbours.py                        all cores of this machine
    python scripts/neighbours.py --sizes 96 512 --threads 1 2 --updates 12 --waits sleep spin

The neighbours are processes of this script, one for each core, which count for as long as a measurement runs. Prints a
table of target tokens a second of the clock (Luong's order without feeding, fp32, a synthetic corpus): what a user has,
whoever else computes. `sleep` is how `nmt-attn` lets threads wait for one another, `spin` what OpenMP does by itself.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bench.jobs import run_job
from bench.machine import processor
from bench.page import table
from bench.plan import say
from bench.systems import Corpus, synthetic

WAITS = {"sleep": {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}, "spin": {"OMP_WAIT_POLICY": "ACTIVE"}}
COUNTING = "while True:\n    pass\n"


class Case(NamedTuple):
    """What is measured."""

    hidden: int  # of the decoder, and of both directions of the encoder together
    threads: int
    waits: str  # one of WAITS
    neighbours: int  # on each core


@contextmanager
def busy_neighbours(cores: Sequence[int], on_each: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that count, `on_each` of them bound to each core, until the block ends."""
    started = [subprocess.Popen([sys.executable, "-c", COUNTING]) for _ in range(on_each * len(cores))]
    try:
        for process, core in zip(started, [*cores] * on_each, strict=True):
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(process.pid, {core})
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def measure(case: Case, corpus: Corpus, updates: int) -> float:
    """Target tokens a second of the clock."""
    half = case.hidden // 2
    settings = (f"model.encoder.hidden={half}", f"model.decoder.hidden={case.hidden}")
    job = {"system": "luong", "precision": "fp32", "updates": updates, "settings": settings, **corpus._asdict()}
    found = run_job("train", job, threads=case.threads, environment=WAITS[case.waits])
    rate: float = found["tokens_a_second"] * found["cpu_share"]  # a second of the processor, processors
    return rate


def main() -> None:
    """Measures all combinations and prints the table."""
    arguments = _arguments()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = synthetic(Path(folder), lines=64 * max(12, arguments.updates))
        for hidden, threads, waits in product(arguments.sizes, arguments.threads or [1, len(cores)], arguments.waits):
            rates = []
            for neighbours in (0, 1):
                case = Case(hidden, threads, waits, neighbours)
                say(str(case))
                with busy_neighbours(cores, neighbours):
                    rates.append(measure(case, corpus, arguments.updates))
            rows.append([hidden, threads, waits, *rates, rates[1] / rates[0]])
    head = ["hidden", "threads", "waiting threads", "no neighbours", "one on each core", "ratio"]
    others = f"Load before: {os.getloadavg()[0]:.1f}. " if hasattr(os, "getloadavg") else ""
    print(f"{processor().name}, {len(cores)} cores. {others}Target tokens a second of the clock:\n")  # noqa: T201
    print(table(head, rows))  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 192, 256, 512], help="default: 96 192 256 512")
    parser.add_argument("--threads", type=int, nargs="+", help="default: 1 and as many as there are cores")
    parser.add_argument("--waits", nargs="+", choices=sorted(WAITS), default=["sleep"])
    parser.add_argument("--updates", type=int, default=12, help="of which the first third is not timed; default: 12")
    arguments = parser.parse_args()
    if arguments.updates < 3:
        parser.error(f"--updates: expected at least 3, as the first third is not timed, got {arguments.updates}")
    return arguments


if __name__ == "__main__":
    main()
