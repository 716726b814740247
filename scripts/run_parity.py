"""Runs the models of other toolkits here, beside them, and writes what differs to scripts/parity.yaml.

make parity PEERS=FOLDER, or python scripts/run_parity.py FOLDER [--only NAME ...] [--models FOLDER]

PEERS: a folder with one virtual environment for each toolkit: opennmt, joeynmt, eole, yoyodyne, marian (pymarian, with
torch beside it). One that is not there is skipped by name, and its rows stay as they were. --models: where models
stay, to be compared again without being made again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from parity.compare import CUT, EQUAL, HIGHER, STAGES, UNEXPLAINED, Parity, compare
from parity.yoyodyne import read_yoyodyne

from nmt_attn.foreign.foreign_model import ForeignModel
from nmt_attn.foreign.read import read_foreign

SCRIPTS = Path(__file__).parent
RESULTS = SCRIPTS / "parity.yaml"


class Peer(NamedTuple):
    """A toolkit: the name of its package, its file of a case, and what reads that file."""

    package: str
    file: str
    read: Callable[[Path, Any], ForeignModel]


def _imported(path: Path, stages: Any) -> ForeignModel:
    return read_foreign(path, ())


def _yoyodyne(path: Path, stages: Any) -> ForeignModel:
    *_, cell, layers = path.stem.split("-")
    return read_yoyodyne(path, stages["tokens"].tolist(), cell, int(layers))


PEERS = {
    "opennmt": Peer("OpenNMT-py", "{}.pt", _imported),
    "joeynmt": Peer("joeynmt", "{}/latest.ckpt", _imported),
    "yoyodyne": Peer("yoyodyne", "{}.pt", _yoyodyne),
    "eole": Peer("eole", "{}", _imported),
    "marian": Peer("pymarian", "{}/model.npz", _imported),
}
"""By the name of the environment's folder."""


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path)
    parser.add_argument("--only", nargs="+", choices=PEERS, default=[*PEERS])
    parser.add_argument("--models", type=Path)
    given = parser.parse_args(arguments)
    rows = {row["toolkit"]: row for row in read_rows()}
    for name in given.only:
        python = given.peers / name / "bin" / "python"
        if not python.exists():
            print(f"{name}: skipped, as {python} is not there", file=sys.stderr)  # noqa: T201
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = [*_run(name, python, (given.models or Path(folder)) / name)]
        rows[PEERS[name].package] = {
            "toolkit": PEERS[name].package,
            "version": _version(python, PEERS[name].package),
            "variants": [_summary(variant, found) for variant in dict.fromkeys(_variant(each) for each in found)],
        }
    RESULTS.write_text(yaml.safe_dump(list(rows.values()), sort_keys=False, allow_unicode=True), encoding="utf-8")


def read_rows() -> list[dict[str, Any]]:
    """What was measured before."""
    return yaml.safe_load(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []


def _run(name: str, python: Path, folder: Path) -> Iterator[Parity]:
    """Lets the toolkit make its models and run them, but for those in the folder; then runs them here."""
    peer = PEERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONWARNINGS": "ignore"}
    subprocess.run([python, "-m", f"parity.peer_{name}", folder.resolve()], env=environment, check=True)
    for stages in sorted(folder.glob("*.npz")):
        path = folder / peer.file.format(stages.stem)
        theirs = dict(np.load(stages))
        yield compare(stages.stem, peer.read(path, theirs), path, theirs)


def _variant(found: Parity) -> str:
    return found.name.rsplit("-", 2)[0]


def _summary(variant: str, found: Sequence[Parity]) -> dict[str, Any]:
    """All depths and cells of one variant."""
    own = [each for each in found if _variant(each) == variant]
    stages = [stage for stage in STAGES if stage in own[0].differences]
    outcomes: Counter[str] = Counter()
    for each in own:
        outcomes += each.beam
    return {
        "variant": variant,
        "models": len(own),
        "sentences": sum(sum(each.beam.values()) for each in own),
        "differences": {stage: float(f"{max(each.differences[stage] for each in own):.1e}") for stage in stages},
        "greedy": sum(each.greedy for each in own),
        "beam": {kind: outcomes[kind] for kind in (EQUAL, CUT, HIGHER, UNEXPLAINED) if outcomes[kind]},
    }


def _version(python: Path, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
