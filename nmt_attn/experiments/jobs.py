"""Jobs: commands in processes of their own, side by side in slots, until all have ended.

A job that ends with the parent: where Linux can, a process gets SIGTERM when the parent is gone, so that a training
saves its state; elsewhere it goes on to its end, and whoever needs its run waits for the lock.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from nmt_attn.errors import ProcessError
from nmt_attn.interruption import heed
from nmt_attn.text_io import read_text

POLL_SECONDS = 0.2
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux

Slot = Mapping[str, str]
"""The environment of what runs there, beside the parent's: which GPU it sees."""


Note = Callable[[str], None]
"""Says a line to the user."""


class Step(NamedTuple):
    """One command of a job. Its output is added to the job's log."""

    command: Sequence[str]
    is_done: Callable[[], bool]  # before it starts: whether it is left out
    must_stop: Callable[[], bool] = lambda: False  # while it runs: whether it gets SIGTERM, and counts as done
    is_blocked: Callable[[], bool] = lambda: False  # before it starts: whether it has to wait


class Job(NamedTuple):
    """Commands of which each needs the one before it."""

    name: str
    steps: Sequence[Step]
    log: Path


class _Running:
    """A job in a slot."""

    def __init__(self, job: Job, slot: Slot) -> None:
        self.job, self.slot = job, slot
        self.steps = list(job.steps)
        self.process: subprocess.Popen[bytes] | None = None
        self.was_stopped = False

    def advance(self) -> bool | None:
        """Starts what can be started; True once all is done, False once a step has failed, None before."""
        if self.process is not None:
            if self.process.poll() is None:
                if not self.was_stopped and self.steps[0].must_stop():
                    self.was_stopped = True
                    self.process.terminate()
                return None
            code, self.process = self.process.returncode, None
            if code != 0 and not self.was_stopped:
                _say_signal(code, self.job.log)
                return False
            self.steps.pop(0)
            self.was_stopped = False
        while self.steps and self.steps[0].is_done():
            self.steps.pop(0)
        if not self.steps:
            return True
        if not self.steps[0].is_blocked():
            self.process = _start(self.steps[0].command, self.slot, self.job.log)
        return None


def work_on(jobs: Sequence[Job], slots: Sequence[Slot], note: Note) -> dict[str, str]:
    """Runs the jobs that are not done, and says of each how it has ended. What has failed, with its last line.

    Raises KeyboardInterrupt as `run_jobs` does.
    """
    todo = [job for job in jobs if not all(step.is_done() for step in job.steps)]
    failed: dict[str, str] = {}
    count = 0

    def ended(job: Job, is_good: bool) -> None:
        nonlocal count
        count += 1
        if not is_good:
            failed[job.name] = _last_line(job.log)
        note(f"{count} of {len(todo)}: {job.name}" + ("" if is_good else f" has failed: {failed[job.name]}"))

    try:
        run_jobs(todo, slots, ended)
    except KeyboardInterrupt:
        note("stopped; what was running has saved its state, and the same command goes on from there")
        raise
    return failed


def require_all(failed: Mapping[str, str], logs: Path) -> None:
    """Raises ProcessError if a job has failed."""
    if failed:
        name, line = next(iter(failed.items()))
        first = f"{name}: {line}" if len(failed) == 1 else f"{len(failed)} that have failed, such as {name}: {line}"
        raise ProcessError(f"expected all runs to end well, got {first} (see {logs})")


def run_jobs(jobs: Sequence[Job], slots: Sequence[Slot], ended: Callable[[Job, bool], None]) -> None:
    """Runs all jobs, at most one a slot; calls `ended` with each, and with whether all its steps were done.

    Raises KeyboardInterrupt after SIGINT or SIGTERM, once the running processes have saved and ended.
    """
    waiting, running = list(jobs), list[_Running]()
    free = list(slots)
    with _interruptible():
        try:
            while waiting or running:
                while waiting and free:
                    running.append(_Running(waiting.pop(0), free.pop(0)))
                for each in list(running):
                    result = each.advance()
                    if result is not None:
                        running.remove(each)
                        free.append(each.slot)
                        ended(each.job, result)
                if running:
                    time.sleep(POLL_SECONDS)
        finally:
            _end([each.process for each in running if each.process is not None])


def _start(command: Sequence[str], slot: Slot, log: Path) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**os.environ, **slot},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which passes on one signal
            preexec_fn=_dies_with_parent() if sys.platform == "linux" else None,
        )


def _say_signal(code: int, log: Path) -> None:
    """Says at the end of the log by which signal a process was ended, if one was: it could not."""
    if code < 0:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"ended by {signal.Signals(-code).name}\n")


def _last_line(log: Path) -> str:
    lines = [line for line in read_text(log).split("\n") if line.strip()]
    return lines[-1].removeprefix("nmt-attn: ") if lines else "it said nothing"


def _dies_with_parent() -> Callable[[], None]:
    library, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        library.prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # it has died in between
            os._exit(1)

    return ask


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


@contextmanager
def _interruptible() -> Iterator[None]:
    """A block in which SIGTERM is like Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        heed(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
