"""References: the texts that count as right, several of one source together where `evaluate.join_sources` says so."""

from collections.abc import Sequence
from typing import NamedTuple

from nmt_attn.config.schema import EvaluateConfig


class References(NamedTuple):
    """Sources and their references: the first of each, and further ones in lists of as many lines."""

    sources: list[str]
    first: list[str]
    further: list[list[str]]
    lines: list[int]  # from 0: where each source was first


def references_of(sources: list[str], references: list[str], config: EvaluateConfig) -> References:
    """The lines of a corpus as its configuration has them."""
    if config.join_sources:
        return join_sources(sources, [references])
    return References(sources, references, [], [*range(len(sources))])


def join_sources(sources: Sequence[str], references: Sequence[Sequence[str]]) -> References:
    """One line for each distinct source, white space aside, with all its references.

    A line with fewer references than another has its first one again, which changes no metric.
    """
    lines: dict[str, int] = {}
    texts: dict[str, dict[str, None]] = {}
    for number, source in enumerate(sources):
        key = " ".join(source.split())
        lines.setdefault(key, number)
        texts.setdefault(key, {}).update(dict.fromkeys(each[number] for each in references))
    right = [list(each) for each in texts.values()]
    columns = range(1, max(map(len, right), default=1))
    further = [[each[column] if column < len(each) else each[0] for each in right] for column in columns]
    return References(
        [sources[each] for each in lines.values()], [each[0] for each in right], further, [*lines.values()]
    )
