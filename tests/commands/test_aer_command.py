"""`nmt-attn aer`: known figures to four decimals, both formats, either side first, refusals and reports."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nmt_attn.alignment.link_files import gold_file
from nmt_attn.cli import app
from nmt_attn.commands.aer import aer
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.options.evaluation import AerOptions

DATA = Path(__file__).parents[3] / "shared" / "data"


def folder(name: str) -> Path:
    """A corpus folder; the test is skipped by name where it is absent."""
    if not (DATA / name).is_dir():
        pytest.skip(f"shared/data/{name} is absent")
    return DATA / name


def shown(*arguments: str | Path) -> list[str]:
    """The lines that the command prints, without the blanks between columns."""
    result = CliRunner().invoke(app, ["aer", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return [" ".join(line.split()) for line in result.stdout.split("\n")]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("pair", "figures"), [("enfr", "0.9627 0.9542 0.9584 0.0407"), ("jaen", "0.7274 0.5501 0.6264 0.3736")]
)
def test_known_error_rates_of_a_real_aligner(pair: str, figures: str) -> None:
    root = folder("align-naacl")
    lines = shown(root / f"{pair}.awesome-align.out", "--gold", root / f"{pair}.gold", "--gold-base", "1")
    assert lines[1].rpartition(" [")[0].endswith(f" {figures}")  # then the interval


def test_several_files_of_the_naacl_format() -> None:
    root = folder("align-es-en")
    found = [root / f"ibm{model}.001-100.out" for model in (1, 2)]
    lines = shown(*found, "--format", "naacl", "--gold", root / "gold.001-100.key", "--gold-format", "naacl")
    # F1 of the whole 200 sentences is 0.226 and 0.451; these are its first half
    assert [line.split()[-4:-2] for line in lines[1:3]] == [["0.2223", "0.7777"], ["0.4470", "0.5530"]]
    assert lines[3] == "100 sentences, 2,924 sure links of 2,924 possible ones"


@pytest.mark.parametrize(("gold", "is_told"), [("1-0 0-2\n", True), ("0-1 2-0\n", False)])
def test_gold_links_that_fit_better_swapped_are_told(tmp_path: Path, gold: str, *, is_told: bool) -> None:
    found = written(tmp_path / "found", "0-1 2-0\n")
    result = CliRunner().invoke(app, ["aer", str(found), "--gold", str(written(tmp_path / "gold", gold))])
    told = "gold fits better swapped (with --gold-swapped the error rate is 0.0000 instead of 1.0000)"
    assert (told in result.stderr) == is_told


def test_gold_links_may_name_the_target_first(tmp_path: Path) -> None:
    found = written(tmp_path / "found", "0-1 2-0\n")
    gold = written(tmp_path / "gold", "1-0 0p2\n")
    # swapped, 0-1 is sure and 2-0 possible: no error; as it stands, 2 wrong links and 1 missed
    line = shown(found, "--gold", gold, "--gold-swapped")[1]
    assert line.split()[1:] == ["2", "1.0000", "1.0000", "1.0000", "0.0000", "[0.000,", "0.000]"]
    assert shown(found, "--gold", gold)[1].split()[-3] == "1.0000"


def test_links_out_of_range_are_told_with_the_option_that_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = [written(tmp_path / name, "one two\n") for name in ("source", "target")]
    found, gold = written(tmp_path / "found", "2-2\n"), written(tmp_path / "gold", "1-1\n")
    aer(AerOptions((found,), gold, source=text[0], target=text[1]))
    told = capsys.readouterr().err
    assert "found: 1 links out of range" in told and "sentence 1, 2-2 counted from 0, of 2 and 2 words" in told
    assert "(positions were read as counted from 0: --base)" in told
    assert "gold: " not in told


@pytest.mark.parametrize(
    ("found", "gold", "text", "message"),
    [
        ("0-0\n0-0\n", "0-0\n", None, "found: expected 1 lines, as many as sentences in the gold file, got 2"),
        ("0-0\n", "0-0\n", "a\nb\n", "gold: expected 2 lines, one a sentence of the text, got 1"),
        ("0=0\n", "0-0\n", None, "found:1: expected links such as .* got '0=0'"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, found: str, gold: str, text: str | None, message: str
) -> None:
    files = [written(tmp_path / name, content) for name, content in (("found", found), ("gold", gold))]
    sides = [None, None] if text is None else [written(tmp_path / name, text) for name in ("source", "target")]
    with pytest.raises(DataError, match=message):
        aer(AerOptions((files[0],), files[1], source=sides[0], target=sides[1]))


def test_texts_of_unequal_length_are_refused(tmp_path: Path) -> None:
    links = written(tmp_path / "links", "0-0\n")
    source, target = written(tmp_path / "source", "a\n"), written(tmp_path / "target", "a\nb\n")
    with pytest.raises(DataError, match=r"target: expected 1 lines, as many as in .*source, got 2"):
        aer(AerOptions((links,), links, source=source, target=target))


def test_one_text_alone_is_refused(tmp_path: Path) -> None:
    links = written(tmp_path / "links", "0-0\n")
    with pytest.raises(ConfigError, match=r"--source: expected --target beside it, got .*links alone"):
        aer(AerOptions((links,), links, source=links))


@pytest.mark.parametrize(
    ("options", "name"),
    [(("naacl", None, False), "format"), ((None, 1, False), "base"), ((None, None, True), "swapped")],
)
def test_options_about_gold_need_gold(options: tuple[str | None, int | None, bool], name: str) -> None:
    link_format, base, is_swapped = options
    with pytest.raises(ConfigError, match=f"--gold-{name}: expected --gold FILE beside it, got it alone"):
        gold_file(None, link_format, base, is_swapped=is_swapped)  # type: ignore[arg-type]
    assert gold_file(None, None, None, is_swapped=False) is None
