"""Faults of the machine, made on purpose: what a command does then. Prints the table of docs/reliability.md.

    python scripts/faults.py [FAULT ...] [--few]

Each command runs in a fork of this process, which has imported everything. Full disks need the right to mount, missing
permissions the right to give files away (root): without it their rows say so.
"""

import ctypes
import importlib
import os
import pkgutil
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from typing import NamedTuple

import nmt_attn.commands
from nmt_attn.__main__ import main as command_line

TINY = """\
run: {name: r, dir: runs, device: cpu, precision: fp32}
data:
  train: {builtin: demo, split: train, limit: 20}
  valid: {builtin: demo, split: valid, limit: 2}
model: {encoder: {hidden: 5, embedding: 7}, decoder: {hidden: 11, embedding: 3}}
training: {updates: UPDATES, checkpoint_updates: 2, keep_best: 2, validate_updates: 4, batch_tokens: 150,
           validate_translation: false, patience: null, schedule: constant}
"""
RUN = Path("runs", "r")
MANY, FEW = 20, 3
"""Phases of a training in which it is killed or interrupted; in fewer with --few."""
KILOBYTES = (16, 64, 128, 200, 300, 400)
NOBODY = 65534
DAY = 86_400
YEAR_2106 = 4_291_747_200
"""Seconds since 1970 that no longer fit into 32 bits."""
_CAPABILITIES = 0x20080522  # version 3 of capset(2)


class Seen(NamedTuple):
    """How often something was tried, how often it ended as promised, and what was seen otherwise."""

    tried: int
    kept: int
    otherwise: str = ""


class End(NamedTuple):
    """How a command ended."""

    code: int  # -9 of one that was killed
    error: str

    @property
    def is_refusal(self) -> bool:
        """Whether it is exit code 2 with a message and without a traceback."""
        return self.code == 2 and "nmt-attn: " in self.error and "Traceback" not in self.error

    def __str__(self) -> str:
        return f"code {self.code}, {self.error.splitlines()[-1:]}"


def nothing() -> None:
    """What is done in a process before its command."""


class Call:
    """A command that runs in a folder."""

    def __init__(self, folder: Path, *words: str, before: Callable[[], object] = nothing) -> None:
        self._error = folder / f".error-{next(_numbers)}"
        self.process = os.fork()
        if self.process == 0:
            _be_the_call(folder, self._error, words, before)

    def end(self) -> End:
        """Waits for it."""
        _, status = os.waitpid(self.process, 0)
        error = self._error.read_text(errors="replace") if self._error.exists() else ""
        self._error.unlink(missing_ok=True)
        return End(os.waitstatus_to_exitcode(status), error)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> End:
        """Sends the signal, and waits."""
        os.kill(self.process, number)
        return self.end()


_numbers = count()


def _be_the_call(folder: Path, error: Path, words: tuple[str, ...], before: Callable[[], object]) -> None:
    code = 1
    try:
        os.chdir(folder)
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        for descriptor, path in enumerate((os.devnull, os.devnull, str(error))):
            opened = os.open(path, flags if descriptor else os.O_RDONLY, 0o600)
            os.dup2(opened, descriptor)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from a job in the background
        before()
        sys.argv = ["nmt-attn", *words]
        command_line()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def call(folder: Path, *words: str, before: Callable[[], object] = nothing) -> End:
    """How a command ends in a folder."""
    return Call(folder, *words, before=before).end()


def new_folder(folder: Path, name: object, updates: int = 12) -> Path:
    """A folder with the configuration of a training that takes about a second of computing."""
    own = folder / str(name)
    own.mkdir()
    (own / "tiny.yaml").write_text(TINY.replace("UPDATES", str(updates)))
    return own


def weights(folder: Path) -> bytes:
    """Of the best model of the run in the folder."""
    return (folder / RUN / "best" / "model.safetensors").read_bytes()


def leftovers(folder: Path) -> list[str]:
    """Temporary files anywhere below."""
    return [path.name for path in folder.rglob(".*.tmp")]


def kills(folder: Path, phases: int) -> Seen:
    """SIGKILL in every phase of a training; the same command then goes on."""
    whole = new_folder(folder, "whole")
    begun = time.monotonic()
    call(whole, "train", "tiny.yaml")
    seconds, expected, kept, odd = time.monotonic() - begun, weights(whole), 0, []
    for phase in range(phases):
        own = new_folder(folder, phase)
        running = Call(own, "train", "tiny.yaml")
        time.sleep(seconds * (phase + random.Random(phase).random()) / phases)
        running.kill()
        end = call(own, "train", "tiny.yaml")
        is_kept = end.code == 0 and weights(own) == expected and not leftovers(own)
        kept += is_kept
        odd += [] if is_kept else [f"phase {phase}: {end}, {leftovers(own)}"]
    return Seen(phases, kept, "; ".join(odd))


