"""`nmt-attn average`: which models are taken, what comes out, and what is refused with nothing left behind."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_runs import SOURCES, make_run, names
from torch import Tensor
from torch.optim import SGD
from typer.testing import CliRunner

from nmt_attn.cli import app
from nmt_attn.commands.average import average
from nmt_attn.config.file import load_config, save_config
from nmt_attn.data.codec import load_codecs
from nmt_attn.errors import CheckpointError, ConfigError, UserError
from nmt_attn.model.store import load_model, save_model
from nmt_attn.options.models import AverageOptions
from nmt_attn.search.translator import Translator
from nmt_attn.training.checkpoint import KeptModel, Progress, checkpoint_paths, save_checkpoint
from nmt_attn.training.moving_average import MovingAverage
from nmt_attn.training.run_folder import model_path

BIAS = "output.bias"


def make_training(folder: Path, name: str = "mine") -> Path:
    """A run after 3 states of training, of which each model has BIAS full of its update; 20 and 30 are its best."""
    run = make_run(folder, name=name)
    codecs, config = load_codecs(run / "best" / "vocab"), load_config(run / "config.yaml", [])
    codecs.save(run / "vocab")
    model = load_model(run / "best")
    optimizer = SGD(model.parameters(), lr=0.1)
    for update in (10, 20, 30):
        torch.nn.init.constant_(model.output.bias, update)
        progress = Progress(update=update, kept=[KeptModel(1.0, 30), KeptModel(2.0, 20)])
        save_checkpoint(run / "checkpoints", model, optimizer, progress, keep=9)
        if update > 10:
            save_model(model, config, model_path(run, update), vocabulary=codecs.digest())
            codecs.save(model_path(run, update) / "vocab")
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_training(tmp_path)


def bias_of(folder: Path) -> float:
    """The one number that BIAS is full of; every other weight is that of the run."""
    weights = weights_of(folder)
    assert weights[BIAS].unique().numel() == 1
    return weights[BIAS][0].item()


def weights_of(folder: Path) -> dict[str, Tensor]:
    return dict(load_model(folder).named_parameters())


def means(run: Path, *models: Path, last: int | None = None, best: int | None = None) -> float:
    output = run.parent / "mean"
    average(AverageOptions(models or (run,), output, last, best))
    for name, weight in weights_of(output).items():
        assert name == BIAS or torch.equal(weight, weights_of(run / "best")[name])
    return bias_of(output)


def checkpoint(run: Path, update: int) -> Path:
    return run / "checkpoints" / f"update-{update:09d}.safetensors"


def test_by_default_all_the_best_models_are_taken(run: Path) -> None:
    assert means(run) == 25.0


def test_the_best_and_the_last_are_counted_from_the_best_and_the_newest(run: Path) -> None:
    assert means(run, best=2) == 25.0
    assert means(run, last=2) == 25.0
    assert means(run, last=3) == 20.0


def test_models_and_states_may_be_named(run: Path) -> None:
    # (10 + 30) / 2, then (10 + 20 + 20) / 3.
    assert means(run, checkpoint(run, 10), model_path(run, 30)) == 20.0
    found = means(run, checkpoint(run, 10), checkpoint(run, 20), model_path(run, 20))
    assert found == pytest.approx(50 / 3)


def test_a_run_among_others_stands_for_its_best(run: Path) -> None:
    average(AverageOptions((run, model_path(run, 30)), run / "mean"))
    expected = (weights_of(run / "best")[BIAS] + 30) / 2
    torch.testing.assert_close(weights_of(run / "mean")[BIAS], expected)


def test_of_a_state_the_averaged_weights_are_taken_where_there_are_any(run: Path) -> None:
    model = load_model(run / "best")
    torch.nn.init.constant_(model.output.bias, 7.0)
    averaged = MovingAverage(model, 0.9)
    torch.nn.init.constant_(model.output.bias, 500.0)
    save_checkpoint(run / "checkpoints", model, SGD(model.parameters(), lr=0.1), Progress(update=40), 9, averaged)
    assert means(run, checkpoint(run, 40), checkpoint(run, 10)) == 8.5


def test_what_comes_out_is_a_model_that_translates(run: Path) -> None:
    output = run.parent / "mean"
    average(AverageOptions((run,), output))
    assert names(output) == ["average.json", "config.yaml", "model.safetensors", "vocab"]
    assert names(output / "vocab") == names(run / "vocab")
    paths = [str(model_path(run, update)) for update in (30, 20)]
    assert json.loads((output / "average.json").read_text()) == {"mean_of": paths}
    moved = output.rename(run.parent / "moved")
    assert len(list(Translator.load(moved).translate(SOURCES))) == len(SOURCES)


def test_its_own_folder_is_replaced(run: Path) -> None:
    assert means(run, last=3) == 20.0
    assert means(run, last=2) == 25.0
    assert not list(run.parent.glob(".*"))


def test_the_command_says_what_it_did(run: Path) -> None:
    output = run.parent / "mean"
    result = CliRunner().invoke(app, ["average", str(run), "--last", "2", "--output", str(output)])
    assert result.exit_code == 0, result.output
    assert f"mean of 2 models:\n  {checkpoint(run, 30)}\n  {checkpoint(run, 20)}\nmodel: {output}\n" in result.stderr
    assert result.stdout == ""


# Mistakes


def check_refused(options: AverageOptions, error: type[UserError], message: str) -> None:
    """Nothing is left behind."""
    before = {path: path.stat().st_mtime_ns for path in options.output.parent.rglob("*")}
    with pytest.raises(error, match=message):
        average(options)
    assert {path: path.stat().st_mtime_ns for path in options.output.parent.rglob("*")} == before


@pytest.mark.parametrize(
    ("last", "best", "message"),
    [
        (4, None, r"mine: expected at least 4 states of training, got 3 \(training.keep_last"),
        (None, 3, r"mine: expected at least 3 of its best models, got 2 \(training.keep_best"),
        (2, 3, r"--best: expected none beside --last 2, got 3"),
    ],
)
def test_more_than_there_are_is_refused(last: int | None, best: int | None, message: str, run: Path) -> None:
    check_refused(AverageOptions((run,), run.parent / "mean", last, best), UserError, message)


def test_a_run_that_keeps_one_best_model_averages_its_states(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, progress = load_model(run / "best"), Progress(update=40)
    torch.nn.init.constant_(model.output.bias, 40)
    save_checkpoint(run / "checkpoints", model, SGD(model.parameters(), lr=0.1), progress, keep=2)
    average(AverageOptions((run,), run.parent / "mean"))
    assert bias_of(run.parent / "mean") == pytest.approx((40 + 30) / 2)
    assert "keeps one best model (training.keep_best), so this averages its 2 newest states" in capsys.readouterr().err


def test_a_run_with_one_model_and_one_state_is_told_how_to_keep_more(run: Path) -> None:
    model, progress = load_model(run / "best"), Progress(update=40)
    save_checkpoint(run / "checkpoints", model, SGD(model.parameters(), lr=0.1), progress, keep=2)
    for path in checkpoint_paths(run / "checkpoints")[1:]:
        path.unlink()
    message = r"mine: expected at least 2 of its best models, got 0 \(training.keep_best keeps more; .* it has 1\)"
    check_refused(AverageOptions((run,), run.parent / "mean"), CheckpointError, message)


def test_one_model_is_refused(run: Path) -> None:
    message = "update-000000030: expected a run, or at least 2 models to average, got one path that is no run"
    check_refused(AverageOptions((model_path(run, 30),), run.parent / "mean"), CheckpointError, message)


def test_counts_are_of_one_run(run: Path) -> None:
    models = model_path(run, 20), model_path(run, 30)
    check_refused(AverageOptions(models, run / "mean", last=2), ConfigError, "--last: expected one run, got 2 models")
    check_refused(AverageOptions(models, run / "mean", best=2), ConfigError, "--best: expected one run, got 2 models")


def test_a_missing_model_is_refused(run: Path) -> None:
    options = AverageOptions((run, run / "none"), run.parent / "mean")
    check_refused(options, CheckpointError, r"none: expected a run or a model folder .*, got nothing there")


def change_key(run: Path) -> None:
    path = model_path(run, 30) / "config.yaml"
    config = load_config(path, ["training.learning_rate=0.5", "training.patience=3"])
    save_config(config, path)


def change_vocabulary(run: Path) -> None:
    path = model_path(run, 30) / "vocab" / "target.txt"
    path.write_text(path.read_text().replace("cat", "hat"))


def change_weights(run: Path) -> None:
    save_checkpoint(
        run / "checkpoints", torch.nn.Linear(2, 3), SGD([torch.ones(1)], lr=1.0), Progress(update=20), keep=9
    )


DIFFERENCES: dict[str, tuple[Callable[[Path], None], str]] = {
    "configuration": (
        change_key,
        r"update-000000030: expected the configuration of \S+update-000000020.safetensors, got another: "
        r"training.learning_rate was 0.002, is 0.5 \(models of different",
    ),
    "vocabulary": (change_vocabulary, r"30/vocab/target.txt: expected what \S+/vocab/target.txt holds, got another"),
    "weights": (change_weights, r"update-000000020.*: expected bias of shape None, got \[3\]"),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_models_that_differ_are_refused_with_what_differs(difference: str, run: Path) -> None:
    change, message = DIFFERENCES[difference]
    change(run)
    options = AverageOptions((checkpoint(run, 20), model_path(run, 30)), run.parent / "mean")
    check_refused(options, CheckpointError, message)


def test_a_damaged_state_is_refused(run: Path) -> None:
    checkpoint(run, 20).write_bytes(b"half")
    options = AverageOptions((run,), run.parent / "mean", last=2)
    check_refused(options, CheckpointError, r"update-000000020.safetensors: expected a whole checkpoint")


@pytest.mark.parametrize("place", ["best", "notes", "file", "mean"])
def test_a_folder_of_something_else_is_never_written_over(place: str, run: Path) -> None:
    (run / "notes").mkdir()
    (run / "notes" / "thesis.tex").write_text("mine")
    (run / "file").write_text("mine")
    average(AverageOptions((run,), run / "mean"))
    (run / "mean" / "thesis.tex").write_text("mine")  # beside what the command had made
    found = "a file" if place == "file" else "a folder of something else"
    message = rf"--output: expected a new or empty folder, .*, got {re.escape(str(run / place))}, {found}"
    check_refused(AverageOptions((run,), run / place), ConfigError, message)
