"""Subwords: SentencePiece models, learned and opened, and segmentations drawn at random from a model.

    unigram   P(x)^alpha over all segmentations x, or over the n best: Kudo 2018 (arXiv 1804.10959), eq. 8
    bpe       each merge is left out with probability alpha: Provilkov et al. 2020 (arXiv 1910.13267)

SentencePiece samples too, but its random numbers differ between processes whatever the seed, and a resumed run must
repeat the segmentations of an uninterrupted one. No piece crosses a blank, so text is segmented word by word.
SentencePiece's log is silenced and its errors are translated.
"""

import io
import math
import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import Any, Literal, NamedTuple

import typer

from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.types import BOS, EOS, PAD, SPECIAL_TOKENS, UNK

BLANK = "▁"
"""U+2581, with which a piece begins a word."""

RESERVED = {"\u2585": "U+2585", "\0": "NUL"}
"""Characters that SentencePiece learns no piece for, and how a note names them."""

SAMPLE_LINES = 500_000
"""A model learns from at most this many lines, a seeded sample: a unigram model needs 21 bytes per character."""

LONGEST_LINE_BYTES = 1 << 20
"""SentencePiece skips longer lines in learning; its default, 4192, would skip real ones."""

UNKNOWN_PENALTY = 10.0
"""How much less than the rarest piece an unknown character scores, as in SentencePiece."""

CACHED_WORDS = 1 << 16
"""Size of the least-recently-used cache of words."""


def learn_sentencepiece(lines: Iterable[str], config: TokenizerConfig, text_name: str) -> bytes:
    """The serialised model; the same for the same lines, which errors call `text_name`.

    Every character of the text gets a piece but RESERVED, without which lines are learned; a note says how many.
    A text that teaches fewer pieces than `vocab_size` gets a smaller model. Raises ConfigError if `vocab_size` is too
    small for the text.
    """
    import sentencepiece

    reserved_lines = Counter[str]()

    sentencepiece.set_random_generator_seed(1)
    model = io.BytesIO()
    faults: list[BaseException] = []
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_recording_faults(_learnable(lines, reserved_lines), faults),
            model_writer=model,
            model_type=config.algorithm,
            vocab_size=config.vocab_size,
            hard_vocab_limit=False,  # a text that teaches fewer pieces gets fewer
            character_coverage=1.0,
            normalization_rule_name="identity",
            max_sentence_length=LONGEST_LINE_BYTES,
            input_sentence_size=SAMPLE_LINES,
            shuffle_input_sentence=True,
            num_threads=1,
            minloglevel=2,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            pad_piece=SPECIAL_TOKENS[PAD],
        )
    except RuntimeError as error:
        if faults:
            raise faults[0] from None
        raise _translated(str(error), config, text_name) from error
    for character, count in reserved_lines.items():
        typer.echo(
            f"note: {text_name}: {count:,} lines with {RESERVED[character]}, for which SentencePiece has no piece, "
            "are learned without it (as <unk>)",
            err=True,
        )
    return model.getvalue()


def _learnable(lines: Iterable[str], reserved_lines: "Counter[str]") -> Iterator[str]:
    """The lines without what SentencePiece reserves, whose lines it would skip; counts them."""
    for line in lines:
        for character in RESERVED:
            if character in line:
                reserved_lines[character] += 1
                line = line.replace(character, " ")
        yield line


def open_sentencepiece(model: bytes) -> Any:
    """A SentencePieceProcessor. Raises ValueError if `model` is not a model of this package."""
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise ValueError("a damaged file") from error
    specials = tuple(processor.id_to_piece(i) for i in range(min(len(SPECIAL_TOKENS), processor.get_piece_size())))
    if specials != SPECIAL_TOKENS:
        raise ValueError(f"one that begins with the pieces {' '.join(specials)}")
    return processor


def _recording_faults(lines: Iterable[str], faults: list[BaseException]) -> Iterator[str]:
    """The lines. Errors in reading them are appended to `faults`, because SentencePiece replaces them by its own."""
    try:
        yield from lines
    except BaseException as error:
        faults.append(error)
        raise


