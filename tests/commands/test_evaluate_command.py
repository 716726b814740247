"""`nmt-attn eval` on tiny models with random weights: which test set, which files, which figures, what is refused."""

import json
from pathlib import Path

import pytest
from tiny_runs import REFERENCES, SOURCES, make_run, names

from nmt_attn.commands.eval import evaluate
from nmt_attn.config.file import load_config, save_config
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.evaluation.evaluation_inputs import locate_model
from nmt_attn.evaluation.metrics import bleu
from nmt_attn.evaluation.system_outputs import choose_sentence
from nmt_attn.options.evaluation import EvalOptions
from nmt_attn.text_io import read_lines

FIGURES = ["bleu-by-length.png", "bleu-by-length.svg", "eval.json"]


@pytest.fixture(scope="module")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run for the tests that write elsewhere."""
    return make_run(tmp_path_factory.mktemp("made"))


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are empty files: test_pictures.py looks at them."""

    def draw(content: object, path: Path, *metric: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    for name in ("draw_alignment", "draw_lengths"):
        monkeypatch.setattr(f"nmt_attn.evaluation.artifacts.{name}", draw)


def test_a_run_is_evaluated_on_its_own_test_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path)
    evaluate(EvalOptions(model=(run,)))
    assert names(run / "eval") == ["alignment-3.png", "alignment-3.svg", *FIGURES, "predictions.tsv", "test.hyp.txt"]
    hypotheses = read_lines(run / "eval" / "test.hyp.txt")
    assert len(hypotheses) == len(SOURCES)
    assert hypotheses[1] == ""
    figures = json.loads((run / "eval" / "eval.json").read_text(encoding="utf-8"))
    expected = bleu(hypotheses, REFERENCES, tokenize="none", lowercase=False)
    assert (figures["system"], figures["test_set"], figures["beam"]) == ("mine", "test", 2)
    assert figures["metrics"][0]["value"] == expected.value
    assert [(row["words"], row["sentences"]) for row in figures["by_length"]] == [
        ("0", 1),
        ("1-3", 2),
        ("4-9", 1),
        (">9", 1),
    ]
    out, err = capsys.readouterr()
    assert out.startswith("mine on test: 5 sentences, beam 2\n")
    assert expected.signature in out
    assert "source words" in out
    assert "decoding: 5 sentences in" in err
    assert f"wrote {run / 'eval' / 'eval.json'}" in err


def test_the_newest_run_is_taken_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    model = locate_model(None)
    assert (model.name, model.run) == ("mine", Path("runs/mine"))
    assert "model: runs/mine/best (the newest" in capsys.readouterr().err


