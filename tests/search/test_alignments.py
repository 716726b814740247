import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.alignment.links import read_pharaoh
from nmt_attn.errors import DataError
from nmt_attn.search.alignments import (
    EMPTY,
    AlignmentRecord,
    EosPolicy,
    WordAlignment,
    Words,
    alignment_writer,
    best_links,
    links,
    merge_pieces,
    threshold_links,
)

ALIGNMENT = WordAlignment(
    source=("das", "Haus"),
    target=("the", "big", "house"),
    weights=torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.12346, 0.8, 0.07654], [0.0, 0.1, 0.9]]),
)
NOTHING = AlignmentRecord(2, 1, EMPTY)


def write(path: Path, records: list[AlignmentRecord], eos: EosPolicy = "kept", threshold: float | None = None) -> None:
    with alignment_writer(path, eos, threshold) as write_record:
        for record in records:
            write_record(record)


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


def test_a_link_goes_to_the_greatest_weight_but_never_to_the_end() -> None:
    assert best_links(ALIGNMENT) == links(ALIGNMENT, None) == [(0, 0), (1, 2)]  # `big` looks at </s>


def test_threshold_links_are_all_weights_from_it_on_but_the_ends() -> None:
    # `the` looks at both, `big` at both with 0.2 and below; columns and rows of </s> do not count
    assert threshold_links(ALIGNMENT, 0.2) == links(ALIGNMENT, 0.2) == [(0, 0), (1, 0), (0, 1), (1, 1), (1, 2)]
    assert links(ALIGNMENT, 0.75) == [(1, 2)]
    assert threshold_links(EMPTY, 0.2) == []


def test_of_equal_weights_the_first_is_linked_and_of_no_weight_none() -> None:
    weights = torch.tensor([[0.4, 0.4, 0.2], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert best_links(WordAlignment(("a", "b"), ("x", "y"), weights)) == [(0, 0)]


def test_jsonl_has_an_object_a_line_and_says_that_the_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, [AlignmentRecord(1, 2, ALIGNMENT), NOTHING])
    first, second = (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1])
    assert first == {
        "sentence": 1,
        "hypothesis": 2,
        "source": ["das", "Haus", "</s>"],
        "target": ["the", "big", "house", "</s>"],
        "weights": [[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.1235, 0.8, 0.0765], [0.0, 0.1, 0.9]],
        "eos": "kept",
    }
    assert (second["source"], second["target"], second["weights"]) == ([], [], [])


def test_jsonl_says_that_the_end_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, [AlignmentRecord(1, 1, ALIGNMENT)], eos="dropped")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["eos"] == "dropped"
    assert (record["source"], record["target"]) == (["das", "Haus"], ["the", "big", "house"])
    assert record["weights"] == [[0.7, 0.2], [0.2, 0.2], [0.1235, 0.8]]


@pytest.mark.parametrize(("eos", "shape"), [("kept", (4, 3)), ("dropped", (3, 2))])
def test_npz_has_the_arrays_of_each_hypothesis_and_needs_no_pickle(
    tmp_path: Path, eos: EosPolicy, shape: tuple[int, int]
) -> None:
    path = tmp_path / "a.npz"
    write(path, [AlignmentRecord(1, 1, ALIGNMENT), NOTHING], eos=eos)
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays) == {"eos"} | {f"{part}_{i}_1" for part in ("source", "target", "weights") for i in (1, 2)}
        assert str(arrays["eos"]) == eos
        assert arrays["source_1_1"].tolist()[:2] == ["das", "Haus"]
        assert arrays["weights_1_1"].shape == shape
        assert arrays["weights_1_1"].dtype == np.float32
        np.testing.assert_allclose(arrays["weights_1_1"][2, 0], 0.12346)
        assert arrays["target_2_1"].tolist() == []
        assert arrays["weights_2_1"].shape == (0, 0)


def test_pharaoh_has_a_line_of_links_a_hypothesis(tmp_path: Path) -> None:
    path = tmp_path / "a.pharaoh"
    write(path, [AlignmentRecord(1, 1, ALIGNMENT), NOTHING, AlignmentRecord(3, 1, ALIGNMENT)])
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines == ["0-0 1-2", "", "0-0 1-2", ""]
    read = read_pharaoh(lines[:-1], str(path), first_index=0)
    assert [sorted(gold.sure) for gold in read] == [[(0, 0), (1, 2)], [], [(0, 0), (1, 2)]]


def test_pharaoh_has_every_link_from_a_threshold_on(tmp_path: Path) -> None:
    path = tmp_path / "a.pharaoh"
    write(path, [AlignmentRecord(1, 1, ALIGNMENT), NOTHING], threshold=0.2)
    assert path.read_text(encoding="utf-8") == "0-0 1-0 0-1 1-1 1-2\n\n"


def test_another_ending_is_refused_with_the_three_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"a\.txt: expected a name that ends in \.jsonl or \.npz or \.pharaoh, got '\.txt'"
    ):
        alignment_writer(tmp_path / "a.txt", "kept", None)


@pytest.mark.parametrize("suffix", [".jsonl", ".npz", ".pharaoh"])
def test_a_failed_run_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("old")

    def fail() -> None:
        with alignment_writer(path, "kept", 0.0) as write_record:
            write_record(AlignmentRecord(1, 1, ALIGNMENT))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "old"


@pytest.mark.parametrize("suffix", [".jsonl", ".npz", ".pharaoh"])
def test_a_place_that_cannot_be_written_to_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / f"a{suffix}"
    with pytest.raises(DataError, match=rf"a{suffix}: expected a place"), alignment_writer(path, "kept", 0.0):
        pass
