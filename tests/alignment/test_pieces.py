"""Pieces: weights and links between words and the pieces that they are cut into, by hand."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.alignment.links import Link
from nmt_attn.alignment.pieces import Words, link_pieces, merge_pieces


def test_weights_are_summed_over_source_pieces_and_averaged_over_target_pieces() -> None:
    """Two source words of pieces 1 + 2, two target words of pieces 2 + 1, and `</s>`."""
    weights = torch.tensor(
        [
            [0.1, 0.2, 0.3, 0.4],  # the first word's pieces: 0.1, 0.5, 0.4
            [0.5, 0.1, 0.2, 0.2],  # and 0.5, 0.3, 0.2
            [0.0, 0.6, 0.4, 0.0],
            [0.0, 0.0, 0.25, 0.75],
        ]
    )
    merged = merge_pieces(weights, Words(("ein", "Hausboot"), [0, 1, 1]), Words(("houseboat", "a"), [0, 0, 1]))
    assert merged.source == ("ein", "Hausboot")
    assert merged.target == ("houseboat", "a")
    expected = torch.tensor([[0.3, 0.4, 0.3], [0.0, 1.0, 0.0], [0.0, 0.25, 0.75]])
    torch.testing.assert_close(merged.weights, expected)


def test_pieces_that_make_no_word_are_left_out() -> None:
    """A model may write nothing but a blank."""
    merged = merge_pieces(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), Words(("ja",), [0]), Words((), [0]))
    torch.testing.assert_close(merged.weights, torch.tensor([[0.2, 0.8]]))


@settings(max_examples=30, deadline=None)
@given(source=st.lists(st.integers(1, 3), min_size=1, max_size=4), target=st.lists(st.integers(1, 3), max_size=5))
def test_rows_still_sum_to_one(source: list[int], target: list[int]) -> None:
    """Sizes are pieces of each word."""
    weights = torch.rand(sum(target) + 1, sum(source) + 1).softmax(dim=1)
    merged = merge_pieces(weights, words_of_sizes(source), words_of_sizes(target))
    assert merged.weights.shape == (len(target) + 1, len(source) + 1)
    torch.testing.assert_close(merged.weights.sum(dim=1), torch.ones(len(target) + 1))


def words_of_sizes(sizes: list[int]) -> Words:
    indices = [word for word, size in enumerate(sizes) for _ in range(size)]
    return Words(tuple(f"w{word}" for word in range(len(sizes))), indices)


def test_every_piece_of_a_word_takes_over_its_links() -> None:
    # source pieces 0, 1 are word 0 and 2 is word 1; target piece 0 is word 0 and 1, 2 are word 1
    assert link_pieces([Link(1, 0), Link(0, 1)], [0, 0, 1], [0, 1, 1]) == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 0)]


def test_words_without_pieces_have_no_links_of_pieces() -> None:
    assert link_pieces([Link(0, 0), Link(2, 0), Link(0, 3)], [0, 1], [0]) == [Link(0, 0)]
