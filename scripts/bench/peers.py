"""Other toolkits on the same corpus, sizes and batches: eole, joeynmt, Marian, OpenNMT-py and yoyodyne.

peer_run.py runs the command of each with the Python of its own environment (`--peer-python`).
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.peer_settings import ARGUMENTS, Peer, PeerTraining
from bench.systems import SENTENCES, Corpus
from nmt_attn.text_io import read_lines

RUNNER = Path(__file__).with_name("peer_run.py")


class PeerResult(NamedTuple):
    """Measurements of training."""

    tokens_a_second: float
    peak_mebibytes: float
    cpu_share: float


def train_peer(peer: Peer, job: PeerTraining, warm_up: int) -> PeerResult:
    """Trains a peer with denormal numbers flushed, as ours are, and keeps the model. Timed after the warm-up."""
    folder, updates = job.folder(peer), job.updates
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ARGUMENTS[peer.name](job, folder)
    measured = run_peer(peer, arguments, folder, updates=(warm_up, updates))
    after = {update: seconds for update, _, seconds in measured["steps"]}  # of the processor
    seconds = after[updates] - after[warm_up]
    return PeerResult(
        tokens_a_second=sum(_tokens(job.corpus, updates)[warm_up:updates]) / seconds,
        peak_mebibytes=measured["peak_mebibytes"],
        cpu_share=measured["cpu_share"],
    )


def run_peer(
    peer: Peer,
    arguments: Sequence[str],
    folder: Path,
    source: Path = Path(os.devnull),
    updates: tuple[int, int] = (0, 0),
) -> Any:
    """Runs the toolkit's command with `source` as standard input, and returns what peer_run.py wrote.

    `updates`: after which ones training is timed.
    """
    out = folder / "measured.json"
    out.unlink(missing_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PEER_OUT": str(out.absolute()), "PEER_FLUSH": "1"}
    environment |= {"PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": "", "WANDB_MODE": "disabled"}
    environment["PEER_UPDATES"] = json.dumps(updates)
    environment.pop("PYTHONPATH", None)
    with (folder / "log.txt").open("w", encoding="utf-8") as log, source.open("rb") as given:
        command = [str(peer.python.absolute()), str(RUNNER), *arguments]
        subprocess.run(command, env=environment, stdin=given, stdout=log, stderr=log, check=True)
    return json.loads(out.read_text(encoding="utf-8"))


def _tokens(corpus: Corpus, updates: int) -> list[int]:
    """Real target tokens of each batch, `</s>` counted."""
    lengths = [len(line.split()) + 1 for line in read_lines(corpus.target)]
    batches = [sum(lengths[i : i + SENTENCES]) for i in range(0, len(lengths) - SENTENCES + 1, SENTENCES)]
    return [batches[update % len(batches)] for update in range(updates)]
