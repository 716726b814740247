"""What translating gives, ours and the peers' alike: rates, and BLEU of the pieces joined to plain text."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nmt_attn.text_io import read_lines

WORD_START = "\u2581"
"""How SentencePiece writes a space."""


class DecodingResult(NamedTuple):
    """What was measured; loading is not in it."""

    sentences_a_second: float
    tokens_a_second: float  # written, `</s>` not counted
    bleu: float | None
    precision: str  # of the products of search


def decoding_result(
    hypotheses: Sequence[str], seconds: float, reference: Path | None, precision: str
) -> DecodingResult:
    """Rates, and BLEU against the reference's first lines. Raises ValueError for too few of these."""
    tokens = sum(len(hypothesis.split()) for hypothesis in hypotheses)
    value = None if reference is None else bleu_of_pieces(hypotheses, read_lines(reference)[: len(hypotheses)])
    return DecodingResult(len(hypotheses) / seconds, tokens / seconds, value, precision)


def bleu_of_pieces(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """sacreBLEU, 0-100, `tok:13a`, of SentencePiece's pieces against plain text."""
    from nmt_attn.evaluation.metrics import bleu

    texts = ["".join(hypothesis.split()).replace(WORD_START, " ").strip() for hypothesis in hypotheses]
    if len(texts) != len(references):
        raise ValueError(f"expected {len(texts)} references, got {len(references)}")
    return bleu(texts, references, tokenize="13a", lowercase=False).value
