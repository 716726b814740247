"""Odd words, tags and pronunciations: each is handled as the table of docs/corpus.md says, whose rows these are."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt_attn.config.file import parse_config
from nmt_attn.config.schema import Config, EvaluateConfig
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.codec import Codecs, TextCodec, learn_codec
from nmt_attn.data.columns import Column, SideColumns
from nmt_attn.data.corpus import read_part, read_test
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.corpus_warnings import unknown_tags
from nmt_attn.data.prepare import prepare_training
from nmt_attn.data.tags import DefaultTags
from nmt_attn.errors import DataError
from nmt_attn.evaluation.edits import align, split_symbols, written
from nmt_attn.evaluation.lengths import units_of
from nmt_attn.evaluation.metrics import measure
from nmt_attn.evaluation.references import join_sources

TABLE = (Path(__file__).parents[2] / "docs" / "corpus.md").read_text(encoding="utf-8")
TAGS = SideColumns((Column(1), Column(2, is_tags=True, split=";")))
LABEL = SideColumns((Column(1, is_tags=True, is_label=True), Column(2)))
E_ACUTE, COMBINED = "\u00e9", "e\u0301"


def codec(lines: list[str], **keys: object) -> TextCodec:
    config = TokenizerConfig.model_validate({"kind": "char", **keys})
    return learn_codec(lines, config, "text", DefaultTags())


def corpus(folder: Path, rows: str, *more: str) -> Config:
    """A corpus of lemma, tags and form; it is the validation and the test set too."""
    (folder / "f.tsv").write_text(rows, encoding="utf-8", newline="")
    columns = "data.columns={source: [1, {column: 2, as: tags, split: ;}], target: 3}"
    parts = [f"data.{part}={{tsv: {folder / 'f.tsv'}}}" for part in ("train", "valid", "test")]
    return parse_config("", [f"run.dir={folder}", columns, *parts, "tokenizer.kind=char", *more], "f")


def read(config: Config) -> tuple[list[tuple[str, str]], str]:
    report = CorpusReport("data.train")
    pairs = [(pair.source, pair.target) for pair in read_part(config, "train", report)]
    return pairs, report.text()


def empty_tag(folder: Path) -> None:
    assert TAGS.text(["ab", "V;;PST;"]) == "ab ⟦V⟧ ⟦PST⟧"


def empty_cell_of_tags(folder: Path) -> None:
    assert TAGS.text(["ab", " "]) == "ab"


def row_without_the_column(folder: Path) -> None:
    pairs, report = read(corpus(folder, "ab\tV\tabs\ncd\n"))
    assert pairs == [("ab ⟦V⟧", "abs")] and "malformed" in report
    with pytest.raises(DataError, match="f:2: expected at least 2 tab-separated columns, got 1"):
        TAGS.of_line("cd", "f:2")


def tag_twice(folder: Path) -> None:
    assert TAGS.text(["ab", "V;V"]) == "ab ⟦V⟧ ⟦V⟧"


def unknown_tag(folder: Path) -> None:
    source = codec(["ab ⟦V⟧"])
    assert source.decode(source.encode("ab ⟦N⟧")) == "ab<unk>"
    assert unknown_tags(Codecs(source, source), ["ab ⟦N⟧"]) == {"⟦N⟧": 1}


def unknown_language(folder: Path) -> None:
    with pytest.raises(DataError, match="line 4: expected one of the tags ⟦@de⟧, got ⟦@it⟧"):
        codec(["⟦@de⟧ ab"]).encode_checked(LABEL.text(["it", "ab"]), "line 4")


def no_language(folder: Path) -> None:
    assert LABEL.text(["", "ab"]) == ""  # blank, as a row without text
    with pytest.raises(DataError, match="line 4: expected one of the tags ⟦@de⟧, got none"):
        codec(["⟦@de⟧ ab"]).encode_checked("ab", "line 4")


def two_languages(folder: Path) -> None:
    with pytest.raises(DataError, match="got ⟦@de⟧ ⟦@de⟧"):
        codec(["⟦@de⟧ ab"]).encode_checked("⟦@de⟧ ⟦@de⟧ ab", "line 4")


def tag_that_begins_with_at(folder: Path) -> None:
    assert TAGS.text(["ab", "@de"]) == "ab ⟦_@de⟧"


def blank_inside_a_tag(folder: Path) -> None:
    assert TAGS.text(["ab", "1 PL;V"]) == "ab ⟦1▁PL⟧ ⟦V⟧"


def tag_that_is_a_letter(folder: Path) -> None:
    source = codec(["a ⟦a⟧"])
    assert len(set(source.encode("a ⟦a⟧"))) == 2


def brackets_in_a_word(folder: Path) -> None:
    assert read(corpus(folder, "a⟦V⟧\tV\tx\n"))[0] == [("a[V] ⟦V⟧", "x")]


def tags_without_a_word(folder: Path) -> None:
    pairs, report = read(corpus(folder, "\tV\tabs\nab\tV\tabs\n"))
    assert len(pairs) == 1 and "blank" in report


def word_without_a_form(folder: Path) -> None:
    config = corpus(folder, "ab\tV\t\nab\tV\tabs\n")
    assert len(read(config)[0]) == 1 and len(read_test(config).pairs) == 2


def blank_inside_a_word(folder: Path) -> None:
    assert codec(["a b"]).pieces("ab cd") == ["a", "b", "▁", "c", "d"]


def mark_of_blanks_in_a_word(folder: Path) -> None:
    assert codec(["a"]).pieces("a▁b") == ["a", "_", "b"]


def combining_characters(folder: Path) -> None:
    assert codec(["a"]).pieces(COMBINED) == ["e", "\u0301"]
    assert codec(["a"], units="graphemes").pieces(COMBINED) == [COMBINED]


def normal_forms_that_differ(folder: Path) -> None:
    assert codec(["a"]).pieces(E_ACUTE) != codec(["a"]).pieces(COMBINED)
    composed = codec(["a"], normalise="NFC")
    assert composed.pieces(COMBINED) == composed.pieces(E_ACUTE) == [E_ACUTE]
    assert measure("exact", [COMBINED], [E_ACUTE], EvaluateConfig()).result().value == 0


def mark_without_a_letter(folder: Path) -> None:
    assert codec(["a"], units="graphemes").pieces("\u0301") == ["\u0301"]
    assert written(align(["\u0301"], [])) == "◌\u0301→∅"


def syllables_of_hangul(folder: Path) -> None:
    assert codec(["a"], normalise="NFD").pieces("한") == list(unicodedata.normalize("NFD", "한"))


def several_pronunciations(folder: Path) -> None:
    found = join_sources(["read", "it", "read"], [["ɹ iː d", "ɪ t", "ɹ ɛ d"]])
    per = measure("per", ["ɹ ɛ d", "ɪ t"], found.first, EvaluateConfig(), found.further)
    assert per.result().value == 0


def word_twice_with_one_form(folder: Path) -> None:
    assert join_sources(["a", "a"], [["x", "x"]]).further == []


def word_twice_with_two_forms(folder: Path) -> None:
    pairs, _ = read(corpus(folder, "ab\tV\tx\nab\tV\ty\n"))
    assert pairs == [("ab ⟦V⟧", "x"), ("ab ⟦V⟧", "y")]


def word_twice_and_held_out(folder: Path) -> None:
    rows = "".join(f"{'abcdefghij'[i // 2 % 10]}{i // 20}\tV\t{i}\n" for i in range(400))
    config = corpus(folder, rows, "data.valid={tsv: null}", "data.held_out.valid=0.3")
    train = {source for source, _ in read(config)[0]}
    valid = {pair.source for pair in read_part(config, "valid", CorpusReport("data.valid"))}
    assert valid and train and not valid & train


def blank_inside_a_symbol(folder: Path) -> None:
    symbols = codec(["a"], kind="symbols", separator="+")
    assert symbols.pieces("t h + a") == ["t▁h", "a"]
    assert symbols.tokenizer.decode(["t▁h", "a"]) == "t h+a"
    assert split_symbols("t h + a", "+") == ["t h", "a"]


def separator_twice(folder: Path) -> None:
    assert codec(["a"], kind="symbols", separator="+").pieces("+a++b+") == ["a", "b"]


def other_white_space(folder: Path) -> None:
    assert codec(["a"], kind="symbols").pieces("t\u00a0ʃ\u3000a") == ["t", "ʃ", "a"]


def white_space_of_a_guess(folder: Path) -> None:
    assert measure("wer", [" t  ʃ"], ["t ʃ"], EvaluateConfig()).result().value == 0


def one_letter(folder: Path) -> None:
    assert codec(["a ⟦V⟧"]).pieces("a") == ["a"] and units_of(["a", "b"]).lengths().tolist() == [1, 1]


def three_hundred_letters(folder: Path) -> None:
    long = "ab" * 150
    config = corpus(folder, f"{long}\tV\t{long}\nab\tV\tabs\n", "data.max_length=100")
    data = prepare_training(config)
    assert len(data.train) == 1 and len(data.valid) == 2  # over-long for training alone
    assert len(data.codecs.source.encode(f"{long} ⟦V⟧")) == 301


def letter_that_training_lacks(folder: Path) -> None:
    source = codec(["ab"])
    assert source.decode(source.encode("axb")) == "a<unk>b"


def empty_line(folder: Path) -> None:
    assert codec(["ab ⟦V⟧"]).encode_checked("  ", "line 1") == []


def empty_guess(folder: Path) -> None:
    assert written(align(list("ab"), [])) == "a→∅ b→∅"
    assert measure("per", [""], ["a b"], EvaluateConfig()).result().value == 100


def capital_with_a_dot(folder: Path) -> None:
    assert codec(["a"], lowercase=True).pieces("İ") == ["i", "\u0307"]


def letters_beyond_the_basic_plane(folder: Path) -> None:
    assert codec(["a"]).pieces("𐐷𝒜") == ["𐐷", "𝒜"]


def text_from_right_to_left(folder: Path) -> None:
    assert codec(["a"]).pieces("שלום") == ["ש", "ל", "ו", "ם"]


def line_ends_of_windows(folder: Path) -> None:
    assert read(corpus(folder, "ab\tV\tabs\r\n"))[0] == [("ab ⟦V⟧", "abs")]


CASES: dict[str, Callable[[Path], None]] = {
    check.__name__.replace("_", " "): check
    for check in list(globals().values())
    if callable(check) and getattr(check, "__annotations__", {}).keys() == {"folder", "return"}
}


@pytest.mark.parametrize("name", CASES)
def test_an_odd_input_is_handled_as_documented(name: str, tmp_path: Path) -> None:
    CASES[name](tmp_path)


def test_the_page_has_a_row_for_each() -> None:
    section = TABLE[TABLE.index("## Odd words and tags") :]
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", section, re.MULTILINE)
    assert [row for row in rows if row in CASES] == list(CASES) and len(CASES) >= 30
