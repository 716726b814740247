"""Cost of a large corpus: writes a synthetic one, trains briefly on it, and prints a table of time and memory.

    python scripts/scale.py --folder /tmp/large --pairs 5000000 [--tokenizer sentencepiece]

Words follow Zipf's law; the target is the source in another spelling and in reverse order. The first start learns the
vocabularies and encodes the corpus, the second uses the cache. Memory is read from /proc (Linux): `resident` is the
peak, including pages of the mapped corpus, which the operating system can reclaim; `own` excludes these pages.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

WORDS = 200_000
MEAN_LENGTH = 20
CHUNK = 50_000
MOST_WORDS = 60
CONFIG = """\
run: {{name: scale, dir: {folder}/runs, device: cpu}}
data:
  root: {folder}
  train: {{source: train-{pairs}.src, target: train-{pairs}.tgt}}
  valid: {{source: valid.src, target: valid.tgt}}
  test: {{source: valid.src, target: valid.tgt}}
tokenizer: {{kind: {tokenizer}, vocab_size: 8000}}
model:
  encoder: {{hidden: 64, embedding: 64}}
  decoder: {{hidden: 64, embedding: 64}}
training: {{epochs: null, updates: {updates}, validate_translation: false}}
"""


class Memory(NamedTuple):
    """Memory of a process in bytes."""

    resident: int  # peak so far
    own: int  # current, without file pages


class Start(NamedTuple):
    """The cost of one start of training."""

    seconds: float  # until the first update is done
    most: Memory


def spelling(number: int, letters: str) -> str:
    """The number in base len(letters), with these letters as digits, at least two: distinct numbers differ."""
    word = ""
    while number or len(word) < 2:
        number, digit = divmod(number, len(letters))
        word = letters[digit] + word
    return word


def write_corpus(folder: Path, name: str, pairs: int, seed: int) -> None:
    """`name`.src and `name`.tgt in `folder`."""
    rng = np.random.default_rng(seed)
    source = [spelling(word, "etaoinshrdlucmfwypvbgkjqxz") for word in range(WORDS)]
    target = [spelling(word, "zxqjkgbvpywfmculdrhsnioate") for word in range(WORDS)]
    shares = np.cumsum(1 / np.arange(1, WORDS + 1) ** 1.05)
    files = [(folder / f"{name}.{side}").open("w", encoding="utf-8", newline="\n") for side in ("src", "tgt")]
    with files[0] as sources, files[1] as targets:
        for start in range(0, pairs, CHUNK):
            lengths = np.clip(rng.poisson(MEAN_LENGTH, min(CHUNK, pairs - start)), 1, MOST_WORDS)
            words = np.searchsorted(shares, rng.random(int(lengths.sum())) * shares[-1]).tolist()
            ends = np.cumsum(lengths).tolist()
            rows = [words[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]
            sources.writelines(" ".join([source[word] for word in row]) + "\n" for row in rows)
            targets.writelines(" ".join([target[word] for word in reversed(row)]) + "\n" for row in rows)


def write_corpora(folder: Path, pairs: int) -> None:
    """The training corpus, unless it exists, and a validation corpus of 500 pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"train-{pairs}.src").is_file():
        write_corpus(folder, f"train-{pairs}", pairs, seed=1)
        write_corpus(folder, "valid", 500, seed=2)


def train(config: Path, log: Path) -> Start:
    """Starts or resumes training with `nmt-attn train`."""
    logged = log.stat().st_size if log.is_file() else 0
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "nmt_attn", "train", str(config)])
    most, seconds = Memory(0, 0), None
    while process.poll() is None:
        most = Memory(*map(max, most, memory_of(process.pid)))
        if seconds is None and log.is_file() and log.stat().st_size > logged:
            seconds = time.monotonic() - started
        time.sleep(0.05)
    if process.returncode or seconds is None:
        sys.exit(process.returncode or "expected a run to train, got a finished one: remove the folder")
    return Start(seconds, most)


def memory_of(pid: int) -> Memory:
    """Memory of the process from /proc; zeros once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        status = ""
    found = {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE)}
    return Memory(found.get("VmHWM", 0), found.get("RssAnon", 0))


def main() -> None:
    """Writes, trains twice, prints the table."""
    parser = argparse.ArgumentParser(description="Measures time and memory of training on a large synthetic corpus.")
    parser.add_argument("--folder", type=Path, required=True, help="for the corpus, its cache and the run")
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--tokenizer", choices=["word", "sentencepiece"], default="word")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    write_corpora(folder, options.pairs)
    config, log = folder / "config.yaml", folder / "runs" / "scale" / "log.jsonl"
    starts = []
    for updates in (100, 200):
        text = CONFIG.format(folder=folder, pairs=options.pairs, tokenizer=options.tokenizer, updates=updates)
        config.write_text(text, encoding="utf-8")
        starts.append(train(config, log))
    print(f"{options.pairs:,} pairs, {options.tokenizer}\n")  # noqa: T201  the result
    print("| start | until the first update | resident, peak | own memory, peak |")  # noqa: T201
    print("|---|---|---|---|")  # noqa: T201
    for name, start in zip(("first", "second, corpus in the cache"), starts, strict=True):
        sizes = " | ".join(f"{size / 2**20:,.0f} MiB" for size in start.most)
        print(f"| {name} | {start.seconds:.0f} s | {sizes} |")  # noqa: T201


if __name__ == "__main__":
    main()
