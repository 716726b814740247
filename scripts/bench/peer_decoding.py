"""Translations of the same lines by the peers, with the models trained by peers.py: speed and BLEU.

Processor seconds inside the call that translates, on one thread with denormal numbers flushed. OpenNMT-py ranks by its
default (log p), joeynmt by log p / ((5 + |Y|) / 6), the exponent of its example configurations.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.decoding import DecodingResult, decoding_result
from bench.peer_settings import Peer
from bench.peers import run_peer
from nmt_attn.files import write_text
from nmt_attn.text_io import read_lines

ALPHA = 1.0
"""joeynmt's exponent of the length penalty."""


class PeerJob(NamedTuple):
    """What to translate and how."""

    folder: Path  # of the trained peer
    updates: int
    lines: Path  # space-separated tokens
    limit: int  # only the first N lines
    beam: int
    batch_sentences: int
    max_length: int  # tokens
    reference: Path | None = None  # plain text


def translate_peer(peer: Peer, job: PeerJob) -> DecodingResult:
    """Translates the lines once. Raises ValueError if translations are missing."""
    lines = read_lines(job.lines)[: job.limit]
    source = job.folder / "test.source"
    write_text(source, "".join(f"{line}\n" for line in lines))
    if peer.name == "joeynmt":
        measured = run_peer(peer, joeynmt_arguments(job), job.folder, source)
        hypotheses = measured["hypotheses"]
    else:
        written = job.folder / f"beam{job.beam}.hypotheses"
        measured = run_peer(peer, opennmt_arguments(peer, job, source, written), job.folder)
        hypotheses = read_lines(written)
    if len(hypotheses) != len(lines):
        raise ValueError(f"{peer.name}: expected {len(lines)} translations, got {len(hypotheses)}")
    return decoding_result(hypotheses, measured["translating"], job.reference, "fp32")


def opennmt_arguments(peer: Peer, job: PeerJob, source: Path, written: Path) -> Sequence[str]:
    """The command of OpenNMT-py, which writes to `written`."""
    options = {
        "model": peer.model(job.folder, job.updates),
        "src": source,
        "output": written,
        "beam_size": job.beam,
        "batch_size": job.batch_sentences,
        "batch_type": "sents",
        "max_length": job.max_length,
        "gpu": -1,
    }
    return ["onmt_translate", *(str(part) for name, value in options.items() for part in (f"-{name}", value))]


def joeynmt_arguments(job: PeerJob) -> Sequence[str]:
    """The command of joeynmt, which reads standard input; its training configuration with these search options."""
    settings = yaml.safe_load((job.folder / "config.yaml").read_text(encoding="utf-8"))
    settings["testing"] |= {
        "load_model": str(job.folder / "model" / "latest.ckpt"),
        "beam_size": job.beam,
        "beam_alpha": ALPHA if job.beam > 1 else -1,
        "batch_size": job.batch_sentences,
        "max_output_length": job.max_length,
    }
    path = job.folder / f"beam{job.beam}.yaml"
    write_text(path, yaml.safe_dump(settings))
    return ["joeynmt", "translate", str(path)]
