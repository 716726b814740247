"""The benchmark: three systems of one size, a corpus, and its batches in a fixed order.

Sizes: one-layer bidirectional LSTM encoder of 256 per direction, one-layer LSTM decoder of 512, word vectors of 256,
nothing tied, dropout 0.2, Adam 1e-3, gradient clipped at 1. Batches are 64 lines in file order. Initial
weights: U(-0.1, 0.1), as in OpenNMT-py, but Glorot, the default, for Bahdanau, which learns faster with it:
after 300 updates of Multi30k BLEU was 18.9 and 19.1 (seeds 1 and 2, bf16, beam 5) against 16.1 (seed 1).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from nmt_attn.config.file import parse_config
from nmt_attn.config.schema import Config
from nmt_attn.data.batching import Plan
from nmt_attn.data.prepare import PreparedData, prepare_training
from nmt_attn.files import write_text

SENTENCES = 64
"""Sentences per batch."""
WORDS = 7999
"""Distinct tokens of the synthetic corpus; with the four special ones, the size of the joint BPE of Multi30k."""
SYNTHETIC_LINES = 6400

SYSTEMS: dict[str, tuple[str, ...]] = {
    "bahdanau": (
        "model.attention.score=additive",
        "model.decoder.style=bahdanau",
        "model.initialisation=xavier",
        "model.word_deviation=1.0",
    ),
    "luong-feeding": (
        "model.attention.score=general",
        "model.decoder.style=luong",
        "model.initialisation=uniform",
        "model.decoder.input_feeding=attentional",
    ),
    "luong": ("model.attention.score=general", "model.decoder.style=luong", "model.initialisation=uniform"),
}
CONDITIONAL: dict[str, tuple[str, ...]] = {
    "conditional": (
        "model.attention.score=additive",
        "model.decoder.style=conditional",
        "model.encoder.cell=gru",
        "model.encoder.hidden=512",
        "model.encoder.dropout=0.0",
        "model.decoder.cell=gru",
        "model.decoder.init=mean",
        "model.decoder.init_cell=zero",
        "model.decoder.dropout=0.0",
    )
}
"""Marian's sizes: measured where it is a peer."""
ALL_SYSTEMS = {**SYSTEMS, **CONDITIONAL}

_COMMON = (
    "tokenizer.shared=true",
    "model.encoder.cell=lstm",
    "model.encoder.hidden=256",
    "model.encoder.embedding=256",
    "model.decoder.cell=lstm",
    "model.decoder.hidden=512",
    "model.decoder.embedding=256",
    "model.decoder.init=last",
    "model.decoder.init_cell=last",
    "training.batch_tokens=1024",  # unread: batches are of SENTENCES lines
    "training.epochs=null",
    "training.patience=null",
    "training.learning_rate=1e-3",
    "training.schedule=constant",
    "training.validate_translation=false",
    "training.validate_updates=1000000",
    "training.checkpoint_updates=1000000",
)


class Corpus(NamedTuple):
    """Two files of space-separated tokens, and a folder for caches and models."""

    source: Path
    target: Path
    folder: Path


def configuration(system: str, corpus: Corpus, updates: int, settings: tuple[str, ...] = ()) -> Config:
    """The configuration of `system`, with `settings` (`section.key=value`) on top."""
    parts = ("train", "valid", "test")
    files = [f"data.{part}.{side}={getattr(corpus, side)}" for part in parts for side in ("source", "target")]
    files += [f"data.{part}.limit={SENTENCES}" for part in ("valid", "test")]
    files += [f"data.cache={corpus.folder / 'cache'}", f"run.dir={corpus.folder / 'runs'}"]
    return parse_config("", [*files, *_COMMON, *ALL_SYSTEMS[system], f"training.updates={updates}", *settings], system)


def prepared(corpus: Corpus) -> PreparedData:
    """The encoded corpus, the same for every system; the vocabulary has all its tokens."""
    return prepare_training(configuration("luong", corpus, 1))


def in_file_order(lines: int, sentences: int = SENTENCES) -> Plan:
    """Batches of `sentences` consecutive lines; an incomplete last batch is dropped."""
    return list(np.arange(lines - lines % sentences).reshape(-1, sentences))


def synthetic(folder: Path, lines: int = SYNTHETIC_LINES) -> Corpus:
    """A random corpus with the lengths of Multi30k in BPE of 8,000; sentences of a batch have similar lengths.

    Both sides' lengths follow a gamma distribution with Multi30k's means (14.3 target and 15.3 source tokens before
    `</s>`) and spreads; words follow Zipf's law.
    """
    rng = np.random.default_rng(1)
    target = np.clip(rng.gamma(9.0, 14.3 / 9.0, lines).round(), 3, 60).astype(int)
    source = np.clip((target * rng.normal(15.3 / 14.3, 0.2, lines)).round(), 3, 60).astype(int)
    order = np.lexsort((source, target))
    shuffled = rng.permutation(lines // SENTENCES)
    order = np.concatenate([order[i * SENTENCES : (i + 1) * SENTENCES] for i in shuffled])
    probabilities = 1 / np.arange(1, WORDS + 1)
    corpus = Corpus(folder / "synthetic.source", folder / "synthetic.target", folder)
    every_word = " ".join(f"w{word}" for word in range(WORDS))
    for path, lengths in ((corpus.source, source), (corpus.target, target)):
        words = rng.choice(WORDS, (int(lengths.sum())), p=probabilities / probabilities.sum())
        pieces = np.split(words, np.cumsum(lengths[order])[:-1])
        text = [" ".join(f"w{word}" for word in piece) for piece in pieces]
        write_text(path, "\n".join(text) + "\n" + _in_lines(every_word.split()))
    return corpus


def _in_lines(words: list[str], size: int = 20) -> str:
    """Every word once, in lines after the last full batch, so that the vocabulary is complete."""
    return "".join(" ".join(words[start : start + size]) + "\n" for start in range(0, len(words), size))
