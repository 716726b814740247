"""Measures decoding: processor time of the translator, and BLEU of translations as SentencePiece pieces."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from nmt_attn.files import write_text
from nmt_attn.runtime import choose_decoding_precision, prepare_runtime
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_lines

WORD_START = "\u2581"
"""SentencePiece's space."""


class DecodingResult(NamedTuple):
    """Speed and quality of decoding; loading is not timed."""

    sentences_a_second: float
    tokens_a_second: float  # output tokens, `</s>` not counted
    bleu: float | None
    precision: str  # of the matrix products


class DecodingJob(NamedTuple):
    """What to translate and how."""

    model: Path  # model folder
    lines: Path  # space-separated tokens
    beam: int
    batch_sentences: int
    limit: int | None = None  # only the first N lines
    reference: Path | None = None  # plain text, if the tokens are SentencePiece pieces
    settings: tuple[str, ...] = ()  # search.key=value


def decode(job: DecodingJob) -> DecodingResult:
    """Translates all lines once, after a warm-up batch in which matrices are packed."""
    prepare_runtime(1)
    translator = Translator.load(job.model, torch.device("cpu"), job.settings)
    translator.model.eval()
    lines = read_lines(job.lines)[: job.limit]
    run(translator, job, lines[: job.batch_sentences])
    start = time.process_time()
    hypotheses = run(translator, job, lines)
    seconds = time.process_time() - start
    write_text(job.model / f"beam{job.beam}.hypotheses", "\n".join(hypotheses) + "\n")
    precision = choose_decoding_precision(translator.search.precision, torch.device("cpu"))
    return decoding_result(hypotheses, seconds, job.reference, precision)


def run(translator: Translator, job: DecodingJob, lines: list[str]) -> list[str]:
    """The best translation of each line."""
    found = translator.translate(lines, beam=job.beam, batch_size=job.batch_sentences, with_alignments=False)
    return [translation.text for translation in found]


def decoding_result(
    hypotheses: Sequence[str], seconds: float, reference: Path | None, precision: str
) -> DecodingResult:
    """Speeds, and BLEU against the first lines of the reference. Raises ValueError if there are too few."""
    tokens = sum(len(hypothesis.split()) for hypothesis in hypotheses)
    value = None if reference is None else bleu_of_pieces(hypotheses, read_lines(reference)[: len(hypotheses)])
    return DecodingResult(len(hypotheses) / seconds, tokens / seconds, value, precision)


def bleu_of_pieces(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """sacreBLEU, 0-100, `tok:13a`, of SentencePiece pieces against plain text."""
    from nmt_attn.evaluation.metrics import bleu

    texts = ["".join(hypothesis.split()).replace(WORD_START, " ").strip() for hypothesis in hypotheses]
    if len(texts) != len(references):
        raise ValueError(f"expected {len(texts)} references, got {len(references)}")
    return bleu(texts, references, tokenize="13a", lowercase=False).value
