"""Synchronous rules: English and Hindi are put together at the same time, and with them the links of their words.

A rule names its parts by letters and says in which order either language has them. Both sides come from one
derivation, as in the grammars of Chiang 2005 ("A hierarchical phrase-based model for statistical machine
translation"), so the links of a sentence follow from those of its words.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from nmt_attn.alignment.formats import parse_pharaoh
from nmt_attn.alignment.links import Link


class Phrase(NamedTuple):
    """English words, Hindi words, and which translates which."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    links: tuple[Link, ...]


NOTHING = Phrase((), (), ())


class Tie(NamedTuple):
    """Two parts of a rule that translate each other, in part: see `arrange`."""

    english: str
    hindi: str


class Order(NamedTuple):
    """The parts of a rule, one letter each, as either language orders them."""

    english: str
    hindi: str


def arrange(order: Order, parts: Mapping[str, Phrase], ties: Sequence[Tie] = ()) -> Phrase:
    """The parts in the order of either language; letters without a part are left out.

    A tie of A with V links every source word of A with the last target word of V.
    """
    source: list[str] = []
    target: list[str] = []
    links: list[Link] = []
    source_starts: dict[str, int] = {}
    target_starts: dict[str, int] = {}
    for letter in order.hindi:
        if letter in parts:
            target_starts[letter] = len(target)
            target += parts[letter].target
    for letter in order.english:
        if letter in parts:
            source_starts[letter] = len(source)
            links += [Link(len(source) + i, target_starts[letter] + j) for i, j in parts[letter].links]
            source += parts[letter].source
    for english, hindi in ties:
        last = target_starts[hindi] + len(parts[hindi].target) - 1
        links += [Link(source_starts[english] + i, last) for i in range(len(parts[english].source))]
    return Phrase(tuple(source), tuple(target), tuple(links))


def in_sequence(*phrases: Phrase) -> Phrase:
    """The phrases one after the other, in both languages."""
    source: list[str] = []
    target: list[str] = []
    links: list[Link] = []
    for phrase in phrases:
        links += [Link(len(source) + i, len(target) + j) for i, j in phrase.links]
        source += phrase.source
        target += phrase.target
    return Phrase(tuple(source), tuple(target), tuple(links))


@cache
def aligned(source: str, target: str, links: str | None = None) -> Phrase:
    """A phrase from its words; `links` as Pharaoh text, by default every word with every word."""
    english, hindi = tuple(source.split()), tuple(target.split())
    if links is None:
        return Phrase(english, hindi, tuple(Link(i, j) for i in range(len(english)) for j in range(len(hindi))))
    return Phrase(english, hindi, tuple(sorted(parse_pharaoh(links, source).sure)))
