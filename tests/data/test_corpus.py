"""Corpora: every form, every kind of bad line, and line numbers that never shift."""

import gzip
import json
import pickle
import tarfile
import zipfile
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nmt_attn.config.schema import Config, CorpusConfig, DataConfig, RunConfig
from nmt_attn.data.corpus import Corpus, CorpusPart, read_part, read_test
from nmt_attn.data.corpus_stats import FIRST_LINES, CorpusReport, Tally
from nmt_attn.data.readers import NumberedPair
from nmt_attn.errors import ConfigError, DataError, UserError
from nmt_attn.types import SentencePair

SHARED = Path(__file__).parents[3] / "shared" / "data"


def config_of(part: CorpusPart, corpus: CorpusConfig, root: Path, **data: str) -> Config:
    return Config(run=RunConfig(dir=str(root / "runs")), data=DataConfig(root=str(root), **{part: corpus}, **data))


def read(part: CorpusPart, corpus: CorpusConfig, root: Path, **data: str) -> tuple[list[NumberedPair], CorpusReport]:
    report = CorpusReport(f"data.{part}")
    return list(read_part(config_of(part, corpus, root, **data), part, report)), report


def texts(pairs: list[NumberedPair]) -> list[tuple[int, str, str]]:
    return [(pair.number, pair.source, pair.target) for pair in pairs]


def tallies(report: CorpusReport) -> dict[str, list[int]]:
    return {reason: tally.lines for reason, tally in report.dropped.items()}


FILES = CorpusConfig(source="a.de", target="a.en")


def write(root: Path, source: bytes, target: bytes) -> None:
    (root / "a.de").write_bytes(source)
    (root / "a.en").write_bytes(target)


# ---- the forms


def test_two_files_are_read_line_by_line(tmp_path: Path) -> None:
    write(tmp_path, b"eins\nzwei\n", b"one\ntwo")  # a missing last line end is forgiven
    pairs, report = read("train", FILES, tmp_path)
    assert texts(pairs) == [(1, "eins", "one"), (2, "zwei", "two")]
    assert (report.lines, report.kept, report.dropped, report.notes) == (2, 2, {}, {})


def test_compressed_files_read_like_plain_ones(tmp_path: Path) -> None:
    (tmp_path / "a.de.gz").write_bytes(gzip.compress("eins\nzwölf\n".encode()))
    (tmp_path / "a.en").write_bytes(b"one\ntwelve\n")
    pairs, _ = read("train", CorpusConfig(source="a.de.gz", target="a.en"), tmp_path)
    assert texts(pairs) == [(1, "eins", "one"), (2, "zwölf", "twelve")]


def test_columns_of_a_tsv_file_are_counted_from_one(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b'x\teins\tone "1"\r\ny\tzwei\ttwo\r\n')
    pairs, report = read("train", CorpusConfig(tsv="a.tsv", source=3, target=2), tmp_path)
    assert texts(pairs) == [(1, 'one "1"', "eins"), (2, "two", "zwei")]
    assert report.notes["\\r\\n line ends in a.tsv, read as \\n"].count == 2
    pairs, _ = read("train", CorpusConfig(tsv="a.tsv"), tmp_path)
    assert texts(pairs)[1] == (2, "y", "zwei")


