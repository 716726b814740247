"""Edits: known distances, and the table that defines them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.evaluation.edits import edit_distance


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("abc", "abc", 0), ("बंद", "बद", 1)],
)
def test_known_distances(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


@settings(max_examples=80, deadline=None)
@given(st.text("abc", max_size=9), st.text("abc", max_size=70))
def test_it_is_the_distance_of_the_table(first: str, second: str) -> None:
    above = list(range(len(second) + 1))
    for row, a in enumerate(first, 1):
        here = [row]
        for column, b in enumerate(second, 1):
            here.append(min(above[column] + 1, here[-1] + 1, above[column - 1] + (a != b)))
        above = here
    assert edit_distance(first, second) == edit_distance(second, first) == above[-1]
