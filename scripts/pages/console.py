"""Console blocks of the chapters: the commands are run, and what they print is what the page shows.

    ```console
    $ nmt-attn COMMAND
    what it printed
    ```

The commands of a page run one after another in one new folder, which has two small trained runs, runs/bahdanau and
runs/luong. Standard output and error are one stream, as in a terminal of 80 columns.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from nmt_attn.lab.examples import shipped_models

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUNS = ("bahdanau", "luong")


def with_outputs(text: str, folder: Path) -> str:
    """The page with every command run in `folder`, which must be empty."""
    prepare(folder)
    return CONSOLE.sub(lambda found: f"```console\n{_block(found[1], folder)}```", text)


def prepare(folder: Path) -> None:
    """The runs that the commands use."""
    with shipped_models() as models:
        for model in models:
            if model.name in RUNS:
                shutil.copytree(model, folder / "runs" / model.name / "best")


def commands_of(block: str) -> list[str]:
    """The lines after `$ `, with those that go on after a backslash."""
    return re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, flags=re.MULTILINE)


def _block(block: str, folder: Path) -> str:
    return "".join(f"$ {command}\n{_output(command, folder)}" for command in commands_of(block))


def _output(command: str, folder: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    lines = done.stdout.decode().split("\n")
    return "".join(f"{line.rstrip()}\n" for line in lines[:-1] if "\r" not in line)