def interrupts(folder: Path, phases: int) -> Seen:
    """SIGINT and SIGTERM in turn in every phase; the same command then goes on."""
    whole = new_folder(folder, "whole")
    begun = time.monotonic()
    call(whole, "train", "tiny.yaml")
    seconds, expected, kept, odd = time.monotonic() - begun, weights(whole), 0, []
    for phase in range(phases):
        number = (signal.SIGINT, signal.SIGTERM)[phase % 2]
        own = new_folder(folder, phase)
        running = Call(own, "train", "tiny.yaml")
        time.sleep(seconds * (phase + 1) / phases)
        end = running.kill(number)
        left = leftovers(own)
        again = call(own, "train", "tiny.yaml")
        is_kept = end.code in (0, 128 + number) and "Traceback" not in end.error and not left
        is_kept = is_kept and again.code == 0 and weights(own) == expected
        kept += is_kept
        odd += [] if is_kept else [f"{number.name} in phase {phase}: {end}, then {again}, {left}"]
    return Seen(phases, kept, "; ".join(odd))


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system in memory, of that size, at the folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def full_disk(folder: Path, phases: int) -> Seen:
    """A disk of 16 to 400 kB for the run, and for what `translate` writes."""
    own = new_folder(folder, "own")
    call(own, "train", "tiny.yaml")
    (own / "text").write_text("a b c d e f g h\n" * 2000)
    tried, kept, odd = 0, 0, []
    for kilobytes in KILOBYTES[:phases]:
        place = folder / f"disk{kilobytes}"
        commands = {
            "train": ["train", "tiny.yaml", "--set", f"run.dir={place}", "--set", "data.cache=cache"],
            "translate": ["translate", "--model", str(RUN), "--input", "text", "--details", f"{place}/details.jsonl"],
        }
        for name, words in commands.items():
            try:
                with small_disk(place, kilobytes):
                    end = call(own, *words)
                    is_kept = (end.is_refusal or end.code == 0) and not leftovers(place)
            except (OSError, subprocess.CalledProcessError):
                return Seen(0, 0, "not tried: no right to mount")
            finally:
                place.rmdir()
            tried, kept = tried + 1, kept + is_kept
            odd += [] if is_kept else [f"{name}, {kilobytes} kB: {end}"]
    return Seen(tried, kept, "; ".join(odd))


def become_powerless() -> None:
    """Takes from this process whatever makes root an exception to permissions."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    if ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError("capset")


def no_permission(folder: Path, _: int) -> Seen:
    """All files are another user's: folders that may not be entered or written to, files that may not be read."""
    if os.geteuid() != 0:
        return Seen(0, 0, "not tried: no right to give files away")
    own = new_folder(folder, "own")
    call(own, "train", "tiny.yaml")
    (own / "text").write_text("a\n")
    (own / "secret").write_text("a\n")
    (own / "closed").mkdir()
    for path in (own, *own.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o755 if path.is_dir() else 0o644)
    (own / "secret").chmod(0o600)
    (own / "closed").chmod(0o700)
    folder.chmod(0o777)
    model = ["--model", str(RUN)]
    trials = [
        ["train", "tiny.yaml"], ["train", "tiny.yaml", "--fresh"], ["train", "secret"], ["train", "closed/a.yaml"],
        ["train", "tiny.yaml", "--set", "run.dir=closed/a"], ["train", "tiny.yaml", "--set", "data.cache=closed/a"],
        ["translate", *model, "--input", "secret"], ["translate", *model, "--input", "closed/a"],
        ["translate", "--model", "closed/a"], ["translate", *model, "--input", "text", "--output", "new"],
        ["translate", *model, "--input", "text", "--alignments", "closed/a.jsonl"], ["eval", *model],
        ["eval", *model, "--report", "closed/a"], ["align", *model, "--source", "text", "--target", "closed/a"],
        ["score", *model, "--source", "secret", "--target", "text"], ["aer", "secret", "--gold", "text"],
        ["average", str(RUN), "--last", "2", "--output", "closed/a"], ["index", str(RUN)],
        ["shortlist", *model, "--source", "text", "--target", "text"], ["plot", str(RUN), "--output", "closed/a.png"],
        ["explain", "a", *model, "--html", "closed/a.html"], ["serve", *model, "--save", "closed/a.html"],
        ["init", "--tsv", "secret"], ["sweep", "secret"], ["sweep", "closed/a.yaml"], ["runs", "closed/a"],
        ["import", "secret", "--output", "new"], ["demo-corpus", "closed/a"], ["config", "closed/a.yaml"],
    ]  # fmt: skip
    odd = []
    for words in trials:
        running = Call(own, *words, before=become_powerless)
        if not (end := running.end()).is_refusal:
            odd.append(f"{' '.join(words)}: {end}")
    return Seen(len(trials), len(trials) - len(odd), "; ".join(odd))


