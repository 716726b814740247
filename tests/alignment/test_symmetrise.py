"""Symmetrise: by hand, and what holds of any two alignments."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.alignment.links import Link, Links
from nmt_attn.alignment.symmetrise import METHODS, grow_diag_final, grow_diag_final_and, intersection, union

ALIGNMENTS = st.frozensets(st.builds(Link, st.integers(0, 4), st.integers(0, 6)))


def links(text: str) -> Links:
    """The links of a Pharaoh line."""
    return frozenset(Link(*map(int, link.split("-"))) for link in text.split())


def test_by_hand() -> None:
    forward, backward = links("0-0 1-1 4-4 2-6"), links("0-0 1-0 4-4 0-1 5-2")
    assert intersection(forward, backward) == links("0-0 4-4")
    assert len(union(forward, backward)) == 7
    # Grown from 0-0: 1-0 is beside it (word 1 had no link), then 0-1 (target 1 had none); 1-1, diagonal, has both by
    # then. 4-4 has no neighbour. Finally 2-6 of the one and 5-2 of the other direction, each with new words.
    assert grow_diag_final(forward, backward) == links("0-0 4-4 1-0 0-1 2-6 5-2")


def test_and_adds_at_the_end_only_links_of_two_words_without_one() -> None:
    # Nothing grows: 3-0, 0-3, 5-5 and 6-5 are not beside 0-0. 3-0 and 0-3 would give one word its first link; 5-5 gives
    # two; after it 6-5, of the other direction, gives word 6 alone its first.
    forward, backward = links("0-0 3-0 5-5"), links("0-0 0-3 6-5")
    assert grow_diag_final_and(forward, backward) == links("0-0 5-5")
    assert grow_diag_final_and(backward, forward) == links("0-0 6-5")  # the first direction comes first
    assert grow_diag_final(forward, backward) == links("0-0 3-0 5-5 0-3 6-5")


def test_and_grows_by_links_that_give_one_word_its_first() -> None:
    assert grow_diag_final_and(links("0-0 0-1"), links("0-0")) == links("0-0 0-1")


def test_a_link_between_two_linked_words_is_not_added() -> None:
    # 0-1 is beside both links, but source 0 and target 1 have theirs
    assert grow_diag_final(links("0-0 1-1 0-1"), links("0-0 1-1")) == links("0-0 1-1")


@settings(max_examples=50, deadline=None)
@given(ALIGNMENTS, ALIGNMENTS)
def test_every_method_lies_between_intersection_and_union(forward: Links, backward: Links) -> None:
    for method in METHODS.values():
        assert forward & backward <= method(forward, backward) <= forward | backward


@settings(max_examples=50, deadline=None)
@given(ALIGNMENTS, ALIGNMENTS)
def test_and_leaves_no_link_out_whose_words_have_none(forward: Links, backward: Links) -> None:
    grown = grow_diag_final_and(forward, backward)
    sources, targets = {link.source for link in grown}, {link.target for link in grown}
    assert all(link.source in sources or link.target in targets for link in forward | backward)


@settings(max_examples=50, deadline=None)
@given(ALIGNMENTS, ALIGNMENTS)
def test_growing_links_every_word_that_the_union_links(forward: Links, backward: Links) -> None:
    grown, either = grow_diag_final(forward, backward), forward | backward
    assert {link.source for link in grown} == {link.source for link in either}
    assert {link.target for link in grown} == {link.target for link in either}


@pytest.mark.parametrize("name", sorted(METHODS))
@settings(max_examples=20, deadline=None)
@given(alignment=ALIGNMENTS)
def test_one_alignment_twice_is_itself(name: str, alignment: Links) -> None:
    assert METHODS[name](alignment, alignment) == alignment
