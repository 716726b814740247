"""The files of ../shared/cases, each of which once went wrong: what each gives. Skipped by name where one is absent."""

import pickle
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nmt_attn.cli import app
from nmt_attn.commands.train import train
from nmt_attn.config.schema import TokenizerConfig
from nmt_attn.data.codec import learn_codec
from nmt_attn.errors import CheckpointError
from nmt_attn.options.training import TrainOptions
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_lines

CASES = Path(__file__).parents[3] / "shared" / "cases"
NAMES = [
    "TRAIN.EN.GZ", "constraint-bom.txt", "dictionary-bom.tsv", "dictionary-crlf.tsv", "dictionary-input.txt",
    "eval-source.txt", "hyp-bom.txt", "hyp-plain.txt", "input-utf16.txt", "input-utf16le.txt", "pickle-used.py",
    "prefix-bom.txt", "reference-2.txt", "reserved-block-all.en", "reserved-block.en", "resume-after.tsv",
    "resume-before.tsv", "resume.yaml", "train.en.bz2", "train.en.xz", "train.fr", "valid-after.tsv",
    "valid-before.tsv",
]  # fmt: skip
"""All of them."""
MARK = "\ufeff"


def case(name: str) -> Path:
    """The file; the test is skipped if it is absent."""
    if not (CASES / name).is_file():
        pytest.skip(f"shared/cases/{name} is absent")
    return CASES / name


def call(*words: object) -> Result:
    """A command that succeeds."""
    return CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)


