"""Runs command lines, each in a fork of one process that has imported everything: `forked.py CASES RESULTS`.

A call gets 60 seconds of computing and 2 GiB beyond what the imports take.
"""

import json
import os
import resource
import shutil
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

SECONDS = 60  # of computing: the clock runs on where the machine is busy with something else
HANG_SECONDS = 300  # by the clock
BYTES = 2 << 30
SPARE = 4 << 30  # address space is not memory: torch and the allocator reserve more than they touch
NO_TRACE = 250


def main() -> None:
    import importlib
    import pkgutil

    import matplotlib.pyplot  # noqa: F401
    import torch

    import nmt_attn.commands

    for module in pkgutil.iter_modules(nmt_attn.commands.__path__):
        importlib.import_module(f"nmt_attn.commands.{module.name}")
    torch.set_num_threads(1)
    cases, results = (Path(argument) for argument in sys.argv[1:3])
    with results.open("w", encoding="utf-8") as stream:
        for case in json.loads(cases.read_text(encoding="utf-8")):
            stream.write(json.dumps(_run(case)) + "\n")
            stream.flush()


def _run(case: dict[str, Any]) -> dict[str, Any]:
    folder = Path(case["folder"])
    folder.mkdir(parents=True)
    base = _resident_bytes() >> 10
    child = os.fork()
    if child == 0:
        _be_the_call(case["arguments"], case["stdin"], folder)
    _, status, used = os.wait4(child, 0)
    seconds = used.ru_utime + used.ru_stime
    output = {name: (folder / name).read_bytes().decode("utf-8", "replace") for name in ("stdout", "stderr")}
    if status == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        **case,
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "bytes": max(0, used.ru_maxrss - base) << 10,
        "stdout": output["stdout"][:10_000],
        "stderr": output["stderr"][:100_000],
    }


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _be_the_call(arguments: list[str], stdin: str, folder: Path) -> None:
    code = NO_TRACE
    try:
        os.chdir(folder)
        for descriptor, path, flags in ((0, stdin, os.O_RDONLY), (1, "stdout", os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
                                        (2, "stderr", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)):  # fmt: skip
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, descriptor)
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is the parent's
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, used + SPARE))
        signal.signal(signal.SIGALRM, _where)
        signal.alarm(HANG_SECONDS)
        sys.argv = ["nmt-attn", *arguments]
        from nmt_attn.cli import main as command_line

        command_line()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                code = NO_TRACE
        os._exit(code)


def _where(number: int, frame: FrameType | None) -> None:
    """Says where a call that takes too long is, and ends it."""
    os.write(2, "".join(traceback.format_stack(frame)[-6:]).encode("utf-8", "replace"))
    os._exit(NO_TRACE - 1)


if __name__ == "__main__":
    main()
