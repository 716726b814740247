"""Translations: the hypotheses of a line as text, with their log-probabilities and alignments."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nmt_attn.alignment.pieces import merge_pieces
from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.data.codec import Codecs
from nmt_attn.search.alignment_units import Units, alignment_units, units_of_pieces
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.minimum_bayes_risk import NO_METRIC, expected_metrics
from nmt_attn.search.request import Demand, Request
from nmt_attn.types import UNK

LONG_TOKENS = 100
"""Where source sentences are longer, batches hold fewer of them."""


class TranslatedHypothesis(NamedTuple):
    """One translation of a line."""

    text: str
    pieces: tuple[str, ...]
    is_finished: bool  # False: cut at the greatest length
    log_prob: float  # natural, `</s>` included
    rank: float
    token_log_probs: tuple[float, ...]  # of the pieces and `</s>`
    alignment: WordAlignment | None  # None without alignments


class Translation(NamedTuple):
    """A line and its translations, at least one: best first and with distinct texts, or samples as drawn."""

    source: str
    hypotheses: tuple[TranslatedHypothesis, ...]

    @property
    def text(self) -> str:
        """Of the best translation."""
        return self.hypotheses[0].text

    @property
    def log_prob(self) -> float:
        """Of the best translation; natural, `</s>` included."""
        return self.hypotheses[0].log_prob

    @property
    def rank(self) -> float:
        """Of the best translation."""
        return self.hypotheses[0].rank

    @property
    def alignment(self) -> WordAlignment | None:
        """Of the best translation; None if the model has no attention or the request has no alignments."""
        return self.hypotheses[0].alignment


class Sentence(NamedTuple):
    """A line to translate."""

    line: str
    ids: list[int]
    prefix_pieces: list[str]
    demand: Demand
    own_words: Sequence[str] = ()  # the source's tokens, where they may be copied
    rows: Sequence[int] | None = None  # their target rows


EMPTY_HYPOTHESIS = TranslatedHypothesis(
    "", (), is_finished=True, log_prob=0.0, rank=0.0, token_log_probs=(), alignment=None
)
"""The translation of a blank line."""


def to_text(
    sentence: Sentence, hypotheses: Sequence[Hypothesis], codecs: Codecs, request: Request
) -> tuple[TranslatedHypothesis, ...]:
    """The first `nbest` hypotheses with distinct texts, by rank or by the expected metric; or all samples."""
    if request.search.mbr != NO_METRIC:
        return _by_expected_metric([_to_text(sentence, each, codecs, request) for each in hypotheses], request)
    if request.sampling is not None:
        return tuple(_to_text(sentence, hypothesis, codecs, request) for hypothesis in hypotheses)
    by_text: dict[str, TranslatedHypothesis] = {}
    for hypothesis in hypotheses:
        if len(by_text) < request.nbest:
            found = _to_text(sentence, hypothesis, codecs, request)
            by_text.setdefault(found.text, found)
    return tuple(by_text.values())


def _by_expected_metric(found: Sequence[TranslatedHypothesis], request: Request) -> tuple[TranslatedHypothesis, ...]:
    """The `nbest` of distinct texts with the greatest expected metric, which is the rank; ties as they were found."""
    log_probs = [each.log_prob if request.sampling is None else 0.0 for each in found]
    texts = [each.text for each in found]
    values = expected_metrics(texts, log_probs, request.search.mbr, request.evaluate)
    first = {each.text: each._replace(rank=values[each.text]) for each in reversed(found)}
    ordered = sorted(values, key=lambda text: -values[text])
    return tuple(first[text] for text in ordered[: request.nbest])


def _to_text(sentence: Sentence, hypothesis: Hypothesis, codecs: Codecs, request: Request) -> TranslatedHypothesis:
    prefix_tokens = len(sentence.demand.prefix_ids)
    written = hypothesis.ids[prefix_tokens:]
    pieces = [*sentence.prefix_pieces, *codecs.target.output_pieces(written, sentence.own_words)]
    text = codecs.target.tokenizer.decode(pieces)
    alignment, units = None, request.units
    if request.with_alignments:
        units = units or alignment_units(codecs.source, [sentence.line])
        alignment = _align(sentence.line, pieces, hypothesis, codecs, units)
    if request.unknown is not None and UNK in written:
        words = codecs.target.tokenizer.word_indices(pieces)[prefix_tokens:]
        places = {word for word, token in zip(words, written, strict=True) if token == UNK}
        plain = codecs.source.tokenizer.plain
        if alignment is not None and units == "words":
            between_words = alignment
        else:
            between_words = _align(sentence.line, pieces, hypothesis, codecs, "words")
        read = between_words._replace(source=tuple(map(plain, between_words.source)))
        replaced = request.unknown.replace(plain(sentence.line), read, places)
        text = codecs.target.tokenizer.join_words(replaced.target)
        if alignment is between_words:
            alignment = replaced._replace(source=between_words.source)
    return TranslatedHypothesis(
        text=text,
        pieces=tuple(pieces),
        is_finished=hypothesis.is_finished,
        log_prob=hypothesis.log_prob,
        rank=hypothesis.rank,
        token_log_probs=hypothesis.token_log_probs,
        alignment=alignment,
    )


def _align(
    line: str, target_pieces: Sequence[str], hypothesis: Hypothesis, codecs: Codecs, units: Units
) -> WordAlignment:
    assert hypothesis.weights is not None, "the options keep weights for alignments"
    source_pieces = codecs.source.pieces(line)
    return merge_pieces(
        hypothesis.weights[:, : len(source_pieces) + 1],
        units_of_pieces(codecs.source, line, source_pieces, units),
        units_of_pieces(codecs.target, codecs.target.tokenizer.decode(target_pieces), target_pieces, units),
        hypothesis.copied,
    )


def batches_by_length(lengths: list[int], batch_sentences: int) -> Iterator[list[int]]:
    """Rows of similar length, from short to long; rows of length 0 are left out."""
    batch: list[int] = []
    for row in sorted((row for row, length in enumerate(lengths) if length > 0), key=lengths.__getitem__):
        is_full = len(batch) == batch_sentences
        if batch and (is_full or (len(batch) + 1) * lengths[row] > batch_sentences * LONG_TOKENS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
