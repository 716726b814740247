"""Symmetrise: combines the alignments of two models, one for each direction.

    intersection           links of both directions: few, nearly all correct
    union                  links of either direction: many, some of them wrong
    grow-diag-final        the intersection, grown by neighbouring links of the union; then links of either direction
                           with at least one word that has no link yet
    grow-diag-final-and    the same, but in the last step only links with two words that have no link yet

Och and Ney 2003, Computational Linguistics 29(1), sec. 4; Koehn, Och and Marcu 2003, "Statistical phrase-based
translation", sec. 3.1. All links are (source, target): swap those of the reverse model first.
"""

from collections.abc import Callable

from nmt_attn import registries
from nmt_attn.alignment.links import Link, Links
from nmt_attn.registry import Registry

_NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def intersection(forward: Links, backward: Links) -> Links:
    """Links of both."""
    return forward & backward


def union(forward: Links, backward: Links) -> Links:
    """Links of either."""
    return forward | backward


def grow_diag_final(forward: Links, backward: Links) -> Links:
    """The intersection, grown, then completed by links with at least one unlinked word."""
    return _grow_diag_final(forward, backward, any)


def grow_diag_final_and(forward: Links, backward: Links) -> Links:
    """The intersection, grown, then completed by links with two unlinked words."""
    return _grow_diag_final(forward, backward, all)


def _grow_diag_final(forward: Links, backward: Links, final: Callable[[tuple[bool, bool]], bool]) -> Links:
    """`final`: whether any or all of a link's two words must have no link yet to add it in the last step."""
    chosen = set(forward & backward)
    either = forward | backward
    has_grown = True
    while has_grown:
        new = [near for link in sorted(chosen) for near in _neighbours(link) if near in either]
        has_grown = _add_first_links(chosen, new, any)
    for direction in (forward, backward):
        _add_first_links(chosen, sorted(direction), final)
    return frozenset(chosen)


def _neighbours(link: Link) -> list[Link]:
    return [Link(link.source + i, link.target + j) for i, j in _NEIGHBOURS]


def _add_first_links(chosen: set[Link], candidates: list[Link], of_words: Callable[[tuple[bool, bool]], bool]) -> bool:
    """Adds, in order, each candidate whose words, any (or all) of them, have no link yet; True if it added one."""
    sources, targets = {link.source for link in chosen}, {link.target for link in chosen}
    before = len(chosen)
    for link in candidates:
        if of_words((link.source not in sources, link.target not in targets)):
            chosen.add(link)
            sources.add(link.source)
            targets.add(link.target)
    return len(chosen) > before


METHODS: Registry[Callable[[Links, Links], Links]] = registries.SYMMETRISATIONS
