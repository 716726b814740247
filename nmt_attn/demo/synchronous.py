"""Synchronous grammar: builds English and Hindi together, with the links between their words.

A rule names its parts by letters and gives their order in each language. Both sides come from one derivation, as in
the grammars of Chiang 2005 ("A hierarchical phrase-based model for statistical machine
translation"), so the links of a sentence follow from those of its words.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from nmt_attn.alignment.formats import parse_pharaoh


class PhrasePair(NamedTuple):
    """English words, Hindi words, and the links between them."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    links: tuple[tuple[int, int], ...]


NOTHING = PhrasePair((), (), ())


class Tie(NamedTuple):
    """Two parts of a rule that are linked to each other: see `arrange`."""

    english: str
    hindi: str


class Order(NamedTuple):
    """The parts of a rule, one letter each, in the order of each language."""

    english: str
    hindi: str


def arrange(order: Order, parts: Mapping[str, PhrasePair], ties: Sequence[Tie] = ()) -> PhrasePair:
    """The parts in the order of each language; letters without a part are skipped.

    A tie of A with V links every source word of A with the last target word of V.
    """
    source: list[str] = []
    target: list[str] = []
    links: list[tuple[int, int]] = []
    source_starts: dict[str, int] = {}
    target_starts: dict[str, int] = {}
    for letter in order.hindi:
        if letter in parts:
            target_starts[letter] = len(target)
            target += parts[letter].target
    for letter in order.english:
        if letter in parts:
            source_starts[letter] = len(source)
            links += [(len(source) + i, target_starts[letter] + j) for i, j in parts[letter].links]
            source += parts[letter].source
    for english, hindi in ties:
        last = target_starts[hindi] + len(parts[hindi].target) - 1
        links += [(source_starts[english] + i, last) for i in range(len(parts[english].source))]
    return PhrasePair(tuple(source), tuple(target), tuple(links))


def in_sequence(*phrases: PhrasePair) -> PhrasePair:
    """The phrases concatenated in both languages."""
    source: list[str] = []
    target: list[str] = []
    links: list[tuple[int, int]] = []
    for phrase in phrases:
        links += [(len(source) + i, len(target) + j) for i, j in phrase.links]
        source += phrase.source
        target += phrase.target
    return PhrasePair(tuple(source), tuple(target), tuple(links))


@cache
def aligned(source: str, target: str, links: str | None = None) -> PhrasePair:
    """A phrase from its words; `links` as Pharaoh text, by default every word with every word."""
    english, hindi = tuple(source.split()), tuple(target.split())
    if links is None:
        return PhrasePair(english, hindi, tuple((i, j) for i in range(len(english)) for j in range(len(hindi))))
    return PhrasePair(english, hindi, tuple(sorted(parse_pharaoh(links, source).sure)))
