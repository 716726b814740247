"""Columns: what a row of several cells becomes, and that tags are no characters."""

import json
from pathlib import Path

import pytest

from nmt_attn.config.columns_section import ColumnsConfig
from nmt_attn.config.file import dump_config, parse_config
from nmt_attn.config.schema import Config
from nmt_attn.data.columns import SideColumns, source_columns
from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.prepare import prepare_training
from nmt_attn.errors import ConfigError, DataError

ROWS = [
    ("hablar", "V;PST;NOM(3,SG)", "habló"),
    ("a⟦V⟧b", "V; PST ;;", "ab"),  # brackets of a text are no tag; empty tags are none
    ("acı biber", "", "acılar"),  # no tags at all
    ("  ", "V", "nada"),  # no text: blank
    ("x", "1 PL", "y"),
]
COLUMNS = 'data.columns={source: [1, {column: 2, as: tags, split: ";(),"}], target: 3}'


def columns(source: object) -> SideColumns:
    config = ColumnsConfig.model_validate_json(json.dumps({"source": source, "target": 9}), strict=True)
    found = source_columns(config)
    assert found is not None
    return found


TAGS = columns([1, {"column": 2, "as": "tags", "split": ";(),"}])


def test_cells_of_tags_become_symbols_and_brackets_of_a_text_do_not() -> None:
    assert [TAGS.text(row[:2]) for row in ROWS] == [
        "hablar ⟦V⟧ ⟦PST⟧ ⟦NOM⟧ ⟦3⟧ ⟦SG⟧",
        "a[V]b ⟦V⟧ ⟦PST⟧",
        "acı biber",
        "",
        "x ⟦1▁PL⟧",
    ]


def test_without_split_a_cell_is_one_tag_and_the_order_is_that_of_the_columns() -> None:
    found = columns([{"column": 3, "as": "tags"}, 1, 2])
    assert found.text(["de;x", "ein", "Hund"]) == "⟦de;x⟧ ein Hund"


def test_a_label_is_one_tag_that_each_text_has() -> None:
    found = columns([{"column": 1, "as": "tag"}, 2, {"column": 3, "as": "tags"}])
    assert found.text(["pt BR", "casa", "@pt"]) == "⟦@pt▁BR⟧ casa ⟦_@pt⟧"  # no other tag is a label
    assert found.text([" ", "casa", "N"]) == ""  # a row without its label is blank
    named = found.with_label("de")
    assert named.text(["", "Haus", "N"]) == "⟦@de⟧ Haus ⟦N⟧"
    assert named.labelled("Haus ⟦N⟧") == "⟦@de⟧ Haus ⟦N⟧"
    assert named.labelled("⟦@fr⟧ maison") == "⟦@fr⟧ maison"
    assert named.labelled(" ") == " " and found.labelled("Haus") == "Haus"
    last = columns([1, {"column": 2, "as": "tag", "default": "de"}])
    assert last.labelled("Haus") == "Haus ⟦@de⟧" and last.default_tags() == ("", "⟦@de⟧")


def test_an_empty_cell_and_a_row_without_the_column_have_the_default() -> None:
    found = columns([{"column": 2, "as": "tags", "split": ";", "default": "N;SG"}, 1])
    assert found.of_line("casa\t", "f:1") == found.of_line("casa", "f:1") == "⟦N⟧ ⟦SG⟧ casa"
    assert found.of_line("casa\tV", "f:1") == "⟦V⟧ casa"
    assert found.default_tags() == ("⟦N⟧ ⟦SG⟧", "")
    assert found.of_line("", "f:1") == ""


def test_a_row_without_a_column_that_has_no_default_is_refused() -> None:
    with pytest.raises(DataError, match="f:7: expected at least 2 tab-separated columns, got 1"):
        TAGS.of_line("hablar", "f:7")


def test_records_and_json_lines_have_the_names_of_the_columns() -> None:
    found = columns(["lemma", {"column": "tags", "as": "tags", "split": ";", "default": ""}])
    assert found.of_record({"lemma": "casa", "tags": "N;PL"}, "lines[0]") == "casa ⟦N⟧ ⟦PL⟧"
    assert found.of_record({"lemma": "casa"}, "lines[0]") == "casa"
    assert found.of_line('{"lemma": "casa", "tags": "N", "id": 3}', "f:1") == "casa ⟦N⟧"
    with pytest.raises(DataError, match=r"lines\[4\]: expected a record of 'lemma', 'tags', got no 'lemma'"):
        found.of_record({"tags": "N"}, "lines[4]")
    with pytest.raises(DataError, match=r"lines\[4\]: expected a record of 'lemma', 'tags', got 'tag'"):
        found.of_record({"lemma": "casa", "tag": "N"}, "lines[4]")
    with pytest.raises(DataError, match=r"lines\[0\]\['lemma'\]: expected text, got int"):
        found.of_record({"lemma": 3}, "lines[0]")  # type: ignore[dict-item]
    with pytest.raises(DataError, match="f:1: expected a JSON object with texts 'lemma', got no JSON"):
        found.of_line("casa", "f:1")