def test_fields_of_json_lines_may_lie_inside_others(tmp_path: Path) -> None:
    rows = [{"translation": {"de": "eins", "en": "one"}}, {"translation": {"de": "zwei", "en": "two"}, "en": "deux"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    dotted = CorpusConfig(jsonl="a.jsonl", source="translation.de", target="translation.en")
    assert texts(read("train", dotted, tmp_path)[0]) == [(1, "eins", "one"), (2, "zwei", "two")]
    flat = CorpusConfig(jsonl="a.jsonl", source="de", target="en")  # a field of the row itself comes first
    assert texts(read("train", flat, tmp_path)[0]) == [(1, "eins", "one"), (2, "zwei", "deux")]


def test_line_breaks_inside_a_text_become_blanks(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(r'{"source": "a\nb", "target": "c\r\nd"}', encoding="utf-8")
    pairs, report = read("train", CorpusConfig(jsonl="a.jsonl"), tmp_path)
    assert texts(pairs) == [(1, "a b", "c d")]
    assert report.notes["line breaks inside a text, read as blanks"].lines == [1]


def save_dataset(folder: Path, *, is_split: bool) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    rows = {"translation": [{"de": "eins", "en": "one"}, {"de": None, "en": "two"}], "n": [1, 2]}
    table = datasets.Dataset.from_dict(rows)
    (datasets.DatasetDict(train=table, dev=table) if is_split else table).save_to_disk(str(folder))


def test_a_saved_dataset_has_columns_or_a_translation(tmp_path: Path) -> None:
    save_dataset(tmp_path / "plain", is_split=False)
    save_dataset(tmp_path / "split", is_split=True)
    for corpus in (
        CorpusConfig(dataset="plain", source="de", target="en"),
        CorpusConfig(dataset="plain", source="translation.de", target="translation.en"),
        CorpusConfig(dataset="split", split="dev", source="de", target="en"),
    ):
        pairs, report = read("train", corpus, tmp_path)
        assert texts(pairs) == [(1, "eins", "one")]
        assert tallies(report) == {"blank": [2]}


def test_a_dataset_without_the_column_or_split_says_what_it_has(tmp_path: Path) -> None:
    save_dataset(tmp_path / "plain", is_split=False)
    save_dataset(tmp_path / "split", is_split=True)
    cases = [
        ({"dataset": "plain", "source": "fr"}, r"data\.train\.source: .*translation\.de, translation\.en\), got fr"),
        ({"dataset": "plain", "source": "n"}, r"data\.train\.source: .*got n"),
        ({"dataset": "plain", "split": "dev"}, r"data\.train\.split: expected none, .*plain has, got dev"),
        ({"dataset": "split", "split": "test"}, r"data\.train\.split: expected one of dev, train, got test"),
        ({"dataset": "split"}, r"data\.train\.split: expected one of dev, train, got none"),
    ]
    for keys, message in cases:
        with pytest.raises(ConfigError, match=message):
            read("train", CorpusConfig(**{"source": "de", "target": "en"} | keys), tmp_path)
    with pytest.raises(DataError, match=r"a/b/c: expected a folder"):
        read("train", CorpusConfig(dataset="a/b/c"), tmp_path)


class Touch:
    """Whose pickle makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("name", "found"), [("corpus.py", "a script"), ("a/train.pkl", "a pickle"), ("a/train.PT", "a pickle")]
)
def test_a_dataset_with_code_is_refused_before_it_is_loaded(name: str, found: str, tmp_path: Path) -> None:
    ran, file = tmp_path / "ran", tmp_path / "corpus" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps(Touch(ran)) if found == "a pickle" else f"open({str(ran)!r}, 'w')".encode())
    (tmp_path / "corpus" / "train.jsonl").write_text('{"de": "eins", "en": "one"}\n', encoding="utf-8")
    corpus = CorpusConfig(dataset="corpus", split="train", source="de", target="en")
    with pytest.raises(DataError, match=rf"corpus/{name}: expected a dataset of data alone, got {found} \(remove it\)"):
        read("train", corpus, tmp_path)
    assert not ran.exists()


def test_a_pickle_inside_an_archive_of_a_dataset_is_not_read(tmp_path: Path) -> None:
    ran, folder = tmp_path / "ran", tmp_path / "corpus"
    folder.mkdir()
    pickle.loads(pickle.dumps(Touch(ran)))
    assert ran.exists(), "it would be seen"
    ran.unlink()
    for archive in ("zip", "tar"):
        with zipfile.ZipFile(folder / "train.zip", "w") if archive == "zip" else nullcontext() as opened:
            for name in ("0.de.txt", "0.en.txt", "0.pkl", "0.pickle", "0.pyd", "0.pth"):
                content = b"eins" if name.endswith("txt") else pickle.dumps(Touch(ran))
                (tmp_path / name).write_bytes(content)
                if opened is not None:
                    opened.write(tmp_path / name, name)
        if archive == "tar":
            with tarfile.open(folder / "train.tar", "w") as packed:
                for path in sorted(tmp_path.glob("0.*")):
                    packed.add(path, path.name)
        with suppress(UserError):
            read("train", CorpusConfig(dataset="corpus", source="de.txt", target="en.txt"), tmp_path)
        assert not ran.exists(), archive
        for path in folder.iterdir():
            path.unlink()


def test_a_folder_that_load_dataset_takes_is_loaded_into_our_cache(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "train.jsonl").write_text('{"de": "eins", "en": "one"}\n', encoding="utf-8")
    corpus = CorpusConfig(dataset="corpus", split="train", source="de", target="en")
    assert texts(read("train", corpus, tmp_path)[0]) == [(1, "eins", "one")]
    assert (tmp_path / "runs" / "cache" / "datasets").is_dir()
    with pytest.raises(DataError, match="corpus: expected a dataset that can be loaded, got: Unknown split"):
        read("train", corpus.model_copy(update={"split": "tran"}), tmp_path)


def test_a_revision_is_asked_of_the_hub_and_not_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(name: str, subset: str | None, **given: object) -> object:
        asked.append((name, subset, given["revision"]))
        return datasets.Dataset.from_dict({"de": ["eins"], "en": ["one"]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    corpus = CorpusConfig(dataset="some/corpus", revision="v2", source="de", target="en")
    assert texts(read("train", corpus, tmp_path)[0]) == [(1, "eins", "one")]
    assert asked == [("some/corpus", None, "v2")]
    (tmp_path / "some" / "corpus").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"data\.train\.revision: expected null, as .* is a folder .*, got v2"):
        read("train", corpus, tmp_path)


def test_the_built_in_corpus_is_read_by_its_name(tmp_path: Path) -> None:
    pytest.importorskip("nmt_attn.demo.corpus")
    pairs, report = read("train", CorpusConfig(builtin="demo", split="train", limit=7), tmp_path)
    assert [pair.number for pair in pairs] == [1, 2, 3, 4, 5, 6, 7]
    assert report.kept == 7


def test_a_limit_reads_no_further(tmp_path: Path) -> None:
    write(tmp_path, b"eins\nzwei\ndrei\n", b"one\ntwo\n")  # unequal, but after the limit
    pairs, report = read("train", FILES.model_copy(update={"limit": 2}), tmp_path)
    assert len(pairs) == report.lines == 2


def test_absolute_names_do_not_need_the_root(tmp_path: Path) -> None:
    write(tmp_path, b"eins\n", b"one\n")
    corpus = CorpusConfig(source=str(tmp_path / "a.de"), target=str(tmp_path / "a.en"))
    assert len(read("train", corpus, tmp_path / "nowhere")[0]) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, r"data\.train: expected one of .*tsv.*, got none of them"),
        ({"source": "a.de"}, r"data\.train: expected one of .*, got none of them"),
        ({"tsv": "a", "jsonl": "b"}, r"data\.train: expected one of .*, got tsv and jsonl"),
        ({"tsv": "a", "source": "de", "target": "en"}, r"data\.train\.source: .*number of a column, from 1, got 'de'"),
        ({"tsv": "a", "source": 1, "target": 0}, r"data\.train\.target: .*number of a column, from 1, got '0'"),
    ],
)
def test_a_corpus_has_exactly_one_form(keys: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read("train", CorpusConfig(**keys), tmp_path)


# ---- bad files


def test_files_of_unequal_length_are_refused_with_both_counts(tmp_path: Path) -> None:
    write(tmp_path, b"1\n2\n3\n", b"1\n2\n3\n4\n5\n")
    with pytest.raises(DataError, match=r"a\.de:3: expected 5 lines, as in .*a\.en, got 3$"):
        read("train", FILES, tmp_path)
    with pytest.raises(DataError, match=r"a\.de:3: expected 5 lines, as in .*a\.en, got 3$"):
        read("train", CorpusConfig(source="a.en", target="a.de"), tmp_path)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.de: expected a readable file, got no such file"):
        read("train", FILES, tmp_path)
    whole = gzip.compress(b"eins\n" * 1000)
    for damaged in (whole[:-9], whole[:40] + b"\x00\x07\xff" + whole[43:]):
        (tmp_path / "a.gz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.gz: expected a whole file, got a damaged one"):
            read("train", CorpusConfig(tsv="a.gz", source=1, target=1), tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_read_and_noted(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, "eins\r\nzwölf\n".encode(encoding), b"one\ntwelve\n")
    pairs, report = read("train", FILES, tmp_path)
    assert texts(pairs) == [(1, "eins", "one"), (2, "zwölf", "twelve")]
    assert report.notes["a.de is UTF-16, read as such"].lines == [1]


def test_what_is_compressed_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"eins\tone\n")
    (tmp_path / "b.tsv").write_bytes(gzip.compress(b"eins\tone\n"))
    for name in ("a.gz", "b.tsv"):
        assert texts(read("train", CorpusConfig(tsv=name), tmp_path)[0]) == [(1, "eins", "one")]


# ---- bad lines

BAD_SOURCE = "\ufeffeins\n \u00a0\u2003\nzwei\ndr\x80ei\nvier\r\n\u0323\n".encode().replace(b"\xc2\x80", b"\xff")
BAD_TARGET = b"one\ntwo\n\t\nthree\nfour\nfive\n"
# line 1 begins with a byte-order mark, 2 and 3 have a blank side, 4 is not UTF-8, 5 ends in \r\n, 6 is a lone accent


def test_bad_training_lines_are_dropped_and_counted_by_reason(tmp_path: Path) -> None:
    write(tmp_path, BAD_SOURCE, BAD_TARGET)
    pairs, report = read("train", FILES, tmp_path)
    assert texts(pairs) == [(1, "eins", "one"), (5, "vier", "four"), (6, "\u0323", "five")]
    assert tallies(report) == {"blank": [2, 3], "undecodable": [4]}
    assert {what: tally.lines for what, tally in report.notes.items()} == {
        "byte-order mark at the start of a.de, left out": [1],
        "\\r\\n line ends in a.de, read as \\n": [5],
    }
    assert (report.lines, report.kept) == (6, 3)


def test_undecodable_bytes_are_replaced_if_so_configured(tmp_path: Path) -> None:
    write(tmp_path, BAD_SOURCE, BAD_TARGET)
    pairs, report = read("train", FILES, tmp_path, undecodable="replace")
    assert (4, "dr\ufffdei", "three") in texts(pairs)
    assert report.notes["undecodable bytes, read as U+FFFD"].lines == [4]


def test_bad_lines_are_errors_if_so_configured(tmp_path: Path) -> None:
    write(tmp_path, BAD_SOURCE, BAD_TARGET)
    with pytest.raises(DataError, match=r"a\.de:2: expected text, got a blank line"):
        read("train", FILES, tmp_path, blank="error")
    with pytest.raises(DataError, match=r"a\.de:4: expected UTF-8 text, got the byte 0xff$"):
        read("train", FILES, tmp_path, undecodable="error")
    write(tmp_path, b"eins\n", b"\n")
    with pytest.raises(DataError, match=r"a\.en:1: expected text, got a blank line"):
        read("train", FILES, tmp_path, blank="error")


def test_a_validation_corpus_loses_blank_lines_whatever_the_training_corpus_does(tmp_path: Path) -> None:
    write(tmp_path, BAD_SOURCE, BAD_TARGET)
    pairs, report = read("valid", FILES, tmp_path, blank="error")
    assert [pair.number for pair in pairs] == [1, 5, 6]
    assert tallies(report) == {"blank": [2, 3], "undecodable": [4]}


def test_a_test_corpus_loses_no_line(tmp_path: Path) -> None:
    write(tmp_path, BAD_SOURCE, BAD_TARGET)
    pairs, report = read_test(config_of("test", FILES, tmp_path, blank="error"))
    assert [pair.target for pair in pairs] == ["one", "two", "\t", "three", "four", "five"]
    assert pairs[3] == SentencePair("dr\ufffdei", "three")
    assert report.notes["blank on one side or both, kept"].lines == [2, 3]
    with pytest.raises(DataError, match=r"a\.de:4: expected UTF-8"):
        read_test(config_of("test", FILES, tmp_path, undecodable="error"))


def test_malformed_lines_of_a_tsv_file_are_dropped_like_undecodable_ones(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"eins\tone\nzwei\n\ndrei\tthree\tx\nvi\xffer\tfour\n")
    corpus = CorpusConfig(tsv="a.tsv")
    pairs, report = read("train", corpus, tmp_path)
    assert texts(pairs) == [(1, "eins", "one"), (4, "drei", "three")]
    assert tallies(report) == {"malformed": [2], "blank": [3], "undecodable": [5]}
    with pytest.raises(DataError, match=r"a\.tsv:2: expected at least 2 tab-separated columns, got 1"):
        read("train", corpus, tmp_path, undecodable="error")
    with pytest.raises(DataError, match=r"a\.tsv:2: expected at least 2 tab-separated columns, got 1"):
        read_test(config_of("test", corpus, tmp_path))


JSON_LINES = [
    ('{"source": "eins", "target": "one"}', None),
    ("[1, 2]", "got list"),
    ('{"source": "eins"}', "got no 'target'"),
    ('{"source": "eins", "target": 1}', "got int in 'target'"),
    ('{"source": "eins", "target": "on', "got no JSON"),
    ("[" * 100_000, "got no JSON"),
    ("", "blank"),
    ('{"source": null, "target": "one"}', "blank"),
    (r'{"source": "\ud83d", "target": "one"}', "undecodable"),
]


def test_malformed_lines_of_a_json_file_are_dropped_and_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(line for line, _ in JSON_LINES) + "\n", encoding="utf-8")
    pairs, report = read("train", CorpusConfig(jsonl="a.jsonl"), tmp_path)
    assert texts(pairs) == [(1, "eins", "one")]
    assert tallies(report) == {"malformed": [2, 3, 4, 5, 6], "blank": [7, 8], "undecodable": [9]}
    for line, message in JSON_LINES:
        if message is not None and message.startswith("got"):
            (tmp_path / "b.jsonl").write_text(line, encoding="utf-8")
            with pytest.raises(DataError, match=rf"b\.jsonl:1: .*'source' and 'target', {message}$"):
                read_test(config_of("test", CorpusConfig(jsonl="b.jsonl"), tmp_path))


# ---- line numbers never shift

ODD_LINES = st.lists(
    st.text(
        st.one_of(
            st.characters(codec="utf-8", exclude_characters="\n"),
            st.sampled_from("\x00\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\ufeff"),
        )
    ),
    max_size=8,
)


@given(lines=ODD_LINES)
@example(lines=["a\u2028b", "c\x00d", "e\rf", "g\x85h\x0bi", "", "\ufeff"])
@settings(max_examples=40, deadline=None)
def test_no_character_but_the_line_end_ends_a_line(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    root = tmp_path_factory.getbasetemp()
    numbered = [f"{number}x{line}" for number, line in enumerate(lines, start=1)]
    (root / "a.de").write_bytes("".join(f"{line}\n" for line in numbered).encode())
    (root / "a.en").write_bytes("".join(f"{line}\r\n" for line in numbered).encode())
    pairs, _ = read("test", FILES, root)
    assert [(pair.number, pair.target) for pair in pairs] == list(enumerate(numbered, start=1))
    assert [pair.source for pair in pairs] == [line.removesuffix("\r") for line in numbered]


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    root = tmp_path_factory.getbasetemp()
    data = b"".join(b"x" + line + b"\n" for line in lines)
    (root / "a.de").write_bytes(data)
    (root / "a.en").write_bytes(data)
    pairs, report = read("train", FILES, root)
    assert report.lines == len(lines)
    assert {pair.number for pair in pairs}.isdisjoint(n for tally in report.dropped.values() for n in tally.lines)
    assert len(read("test", FILES, root)[0]) == len(lines)
    (root / "a.bin").write_bytes(data)
    assert read("train", CorpusConfig(tsv="a.bin"), root)[1].lines == len(lines)
    assert read("train", CorpusConfig(jsonl="a.bin"), root)[1].lines == len(lines)


# ---- the report


def test_the_report_is_a_few_lines_of_text_and_a_record() -> None:
    report = CorpusReport("data.train", source="a.de", target="a.en", lines=1234)
    for number in range(1, 41):
        report.drop("blank", 2 * number)
    report.drop("over-long", 7)
    assert report.text().split("\n") == [
        "data.train: 1,193 of 1,234 pairs kept, from a.de and a.en",
        "  dropped, blank: 40 (lines 2, 4, 6, 8, 10, ...)",
        "  dropped, over-long: 1 (line 7)",
    ]
    record = json.loads(json.dumps(report.to_json()))
    assert record["kept"] == 1193
    assert CorpusReport.from_json(record) == report
    assert report.dropped["blank"] == Tally(40, [2 * number for number in range(1, FIRST_LINES + 1)])


# ---- real corpora


def real(folder: str) -> Path:
    root = SHARED / folder
    if not root.is_dir():
        pytest.skip(f"no corpus {folder} in ../shared/data")
    return root


def test_real_files_with_carriage_returns_and_marks() -> None:
    root = real("quirks")
    pairs, report = read_test(config_of("test", CorpusConfig(source="crlf.en", target="crlf.vi"), root))
    assert len(pairs) == 200
    assert not any("\r" in text for pair in pairs for text in pair)
    assert [tally.count for tally in report.notes.values()] == [200, 200]
    corpus = CorpusConfig(source="bom.de", target=str(real("align-de-en-100") / "test.en"))
    pairs, report = read_test(config_of("test", corpus, root))
    assert len(pairs) == 100
    assert not pairs[0].source.startswith("\ufeff")
    assert "byte-order mark at the start of bom.de, left out" in report.notes


def test_the_blank_lines_of_a_real_corpus_are_found() -> None:
    corpus = CorpusConfig(source="train.20k.es.gz", target="train.20k.en.gz", limit=2400)
    pairs, report = read("train", corpus, real("europarl-es-en"))
    assert report.dropped["blank"].lines[:3] == [1039, 1451, 2301]
    assert report.kept == len(pairs) == 2400 - report.dropped["blank"].count


def test_a_lone_accent_beside_a_blank_line_is_a_real_case() -> None:
    corpus = CorpusConfig(source="train.first1000.en", target="train.first1000.vi")
    pairs, report = read("train", corpus, real("iwslt15-en-vi"))
    assert report.dropped["blank"].lines == [470]
    assert len(pairs) == 999


def test_a_real_tsv_file_keeps_its_blanks() -> None:
    corpus = CorpusConfig(tsv="eng-fra.tsv.gz", source=1, target=2)
    pairs = read_test(config_of("test", corpus, real("tatoeba-en-fr-5k"))).pairs
    assert len(pairs) == 5000
    assert sum(pair.target.count("\u202f") for pair in pairs) == 240


def test_a_result_is_a_named_record(tmp_path: Path) -> None:
    write(tmp_path, b"eins\n", b"one\n")
    assert read_test(config_of("test", FILES, tmp_path)) == Corpus(
        [SentencePair("eins", "one")],
        CorpusReport("data.test", str(tmp_path / "a.de"), str(tmp_path / "a.en"), lines=1),
    )