def two_starts(folder: Path, phases: int) -> Seen:
    """The same run started twice at once: one trains to its end, the other is refused, or finds nothing left to do."""
    tried, kept, odd = -(-phases // 4), 0, []
    for trial in range(tried):
        own = new_folder(folder, trial, updates=40)
        running = [Call(own, "train", "tiny.yaml") for _ in range(2)]
        ends = [each.end() for each in running]
        codes = sorted(end.code for end in ends)
        is_kept = codes in ([0, 2], [0, 0]) and all(end.code == 0 or end.is_refusal for end in ends)
        kept += is_kept
        odd += [] if is_kept else [", ".join(map(str, ends))]
    return Seen(tried, kept, "; ".join(odd))


def moved_folder(folder: Path, _: int) -> Seen:
    """The run's folder is renamed while it trains: the command says so, and what was moved stays whole."""
    own = new_folder(folder, "own", updates=20_000)
    running = Call(own, "train", "tiny.yaml")
    while not list((own / RUN / "checkpoints").glob("*")):
        time.sleep(0.05)
    shutil.move(own / RUN, own / "elsewhere")
    end = running.end()
    (own / RUN.parent).mkdir(exist_ok=True)
    is_whole = not (own / RUN).exists()
    shutil.move(own / "elsewhere", own / RUN)
    again = call(own, "train", "tiny.yaml", "--set", "training.updates=20")
    left = leftovers(own)  # what was half written when it was moved is removed by the second call
    is_kept = end.is_refusal and is_whole and again.code == 0 and not left
    return Seen(1, int(is_kept), "" if is_kept else f"{end}, then {again}; {is_whole}, {left}")


def jump_back() -> None:
    """From its hundredth question on, the clock of this process is a day behind."""
    true, asked = time.time, count()
    time.time = lambda: true() - (DAY if next(asked) > 100 else 0)


def odd_times(folder: Path, _: int) -> Seen:
    """Files dated 1970, tomorrow (as once a clock is set back) and 2106; and a clock that is set back in between."""
    whole = new_folder(folder, "whole")
    call(whole, "train", "tiny.yaml")
    kept, odd, dates = 0, [], {"1970": 0, "tomorrow": time.time() + DAY, "2106": YEAR_2106}
    for name, seconds in dates.items():
        own = new_folder(folder, name)
        call(own, "train", "tiny.yaml", "--set", "training.updates=6", before=jump_back)
        for path in own.rglob("*"):
            os.utime(path, (seconds, seconds))
        end, explained = call(own, "train", "tiny.yaml", before=jump_back), call(own, "explain", "a")
        is_kept = end.code == explained.code == 0 and weights(own) == weights(whole)
        kept += is_kept
        odd += [] if is_kept else [f"{name}: {end}, {explained}"]
    return Seen(len(dates), kept, "; ".join(odd))


FAULTS: dict[str, tuple[Callable[[Path, int], Seen], str]] = {
    "kills": (kills, "the same command goes on and ends with the same bits; nothing half written stays"),
    "interrupts": (interrupts, "one line, exit code 130 or 143, no temporary file; then the same bits"),
    "full-disk": (full_disk, "one line, exit code 2, no temporary file"),
    "no-permission": (no_permission, "one line, exit code 2"),
    "two-starts": (two_starts, "one trains, the other is refused"),
    "moved-folder": (moved_folder, "one line, exit code 2; moved back, the run goes on"),
    "odd-times": (odd_times, "training ends with the same bits, the newest model is found"),
}


def main() -> None:
    """Makes the faults that are named, or all. Exit code 1 if a promise was broken."""
    for module in pkgutil.iter_modules(nmt_attn.commands.__path__):
        importlib.import_module(f"nmt_attn.commands.{module.name}")
    importlib.import_module("torch").set_num_threads(1)
    write(f"{date.today()}, Python {platform.python_version()} on {platform.system()} {platform.machine()}\n")
    write("| fault | promised | tried | kept | otherwise |\n|---|---|---|---|---|")
    is_broken = False
    phases = FEW if "--few" in sys.argv else MANY
    for name in [each for each in sys.argv[1:] if each != "--few"] or FAULTS:
        make, promise = FAULTS[name]
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            seen = make(Path(folder), phases)
        is_broken |= seen.kept < seen.tried
        write(f"| {name} | {promise} | {seen.tried} | {seen.kept} | {seen.otherwise} |")
    sys.exit(int(is_broken))


def write(text: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
