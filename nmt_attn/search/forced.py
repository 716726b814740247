"""Forced decoding: log-probabilities and attention weights of given translations.

Luong et al. 2015 (arXiv 1508.04025), section 5.4, measures alignments this way. The loss of the references gives the
perplexity; their attention weights compare systems on the same words.

Which row of weights belongs to a target word? Row t is computed when y_t is predicted, after y_{t-1} was input. With
shift 0, the row belongs to the predicted word y_t. With shift 1, it belongs to the input y_{t-1}: Luong's footnote
says so for content-based scores, whose query h_t has consumed y_{t-1}. A gold set shows which of the two fits a model.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from nmt_attn.alignment.pieces import EMPTY, Words, merge_pieces
from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.data.batching import collate, plan_evaluation
from nmt_attn.data.copying import source_rows, target_rows
from nmt_attn.data.encoded import Lengths
from nmt_attn.errors import ConfigError
from nmt_attn.fast.training import for_training
from nmt_attn.memory_lack import free_cache
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.search.alignment_units import Units, units_of_pieces
from nmt_attn.search.request import WINDOW_LINES, check_tokens
from nmt_attn.search.translator import Translator

Shift = Literal[0, 1]
BATCH_TOKENS = 4096
"""Sentences times longest side, per batch."""


class ForcedPair(NamedTuple):
    """A given translation. A pair with a blank source has no tokens, because no model decodes it."""

    source: Words
    target: Words
    token_log_probs: tuple[float, ...]  # of the target's pieces and `</s>`
    weights: Tensor | None  # [target pieces + 1, source pieces + 1]; None without alignments
    copied: Tensor | None = None  # [target pieces + 1], 1 - p_gen, of a model that copies

    @property
    def log_prob(self) -> float:
        """Natural log-probability of the whole translation, `</s>` included."""
        return math.fsum(self.token_log_probs)

    def alignment(self, shift: Shift) -> WordAlignment:
        """Attention weights between the units; with shift 1, each piece gets the row of the step that consumed it."""
        assert self.weights is not None, "decoded with alignments"
        if not self.token_log_probs:
            return EMPTY
        weights = self.weights
        if shift:  # `</s>` is never input and keeps its row
            weights = torch.cat([weights[1:], weights[-1:]])
        return merge_pieces(weights, self.source, self.target, self.copied)


class _Encoded(NamedTuple):
    source: Words
    target: Words
    source_ids: list[int]
    target_ids: list[int]
    rows: list[int] | None  # of the source's pieces, where words are copied


def force_decode(
    translator: Translator,
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    with_alignments: bool,
    units: Units = "words",
    progress: Callable[[int], object] = lambda lines: None,
    first_line: int = 1,
) -> list[ForcedPair]:
    """One result for each pair of lines, in order. After each batch, `progress` is called with its number of lines.

    Raises ConfigError for alignments of a model without attention, DataError for a pair that is too long, by its
    number: that of the first pair is `first_line`.
    """
    if with_alignments and not translator.model.has_attention:
        raise ConfigError(f"alignments: expected a model with attention, got {translator.name} (attention.score: none)")
    numbered = enumerate(zip(sources, targets, strict=True), first_line)
    encoded = [_encode(translator, source, target, units, f"line {number}") for number, (source, target) in numbered]
    unseen = torch.empty(0, 0) if with_alignments else None
    results = [ForcedPair(pair.source, pair.target, (), unseen) for pair in encoded]
    rows = [row for row, pair in enumerate(encoded) if pair.source_ids]
    progress(len(encoded) - len(rows))
    model = for_training(translator.model)

    def decode(some: Sequence[int]) -> list[ForcedPair]:
        return _decode(model, [encoded[row] for row in some], with_alignments=with_alignments)

    def describe(row: int) -> str:
        pair, device = encoded[row], model.output.weight.device
        sizes = f"{len(pair.source_ids)} + {len(pair.target_ids)}"
        return f"line {first_line + row}: expected a pair that fits into the memory of {device}, got {sizes} tokens"

    for batch in _batches([encoded[row] for row in rows]):
        for chosen, found in translator.forcing.each([rows[index] for index in batch], decode, free_cache, describe):
            for row, result in zip(chosen, found, strict=True):
                results[row] = result
            progress(len(chosen))
    return results


def force_decode_windows(
    translator: Translator,
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    with_alignments: bool,
    units: Units = "words",
    progress: Callable[[int], object] = lambda lines: None,
) -> Iterator[ForcedPair]:
    """The same, a window at a time, so that the weights of a large corpus are not held together."""
    for start in range(0, len(sources), WINDOW_LINES):
        window = slice(start, start + WINDOW_LINES)
        yield from force_decode(
            translator,
            sources[window],
            targets[window],
            with_alignments=with_alignments,
            units=units,
            progress=progress,
            first_line=start + 1,
        )


def plain_texts(reader: Translator, texts: Sequence[str]) -> list[str]:
    """The texts that a model reads, as another model writes them: without the factors of their words."""
    return list(map(reader.codecs.source.tokenizer.plain, texts))


def perplexity(pairs: Sequence[ForcedPair]) -> float | None:
    """exp of the mean loss in nats per target token, `</s>` counted; None without tokens."""
    losses = [-value for pair in pairs for value in pair.token_log_probs]
    if not losses:
        return None
    mean = math.fsum(losses) / len(losses)
    return math.exp(mean) if mean < 700 else math.inf


def _encode(translator: Translator, source: str, target: str, units: Units, where: str) -> _Encoded:
    codecs, words = translator.codecs, translator.codecs.target.vocabulary
    read, written = codecs.source.pieces(source), codecs.target.pieces(target)
    own = read if translator.copies else []
    encoded = _Encoded(
        units_of_pieces(codecs.source, source, read, units),
        units_of_pieces(codecs.target, target, written, units),
        codecs.source.encode_checked(source, where),
        target_rows(written, own, words),
        source_rows(own, words) if translator.copies else None,
    )
    check_tokens(max(len(encoded.source_ids), len(encoded.target_ids)), where)
    return encoded


def _batches(pairs: Sequence[_Encoded]) -> Iterator[list[int]]:
    sides = ([pair.source_ids for pair in pairs], [pair.target_ids for pair in pairs])
    source_lengths, target_lengths = (_lengths(side) for side in sides)
    for rows in plan_evaluation(source_lengths, target_lengths, batch_tokens=BATCH_TOKENS):
        yield rows.tolist()


def _lengths(side: Sequence[Sequence[int]]) -> Lengths:
    lengths: Lengths = torch.tensor([len(ids) + 1 for ids in side], dtype=torch.int32).numpy()
    return lengths


@torch.inference_mode()
def _decode(model: Seq2Seq, pairs: Sequence[_Encoded], *, with_alignments: bool) -> list[ForcedPair]:
    device = model.output.weight.device
    rows = [pair.rows for pair in pairs if pair.rows is not None]
    batch = collate([pair.source_ids for pair in pairs], [pair.target_ids for pair in pairs], rows or None).to(device)
    scored, weights = model.score_target(batch)
    log_probs = scored.tolist()
    dense = weights.dense().float().cpu() if with_alignments else None
    copied = weights.gate.neg().sigmoid().cpu() if with_alignments and weights.gate is not None else None
    return [
        ForcedPair(
            pair.source,
            pair.target,
            tuple(log_probs[row][: len(pair.target_ids) + 1]),
            None if dense is None else dense[row, : len(pair.target_ids) + 1, : len(pair.source_ids) + 1].clone(),
            None if copied is None else copied[row, : len(pair.target_ids) + 1].clone(),
        )
        for row, pair in enumerate(pairs)
    ]