def test_the_runs_configuration_counts_not_the_models(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    text = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(text.replace("tokenize: none", "tokenize: char"), encoding="utf-8")
    assert locate_model(run).config.evaluate.tokenize == "char"


@pytest.mark.usefixtures("quick_pictures")
def test_files_of_the_users_go_to_a_folder_of_their_own(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (tmp_path / "news.es").write_text("el gato\nun perro negro\n", encoding="utf-8")
    (tmp_path / "news.en").write_text("the cat\na black dog\n", encoding="utf-8")
    evaluate(EvalOptions(model=(run,), source=tmp_path / "news.es", reference=(tmp_path / "news.en",), beam=1))
    assert names(run / "eval") == ["news.es"]
    assert names(run / "eval" / "news.es") == [
        "alignment-2.png",
        "alignment-2.svg",
        *FIGURES,
        "news.es.hyp.txt",
        "predictions.tsv",
    ]


@pytest.mark.usefixtures("quick_pictures")
def test_named_files_are_written_beside_the_folder(made_run: Path, tmp_path: Path) -> None:
    options = EvalOptions(
        model=(made_run,), report=tmp_path / "a" / "b", json=tmp_path / "figures.json", plot=tmp_path / "curve.pdf"
    )
    evaluate(options)
    assert names(tmp_path) == ["a", "curve.pdf", "figures.json"]
    assert set(FIGURES) < set(names(tmp_path / "a" / "b"))
    assert (tmp_path / "figures.json").read_text() == (tmp_path / "a" / "b" / "eval.json").read_text()


@pytest.mark.usefixtures("quick_pictures")
def test_a_model_without_attention_has_no_alignment_picture(tmp_path: Path) -> None:
    evaluate(EvalOptions(model=(make_run(tmp_path / "plain", "none"),), report=tmp_path / "out"))
    assert names(tmp_path / "out") == [*FIGURES, "predictions.tsv", "report.html", "test.hyp.txt"]


@pytest.mark.usefixtures("quick_pictures")
def test_a_model_folder_needs_a_test_set(made_run: Path, tmp_path: Path) -> None:
    (made_run / "best").rename(tmp_path / "moved")
    try:
        with pytest.raises(ConfigError, match=r"moved: expected a run, .* --source FILE --reference FILE"):
            evaluate(EvalOptions(model=(tmp_path / "moved",)))
        files = {"source": made_run.parents[1] / "test.es", "reference": (made_run.parents[1] / "test.en",)}
        evaluate(EvalOptions(model=(tmp_path / "moved",), **files))
        assert names(tmp_path / "moved") == ["config.yaml", "model.safetensors", "vocab"]
    finally:
        (tmp_path / "moved").rename(made_run / "best")


@pytest.mark.parametrize(("given", "absent"), [("source", "reference"), ("reference", "source")])
def test_one_side_alone_is_refused(made_run: Path, given: str, absent: str) -> None:
    with pytest.raises(ConfigError, match=f"--{given}: expected --{absent} beside it, got a.txt alone"):
        evaluate(EvalOptions(model=(made_run,), **{given: Path("a.txt") if given == "source" else (Path("a.txt"),)}))  # type: ignore[arg-type]


def test_files_of_unequal_length_are_refused_with_both_counts(made_run: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("el gato\n")
    (tmp_path / "b").write_text("the cat\nthe dog\n")
    with pytest.raises(DataError, match=r"a:1: expected 2 lines, as in .*b, got 1"):
        evaluate(EvalOptions(model=(made_run,), source=tmp_path / "a", reference=(tmp_path / "b",)))


def test_an_empty_test_set_is_refused(made_run: Path, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(DataError, match=r"a: expected at least 1 sentence, got 0"):
        evaluate(EvalOptions(model=(made_run,), source=tmp_path / "a", reference=(tmp_path / "a",)))


def test_a_plot_of_another_format_is_refused(made_run: Path) -> None:
    with pytest.raises(ConfigError, match=r"--plot: expected a name that ends in .pdf, .png, .svg, got a.jpg"):
        evaluate(EvalOptions(model=(made_run,), plot=Path("a.jpg")))


def test_places_that_cannot_be_written_are_refused_before_translating(made_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for options in [
        EvalOptions(model=(made_run,), json=tmp_path / "file" / "x.json"),
        EvalOptions(model=(made_run,), report=tmp_path / "file"),
    ]:
        with pytest.raises(DataError, match=r"expected a folder that can be written to, got .*file, a file"):
            evaluate(options)
    with pytest.raises(DataError, match=r"expected a file that can be written, got a folder"):
        evaluate(EvalOptions(model=(made_run,), json=tmp_path))
    assert names(tmp_path) == ["file"]


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected a run or a model folder .* got a folder without a model"):
        evaluate(EvalOptions(model=(tmp_path,)))


def test_the_sentence_shown_is_of_middle_length_and_translated() -> None:
    sources = ["w " * length for length in (2, 30, 9, 11, 10)]
    assert choose_sentence(sources, ["x"] * 5) == 4
    assert choose_sentence(sources, ["x", "x", "x", "x", ""]) == 2
    assert choose_sentence(sources, [""] * 5) is None


def test_a_run_without_a_test_set_is_evaluated_on_its_validation_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path)
    path = run / "config.yaml"
    save_config(load_config(path, ["data.test={source: null, target: null}"]), path)
    evaluate(EvalOptions((run,), report=tmp_path / "report"))
    captured = capsys.readouterr()
    assert f"note: {run} has no test set (data.test), so this is its validation set" in captured.err
    assert "mine on valid: 4 sentences" in captured.out  # a blank source is no validation pair


def test_text_of_the_target_language_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path)
    options = EvalOptions((run,), source=tmp_path / "test.en", reference=(tmp_path / "test.es",), report=tmp_path / "r")
    evaluate(options)
    told = capsys.readouterr().err
    assert "source tokens (100%) are not in the model's vocabulary" in told
    assert "it looks like text of the target language" in told
    assert "source and reference of test.en seem to be swapped" in told
