from pathlib import Path

import pytest
import torch

from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.errors import DataError
from nmt_attn.search.unk_replacement import UnkReplacement, read_dictionary

LINE = "Herr  Xaver schläft"
ALIGNMENT = WordAlignment(
    source=("herr", "xaver", "schläft"),  # a tokenizer that lowercases
    target=("mr", "<unk>", "<unk>"),
    weights=torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.1, 0.4, 0.0, 0.5], [0.0, 0.2, 0.8, 0.0], [0.0, 0.0, 0.0, 1.0]]),
)


def test_the_strongest_source_word_is_copied_as_written_never_the_end() -> None:
    mended = UnkReplacement().replace(LINE, ALIGNMENT, {1, 2})
    assert mended.target == ("mr", "Xaver", "schläft")
    assert torch.equal(mended.weights, ALIGNMENT.weights)


def test_a_dictionary_goes_first_and_each_of_its_words_has_the_row() -> None:
    words = UnkReplacement({"schläft": "is asleep", "xaver": "Xavier"})
    mended = words.replace(LINE, ALIGNMENT, {1, 2})
    assert mended.target == ("mr", "Xavier", "is", "asleep")
    assert torch.equal(mended.weights, ALIGNMENT.weights[[0, 1, 2, 2, 3]])


def test_the_dictionary_is_asked_for_the_word_as_written_first() -> None:
    words = UnkReplacement({"Xaver": "Xavier", "xaver": "the saver"})
    assert words.replace(LINE, ALIGNMENT, {1}).target == ("mr", "Xavier", "<unk>")


def test_what_looked_at_no_word_stays() -> None:
    nowhere = ALIGNMENT._replace(weights=torch.tensor([[0.0, 0.0, 0.0, 1.0]]).expand(4, -1))
    assert UnkReplacement().replace(LINE, nowhere, {1, 2}).target == ALIGNMENT.target


def test_a_dictionary_has_two_columns_and_the_first_entry_counts(tmp_path: Path) -> None:
    path = tmp_path / "d.tsv"
    path.write_text("Xaver\tXavier \r\nschläft\tis  asleep\nXaver\tanother\n", encoding="utf-8", newline="\n")
    assert read_dictionary(path) == {"Xaver": "Xavier", "schläft": "is asleep"}


@pytest.mark.parametrize("line", ["Xaver Xavier", "Xaver\t", "\tXavier", "a\tb\tc", "Herr Xaver\tXavier", ""])
def test_a_line_of_another_form_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "d.tsv"
    path.write_text(f"a\tb\n{line}\nc\td\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"d\.tsv:2: expected a source word, a tab and its translation, got ") as caught:
        read_dictionary(path)
    assert str(caught.value).endswith(repr(line))
