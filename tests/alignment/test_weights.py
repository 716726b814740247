"""Weights: `</s>` in one place, and links from weights by hand."""

import pytest
import torch

from nmt_attn.alignment.links import Link
from nmt_attn.alignment.pieces import EMPTY
from nmt_attn.alignment.weights import WordAlignment, argmax_links, extract_links, threshold_links, with_eos

ALIGNMENT = WordAlignment(
    source=("das", "Haus"),
    target=("the", "big", "house"),
    weights=torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.12346, 0.8, 0.07654], [0.0, 0.1, 0.9]]),
)


def test_a_link_goes_to_the_greatest_weight_but_never_to_the_end() -> None:
    assert argmax_links(ALIGNMENT) == extract_links(ALIGNMENT, None) == [Link(0, 0), Link(1, 2)]  # `big`: </s>


def test_threshold_links_are_all_weights_from_it_on_but_the_ends() -> None:
    # `the` and `big` have 0.2 for both; columns and rows of </s> do not count
    expected = [Link(0, 0), Link(1, 0), Link(0, 1), Link(1, 1), Link(1, 2)]
    assert threshold_links(ALIGNMENT, 0.2) == extract_links(ALIGNMENT, 0.2) == expected
    assert extract_links(ALIGNMENT, 0.75) == [Link(1, 2)]


def test_nothing_has_no_links() -> None:
    assert argmax_links(EMPTY) == threshold_links(EMPTY, 0.2) == []


def test_of_equal_weights_the_first_is_linked_and_of_no_weight_none() -> None:
    weights = torch.tensor([[0.4, 0.4, 0.2], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert argmax_links(WordAlignment(("a", "b"), ("x", "y"), weights)) == [Link(0, 0)]


def test_the_matrix_has_a_word_for_each_row_and_column() -> None:
    kept, dropped = ALIGNMENT.matrix(), ALIGNMENT.matrix("dropped")
    assert (kept.source, kept.target) == (["das", "Haus", "</s>"], ["the", "big", "house", "</s>"])
    assert (dropped.source, dropped.target) == (["das", "Haus"], ["the", "big", "house"])
    assert kept.weights.tolist() == ALIGNMENT.weights.tolist()
    assert dropped.weights.tolist() == ALIGNMENT.weights[:3, :2].tolist()


@pytest.mark.parametrize("eos", ["kept", "dropped"])
def test_an_empty_line_has_no_end_either(eos: str) -> None:
    matrix = EMPTY.matrix("kept" if eos == "kept" else "dropped")
    assert (matrix.source, matrix.target, matrix.weights.shape) == ([], [], (0, 0))


def test_the_array_is_float32_whatever_the_weights_are() -> None:
    assert ALIGNMENT._replace(weights=ALIGNMENT.weights.to(torch.bfloat16)).array().dtype == "float32"


def test_the_end_comes_last() -> None:
    assert with_eos(("a", "b")) == ["a", "b", "</s>"]
