"""The demo corpus: generated English-Hindi pairs with their true word alignments.

Its grammar is small and its word order is that of Hindi: the verb is last, postpositions follow their noun, owners
precede what they own, "B when C" becomes "जब C तब B". Links are known because both sides come from one derivation
(nmt_attn/demo/grammar.py). It serves to study two questions:

    How does a fixed-length vector cope with long sentences? Bahdanau et al. 2015 (arXiv 1409.0473v7), figure 2.
        Sentences grow by unrelated clauses, and every length band has a known share of every split.
    Does attention align words? Luong et al. 2015 (arXiv 1508.04025), section 5.4: alignment error rate.

The splits are disjoint by source and by target: a checksum of the target decides which split may contain a pair.
Sources begin with a capital letter, there is no punctuation, and Hindi is in Unicode's form NFC.
"""

import difflib
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from nmt_attn.alignment.links import Link
from nmt_attn.demo import grammar, words
from nmt_attn.demo.grammar import Head
from nmt_attn.demo.sentences import SentenceWriter
from nmt_attn.demo.synchronous import PhrasePair
from nmt_attn.errors import ConfigError


class DemoPair(NamedTuple):
    """A sentence, its translation, and the links (source word, target word) between them, sorted, from 0."""

    source: str
    target: str
    links: tuple[Link, ...]


class Split(NamedTuple):
    """Number of pairs; weight of each length band; checksums, modulo 8, of the targets that belong to it."""

    size: int
    weights: tuple[int, ...]
    checksums: tuple[int, ...]


LENGTH_BANDS = ((2, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, 60), (61, 70))
"""The shortest and the longest source of each, in words, from short to long; `Split.weights` has a number for each."""

SPLITS = {
    "train": Split(12000, (60, 18, 8, 5, 4, 3, 2), (2, 3, 4, 5, 6, 7)),
    "valid": Split(300, (60, 18, 8, 5, 4, 3, 2), (1,)),
    "test": Split(490, (1, 1, 1, 1, 1, 1, 1), (0,)),
}
"""Training sentences are mostly short, like real text; the test has equally many of each band."""


def demo_corpus(split: str, limit: int | None = None) -> list[DemoPair]:
    """The pairs of a split, or the first `limit` of them. Raises ConfigError if there is no such split."""
    if split not in SPLITS:
        names = ", ".join(repr(name) for name in sorted(SPLITS))
        near = difflib.get_close_matches(split, SPLITS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ConfigError(f"split of the demo corpus: expected one of {names}, got {split!r}{hint}")
    size = SPLITS[split].size
    return list(islice(endless_pairs(split, seed=1), size if limit is None else min(limit, size)))


def endless_pairs(split: str, seed: int) -> Iterator[DemoPair]:
    """Yields distinct pairs of a split without end; the same ones for the same seed on every machine.

    After any number of pairs, each length band has its share of them to within one pair. The first pair of the test is
    always `lights_pair()`.
    """
    settings, writer = SPLITS[split], SentenceWriter(f"{split} {seed}")
    sources, targets = set[str](), set[str]()
    for band in _bands_in_turn(settings.weights):
        pair = lights_pair() if split == "test" and not sources else as_pair(writer.sentence(*band))
        while pair.source in sources or pair.target in targets or _checksum(pair) not in settings.checksums:
            pair = as_pair(writer.sentence(*band))
        sources.add(pair.source)
        targets.add(pair.target)
        yield pair


def lights_pair() -> DemoPair:
    """Turn off the lights -> लाइट बंद करो: not in the training set, which has each of its words."""
    lights = grammar.noun_phrase(Head(words.LIGHTS), "the").phrase
    return as_pair(grammar.imperative(words.TURN_OFF, {"O": lights}))


def as_pair(sentence: PhrasePair) -> DemoPair:
    """The sentence as text, its first letter a capital."""
    source = " ".join(sentence.source)
    return DemoPair(
        source[0].upper() + source[1:], " ".join(sentence.target), tuple(Link(*link) for link in sorted(sentence.links))
    )


def _bands_in_turn(weights: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yields the band farthest below its share; the first one on ties."""
    counts = [0] * len(weights)
    while True:
        total = sum(counts) + 1
        behind = [weight * total - number * sum(weights) for weight, number in zip(weights, counts, strict=True)]
        chosen = behind.index(max(behind))
        counts[chosen] += 1
        yield LENGTH_BANDS[chosen]


def _checksum(pair: DemoPair) -> int:
    return zlib.crc32(pair.target.encode("utf-8")) % 8
