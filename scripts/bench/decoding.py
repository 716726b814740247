"""Decoding measured: processor seconds of a sentence through the library's translator."""

import time
from pathlib import Path
from typing import NamedTuple

import torch

from bench.translations import DecodingResult, decoding_result
from nmt_attn.files import write_text
from nmt_attn.runtime import choose_decoding_precision, prepare_runtime
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_lines


class DecodingJob(NamedTuple):
    """What to translate, and how."""

    model: Path  # a model's folder
    lines: Path  # tokens between spaces
    beam: int
    batch_sentences: int
    limit: int | None = None  # only the first so many lines
    reference: Path | None = None  # plain text, if the tokens are SentencePiece's
    settings: tuple[str, ...] = ()  # search.key=value


def decode(job: DecodingJob) -> DecodingResult:
    """Translates all lines once, after a batch to warm up, in which matrices are packed."""
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
