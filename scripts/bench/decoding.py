"""Decoding measured: sentences a second through the library's translator."""

import time
from pathlib import Path
from typing import NamedTuple

import torch

from nmt_attn.evaluation.metrics import bleu
from nmt_attn.files import read_lines, write_text
from nmt_attn.runtime import prepare_runtime
from nmt_attn.search.translator import Translator

WORD_START = "\u2581"
"""How SentencePiece writes a space."""


class DecodingJob(NamedTuple):
    """What to translate, and how."""

    model: Path  # a model's folder
    lines: Path  # tokens between spaces
    beam: int
    batch_sentences: int
    limit: int | None = None  # only the first so many lines
    reference: Path | None = None  # plain text, if the tokens are SentencePiece's
    settings: tuple[str, ...] = ()  # search.key=value


class DecodingResult(NamedTuple):
    """What was measured; loading is not in it."""

    sentences_a_second: float
    tokens_a_second: float  # written, `</s>` not counted
    bleu: float | None


def decode(job: DecodingJob) -> DecodingResult:
    """Translates all lines once, after a batch to warm up."""
    prepare_runtime(1)
    translator = Translator.load(job.model, torch.device("cpu"), job.settings)
    translator.model.eval()
    lines = read_lines(job.lines)[: job.limit]
    run(translator, job, lines[: job.batch_sentences])
    start = time.perf_counter()
    hypotheses = run(translator, job, lines)
    seconds = time.perf_counter() - start
    write_text(job.model / f"beam{job.beam}.hypotheses", "\n".join(hypotheses) + "\n")
    tokens = sum(len(hypothesis.split()) for hypothesis in hypotheses)
    return DecodingResult(len(lines) / seconds, tokens / seconds, _bleu(hypotheses, job.reference))


def run(translator: Translator, job: DecodingJob, lines: list[str]) -> list[str]:
    """The best translation of each line."""
    found = translator.translate(lines, beam=job.beam, batch_sentences=job.batch_sentences, with_alignments=False)
    return [translation.text for translation in found]


def _bleu(hypotheses: list[str], reference: Path | None) -> float | None:
    if reference is None:
        return None
    texts = ["".join(hypothesis.split()).replace(WORD_START, " ").strip() for hypothesis in hypotheses]
    return bleu(texts, read_lines(reference)[: len(texts)], tokenize="13a", lowercase=False).value
