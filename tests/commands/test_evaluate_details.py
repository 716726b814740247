"""`nmt-attn eval`: predictions.tsv, the tables of evaluate.tables, top-n accuracy, several pronunciations of a word."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.commands.eval import evaluate
from nmt_attn.errors import ConfigError
from nmt_attn.options.evaluation import EvalOptions

METRICS = "evaluate.metrics=[wer,per]"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and a lexicon with the guesses of some system."""
    folder = tmp_path_factory.mktemp("details")
    make_run(folder)
    for name, lines in [
        ("words", ["read", "it", "read"]),
        ("phones", ["ɹ iː d", "ɪ t", "ɹ ɛ d"]),
        ("guesses", ["ɹ ɛ d", "ɪ d", "x"]),
    ]:
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures: test_pictures.py looks at them."""
    for name in ("draw_alignment", "draw_lengths"):
        monkeypatch.setattr(f"nmt_attn.evaluation.artifacts.{name}", lambda *_: None)


def figures(root: Path, folder: Path, *settings: str, **options: Any) -> dict[str, Any]:
    """eval.json."""
    evaluate(EvalOptions(report=folder, set=settings, **options))
    read: dict[str, Any] = json.loads((folder / "eval.json").read_text(encoding="utf-8"))
    return read


def lexicon(root: Path) -> dict[str, Any]:
    return {"source": root / "words", "reference": (root / "phones",), "hypothesis": (root / "guesses",)}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_each_line_has_a_row_of_predictions(root: Path, tmp_path: Path) -> None:
    figures(root, tmp_path, model=(root / "runs" / "mine",))
    rows = rows_of(tmp_path / "predictions.tsv")
    hypotheses = (tmp_path / "test.hyp.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert [row["source"].split() for row in rows] == [source.split() for source in SOURCES]
    assert [row["gold"].split() for row in rows] == [gold.split() for gold in REFERENCES]
    assert [row["guess"] for row in rows] == hypotheses
    assert {row["right"] for row in rows} == {"no"} and all("→" in row["edits"] for row in rows)
    assert all(float(row["log_prob"]) < 0 for row in rows if row["source"])


def test_the_tables_are_those_that_were_asked_for(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = root / "runs" / "mine"
    names = {"by_frequency", "confusions"}  # the sources have no tags
    assert not names & figures(root, tmp_path, model=(run,)).keys()
    assert names <= figures(root, tmp_path, METRICS, model=(run,)).keys()
    capsys.readouterr()
    read = figures(root, tmp_path, "evaluate.tables=[errors,tag]", model=(run,))
    assert names & read.keys() == {"confusions"}
    out, err = capsys.readouterr()
    assert "% of gold" in out and "note: no table by tag, as the sources have none" in err
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Commonest errors" in page and "Confusion matrix" in page


def test_frequencies_come_from_the_training_corpus(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = figures(root, tmp_path, "evaluate.tables=[frequency]", model=(root / "runs" / "mine",))
    # gato stands in training 9 times, el 9, and the other words once; the blank line has no word
    assert {row["in_training"]: row["sentences"] for row in read["by_frequency"] if row["sentences"]} == {
        "1": 3,
        "2-9": 1,
    }
    figures(root, tmp_path, "evaluate.tables=[frequency]", **lexicon(root))
    assert "note: no table by frequency, as no run says what it was trained on" in capsys.readouterr().err


def test_the_beam_is_looked_through_for_a_right_one(root: Path, tmp_path: Path) -> None:
    run = (root / "runs" / "mine",)
    read = figures(root, tmp_path, "evaluate.top=2", model=run)
    assert [each["name"] for each in read["top"]] == ["top-1", "top-2"]
    with pytest.raises(ConfigError, match=r"evaluate\.top: expected at most search.beam 2, got 3"):
        figures(root, tmp_path, "evaluate.top=3", model=run)
    with pytest.raises(ConfigError, match=r"evaluate\.top: expected at most search.beam 1, got 2"):
        figures(root, tmp_path, "evaluate.top=2", model=run, beam=1)


def test_every_pronunciation_of_a_word_is_right(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    each = figures(root, tmp_path, METRICS, **lexicon(root))
    assert each["sentences"] == 3 and each["metrics"][0]["value"] == 100.0
    read = figures(root, tmp_path, METRICS, "evaluate.join_sources=true", **lexicon(root))
    assert "note: 3 lines have 2 sources, each with all its targets" in capsys.readouterr().err
    # read is right, as one of its two pronunciations; of ɪ t one phone of two is wrong: 1 edit in 3 + 2 phones
    assert read["sentences"] == 2
    assert [metric["value"] for metric in read["metrics"]] == [50.0, pytest.approx(20.0)]
    rows = rows_of(tmp_path / "predictions.tsv")
    assert [(row["guess"], row["right"], row["other_golds"]) for row in rows] == [
        ("ɹ ɛ d", "yes", "ɹ iː d"),
        ("ɪ d", "no", ""),
    ]


def test_a_file_of_the_joined_lines_serves_too(root: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("ɹ ɛ d\nɪ t\n", encoding="utf-8")
    options = lexicon(root) | {"hypothesis": (tmp_path / "short",)}
    assert figures(root, tmp_path / "out", METRICS, "evaluate.join_sources=true", **options)["metrics"][0]["value"] == 0
    with pytest.raises(ConfigError, match=r"evaluate\.join_sources: expected false beside --gold"):
        figures(
            root,
            tmp_path / "out",
            "evaluate.join_sources=true",
            **options | {"model": (root / "runs" / "mine",), "gold": tmp_path / "short"},
        )


def test_two_systems_are_compared_by_words_and_ngrams(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("".join(f"{line}\n" for line in ["a cat", "x", *REFERENCES[2:]]), encoding="utf-8")
    read = figures(root, tmp_path / "both", model=(root / "runs" / "mine",), hypothesis=(tmp_path / "out",))
    assert read["ngrams"]["first"] == "mine" and read["ngrams"]["second"] == "out"
    cat = next(row for row in read["ngrams"]["better_second"] if row["ngram"] == "cat")
    assert cat["first"] < cat["second"] == 9
    model, file = (system["words"] for system in read["systems"])
    # a pair with a blank source is not trained on: `nothing`, which the file lacks, stands nowhere in training;
    # a, dog, sees, black, two and dogs once, the and cat 9 times each
    assert [(row["in_training"], row["words"], row["recall"]) for row in file] == [
        ("0", 1, 0.0),
        ("1", 6, 100.0),
        ("2-9", 18, 100.0),
    ]
    assert sum(row["words"] for row in model) == sum(len(line.split()) for line in REFERENCES)
    shown = capsys.readouterr().out
    assert "more often right in out" in shown and "mine F1" in shown
    page = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert "n-grams more often right in out" in page and "Words of the references by how often" in page
    assert read["ngrams"]["better_first"] == [] and page.count('<td colspan="3">none</td>') == 1
    assert "ngrams" not in figures(root, tmp_path / "one", model=(root / "runs" / "mine",))
    figures(root, tmp_path / "one", "evaluate.tables=[ngrams]", model=(root / "runs" / "mine",))
    assert "note: no table of ngrams, as two systems can be compared, not 1" in capsys.readouterr().err
