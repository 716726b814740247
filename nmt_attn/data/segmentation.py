"""Segmentations by chance: one of the ways to cut a text into the pieces of a SentencePiece model.

    unigram   P(x)^alpha among all ways x, or among the best n: Kudo 2018 (arXiv 1804.10959), eq. 8
    bpe       at every step each possible merge is left out with probability alpha: Provilkov et al. 2020
              (arXiv 1910.13267)

SentencePiece draws as well, but whatever the seed with other numbers in each process, and a run that goes on after a
stop must see what it would have seen. No piece crosses a blank, so a text is cut word by word.
"""

import math
import random
from bisect import bisect
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import Any, Literal, NamedTuple

from nmt_attn.data.subwords import BLANK

UNKNOWN_PENALTY = 10.0
"""An unknown character scores so much less than the rarest piece, as in SentencePiece."""

CACHED_WORDS = 1 << 16
"""Words whose ways are kept; beyond that those used longest ago are forgotten."""


class SubwordSampling(NamedTuple):
    """Which of the ways to cut a text is drawn."""

    algorithm: Literal["unigram", "bpe"]
    alpha: float  # unigram: exponent of the probabilities, 0 for equal ones; BPE: share of the merges left out
    nbest: int | None  # unigram: drawn from the best so many, None: from all


class Ends(NamedTuple):
    """Where the piece that ends at some place of a word can begin."""

    starts: list[int]
    shares: list[float]  # cumulative probabilities of the starts


class Segmenter:
    """Draws the pieces of texts."""

    def __init__(self, processor: Any, sampling: SubwordSampling) -> None:
        """`processor`: SentencePiece's, of a model of that algorithm."""
        ids = range(processor.get_piece_size())
        ordinary = [i for i in ids if not (processor.is_control(i) or processor.is_unknown(i))]
        self._scores: dict[str, float] = {processor.id_to_piece(i): processor.get_score(i) for i in ordinary}
        self._longest = max(map(len, self._scores))
        self._unknown = min(self._scores.values()) - UNKNOWN_PENALTY
        self._processor = processor
        self._sampling = sampling
        self._ends = lru_cache(CACHED_WORDS)(self._find_ends)

    def draw(self, text: str, seed: int) -> list[str]:
        """The pieces of a text of words and single blanks; the same for the same seed, in any process."""
        chance = random.Random(seed)
        if self._sampling.nbest is not None:
            return self._one_of_the_best(text, self._sampling.nbest, chance)
        cut = self._cut_unigram if self._sampling.algorithm == "unigram" else self._cut_bpe
        pieces = [piece for word in text.split() for piece in cut(BLANK + word, chance)]
        return self._with_unknown_joined(pieces)

    def _one_of_the_best(self, text: str, count: int, chance: random.Random) -> list[str]:
        ways: list[list[str]] = self._processor.nbest_encode(text, nbest_size=count, out_type=str)
        scores = [sum(self._scores.get(piece, self._unknown) for piece in way) for way in ways]
        weights = [math.exp(self._sampling.alpha * (score - max(scores))) for score in scores]
        return chance.choices(ways, weights)[0]

    def _cut_unigram(self, word: str, chance: random.Random) -> list[str]:
        """Backwards from the end, each piece by its share of all ways to cut what lies before its end."""
        ends = self._ends(word)
        pieces = []
        end = len(word)
        while end > 0:
            starts, shares = ends[end - 1]
            start = starts[min(bisect(shares, chance.random()), len(starts) - 1)]
            pieces.append(word[start:end])
            end = start
        return pieces[::-1]

    def _find_ends(self, word: str) -> list[Ends]:
        """For each place 1 .. len(word); by sums of P^alpha over all ways to cut each beginning of the word."""
        sums, found = [0.0], []  # logarithms
        for end in range(1, len(word) + 1):
            starts, logs = [], []
            for start in range(max(0, end - self._longest), end):
                score = self._scores.get(word[start:end], self._unknown if end - start == 1 else None)
                if score is not None:
                    starts.append(start)
                    logs.append(sums[start] + self._sampling.alpha * score)
            weights = [math.exp(log - max(logs)) for log in logs]
            found.append(Ends(starts, [part / sum(weights) for part in accumulate(weights)]))
            sums.append(max(logs) + math.log(sum(weights)))
        return found

    def _cut_bpe(self, word: str, chance: random.Random) -> list[str]:
        """The merge of the greatest score first, the leftmost of equal ones, until none is possible or left in."""
        pieces = list(word)
        while True:
            merges = [
                (score, -place)
                for place, pair in enumerate(pairwise(pieces))
                if (score := self._scores.get("".join(pair))) is not None and chance.random() >= self._sampling.alpha
            ]
            if not merges:
                return pieces
            place = -max(merges)[1]
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]

    def _with_unknown_joined(self, pieces: list[str]) -> list[str]:
        """Unknown pieces side by side are one, as SentencePiece writes them."""
        joined: list[str] = []
        for is_known, group in groupby(pieces, self._scores.__contains__):
            run = list(group)
            joined += run if is_known else ["".join(run)]
        return joined