def test_the_list_above_is_whole() -> None:
    assert sorted([*NAMES, "README.md"]) == sorted(path.name for path in case("README.md").parent.iterdir())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the compressed training text, which has learned nothing."""
    folder = tmp_path_factory.mktemp("run")
    for name in ("TRAIN.EN.GZ", "train.fr"):
        case(name)
    texts = f"{{source: {CASES}/TRAIN.EN.GZ, target: {CASES}/train.fr}}"
    (folder / "a.yaml").write_text(
        f"run: {{name: r, dir: {folder}, device: cpu}}\ndata: {{train: {texts}, valid: {texts}}}\n"
        "tokenizer: {kind: word}\n"
        "model: {encoder: {hidden: 5, embedding: 7}, decoder: {hidden: 11, embedding: 3}}\n"
        "training: {updates: 1, batch_tokens: 99, validate_translation: false}\n"
    )
    train(TrainOptions(config=folder / "a.yaml"))
    return folder / "r"


def test_a_mark_costs_no_bleu() -> None:
    files = {name: case(name) for name in ("hyp-bom.txt", "hyp-plain.txt", "eval-source.txt")}
    arguments = ["--hypothesis", files["hyp-bom.txt"], "--source", files["eval-source.txt"]]
    arguments += ["--reference", files["hyp-plain.txt"], "--set", "evaluate.metrics=[bleu]"]
    found = call("eval", *arguments)
    assert "100.00" in found.stdout
    assert "note: byte-order mark at the start of hyp-bom.txt, left out" in found.stderr


def test_two_references_count_together_in_any_order() -> None:
    first, second = case("hyp-plain.txt"), case("reference-2.txt")
    arguments = ["--hypothesis", first, "--source", case("eval-source.txt"), "--set", "evaluate.metrics=[bleu,chrf]"]
    for order in ([first, second], [second, first]):
        found = call("eval", *arguments, *(part for path in order for part in ("--reference", path)))
        assert "100.00" in found.stdout and found.stdout.count("nrefs:2|") == 2


@pytest.mark.parametrize("name", ["TRAIN.EN.GZ", "train.en.bz2", "train.en.xz"])
def test_compressed_text_is_text(name: str, run: Path, tmp_path: Path) -> None:
    assert len(read_lines(case(name))) == len(read_lines(case("train.fr"))) == 40
    (tmp_path / "plain").write_text("\n".join(read_lines(case(name))) + "\n")
    found = [call("translate", "--model", run, "--input", path).stdout for path in (case(name), tmp_path / "plain")]
    assert found[0] == found[1]
    assert read_lines(case(name))[0] == "Go."


@pytest.mark.parametrize("name", ["input-utf16.txt", "input-utf16le.txt"])
def test_utf16_is_read_with_a_note(name: str, run: Path, tmp_path: Path) -> None:
    lines = read_lines(case(name))
    assert lines[:5] == ["Go.", "Go.", "Go.", "Hi.", "Hi."]
    (tmp_path / "plain").write_text("\n".join(lines) + "\n")
    found = [call("translate", "--model", run, "--input", path) for path in (case(name), tmp_path / "plain")]
    assert found[0].stdout == found[1].stdout
    assert f"{name} is UTF-16, read as such" in found[0].stderr


@pytest.mark.parametrize("option", ["prefix", "constraint"])
def test_a_prefix_and_a_constraint_with_a_mark(option: str, run: Path, tmp_path: Path) -> None:
    """Both are words of train.fr, which the model writes where it is told to."""
    marked = case(f"{option}-bom.txt")
    assert marked.read_text(encoding="utf-8").startswith(MARK)
    word = marked.read_text(encoding="utf-8-sig").strip()
    plain, line = tmp_path / "plain", tmp_path / "line"
    plain.write_text(f"{word}\n")
    line.write_text("Go.\n")
    name = "--prefix" if option == "prefix" else "--constraints"
    arguments = ["translate", "--model", run, "--input", line, "--beam", 3, name]
    found = [CliRunner().invoke(app, list(map(str, [*arguments, path]))) for path in (marked, plain)]
    assert (found[0].exit_code, found[0].stdout) == (found[1].exit_code, found[1].stdout)
    assert MARK not in found[0].output
    marked_error, plain_error = (
        str(each.exception).replace(str(path), "FILE") for each, path in zip(found, (marked, plain), strict=True)
    )
    assert marked_error == plain_error


@pytest.mark.parametrize("name", ["dictionary-bom.tsv", "dictionary-crlf.tsv"])
def test_a_dictionary_with_a_mark_or_returns(name: str) -> None:
    from nmt_attn.search.unk_replacement import read_dictionary

    assert read_dictionary(case(name)) == {"zzz": "XYZ"}
    assert read_lines(case("dictionary-input.txt")) == ["zzz here"]


@pytest.mark.parametrize(("name", "place"), [("resume", "q.tsv"), ("valid", "qv.tsv")])
def test_a_run_notices_that_its_data_has_changed(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "try").mkdir()
    shutil.copy(case("resume.yaml"), tmp_path)
    shutil.copy(case("resume-before.tsv"), tmp_path / "try" / "q.tsv")
    for test in ("qv.tsv", "v.tsv"):
        shutil.copy(case("valid-before.tsv"), tmp_path / "try" / test)
    train(TrainOptions(config=Path("resume.yaml")))
    shutil.copy(case(f"{name}-after.tsv"), tmp_path / "try" / place)
    with pytest.raises(CheckpointError, match=rf"got other content: data\.\w+ \({place}\) "):
        train(TrainOptions(config=Path("resume.yaml"), set=("training.epochs=3",)))


@pytest.mark.parametrize(("name", "skipped"), [("reserved-block.en", 2), ("reserved-block-all.en", 20)])
def test_lines_that_sentencepiece_skips_are_told(name: str, skipped: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = read_lines(case(name))
    assert sum("\u2585" in line for line in lines) == skipped
    learn_codec(lines, TokenizerConfig(kind="sentencepiece", vocab_size=30), name)
    assert f"note: {name}: {skipped} lines with U+2585, for which SentencePiece has no piece" in capsys.readouterr().err


def test_a_translator_is_pickled_after_use(run: Path) -> None:
    assert "pickle.dumps(t)" in case("pickle-used.py").read_text()
    translator = Translator.load(run)
    [found] = translator.translate(["Go."])
    assert pickle.loads(pickle.dumps(translator)).translate(["Go."])[0].text == found.text
