"""At least 1,000 bad inputs over every command and option: refused in a line with exit code 2, or handled."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import Case, generate, parameters, resolved
from forked import BYTES, SECONDS
from ground import make_ground

SEED = int(os.environ.get("BAD_INPUTS_SEED", "1"))
COUNT = int(os.environ.get("BAD_INPUTS", "1200"))
PARTS = 4
NOBODY = 65534
"""As systems number the user and the group that own nothing."""
LONGEST_MESSAGE = 20_000
"""Characters on standard error: every mistake of a configuration is told, but not without end."""
RAW = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters that act on a terminal, but for tab, line end and the return of a bar."""


def faults(result: dict[str, Any]) -> list[str]:
    """What is wrong with how a call ended."""
    error, found = result["stderr"], []
    if result["code"] not in (0, 2):
        found.append(f"exit code {result['code']}")
    if "Traceback" in error:
        found.append("a traceback")
    if result["code"] == 2 and len(re.findall("^nmt-attn: ", error, re.MULTILINE)) != 1:
        found.append("not one message")
    if re.search(r"^\S+:\d+: \w*Warning: ", error, re.MULTILINE):
        found.append("a library's warning")
    if RAW.search(error):
        found.append(f"the character {RAW.search(error).group()!r} raw")  # type: ignore[union-attr]
    if len(error) > LONGEST_MESSAGE:
        found.append(f"a message of {len(error)} characters")
    if result["seconds"] > SECONDS:
        found.append(f"{result['seconds']:.0f} seconds")
    if result["bytes"] > BYTES:
        found.append(f"{result['bytes'] >> 20} MiB")
    return found


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that any user can enter, which pytest's own may not be."""
    folder = Path(tempfile.mkdtemp(prefix="bad-inputs-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        for locked in folder.rglob("locked"):
            locked.chmod(0o700)
        shutil.rmtree(folder)


def without_power(folder: Path) -> list[str]:
    """What begins a command that shall do no harm: root becomes nobody, who may read everything and owns `folder`."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return []
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    capability = "-all,+dac_read_search"  # the interpreter may be root's own
    return [
        "setpriv",
        *(f"--{name}={NOBODY}" for name in ("reuid", "regid")),
        *("--clear-groups", f"--inh-caps={capability}", f"--ambient-caps={capability}", f"--bounding-set={capability}"),
    ]


def run_all(cases: list[Case], folder: Path) -> list[dict[str, Any]]:
    """How each call ended."""
    make_ground(folder / "ground")
    home = folder / "home"
    home.mkdir()
    calls = []
    for number, case in enumerate(cases):
        own = folder / "calls" / str(number)
        arguments, stdin = resolved(case, folder / "ground", own)
        calls.append({"arguments": arguments, "stdin": stdin, "folder": str(own)})
    (folder / "cases.json").write_text(json.dumps(calls))
    command = [sys.executable, Path(__file__).with_name("forked.py"), folder / "cases.json", folder / "results.jsonl"]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "HF_", "BROWSER"))},
        **dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "HF_HOME", "MPLCONFIGDIR"), str(home)),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "BROWSER": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run([*without_power(folder), *command], env=environment, cwd=home, check=True, stdin=subprocess.DEVNULL)
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_every_command_and_option_has_its_turn() -> None:
    cases = generate(SEED, COUNT)
    assert COUNT < 1000 or len({json.dumps(case) for case in cases}) > 1000
    for name, params in parameters().items():
        mine = [case.arguments for case in cases if case.arguments[:1] == [name]]
        given = {argument.partition("=")[0] for arguments in mine for argument in arguments}
        options = {each.option for each in params if not each.is_argument}
        assert COUNT < 1000 or options <= given, f"{name}: {options - given} never came"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_input_is_refused_in_a_line_or_handled(part: int) -> None:
    cases = generate(SEED, COUNT)[part::PARTS]
    with workplace() as folder:
        results = run_all(cases, folder)
    assert len(results) == len(cases)
    wrong = [(faults(each), each["arguments"], each["stderr"][-600:]) for each in results if faults(each)]
    told = "\n".join(f"{found}\n  {arguments!r:.400}\n  {error}" for found, arguments, error in wrong[:20])
    assert not wrong, f"{len(wrong)} of {len(results)}:\n{told}"