def _translated(fault: str, config: TokenizerConfig, text_name: str) -> ConfigError | DataError:
    where, got = "tokenizer.vocab_size", config.vocab_size
    if least := re.search(r"required_chars\. \d+ vs (\d+)", fault):
        limit = f"a token for each character of {text_name} and the special ones"
        return ConfigError(f"{where}: expected at least {least[1]}, {limit}, got {got}")
    if "sentences_.empty()" in fault or "all_chars_count" in fault:
        return DataError(f"{text_name}: expected text that SentencePiece can learn from, got none")
    return ConfigError(f"tokenizer: expected SentencePiece to learn from {text_name}, got: {fault}")


class SubwordSampling(NamedTuple):
    """How a segmentation is drawn."""

    algorithm: Literal["unigram", "bpe"]
    alpha: float  # unigram: exponent of the probabilities, 0 for equal ones; BPE: share of the merges left out
    nbest: int | None  # unigram: sample from the n best; None: from all


class Segmenter:
    """Draws the pieces of texts."""

    def __init__(self, processor: Any, sampling: SubwordSampling) -> None:
        """`processor`: a SentencePieceProcessor whose model uses `sampling.algorithm`."""
        ids = range(processor.get_piece_size())
        ordinary = [i for i in ids if not (processor.is_control(i) or processor.is_unknown(i))]
        self._scores: dict[str, float] = {processor.id_to_piece(i): processor.get_score(i) for i in ordinary}
        self._longest = max(map(len, self._scores))
        self._unknown = min(self._scores.values()) - UNKNOWN_PENALTY
        self._processor = processor
        self._sampling = sampling
        self._ends = lru_cache(CACHED_WORDS)(self._find_ends)

    def draw(self, text: str, seed: int) -> list[str]:
        """The pieces of a text of words and single blanks; the same for the same seed in every process."""
        rng = random.Random(seed)
        if self._sampling.nbest is not None:
            return self._draw_from_nbest(text, self._sampling.nbest, rng)
        segment = self._segment_unigram if self._sampling.algorithm == "unigram" else self._segment_bpe
        pieces = [piece for word in text.split() for piece in segment(BLANK + word, rng)]
        return self._join_unknown(pieces)

    def _draw_from_nbest(self, text: str, count: int, rng: random.Random) -> list[str]:
        segmentations: list[list[str]] = self._processor.nbest_encode(text, nbest_size=count, out_type=str)
        scores = [
            sum(self._scores.get(piece, self._unknown) for piece in segmentation) for segmentation in segmentations
        ]
        weights = [math.exp(self._sampling.alpha * (score - max(scores))) for score in scores]
        return rng.choices(segmentations, weights)[0]

    def _segment_unigram(self, word: str, rng: random.Random) -> list[str]:
        """Draws pieces from the end backwards, each by its share of all segmentations of the text before its end."""
        ends = self._ends(word)
        pieces = []
        end = len(word)
        while end > 0:
            starts, shares = ends[end - 1]
            start = starts[min(bisect(shares, rng.random()), len(starts) - 1)]
            pieces.append(word[start:end])
            end = start
        return pieces[::-1]

    def _find_ends(self, word: str) -> list[tuple[list[int], list[float]]]:
        """For each end 1 .. len(word): where a piece can start, and the cumulative probabilities of these starts.

        By the forward sums of P^alpha over all segmentations of each prefix.
        """
        sums, found = [0.0], []  # in log space
        for end in range(1, len(word) + 1):
            starts, logs = [], []
            for start in range(max(0, end - self._longest), end):
                score = self._scores.get(word[start:end], self._unknown if end - start == 1 else None)
                if score is not None:
                    starts.append(start)
                    logs.append(sums[start] + self._sampling.alpha * score)
            weights = [math.exp(log - max(logs)) for log in logs]
            found.append((starts, [part / sum(weights) for part in accumulate(weights)]))
            sums.append(max(logs) + math.log(sum(weights)))
        return found

    def _segment_bpe(self, word: str, rng: random.Random) -> list[str]:
        """Applies the merge of the greatest score, leftmost on ties, until none is possible or all are left out."""
        pieces = list(word)
        while True:
            merges = [
                (score, -place)
                for place, pair in enumerate(pairwise(pieces))
                if (score := self._scores.get("".join(pair))) is not None and rng.random() >= self._sampling.alpha
            ]
            if not merges:
                return pieces
            place = -max(merges)[1]
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]

    def _join_unknown(self, pieces: list[str]) -> list[str]:
        """Joins adjacent unknown pieces, as SentencePiece does."""
        joined: list[str] = []
        for is_known, group in groupby(pieces, self._scores.__contains__):
            run = list(group)
            joined += run if is_known else ["".join(run)]
        return joined
