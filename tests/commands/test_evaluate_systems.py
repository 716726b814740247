"""`nmt-attn eval` on several models and on files: one table, comparisons, gold alignments, what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import REFERENCES, SOURCES, make_run, names

from nmt_attn.alignment.formats import read_pharaoh
from nmt_attn.alignment.links import score_links
from nmt_attn.commands.align import align
from nmt_attn.commands.eval import evaluate
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.metrics import bleu
from nmt_attn.options.evaluation import AlignOptions, EvalOptions

GOLD = ["0-0 1-1", "", "0-0 1p1 1-2", "0-0", "0-0 12-12"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with attention and one without, on one test set; and the output of another system."""
    folder = tmp_path_factory.mktemp("systems")
    make_run(folder, name="first")
    make_run(folder, name="second", seed=3)
    make_run(folder, "none", name="plain")
    (folder / "out.txt").write_text("".join(f"{line}\n" for line in ["a dog", *REFERENCES[1:]]), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are empty files: test_pictures.py looks at them."""

    def draw(content: object, path: Path, *metric: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    for name in ("draw_alignment", "draw_lengths"):
        monkeypatch.setattr(f"nmt_attn.evaluation.artifacts.{name}", draw)


def figures(root: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """eval.json of an evaluation on files of the test set."""
    files = {"source": root / "test.es", "reference": (root / "test.en",)}
    evaluate(EvalOptions(**files, report=folder, **options))
    read: dict[str, Any] = json.loads((folder / "eval.json").read_text(encoding="utf-8"))
    return read


def test_models_and_files_stand_in_one_table(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = (root / "runs" / "first", root / "runs" / "plain")
    read = figures(root, tmp_path, model=models, hypothesis=(root / "out.txt",), cumulative=True)
    assert [system["system"] for system in read["systems"]] == ["first", "plain", "out.txt"]
    first, plain, file = read["systems"]
    expected = bleu(["a dog", *REFERENCES[1:]], REFERENCES, tokenize="none", lowercase=False).value
    assert file["metrics"][0]["value"] == expected
    assert first["perplexity"] > 1 and plain["perplexity"] > 1 and file["perplexity"] is None
    assert first["attention"] is not None and plain["attention"] is None
    [_, against_file] = read["comparisons"]
    assert (against_file["system"], against_file["baseline"]) == ("out.txt", "first")
    assert against_file["metrics"][0]["difference"] == pytest.approx(expected - first["metrics"][0]["value"])
    assert set(names(tmp_path)) >= {"test.es.plain.hyp.txt", "alignment-3.first.png", "bleu-up-to-length.svg"}
    out = capsys.readouterr().out
    assert out.startswith("3 systems on test.es: 5 sentences\n")
    assert "BLEU up to a length" in out and "difference from first, p by paired bootstrap" in out


def test_a_file_alone_needs_no_model(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ("evaluate.metrics=[ter,exact,cer]", "evaluate.length_buckets=[4]")
    read = figures(root, tmp_path, hypothesis=(root / "out.txt",), set=overrides)
    # one of five sentences differs, by one word of the 24 of the references and by 3 characters
    characters = sum(len(" ".join(line.split())) for line in REFERENCES)
    assert [(each["name"], each["value"]) for each in read["metrics"]] == [
        ("TER", pytest.approx(100 / sum(len(line.split()) for line in REFERENCES))),
        ("exact", 80.0),
        ("CER", pytest.approx(100 * 3 / characters)),
    ]
    assert [row["words"] for row in read["by_length"]] == ["0", "1-4", ">4"]
    assert "out.txt on test.es: 5 sentences\n" in capsys.readouterr().out


def test_sacrebleus_own_command_agrees(root: Path, tmp_path: Path) -> None:
    read = figures(root, tmp_path, model=(root / "runs" / "first",))
    command = [sys.executable, "-m", "sacrebleu", root / "test.en", "-i", tmp_path / "test.es.hyp.txt"]
    printed = subprocess.run(
        [*command, "-tok", "none", "-b", "-w", "9"], capture_output=True, text=True, check=True
    ).stdout
    assert float(printed) == pytest.approx(read["metrics"][0]["value"], abs=1e-9)


def test_the_first_models_test_set_is_everyones(root: Path, tmp_path: Path) -> None:
    evaluate(EvalOptions(model=(root / "runs" / "first",), hypothesis=(root / "out.txt",), report=tmp_path))
    assert {"test.first.hyp.txt", "test.out.txt.hyp.txt"} <= set(names(tmp_path))
    assert not (root / "runs" / "first" / "eval").exists()


def test_one_model_twice_is_one_system(root: Path, tmp_path: Path) -> None:
    run = root / "runs" / "first"
    assert figures(root, tmp_path, model=(run, run / "best"))["system"] == "first"


def test_gold_links_score_attention(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gold").write_text("".join(f"{line}\n" for line in GOLD))
    models, gold = (root / "runs" / "first",), tmp_path / "gold"
    read = figures(root, tmp_path / "a", model=models, gold=gold, threshold=0.1)
    assert [row["links"] for row in read["alignments"]] == ["argmax", "threshold 0.1"]
    assert read["attention"]["gold_share"] is not None
    out, err = capsys.readouterr()
    assert "AER" in out
    # "el gato" seven times has 14 words: all in range
    assert "out of range" not in err
    reverse = figures(root, tmp_path / "b", model=models, gold=gold, reverse=root / "runs" / "second", shift=1)
    assert [row["links"] for row in reverse["alignments"]][2:] == [
        "argmax, reverse model",
        "intersection",
        "union",
        "grow-diag-final",
        "grow-diag-final-and",
    ]
    by_name = {row["links"]: row for row in reverse["alignments"]}
    assert by_name["union"]["recall"] >= max(by_name["argmax"]["recall"], by_name["intersection"]["recall"])


def test_naacl_files_count_from_1_and_links_out_of_range_are_told(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gold").write_text("1 1 1 S\n3 1 1 S\n3 7 1 P\n")
    naacl = figures(root, tmp_path / "a", model=(root / "runs" / "first",), gold=tmp_path / "gold", gold_format="naacl")
    assert "1 links out of range, which count as never found; the first: sentence 3, 6-0" in capsys.readouterr().err
    (tmp_path / "same").write_text("0-0\n\n0-0 6p0\n\n\n")
    pharaoh = figures(root, tmp_path / "b", model=(root / "runs" / "first",), gold=tmp_path / "same")
    assert naacl["alignments"] == pharaoh["alignments"]


def test_a_wrong_number_of_gold_lines_is_refused_with_both(root: Path, tmp_path: Path) -> None:
    (tmp_path / "gold").write_text("0-0\n")
    with pytest.raises(DataError, match=r"gold: expected 5 lines, one a sentence of the test set, got 1"):
        figures(root, tmp_path, model=(root / "runs" / "first",), gold=tmp_path / "gold")


def test_the_score_is_that_of_the_links_that_align_writes(root: Path, tmp_path: Path) -> None:
    run = root / "runs" / "first"
    (tmp_path / "gold").write_text("".join(f"{line}\n" for line in GOLD))
    read = figures(root, tmp_path, model=(run,), gold=tmp_path / "gold")
    align(AlignOptions(root / "test.es", root / "test.en", run, tmp_path / "found.pharaoh"))
    found = read_pharaoh((tmp_path / "found.pharaoh").read_text().split("\n")[:-1], "found")
    scores = score_links([each.sure for each in found], read_pharaoh(GOLD, "gold"))
    assert read["alignments"][0]["error_rate"] == pytest.approx(scores.error_rate)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--hypothesis: expected --source FILE --reference FILE or --model RUN beside it, got neither"),
        ({"threshold": 1.5}, "--threshold: expected a weight above 0 and up to 1, got 1.5"),
        ({"set": ("run.seed=2",)}, "--set: expected a key of evaluate or search, .* got 'run.seed=2'"),
        ({"set": ("search.beam=2",)}, "--set search.beam=2: expected --model RUN beside it, got --hypothesis alone"),
        ({"gold": Path("links")}, "--gold: expected --model RUN beside it, .* got links and --hypothesis"),
        ({"model": (Path("a"), Path("b")), "reverse": Path("c")}, "--reverse: expected one --model .* got 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate(EvalOptions(hypothesis=(root / "out.txt",), **options))


def test_keys_of_search_change_how_the_models_search(root: Path, tmp_path: Path) -> None:
    run, keys = root / "runs" / "first", ["search.beam=7", "search.max_length=1"]
    found = figures(root, tmp_path, model=(run,), set=(*keys, "evaluate.top=6"))
    assert (found["beam"], found["search"]) == (7, keys)
    lines = (tmp_path / "test.es.hyp.txt").read_text().splitlines()
    assert all(len(line.split()) <= 1 for line in lines)


def test_mbr_counts_as_the_evaluation_does(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[EvaluateConfig] = []

    def expected(texts: list[str], log_probs: list[float], metric: str, config: EvaluateConfig) -> dict[str, float]:
        seen.append(config)
        return dict.fromkeys(texts, 0.0)

    monkeypatch.setattr("nmt_attn.search.translation.expected_metrics", expected)
    figures(root, tmp_path, model=(root / "runs" / "first",), set=("search.mbr=bleu", "evaluate.lowercase=true"))
    assert seen and all(config.lowercase for config in seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 3, "set": ("search.groups=2",)}, "search.groups: expected a divisor of search.beam 3, got 2"),
        ({"beam": 2, "set": ("evaluate.top=3",)}, "evaluate.top: expected at most search.beam 2, got 3"),
        ({"beam": 2, "set": ("search.beam=3",)}, "--beam: expected none beside --set search.beam=3, got 2"),
        (
            {"beam": 1, "set": ("search.coverage_penalty=1",)},
            "search.coverage_penalty: expected 0.0, as any other value",
        ),
        ({"set": ("search.bem=3",)}, "search.bem: expected a key of search, got 'bem'"),
        (
            {"set": ("search.mbr=bleu", "search.mbr_samples=8")},
            "--set: expected no key of sampling, which eval does not, got search.mbr_samples=8",
        ),
    ],
)
def test_keys_of_search_are_checked_before_anything_is_read(root: Path, options: dict[str, Any], message: str) -> None:
    gold = root / "no such file"
    with pytest.raises(ConfigError, match=message):
        evaluate(EvalOptions(model=(root / "runs" / "first",), gold=gold, **options))


def test_reverse_needs_gold(root: Path) -> None:
    run = root / "runs" / "first"
    with pytest.raises(ConfigError, match=r"--reverse: expected --gold FILE beside it, got .*second alone"):
        evaluate(EvalOptions(model=(run,), reverse=root / "runs" / "second"))


def test_too_short_an_output_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"short: expected 5 lines, one a sentence of the test set, got 2"):
        figures(root, tmp_path, hypothesis=(tmp_path / "short",))


def test_sources_without_words_are_no_trouble(root: Path, tmp_path: Path) -> None:
    assert "" in SOURCES
    assert figures(root, tmp_path, model=(root / "runs" / "second",))["attention"]["words"] > 0
