"""Formats: what each reader makes of a file, what each writer puts into one."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nmt_attn.alignment.formats import FORMATS, alignment_writer, by_target, pharaoh_line, read_naacl, read_pharaoh
from nmt_attn.alignment.link_files import LinkFile, LinkFormat, read_links
from nmt_attn.alignment.links import GoldLinks, Link, Links
from nmt_attn.alignment.pieces import EMPTY
from nmt_attn.alignment.weights import EosPolicy, WordAlignment
from nmt_attn.errors import DataError

A, B, C, D = Link(0, 0), Link(1, 2), Link(2, 1), Link(3, 4)
ALIGNMENT = WordAlignment(
    source=("das", "Haus"),
    target=("the", "big", "house"),
    weights=torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.12346, 0.8, 0.07654], [0.0, 0.1, 0.9]]),
)
WRITTEN = [f".{name}" for name, each in FORMATS.items() if each.write is not None]
ALIGNMENTS = st.frozensets(st.builds(Link, st.integers(0, 12), st.integers(0, 12)))


def write(
    path: Path,
    records: list[tuple[int, int, WordAlignment]],
    eos: EosPolicy = "kept",
    threshold: float | None = None,
) -> None:
    with alignment_writer(path, eos, threshold) as write_record:
        for record in records:
            write_record(*record)


def test_the_formats_of_link_files_are_those_that_can_be_read() -> None:
    assert set(get_args(LinkFormat)) == {name for name, each in FORMATS.items() if each.read is not None}


@pytest.mark.parametrize("first_index", [0, 1])
def test_pharaoh_tells_sure_from_possible(first_index: int) -> None:
    text = " ".join(
        f"{link.source + first_index}{mark}{link.target + first_index}"
        for link, mark in zip((A, B, C), "-p?", strict=True)
    )
    gold = read_pharaoh([text, ""], "gold", first_index)
    assert gold == [GoldLinks(frozenset({A}), frozenset({A, B, C})), GoldLinks(frozenset(), frozenset())]


@pytest.mark.parametrize("wrong", ["3=4", "3-", "-3-4", "3-4-5", "a-b", "3- 4"])
def test_pharaoh_names_a_bad_link_and_its_line(wrong: str) -> None:
    with pytest.raises(DataError, match=f"gold:2: expected links such as .* got '{wrong.split()[0]}'"):
        read_pharaoh(["0-0", f"0-0 {wrong}"], "gold")


def test_naacl_lines_come_in_any_order() -> None:
    gold = read_naacl(["0003 2 3 S", "1 1 1", "0003 3 2 P 0.7"], "gold", 1, 3)
    assert gold[0] == GoldLinks(frozenset({A}), frozenset({A}))
    assert gold[1] == GoldLinks(frozenset(), frozenset())
    assert gold[2] == GoldLinks(frozenset({B}), frozenset({B, C}))


def test_links_to_no_word_are_left_out() -> None:
    assert read_naacl(["1 0 2", "1 1 1"], "gold", 1, 1) == [GoldLinks(frozenset({A}), frozenset({A}))]
    assert read_pharaoh(["0-2 1-1"], "gold", 1) == [GoldLinks(frozenset({A}), frozenset({A}))]


@pytest.mark.parametrize("wrong", ["1 2", "1 2 3 X", "one 2 3", ""])
def test_naacl_names_a_bad_line(wrong: str) -> None:
    with pytest.raises(DataError, match=f"gold:2: expected `sentence i j .* got '{wrong}'"):
        read_naacl(["1 1 1", wrong], "gold", 1, 1)


@pytest.mark.parametrize("sentence", [0, 8])
def test_naacl_names_a_sentence_that_is_not_there(sentence: int) -> None:
    with pytest.raises(DataError, match=f"gold:1: expected a sentence from 1 to 7, got {sentence}"):
        read_naacl([f"{sentence} 1 1"], "gold", 1, 7)


@pytest.mark.parametrize(
    ("read", "line", "message"),
    [
        (read_pharaoh, "0-" + "9" * 5000, r"gold:1: expected links such as 0-1, 0p1 or 0\?1, got '0-9{78}'$"),
        (read_naacl, "1 1 " + "9" * 5000, r"gold:1: expected `sentence i j \[S\|P\]`, got '1 1 9{76}'$"),
        (read_naacl, "999999999 1 1", r"gold: expected sentences up to 100,100 from 1 lines, got 999,999,999$"),
        (read_naacl, "9999999999 1 1", r"gold:1: expected `sentence i j \[S\|P\]`, got '9999999999 1 1'$"),
    ],
)
def test_numbers_that_no_text_has_are_refused(read: Any, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read([line], "gold")


def test_naacl_has_as_many_sentences_as_its_greatest_number_if_none_is_given() -> None:
    assert [len(each.sure) for each in read_naacl(["2 1 1", "7 1 1", "2 2 2"], "gold")] == [0, 2, 0, 0, 0, 0, 1]
    assert read_naacl([], "gold") == []


@given(ALIGNMENTS)
def test_a_line_of_links_is_read_as_it_was_written(links: Links) -> None:
    assert read_pharaoh([pharaoh_line(links)], "text") == [GoldLinks(links, links)]


def test_a_pharaoh_line_keeps_the_order_and_models_write_by_target() -> None:
    assert pharaoh_line([Link(0, 2), Link(1, 1), Link(3, 0)]) == "0-2 1-1 3-0"
    assert by_target([Link(0, 2), Link(3, 1), Link(1, 1)]) == [Link(1, 1), Link(3, 1), Link(0, 2)]


@pytest.mark.parametrize(("name", "text"), [("pharaoh", "0-0 2p1\n1-2\n"), ("naacl", "2 2 3\n1 1 1 S\n1 3 2 P 0.5\n")])
def test_files_of_both_formats_count_from_their_usual_first_word(name: LinkFormat, text: str, tmp_path: Path) -> None:
    path = tmp_path / "gold"
    path.write_text(text, encoding="utf-8")
    expected = [GoldLinks(frozenset({A}), frozenset({A, C})), GoldLinks(frozenset({B}), frozenset({B}))]
    assert read_links(LinkFile(path, name), None) == read_links(LinkFile(path, name), 2) == expected
    swapped = read_links(LinkFile(path, name, is_swapped=True), 2)
    assert swapped[0].possible == {A, Link(1, 2)} and swapped[1].sure == {Link(2, 1)}
    shifted = read_links(LinkFile(path, name, first_index=1 - FORMATS[name].first_index), 2)
    assert shifted[1].sure == {Link(0, 1) if name == "pharaoh" else Link(2, 3)}


def test_jsonl_has_an_object_a_line_and_says_that_the_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, [(1, 2, ALIGNMENT), (2, 1, EMPTY)])
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
    write(path, [(1, 1, ALIGNMENT)], eos="dropped")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["eos"] == "dropped"
    assert (record["source"], record["target"]) == (["das", "Haus"], ["the", "big", "house"])
    assert record["weights"] == [[0.7, 0.2], [0.2, 0.2], [0.1235, 0.8]]


@pytest.mark.parametrize(("eos", "shape"), [("kept", (4, 3)), ("dropped", (3, 2))])
def test_npz_has_the_arrays_of_each_hypothesis_and_needs_no_pickle(
    tmp_path: Path, eos: EosPolicy, shape: tuple[int, int]
) -> None:
    path = tmp_path / "a.npz"
    write(path, [(1, 1, ALIGNMENT), (2, 1, EMPTY)], eos=eos)
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
    write(path, [(1, 1, ALIGNMENT), (2, 1, EMPTY), (3, 1, ALIGNMENT)])
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines == ["0-0 1-2", "", "0-0 1-2", ""]
    read = read_pharaoh(lines[:-1], str(path))
    assert [sorted(gold.sure) for gold in read] == [[(0, 0), (1, 2)], [], [(0, 0), (1, 2)]]


def test_pharaoh_has_every_link_from_a_threshold_on(tmp_path: Path) -> None:
    path = tmp_path / "a.pharaoh"
    write(path, [(1, 1, ALIGNMENT), (2, 1, EMPTY)], threshold=0.2)
    assert path.read_text(encoding="utf-8") == "0-0 1-0 0-1 1-1 1-2\n\n"


def test_another_ending_is_refused_with_the_three_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"a\.txt: expected a name that ends in \.jsonl or \.npz or \.pharaoh, got '\.txt'"
    ):
        alignment_writer(tmp_path / "a.txt", "kept", None)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_failed_run_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("old")

    def fail() -> None:
        with alignment_writer(path, "kept", 0.0) as write_record:
            write_record(1, 1, ALIGNMENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "old"


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_place_that_cannot_be_written_to_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / f"a{suffix}"
    with pytest.raises(DataError, match=rf"a{suffix}: expected a place"), alignment_writer(path, "kept", 0.0):
        pass
