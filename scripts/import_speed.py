"""How fast models of other toolkits translate there and here, after `nmt-attn import`: processor seconds, side by side.

python scripts/import_speed.py PEERS LINES TOOLKIT=MODEL ... [--rounds 3]

PEERS: a folder with one virtual environment for each toolkit, as for scripts/run_parity.py. LINES: a file of tokens
between blanks. Greedy and beam 5 are done in turns by the toolkit and by this package, each in one thread; printed are
the medians, the ratio, and how many translations are the same. Bind the whole to one core (taskset).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.machine import processor
from bench.page import table

from nmt_attn.commands.import_model import import_model
from nmt_attn.options.models import ImportOptions

SCRIPTS = Path(__file__).parent
BEAMS = (1, 5)


class Asked:
    """A toolkit that waits for requests (parity/speed.py)."""

    def __init__(self, python: str | Path, name: str, model: Path, lines: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{SCRIPTS}:{SCRIPTS.parent}", "PYTHONWARNINGS": "ignore"}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [str(python), "-m", "parity.speed", name, str(model.resolve()), str(lines.resolve())]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=environment, text=True, **pipes)

    def translate(self, beam: int) -> tuple[float, list[str]]:
        """Processor seconds, and the texts."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._process.stdin.write(f"{beam}\n")
        self._process.stdin.flush()
        told = []
        for line in self._process.stderr:
            if line.startswith("@"):
                answer = json.loads(line[1:])
                return answer["seconds"], answer["texts"]
            told.append(line)
        raise SystemExit("".join(told))

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.communicate()


class Row(NamedTuple):
    """One toolkit and width."""

    toolkit: str
    beam: int
    theirs: float  # processor seconds
    ours: float
    same: int  # translations
    lines: int


def rows(name: str, python: Path, model: Path, lines: Path, rounds: int) -> Iterator[Row]:
    """Greedy and beam 5, both sides in turns; the first turn, in which matrices are made ready, does not count."""
    with tempfile.TemporaryDirectory() as folder:
        imported = Path(folder) / "model"
        import_model(ImportOptions(model, output=imported))
        both = (Asked(python, name, model, lines), Asked(sys.executable, "ours", imported, lines))
        try:
            for beam in BEAMS:
                turns = [[each.translate(beam) for each in both] for _ in range(rounds + 1)][1:]
                theirs, here = (median(turn[side][0] for turn in turns) for side in range(2))
                texts = [turns[0][side][1] for side in range(2)]
                yield Row(name, beam, theirs, here, sum(map(str.__eq__, *texts)), len(texts[0]))
        finally:
            for each in both:
                each.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path)
    parser.add_argument("lines", type=Path)
    parser.add_argument("models", nargs="+", help="opennmt=model.pt")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found: list[list[object]] = []
    for part in given.models:
        name, _, model = part.partition("=")
        for row in rows(name, given.peers / name / "bin" / "python", Path(model), given.lines, given.rounds):
            found.append([*row[:4], row.theirs / row.ours, f"{row.same} of {row.lines}"])
            print(*found[-1], file=sys.stderr)  # noqa: T201
    head = ["toolkit", "beam", "seconds there", "seconds here", "ratio", "same text"]
    print(f"{processor().name}, one core. Processor seconds:\n\n{table(head, found)}")  # noqa: T201


if __name__ == "__main__":
    main()
