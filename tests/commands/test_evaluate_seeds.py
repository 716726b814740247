"""`--seeds` and `--ensemble`: the runs of `train --seeds` as one system, in eval and translate."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import torch
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.commands.eval import evaluate
from nmt_attn.commands.translate import translate
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.evaluation.metrics import bleu
from nmt_attn.model.seed_runs import find_seed_runs
from nmt_attn.options.evaluation import EvalOptions
from nmt_attn.options.translation import TranslateOptions
from nmt_attn.search.ensemble import load_translator

SEEDS = (1, 2, 10)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `a` of three seeds and `b` of two, whose vocabularies are the same; `a` alone lies among them too."""
    root = tmp_path_factory.mktemp("seeds")
    for seed in SEEDS:
        make_run(root, name=f"a-seed-{seed}", seed=seed)
    for seed in (3, 4):
        make_run(root, "general", name=f"b-seed-{seed}", seed=seed)
    make_run(root, name="a", seed=5)
    (root / "runs" / "a-seed-7" / "checkpoints").mkdir(parents=True)  # was interrupted before it had a model
    return root / "runs"


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are not drawn: test_pictures.py looks at them."""
    for name in ("draw_alignment", "draw_lengths"):
        monkeypatch.setattr(f"nmt_attn.evaluation.artifacts.{name}", lambda *_: None)


def figures(folder: Path, **options: Any) -> dict[str, Any]:
    """eval.json of an evaluation."""
    evaluate(EvalOptions(report=folder, **options))
    read: dict[str, Any] = json.loads((folder / "eval.json").read_text(encoding="utf-8"))
    return read


def translations(folders: Sequence[Path], **keys: Any) -> list[str]:
    """What an ensemble of the models writes, through the Python interface."""
    translator = load_translator(list(folders), keys.pop("combination", "linear"), torch.device("cpu"), [])
    return [each.text for each in translator.translate(SOURCES, **keys)]


def test_seeds_are_one_row_of_means(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read = figures(tmp_path, model=(runs / "a", runs / "b-seed-4"), seeds=2)
    assert [each["system"] for each in read["systems"]] == ["a-seed-1", "a-seed-2", "b-seed-3", "b-seed-4"]
    first, second = read["seeds"]
    assert (first["name"], first["systems"]) == ("a", ["a-seed-1", "a-seed-2"])
    values = [system["metrics"][0]["value"] for system in read["systems"]]
    [metric, *_] = first["metrics"]
    assert metric["values"] == values[:2]
    assert (metric["mean"], metric["deviation"]) == (pytest.approx(fmean(values[:2])), pytest.approx(stdev(values[:2])))
    assert metric["interval"][0] <= metric["mean"] <= metric["interval"][1]
    difference = fmean(values[2:]) - fmean(values[:2])
    assert second["metrics"][0]["difference"] == pytest.approx(difference)
    out, err = capsys.readouterr()
    assert out.startswith("2 systems, on test: 5 sentences\n") and "means over the seeds" in out
    assert f"BLEU: a-seed-1 {values[0]:.2f}, a-seed-2 {values[1]:.2f}\n" in out
    assert "a has 3 seeds, of which the first 2 are taken" in err


def test_an_ensemble_of_the_seeds_is_a_system(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read = figures(tmp_path, model=(runs / "a",), seeds=3, ensemble="log-linear")
    assert [each["name"] for each in read["seeds"]] == ["a", "a-ensemble"]
    ensemble = read["systems"][-1]
    assert ensemble["system"] == "a-ensemble" and ensemble["perplexity"] is None and ensemble["attention"] is None
    lines = translations([runs / f"a-seed-{seed}" for seed in SEEDS], combination="log-linear")
    assert (tmp_path / "test.a-ensemble.hyp.txt").read_text(encoding="utf-8").splitlines() == lines
    expected = bleu(lines, REFERENCES, tokenize="none", lowercase=False).value
    assert ensemble["metrics"][0]["value"] == pytest.approx(expected)
    assert read["seeds"][1]["metrics"][0]["deviation"] is None
    assert "a-ensemble" in capsys.readouterr().out


def test_an_ensemble_needs_no_seeds(runs: Path, tmp_path: Path) -> None:
    read = figures(tmp_path, model=(runs / "a-seed-1", runs / "b-seed-3"), ensemble="linear")
    assert [each["system"] for each in read["systems"]] == ["a-seed-1", "b-seed-3", "all-ensemble"]
    assert "seeds" not in read
    lines = translations([runs / "a-seed-1", runs / "b-seed-3"])
    assert (tmp_path / "test.all-ensemble.hyp.txt").read_text(encoding="utf-8").splitlines() == lines


def test_translate_takes_the_seeds_as_one(runs: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    translate(TranslateOptions(model=(runs / "a",), seeds=3, input=source, output=output))
    lines = translations([runs / f"a-seed-{seed}" for seed in SEEDS])
    assert output.read_text(encoding="utf-8").splitlines() == lines


def test_seeds_are_found_in_their_order_by_any_name(runs: Path) -> None:
    expected = [runs / f"a-seed-{seed}" for seed in SEEDS]
    for name in ("a", "a-seed-2", "a-seed-99"):
        found = find_seed_runs(runs / name, 3)
        assert (found.stem, found.runs) == (runs / "a", expected)


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (("a",), {"seeds": 4}, "expected 4 trained runs .*a-seed-1, .*, got .*a-seed-10"),
        (("c",), {"seeds": 2}, "expected 2 trained runs .* got none .*--name c --seeds 2"),
        (("a",), {"ensemble": "linear"}, "--ensemble: expected two models or more .* got 1"),
        (("a", "a"), {"ensemble": "linear"}, "--ensemble: expected two models or more .* got 1"),
        (("a", "b"), {"seeds": 1, "ensemble": "linear"}, "--ensemble: expected two models or more .* got 1"),
        ((), {"hypothesis": (Path("x"),), "seeds": 2}, "--seeds: expected --model RUN beside it"),
        ((), {"hypothesis": (Path("x"),), "ensemble": "linear"}, "--ensemble: expected --model RUN beside it"),
        (("a",), {"seeds": 2, "reverse": Path("x")}, "--reverse: expected one --model .* got 2"),
    ],
)
def test_what_is_refused(runs: Path, models: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises((CheckpointError, ConfigError), match=message):
        evaluate(EvalOptions(model=tuple(runs / name for name in models), **options))
