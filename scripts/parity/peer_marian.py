"""Small models of Marian, trained by it, and what it shows of them. Runs in its environment, which has torch too.

python -m parity.peer_marian FOLDER, inside scripts/

Marian shows log-probabilities, attention weights and translations, all in float32, and no states or logits.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parity.cases import (
    BEAM,
    EMBEDDING,
    LONGEST,
    RATE,
    SENTENCES,
    SIZE,
    SOURCE,
    TARGET,
    WORDS,
    Case,
    cases,
    examples,
    write_stages,
)

VARIANTS = {
    "s2s": (),
    "alternating": ("--enc-type", "alternating"),
    "bi-unidirectional": ("--enc-type", "bi-unidirectional"),
    "skip": ("--skip",),
    "tied-embeddings-all": ("--tied-embeddings-all",),
}
"""By name, the options."""
TOKENS = ["</s>", "<unk>", *WORDS]
EPOCHS = 5
"""Passes over the examples, as it begins from small weights."""


def marian(command: str, folder: Path, *options: object, lines: Sequence[str] = ()) -> list[str]:
    """What a command writes about the model of a folder, a line each."""
    vocabulary, model = folder / "vocab.yml", folder / "model.npz"
    given = ["-v", vocabulary, vocabulary, "-m", model, "--cpu-threads", 1, "-w", 200, "--quiet", *options]
    words = [sys.executable, "-m", "pymarian", command, *map(str, given)]
    text = "".join(f"{line}\n" for line in lines)
    return subprocess.run(words, input=text, check=True, capture_output=True, text=True).stdout.splitlines()


def written(path: Path, lines: Sequence[str]) -> Path:
    """A file of these lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def train(case: Case, folder: Path) -> None:
    """Lets Marian train a model a little to copy lines."""
    folder.mkdir(exist_ok=True)
    written(folder / "vocab.yml", [f"{json.dumps(token)}: {place}" for place, token in enumerate(TOKENS)])
    text = written(folder / "train.txt", [line for lines in examples() for line in lines])
    shape = {"enc-cell": case.cell, "dec-cell": case.cell, "enc-depth": case.layers, "dec-depth": case.layers}
    sizes = {"dim-emb": EMBEDDING, "dim-rnn": SIZE}
    batches = {"mini-batch": SENTENCES, "maxi-batch": 1, "maxi-batch-sort": "none", "after-epochs": EPOCHS}
    options = {**shape, **sizes, **batches, "learn-rate": RATE, "cost-type": "ce-mean-words", "seed": 4}
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    marian("train", folder, "--type", "s2s", "-t", text, text, "--no-shuffle", *flags, *VARIANTS[case.variant])


def translations(folder: Path, beam: int) -> tuple[list[str], list[float]]:
    """The best translation of each line, and its log p."""
    limits = ("--max-length-factor", LONGEST, "--mini-batch", len(SOURCE), "--maxi-batch", 1, "--normalize", 0)
    rows = marian("decode", folder, "-b", beam, "--n-best", "--allow-unk", *limits, lines=SOURCE)
    best: dict[int, list[str]] = {}
    for row in rows:
        number, *fields = (field.strip() for field in row.split("|||"))
        best.setdefault(int(number), fields)
    return [best[i][0] for i in range(len(SOURCE))], [float(best[i][-1]) for i in range(len(SOURCE))]


def read(folder: Path) -> tuple[list[float], np.ndarray]:
    """Of the given translations, log p [B] and the weights [B, T, S], those of `</s>` too."""
    files = written(folder / "sources.txt", SOURCE), written(folder / "targets.txt", TARGET)
    rows = [row.split("|||") for row in marian("score", folder, "-t", *files, "--alignment", "soft")]
    seen = [[[float(x) for x in word.split(",")] for word in words.split()] for _, words in rows]
    weights = np.zeros([len(seen), max(map(len, seen)), max(len(each[0]) for each in seen)])
    for place, each in enumerate(seen):
        weights[place, : len(each), : len(each[0])] = each
    return [float(log_prob) for log_prob, _ in rows], weights


def stages(folder: Path) -> dict[str, Any]:
    """What Marian shows of the batch."""
    greedy, _ = translations(folder, 1)
    beam, log_probs = translations(folder, BEAM)
    scored, weights = read(folder)
    return {
        "weights": weights,
        "target_log_probs": scored,
        "greedy": greedy,
        "beam": beam,
        "beam_log_probs": log_probs,
        "beam_ended": [len(line.split()) < LONGEST for line in beam],
    }


def main(folder: Path) -> None:
    """Writes NAME/model.npz, with its vocabulary and settings, and NAME.npz for each case."""
    for case in cases([*VARIANTS], folder):
        train(case, folder / case.name)
        write_stages(folder / f"{case.name}.npz", tokens=TOKENS, **stages(folder / case.name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
