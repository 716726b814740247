"""`nmt-attn serve`: a server that starts, and what it refuses."""

import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_runs import make_run

from nmt_attn.commands.serve import serve
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.options.translation import ServeOptions


@contextmanager
def served(*arguments: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a server of its own process, on a free port."""
    command = [sys.executable, "-m", "nmt_attn", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def answer(address: str, path: str) -> bytes:
    """Of a server that may still be starting."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(address + path, timeout=10) as found:
                content: bytes = found.read()
                return content
        except OSError:
            time.sleep(0.05)
    raise AssertionError("no answer")


def test_the_shipped_models_are_served_and_it_stops_when_interrupted() -> None:
    with served() as (address, process):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        assert answer(address, "healthz") == b'{"status":"ok"}'
        assert b'"bahdanau"' in answer(address, "api/models")
        process.terminate()
        assert process.wait(10) == 128 + signal.SIGTERM


def test_two_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = [str(make_run(tmp_path / side)) for side in ("one", "other")]
    with served("--model", runs[0], "--model", runs[1]) as (address, _):
        models = answer(address, "api/models")
        assert b'"mine"' in models
        assert b'"mine (2)"' in models
        assert b'"dos' not in models or b'"source"' in models


def test_a_page_is_saved_without_a_server(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    serve(ServeOptions(save=page, sentence="Sing today"))
    text = page.read_text(encoding="utf-8")
    assert "Sing" in text
    assert "/static/" not in text.replace('"/static/frozen.html"', "")  # nothing is fetched


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (ServeOptions(host="0.0.0.0"), ConfigError, "--host: expected --token TOKEN beside 0.0.0.0"),
        (ServeOptions(model=(Path("nowhere"),)), CheckpointError, "nowhere: expected a run or a model folder"),
        (ServeOptions(host="192.0.2.1", token="x", port=1), ConfigError, "got 192.0.2.1:1"),
    ],
)
def test_what_cannot_be_served_is_refused(options: ServeOptions, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        serve(options)


def test_an_address_in_use_is_refused() -> None:
    with served() as (address, _), pytest.raises(ConfigError, match="expected an address that is free"):
        serve(ServeOptions(port=int(address.rstrip("/").rpartition(":")[2])))
