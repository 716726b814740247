"""Signals and standard streams: real processes, each ends with the right code and at most one line."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_runs import make_run

COMMAND = [sys.executable, "-m", "nmt_attn"]
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "terminated, as its terminal"}


def in_shell(words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A command whose streams the shell redirects."""
    line = f"{sys.executable} -m nmt_attn {words}"
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False)


@contextmanager
def started(code: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Python that runs this and has said `begun`."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("config --schema >&-", "standard output: expected a place that can be used, got bad file descriptor"),
        ("config --schema > /dev/full", "standard output: expected a place that can be used, got no space left"),
        ("--help > /dev/full", "standard output: expected a place that can be used, got no space left"),
        ("config /nowhere 2>&-", ""),
        ("config /nowhere 2> /dev/full", ""),
        ("explain '- Yes, I am.'", "text that begins with a dash stands after --: nmt-attn explain -- '- Yes, I am.'"),
        ("aer --gold a", "Missing argument"),
        ("bogus", "No such command 'bogus'"),
        ("config $'\\e[31m.yaml'", "\\x1b[31m.yaml: expected a readable file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, words: str, message: str) -> None:
    done = in_shell(words, tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == (1 if message else 0)


@pytest.mark.slow
def test_a_closed_input_is_no_empty_text(tmp_path: Path) -> None:
    make_run(tmp_path)
    done = in_shell("translate <&-", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nmt-attn: standard input: expected text, got bad file descriptor\n" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("redirection", [">&-", "> /dev/full"])
def test_translations_that_are_lost_are_no_success(tmp_path: Path, redirection: str) -> None:
    make_run(tmp_path)
    done = in_shell(f"translate <<< 'un gato' {redirection}", tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("nmt-attn: standard output: expected a place that can be")


@pytest.mark.slow
@pytest.mark.parametrize("number", WORDS, ids=lambda number: number.name)
@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5, 2.5])
def test_a_signal_ends_a_command_with_one_line(tmp_path: Path, seconds: float, number: signal.Signals) -> None:
    """From the first import on; before it, the interpreter does what it does for every program."""
    run = make_run(tmp_path)
    command = [*COMMAND, "translate", "--model", run, "--output", tmp_path / "out.txt"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(seconds)
        process.send_signal(number)
        assert process.stderr is not None
        error = process.stderr.read()
    assert "Traceback" not in error
    assert (process.returncode == 128 + number and f"nmt-attn: {WORDS[number]}" in error) or (
        process.returncode == -number and not error
    )
    assert error.count("\n") <= 1
    assert not list(tmp_path.glob(".*.tmp"))


IMPORTING = """
import sys, time
sys.stdout.write("begun\\n")
sys.stdout.flush()
time.sleep(SECONDS)
sys.stdout.write("imported\\n")
"""
COMMAND_THAT_IMPORTS = """
from nmt_attn.interruption import catch_signals, end_interrupted
catch_signals()
try:
    import imported_slowly
    import time
    time.sleep(30)
except KeyboardInterrupt:
    sys.stdout.flush()
    end_interrupted()
"""


@pytest.mark.parametrize("number", WORDS, ids=lambda number: number.name)
def test_an_import_is_not_torn_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "imported_slowly.py").write_text(IMPORTING.replace("SECONDS", "0.4"))
    code = "import sys\nsys.path.insert(0, '.')\n" + COMMAND_THAT_IMPORTS
    with started(code, tmp_path) as process:
        process.send_signal(number)
        output, error = process.communicate(timeout=20)
    assert output == "imported\n"
    assert error.startswith(f"nmt-attn: {WORDS[number]}") and error.count("\n") == 1
    assert process.returncode == 128 + number


def test_the_second_signal_does_not_wait_for_an_import(tmp_path: Path) -> None:
    (tmp_path / "imported_slowly.py").write_text(IMPORTING.replace("SECONDS", "30"))
    code = "import sys\nsys.path.insert(0, '.')\n" + COMMAND_THAT_IMPORTS
    with started(code, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 128 + signal.SIGTERM


@pytest.mark.slow
def test_nohup_stays_in_force(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    command = ["nohup", *COMMAND, "translate", "--model", str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"un gato\n")
        process.stdin.flush()
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.stdin.write(b"un gato\n")
        process.stdin.close()
        assert process.stdout.readline() == first != b""
    assert process.returncode == 0