def corpus_config(place: Path, *more: str) -> Config:
    named = [f"data.{part}={{tsv: {place / part}.tsv}}" for part in ("train", "valid", "test")]
    return parse_config("", [f"run.dir={place}", COLUMNS, *named, "tokenizer.kind=char", *more], "f")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.tsv").write_text("".join("\t".join(row) + "\n" for row in ROWS))
    return tmp_path


def test_a_corpus_is_read_by_its_columns(place: Path) -> None:
    report = CorpusReport("data.train")
    pairs = list(read_part(corpus_config(place), "train", report))
    assert [(pair.source, pair.target) for pair in pairs] == [
        (TAGS.text(row[:2]), row[2]) for row in ROWS if row[0].strip()
    ]
    assert "⟦ or ⟧ in a text, read as [ or ], as they mark tags" in report.text()


def test_json_fields_are_columns_too(place: Path) -> None:
    for part in ("train", "valid", "test"):
        rows = [{"a": {"lemma": row[0]}, "tags": row[1], "form": row[2]} for row in ROWS]
        (place / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    named = [f"data.{part}={{jsonl: {place / part}.jsonl}}" for part in ("train", "valid", "test")]
    spec = 'data.columns={source: [a.lemma, {column: tags, as: tags, split: ";(),"}], target: form}'
    config = parse_config("", [*named, spec], "f")
    pairs = list(read_part(config, "train", CorpusReport("data.train")))
    assert pairs[0].source == "hablar ⟦V⟧ ⟦PST⟧ ⟦NOM⟧ ⟦3⟧ ⟦SG⟧" and pairs[0].target == "habló"
    (place / "train.jsonl").write_text('{"a": {"lemma": "x"}, "form": "y"}\n')
    report = CorpusReport("data.train")
    assert list(read_part(config, "train", report)) == [] and "malformed" in report.text()


def test_a_saved_dataset_has_columns_too(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    fields = {name: [row[i] for row in ROWS] for i, name in enumerate(("lemma", "tags", "form"))}
    datasets.Dataset.from_dict(fields).save_to_disk(tmp_path / "d")
    named = [f"data.{part}={{dataset: {tmp_path / 'd'}}}" for part in ("train", "valid", "test")]
    spec = 'data.columns={source: [lemma, {column: tags, as: tags, split: ";(),"}], target: form}'
    pairs = list(read_part(parse_config("", [*named, spec], "f"), "train", CorpusReport("data.train")))
    assert pairs[0].source == "hablar ⟦V⟧ ⟦PST⟧ ⟦NOM⟧ ⟦3⟧ ⟦SG⟧"


def test_a_tag_is_one_piece_however_long_and_other_columns_make_another_cache(place: Path) -> None:
    data = prepare_training(corpus_config(place, "data.max_length=11"))  # 6 letters and 5 tags
    assert data.train_report.kept == 4
    assert "⟦NOM⟧" in data.source.vocabulary.tokens and "⟦NOM⟧" not in data.target.vocabulary.tokens
    assert "⟦" not in data.source.vocabulary.tokens
    turned = COLUMNS.replace("[1, {", "[{").replace('"}]', '"}, 1]')
    assert prepare_training(corpus_config(place, turned)).folder != data.folder


def test_columns_are_dumped_as_they_were_written(place: Path) -> None:
    config = corpus_config(place)
    assert "source: [1, {column: 2, as: tags, split: ';(),'}]" in dump_config(config)
    assert parse_config(dump_config(config), [], "f") == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.columns.target=null"], r"data\.columns\.target: expected a column beside data\.columns\.source"),
        (["data.columns.source=[1, 1]"], r"data\.columns\.source: expected each column once, got \[1, 1\]"),
        (["data.columns.source=[{column: 1, as: tags}]"], "expected a column of text, not of tags alone"),
        (["data.columns.source=[{column: 1, split: ;}]"], "expected split beside as 'tags' alone"),
        (
            ["data.columns.source=[{column: 1, as: tagg}]"],
            r"data\.columns\.source: expected .* a section of column, as",
        ),
        (["data.columns.source=[{column: 1, as: tag}]"], "expected a column of text, not of tags alone"),
        (
            ["data.columns.source=[{column: 1, as: tag}, {column: 2, as: tag}, 4]"],
            "expected at most one column as 'tag'",
        ),
        (["data.columns.source=[{column: 1, as: tag, split: ;}, 2]"], "expected split beside as 'tags' alone"),
        (["data.columns.source=[lemma]"], r"data\.columns\.source: expected numbers of columns with data\.train\.tsv"),
        (["data.train.source=1", "data.train.target=2"], r"data\.train\.source: expected null beside data\.columns"),
        (["tokenizer.shared=true"], r"tokenizer\.shared: expected false with tags in data\.columns\.source"),
        (["data.train={source: a, target: b}"], r"data\.columns\.source: expected null with data\.train\.source"),
    ],
)
def test_columns_that_cannot_be_are_refused(settings: list[str], message: str, place: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        corpus_config(place, *settings)
