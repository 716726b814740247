"""The machine of a measurement: its processor, what that multiplies fast, and how busy others kept it meanwhile."""

import datetime
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "i8mm", "bf16")
"""Of /proc/cpuinfo: the instructions that products depend on."""


class Processor(NamedTuple):
    """What is read from /proc/cpuinfo; elsewhere than on Linux model and flags are unknown, and none are given."""

    name: str
    model: str  # its generation, which the name of a virtual one does not say: "family 25, model 17"
    flags: tuple[str, ...]  # those of FLAGS that it has


class Busy(NamedTuple):
    """Seconds since the system started."""

    wall: float
    ours: float  # of the processor, this process and its ended children
    all: float  # of the processor, all processes; 0 where /proc/stat is missing


def processor() -> Processor:
    """The processor of this machine."""
    path = Path("/proc/cpuinfo")
    return parse_processor(path.read_text(encoding="utf-8") if path.exists() else "")


def parse_processor(text: str) -> Processor:
    """A text like that of /proc/cpuinfo."""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    numbers = [re.search(rf"^{key}\s*:\s*(\d+)$", text, re.MULTILINE) for key in ("cpu family", "model")]
    model = ", ".join(f"{key} {number[1]}" for key, number in zip(("family", "model"), numbers, strict=True) if number)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    found = name[1].strip() if name else platform.processor() or platform.machine()
    return Processor(found, model, tuple(flag for flag in FLAGS if flag in has))


def busy() -> Busy:
    """Now."""
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system
    path = Path("/proc/stat")
    first = path.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:] if path.exists() else []
    ticks = [int(each) for each in first]
    idle = sum(ticks[3:5])  # idle and waiting for a disk
    guests = sum(ticks[8:10])  # counted in user and nice as well
    return Busy(time.monotonic(), ours, (sum(ticks) - idle - guests) / os.sysconf("SC_CLK_TCK") if ticks else 0.0)


def neighbours_share(start: Busy, end: Busy, cores: int) -> float:
    """The share of all cores' time that other processes had, 0 to 1."""
    theirs = (end.all - start.all) - (end.ours - start.ours)
    return min(1.0, max(0.0, theirs / (cores * (end.wall - start.wall))))


def describe(start: Busy, end: Busy) -> dict[str, Any]:
    """The record of the machine between two moments, for JSON."""
    cores = os.cpu_count() or 1
    kept = {name: value for name, value in sorted(os.environ.items()) if name in LIMITS}
    return {
        **processor()._asdict(),
        "cores": cores,
        "threads": 1,
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "limits": kept,
        "load": round(os.getloadavg()[0], 1),
        "neighbours_share": round(neighbours_share(start, end, cores), 3),
        "seconds": round(end.wall - start.wall),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
    }


LIMITS = ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "FBGEMM_ENABLE_INSTRUCTIONS")
"""Variables that keep libraries from instructions that the processor has."""


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
