"""`nmt-attn init`: what it finds in a corpus, what it writes, and what it answers to newcomers' mistakes."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nmt_attn.cli import app
from nmt_attn.config.file import load_config
from nmt_attn.config.schema import Config
from nmt_attn.data.corpus import has_test, read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import UserError

SENTENCES = [(f"el perro {i} ve la casa , si .", f"the dog {i} sees the house , yes .") for i in range(60)]
WORDS = [("".join(chr(97 + (i * k) % 26) for k in range(1, 7)), f"a {chr(97 + i % 26)} t͡ʃ o") for i in range(60)]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(pairs: list[tuple[str, ...]] | list[tuple[str, str]], separator: str = "\t") -> str:
    return "".join(separator.join(pair) + "\n" for pair in pairs)


def init(*arguments: str) -> tuple[Config, str]:
    """The configuration that is written, and what is printed."""
    result = CliRunner().invoke(app, ["init", *arguments, "--output", "mine.yaml"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return load_config(Path("mine.yaml"), []), result.stdout


def pairs_of(config: Config, part: str = "train") -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read_part(config, part, CorpusReport(part))]  # type: ignore[arg-type]


def test_two_files_with_siblings() -> None:
    for side in (0, 1):
        text = "".join(f"{pair[side]}\n" for pair in SENTENCES)
        Path(f"train.{'ab'[side]}.gz").write_bytes(gzip.compress(text.encode()))
        Path(f"dev.{'ab'[side]}").write_text(text)
        Path(f"test_2016.{'ab'[side]}").write_text(text)
    config, shown = init("--source", "train.a.gz", "--target", "train.b.gz")
    assert config.data.valid.source == "dev.a"
    assert config.data.test.target == "test_2016.b"
    assert pairs_of(config) == SENTENCES
    assert "train.a.gz (gzip, UTF-8)" in shown
    assert "words, tokenised, lowercase (latin" in shown
    assert shown.endswith("train: nmt-attn train mine.yaml\n")


CMUDICT = """;;; A comment
READ  R EH1 D
READ(1)  R IY1 D  # the other tense
'TIS  T IH1 Z
"""


@pytest.mark.parametrize("blank", ["  ", " "])
def test_a_lexicon_whose_words_have_variants(blank: str) -> None:
    words = [(f"{word}{'xyz'[i // 26]}".upper(), symbols.upper()) for i, (word, symbols) in enumerate(WORDS)]
    many = "".join(f"{word}{blank}{symbols}\n" for word, symbols in words)
    Path("cmudict.dict").write_text(CMUDICT.replace("  ", blank) + many)
    config, shown = init("--tsv", "cmudict.dict")
    assert "2 columns, the first blank of a line between them" in shown
    assert "recipe       g2p" in shown and config.training.metric == "per" and config.evaluate.join_sources
    known = pairs_of(config) + pairs_of(config, "valid") + pairs_of(config, "test")
    assert len(known) == len(WORDS) + 3
    assert {("READ", "R EH1 D"), ("READ", "R IY1 D"), ("'TIS", "T IH1 Z")} <= set(known)


@pytest.mark.parametrize("separator", ["|", "￨"])
def test_factors_of_source_words(separator: str) -> None:
    values = ["DET", "N", "V"]
    pairs = [
        (" ".join(f"{word}{separator}{values[i % 3]}{separator}x" for i, word in enumerate(source.split())), target)
        for source, target in SENTENCES
    ]
    Path("a.tsv").write_text(lines(pairs), encoding="utf-8")
    config, shown = init("--tsv", "a.tsv")
    factors = config.tokenizer.factors
    assert (factors.names, factors.separator) == (("factor1", "factor2"), separator)
    assert f"lowercase, with factors, word{separator}factor1{separator}factor2 (latin, 68 types" in shown
    assert not config.tokenizer.shared


def test_factors_of_single_words_stand_beside_the_recipe() -> None:
    Path("a.tsv").write_text(lines([(f"{word}|N", symbols) for word, symbols in WORDS]))
    config, shown = init("--tsv", "a.tsv")
    assert "recipe" in shown and config.tokenizer.source.kind == "char"
    assert config.tokenizer.factors.names == ("factor1",)


@pytest.mark.parametrize(
    "form",
    [
        lambda i, word: f"{word}|",
        lambda i, word: f"|{word}",
        lambda i, word: f"{word}|N" if i % 10 else word,
        lambda i, word: "|".join((word, *"ab"[: 1 + i % 2])),
    ],
    ids=["no factor", "no word", "a tenth without", "one or two"],
)
def test_bars_that_are_not_those_of_factors_are_text(form: Callable[[int, str], str]) -> None:
    pairs = [
        (" ".join(form(i, word) for i, word in enumerate(source.split(), 9 * row)), target)
        for row, (source, target) in enumerate(SENTENCES)
    ]
    Path("a.tsv").write_text(lines(pairs))
    assert init("--tsv", "a.tsv")[0].tokenizer.factors.names == ()


def test_factors_of_the_target_are_said_to_stay() -> None:
    Path("a.tsv").write_text(
        lines([(source, " ".join(f"{w}|N" for w in target.split())) for source, target in SENTENCES])
    )
    result = CliRunner().invoke(app, ["init", "--tsv", "a.tsv"])
    assert "warning: the words of the target carry factors, which a model would write" in result.stderr


def test_words_with_one_pronunciation_are_not_joined() -> None:
    Path("words.tsv").write_text(lines([*WORDS, WORDS[0]]))
    assert not init("--tsv", "words.tsv")[0].evaluate.join_sources


@pytest.mark.parametrize("tags", ["V;PST;{}", "pos=V,tense=PST,per={}"])
def test_few_rows_of_different_tags_are_tags(tags: str) -> None:
    rows = [(word, tags.format(f"{i % 3}(SG{i % 7},{i})"), f"{word}a") for i, (word, _) in enumerate(WORDS[:30])]
    Path("few.tsv").write_text(lines(rows))
    config, shown = init("--tsv", "few.tsv")
    assert "tags in column 2" in shown and "recipe       inflection" in shown
    assert " ⟦V⟧ ⟦PST⟧ " in pairs_of(config)[0][0] or " ⟦pos=V⟧ ⟦tense=PST⟧ " in pairs_of(config)[0][0]


def test_siblings_of_two_files_belong_together() -> None:
    for name in ("train.a", "train.b", "dev.a", "dev.b", "val.b", "test.a", "tst.b"):
        Path(name).write_text("".join(f"{pair['ab'.index(name[-1])]}\n" for pair in SENTENCES))
    config, _ = init("--source", "train.a", "--target", "train.b")
    assert (config.data.valid.source, config.data.valid.target) == ("dev.a", "dev.b")
    assert not config.data.test.is_named
    assert config.data.held_out.test > 0


def test_words_and_phones() -> None:
    Path("words.tsv").write_text(lines(WORDS))
    config, shown = init("--tsv", "words.tsv")
    assert "extends: g2p" in Path("mine.yaml").read_text()
    assert (config.tokenizer.side("source").kind, config.tokenizer.side("target").kind) == ("char", "symbols")
    assert config.evaluate.metrics == ("wer", "per")
    recipe = load_config(Path("g2p"), [])
    assert (config.model, config.training, config.search) == (recipe.model, recipe.training, recipe.search)
    assert config.run.name == "words"
    assert config.data.held_out.valid == config.data.held_out.test == 0.1
    assert has_test(config)
    assert "single words, read letter by letter" in shown
    assert "symbols with blanks between them" in shown
    assert "recipe       g2p: " in shown


def test_words_and_words() -> None:
    Path("words.tsv").write_text(lines([(word, word[::-1]) for word, _ in WORDS]))
    config, _ = init("--tsv", "words.tsv")
    assert "extends: transliteration" in Path("mine.yaml").read_text()
    assert config.tokenizer.side("source").kind == config.tokenizer.side("target").kind == "char"
    assert (config.evaluate.metrics, config.training.metric) == (("exact", "cer"), "cer")


@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize("order", ["lemma tags form", "lemma form tags"])
def test_tags_of_inflection_are_symbols(order: str, separator: str) -> None:
    tags = ("V;PST", "V;PRS;NOM(3)", "N")
    rows = [{"lemma": a, "form": f"{a}s", "tags": tags[i % 3]} for i, (a, _) in enumerate(WORDS)]
    Path("spa.trn").write_text(lines([tuple(row[name] for name in order.split()) for row in rows], separator))
    config, shown = init("--tsv", "spa.trn")
    assert "extends: inflection" in Path("mine.yaml").read_text()
    assert config.data.train.tsv == ("spa.trn" if separator == "\t" else "mine.train.tsv")
    symbols = ("⟦V⟧ ⟦PST⟧", "⟦V⟧ ⟦PRS⟧ ⟦NOM⟧ ⟦3⟧", "⟦N⟧")
    assert set(pairs_of(config)) < {(f"{a} {symbols[i % 3]}", f"{a}s") for i, (a, _) in enumerate(WORDS)}
    assert f"tags in column {order.split().index('tags') + 1}" in shown


@pytest.mark.parametrize("separator", [",", ";", " ||| "])
def test_other_separators_and_a_header_are_converted(separator: str) -> None:
    quoted = [(f'"{a}"', b.replace(" , ", " ")) for a, b in SENTENCES] if separator == "," else SENTENCES
    Path("pairs.csv").write_text(lines([("source", "target"), *quoted], separator))
    config, shown = init("--tsv", "pairs.csv")
    found = [tuple(line.split("\t")) for line in Path("mine.train.tsv").read_text().splitlines()]
    assert [source for source, _ in found] == [source for source, _ in SENTENCES]
    assert "a header line" in shown
    assert len(pairs_of(config)) < 60  # the others are held out


def test_a_table_with_attributions_is_read_as_it_is() -> None:
    Path("fra.txt").write_text(
        lines([(*pair, f"CC-BY 2.0 (France) tatoeba.org #{i}") for i, pair in enumerate(SENTENCES)])
    )
    config, shown = init("--tsv", "fra.txt")
    assert config.data.train.tsv == "fra.txt"
    assert "not read: column 3 (attribution)" in shown


@pytest.mark.parametrize("record", ["{{'source': {a}, 'target': {b}}}", "{{'translation': {{'de': {a}, 'en': {b}}}}}"])
def test_json_lines(record: str) -> None:
    rows = [record.replace("'", '"').format(a=json.dumps(a), b=json.dumps(b)) for a, b in SENTENCES]
    Path("f.jsonl").write_text("".join(f"{row}\n" for row in rows))
    config, _ = init("--jsonl", "f.jsonl")
    assert set(pairs_of(config)) < set(SENTENCES)


def test_a_saved_dataset(place: Path) -> None:
    datasets = pytest.importorskip("datasets")
    columns = {"de": [a for a, _ in SENTENCES], "en": [b for _, b in SENTENCES], "id": list(range(60))}
    part = datasets.Dataset.from_dict(columns)
    datasets.DatasetDict({"train": part, "validation": part}).save_to_disk(place / "saved")
    config, shown = init("--dataset", "saved")
    assert config.data.valid.split == "validation"
    assert (config.data.train.source, config.data.train.target) == ("de", "en")
    assert "parts train, validation" in shown


def test_paths_are_relative_to_the_configuration(place: Path) -> None:
    (place / "text").mkdir()
    (place / "conf").mkdir()
    Path("text/words.tsv").write_text(lines(WORDS))
    CliRunner().invoke(app, ["init", "--tsv", "text/words.tsv", "--output", "conf/a b.yaml"])
    text = Path("conf/a b.yaml").read_text()
    assert "{tsv: ../text/words.tsv}" in text
    assert set(pairs_of(load_config(Path("conf/a b.yaml"), []))) < set(WORDS)


def test_the_printed_command_is_quoted() -> None:
    Path("words.tsv").write_text(lines(WORDS))
    result = CliRunner().invoke(app, ["init", "--tsv", "words.tsv", "--output", "it's mine.yaml"])
    assert """nmt-attn train 'it'"'"'s mine.yaml'""" in result.stdout


def raw(name: str, text: str | bytes) -> Callable[[], object]:
    return lambda: Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())


def two(left: str, right: str) -> Callable[[], object]:
    return lambda: (Path("a").write_text(left), Path("b").write_text(right))


TEXT = "".join(f"{a}\n" for a, _ in SENTENCES)
FILES = ["--source", "a", "--target", "b"]
NEWCOMERS: dict[str, tuple[Callable[[], object], list[str], str]] = {
    "nothing named": (raw("f", ""), [], r"corpus: expected one of --tsv FILE, .*, got none of them"),
    "two forms": (raw("f", ""), ["--tsv", "f", "--jsonl", "f"], r"corpus: .* got --tsv and --jsonl"),
    "no target": (raw("a", TEXT), ["--source", "a"], r"--target: expected a file beside --source, got none"),
    "one file twice": (raw("a", TEXT), ["--source", "a", "--target", "./a"], r"--target: expected another file"),
    "no such file": (raw("f", ""), ["--tsv", "words.tvs"], r"words\.tvs: expected a readable file, got no such file"),
    "a folder": (lambda: Path("d").mkdir(), ["--tsv", "d"], r"d: expected a readable file, got is a directory"),
    "an empty file": (raw("f", ""), ["--tsv", "f"], r"f: expected lines with a source and a target, got no text"),
    "blank lines": (raw("f", "\n \n"), ["--tsv", "f"], r"f: expected lines with a source and a target, got no text"),
    "text, no columns": (raw("f", TEXT.replace(" ,", "")), ["--tsv", "f"], r"--source A --target B"),
    "blanks for tabs": (raw("f", lines(WORDS, "    ")), ["--tsv", "f"], r"f: expected columns with tabs, .*'aaaaaa"),
    "JSON as a table": (raw("f", '{"a": "b"}\n'), ["--tsv", "f"], r"f: .* got JSON in line 1 \(use --jsonl f\)"),
    "a JSON list": (
        raw("f", '[\n{"a": "b"}]\n'),
        ["--jsonl", "f"],
        r"f: expected one JSON object a line, got one list",
    ),
    "a table as JSON": (raw("f", lines(WORDS)), ["--jsonl", "f"], r"f: expected one JSON object a line, got 'aaaaaa"),
    "three fields": (
        raw("f", '{"a": "x", "b": "y", "c": "z"}\n'),
        ["--jsonl", "f"],
        r"f: expected two fields with text, got a, b, c \(--columns SOURCE,TARGET says which\)",
    ),
    "a field misspelt": (
        raw("f", '{"de": "x", "en": "y"}\n'),
        ["--jsonl", "f", "--columns", "de,eng"],
        r"--columns: expected fields of f \(de, en\), got eng",
    ),
    "one column named": (
        raw("f", lines(WORDS)),
        ["--tsv", "f", "--columns", "1"],
        r"--columns: expected SOURCE,TARGET",
    ),
    "column 0": (
        raw("f", lines(WORDS)),
        ["--tsv", "f", "--columns", "0,1"],
        r"--columns: expected numbers from 1 to 2",
    ),
    "four texts": (
        raw("f", lines([(a, b, a, b) for a, b in SENTENCES])),
        ["--tsv", "f"],
        r"f: expected two columns of text, got 1: text, 2: text, 3: text, 4: text \(--columns",
    ),
    "Latin-1": (
        raw("f", lines([(f"Stra\xdfe {i}", "street") for i in range(60)]).encode("latin-1")),
        ["--tsv", "f"],
        r"f:1: expected UTF-8 text, got other bytes in 60 .*iconv -f ISO-8859-1",
    ),
    "a spreadsheet": (
        raw("f.xlsx", b"PK\x03\x04" + b"\0" * 400),
        ["--tsv", "f.xlsx"],
        r"binary content, a zip archive",
    ),
    "a damaged gzip": (
        raw("f.gz", gzip.compress(TEXT.encode())[:90]),
        ["--tsv", "f.gz"],
        r"f\.gz: expected a whole file, got a damaged one",
    ),
    "unequal files": (two(TEXT, TEXT + "x\n"), FILES, r"a:60: expected 61 lines, as in b, got 60"),
    "too few pairs": (raw("f", lines(WORDS[:5])), ["--tsv", "f"], r"f: expected at least 20 pairs of text, got 5"),
    "one side blank": (two(TEXT, "\n" * 60), FILES, r"a: expected at least 20 pairs of text, got 0"),
    "no such dataset": (raw("f", ""), ["--dataset", "./none"], r"none: expected a folder, got no such file"),
    "an impossible name": (
        raw("f", lines(WORDS)),
        ["--tsv", "f", "--name", "my run"],
        r"--name: expected a name of letters, digits, .* got 'my run'",
    ),
}


@pytest.mark.parametrize("name", NEWCOMERS)
def test_what_newcomers_get_wrong_is_answered_in_one_line(name: str) -> None:
    prepare, arguments, message = NEWCOMERS[name]
    prepare()
    with pytest.raises(UserError, match=message) as caught:
        init(*arguments)
    assert "\n" not in str(caught.value)
    assert not list(Path().glob("mine*"))


def test_what_is_there_is_not_overwritten() -> None:
    Path("words.tsv").write_text(lines(WORDS))
    Path("mine.yaml").write_text("precious")
    with pytest.raises(UserError, match=r"mine\.yaml: expected no such file yet, got one \(--force replaces it"):
        init("--tsv", "words.tsv")
    assert Path("mine.yaml").read_text() == "precious"
    assert init("--tsv", "words.tsv", "--force")[0].run.name == "words"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(a, a) for a, _ in SENTENCES], r"100% of the targets equal their source"),
        ([*SENTENCES, ("one column",)], r"lines that cannot be read are left out, the first: f:61"),
    ],
)
def test_half_right_input_is_used_with_a_warning(pairs: list[tuple[str, ...]], message: str) -> None:
    Path("f").write_text(lines(pairs))
    result = CliRunner().invoke(app, ["init", "--tsv", "f", "--output", "mine.yaml"])
    assert re.search(f"warning: .*{message}", result.stderr)
    assert Path("mine.yaml").is_file()
