"""`nmt-attn train`: whole runs in a tiny setting, interrupted in every way, and mistakes that leave nothing behind."""

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

from nmt_attn.commands import train as module
from nmt_attn.commands.train import train
from nmt_attn.config.file import load_config
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.data.corpus import read_whole
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.evaluation.metrics import METRICS, measure
from nmt_attn.options.training import TrainOptions
from nmt_attn.processes import Processes
from nmt_attn.search.translator import Translator

ROOT = Path(__file__).parents[2]
TINY = """
run: {name: r, precision: fp32}
data: {train: {limit: 30}, valid: {limit: 4}}
model:
  encoder: {hidden: 8, embedding: 4}
  decoder: {hidden: 6, embedding: 5}
training: {batch_tokens: 90, updates: 24, validate_updates: 10, checkpoint_updates: 4, schedule: cosine,
           ema: 0.9, keep_best: 2, alignment_picture: false}
"""


class Place(NamedTuple):
    """A folder with the tiny configuration, whose runs lie in it too."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "tiny.yaml"

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "r"

    def settings(self, *overrides: str) -> list[str]:
        return [f"run.dir={self.folder / 'runs'}", *overrides]

    def train(self, *overrides: str, is_fresh: bool = False, accepts_new_data: bool = False) -> None:
        settings = tuple(self.settings(*overrides))
        train(TrainOptions(self.config, settings, fresh=is_fresh, accept_new_data=accepts_new_data))

    def command(self, *overrides: str) -> list[str]:
        settings = [part for setting in self.settings(*overrides) for part in ("--set", setting)]
        return [sys.executable, "-m", "nmt_attn", "train", str(self.config), *settings]

    def start(self, *overrides: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(self.command(*overrides), env=environment, stderr=subprocess.PIPE, text=True)

    def log(self) -> list[dict[str, Any]]:
        """What the log tells, but for times and for limits, which a test may move."""
        lines = (self.run / "log.jsonl").read_text().split("\n")[:-1]
        passing = ("seconds", "share_done")
        return [{key: value for key, value in json.loads(line).items() if key not in passing} for line in lines]

    def checkpoints(self) -> list[Path]:
        return sorted((self.run / "checkpoints").iterdir())

    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor of the best models and of the newest state of training."""
        paths = [self.checkpoints()[-1], *sorted(self.run.rglob("model.safetensors"))]
        return {
            f"{path.relative_to(self.run)} {name}": tensor
            for path in paths
            for name, tensor in safetensors.torch.load_file(path).items()
        }


def place_in(folder: Path) -> Place:
    folder.mkdir(exist_ok=True)
    (folder / "tiny.yaml").write_text(TINY)
    return Place(folder)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place whose run nobody has disturbed."""
    place = place_in(tmp_path_factory.mktemp("undisturbed"))
    place.train()
    return place


def assert_same(place: Place, undisturbed: Place) -> None:
    assert place.log() == undisturbed.log()
    found, expected = place.state(), undisturbed.state()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


# Whole runs


def test_a_run_leaves_all_that_is_needed(undisturbed: Place) -> None:
    names = {str(path.relative_to(undisturbed.run)) for path in undisturbed.run.rglob("*") if path.is_file()}
    vocabulary = {f"vocab/{side}.{ending}" for side in ("source", "target") for ending in ("txt", "json")}
    folders = ("best", "models/update-000000020", "models/update-000000024")
    best = {f"{folder}/{name}" for folder in folders for name in {"model.safetensors", "config.yaml", *vocabulary}}
    checkpoints = {f"checkpoints/update-0000000{update}.safetensors" for update in (20, 24)}
    events = {name for name in names if name.startswith("events/")}
    assert names - events == {"config.yaml", "log.jsonl", "data.json"} | vocabulary | best | checkpoints
    kinds = [record["kind"] for record in undisturbed.log()]
    assert kinds == (["update"] * 10 + ["validation"]) * 2 + ["update"] * 4 + ["validation"]


def test_the_log_tells_the_rate_of_every_update(undisturbed: Place) -> None:
    rates = [record["learning_rate"] for record in undisturbed.log() if record["kind"] == "update"]
    # cosine over 24 updates, from the default 0.002: cos 0 = 1, cos 60 degrees = 1/2 after 8, cos 90 = 0 after 12.
    assert [rates[done] for done in (0, 8, 12, 16)] == pytest.approx([0.002, 0.0015, 0.001, 0.0005])


def test_the_same_again_gives_the_same(place: Place, undisturbed: Place) -> None:
    place.train()
    assert_same(place, undisturbed)


def test_groups_of_the_search_leave_greedy_validation_alone(place: Place) -> None:
    place.train("search.groups=5", "training.updates=2")
    assert [record["update"] for record in place.log() if record["kind"] == "validation"] == [2]


def test_a_file_that_names_no_corpus_is_told_which_one_is_trained_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(config: object) -> object:
        raise DataError("far enough")

    monkeypatch.setattr(module, "prepare_training", stop)
    empty = place.folder / "empty.yaml"
    empty.write_text("")
    for overrides in ([], ["data.max_length=7"], ["data.train.builtin=demo", "data.train.split=train"]):
        with pytest.raises(DataError, match="far enough"):
            train(TrainOptions(empty, tuple(place.settings(*overrides)), fresh=False))
        told = capsys.readouterr().err
        named = "data.train.builtin=demo" in overrides
        assert told == (
            ""
            if named
            else f"{empty} names no corpus (data.train): this trains on the built-in one, English to Hindi\n"
        )


def test_a_run_tells_its_story_on_standard_error(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.train()
    captured = capsys.readouterr()
    assert captured.out == ""
    story = [
        r"data.train: 30 of 30 pairs kept",
        r"vocabulary: [\d,]+ source and [\d,]+ target tokens",
        r"runs/r: [\d,]+ parameters on cpu, products in float32",
        r"\d+ batches an epoch, \d+\.\d% of their positions are padding",
        r"update 10, epoch \d+, 00:\d\d: training loss .* validation loss .* BLEU .* chrF",
        r"update 24, epoch \d+",
        r"24 updates in 00:\d\d",
        r"best validation loss \d\.\d+ of the weights' average, at update \d+",
        r"model: .*runs/r/best",
        r"the 2 best: .*runs/r/models \(nmt-attn average .*runs/r --output DIR\)",
        r"nmt-attn translate --model .*runs/r --beam 5",
        r"nmt-attn eval --model .*runs/r",
    ]
    assert re.search(".*\n(?:.*\n)*?.*".join(story), captured.err), captured.err


def test_a_finished_run_says_so_and_stays(place: Place, undisturbed: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.train()
    before = {path: path.stat().st_mtime_ns for path in place.checkpoints()}
    capsys.readouterr()
    place.train()
    assert "this run is finished, after 24 updates" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in place.checkpoints()} == before
    assert_same(place, undisturbed)


def test_fresh_starts_over(place: Place, undisturbed: Place) -> None:
    place.train("run.seed=5")
    assert place.log() != undisturbed.log()
    place.train(is_fresh=True)
    assert_same(place, undisturbed)


def test_validation_measures_what_evaluation_does_and_the_metric_that_chooses(place: Place) -> None:
    place.train("training.metric=ned", "evaluate.metrics=[wer, per]", "training.epochs=1")
    [validation] = [record for record in place.log() if record["kind"] == "validation"]
    assert [name for name in METRICS if name in validation] == ["wer", "per", "ned"]
    translator = Translator.load(place.run, torch.device("cpu"), ["search.beam=1"])
    pairs = read_whole(load_config(place.run / "config.yaml", []), "valid").pairs
    hypotheses = [each.text for each in translator.translate([pair.source for pair in pairs])]
    for name in ("wer", "per", "ned"):
        expected = measure(name, hypotheses, [pair.target for pair in pairs], EvaluateConfig()).result().value
        assert validation[name] == pytest.approx(expected)


def test_the_best_models_are_kept_by_the_metric(place: Place) -> None:
    place.train("training.metric=chrf", "training.validate_updates=4", "training.keep_best=3")
    validations = [record for record in place.log() if record["kind"] == "validation"]
    # Of equals the earlier is the better one.
    ranked = sorted((-record["chrf"], record["update"]) for record in validations)
    kept = [f"update-{update:09d}" for _, update in ranked[:3]]
    assert sorted(path.name for path in (place.run / "models").iterdir()) == sorted(kept)
    folders = (place.run / "best", place.run / "models" / kept[0])
    best, first = (safetensors.torch.load_file(folder / "model.safetensors") for folder in folders)
    assert best.keys() == first.keys() and all(torch.equal(best[name], first[name]) for name in best)
    for name in kept:
        Translator.load(place.run / "models" / name)


def test_one_best_model_is_kept_in_best_alone(place: Place) -> None:
    place.train()
    assert len(list((place.run / "models").iterdir())) == 2
    place.train("training.keep_best=1", "training.updates=26")
    assert list((place.run / "models").iterdir()) == []
    assert (place.run / "best" / "model.safetensors").is_file()


def test_without_an_average_none_is_named(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.train("training.ema=null", "training.updates=2")
    assert re.search(r"best validation loss \S+, at update 2\n", capsys.readouterr().err)


def test_tensorboard_gets_the_alignment_of_one_sentence(place: Place) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    place.train("training.alignment_picture=true", "training.updates=12")
    reader = accumulator.EventAccumulator(str(place.run / "events"))
    reader.Reload()
    assert [shown.step for shown in reader.Images("validation/alignment")] == [10, 12]
    other = place_in(place.folder / "other")
    other.train("training.updates=12")
    assert_same(place, other)


def test_too_little_time_for_an_update_is_no_fault_of_the_rate(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"training\.minutes: expected time for one update, got 1e-09"):
        place.train("training.minutes=1e-9")


def test_as_many_states_are_kept_as_configured(place: Place) -> None:
    place.train("training.keep_last=4")
    assert [path.name for path in place.checkpoints()] == [f"update-{n:09d}.safetensors" for n in (12, 16, 20, 24)]


def test_a_restart_by_torchrun_does_not_start_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.train("training.updates=8", "training.schedule=constant", is_fresh=True)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    place.train("training.updates=9", "training.schedule=constant", is_fresh=True)
    assert [line["update"] for line in place.log() if line["kind"] == "update"] == list(range(1, 10))
    assert place.checkpoints()[0].name == "update-000000008.safetensors"  # of the first start


def test_changed_keys_are_refused(place: Place) -> None:
    place.train("training.updates=2")
    with pytest.raises(CheckpointError, match=r"training.learning_rate was 0\.002, is 0\.5 "):
        place.train("training.learning_rate=0.5")
    with pytest.raises(CheckpointError, match=r"run.seed was 1, is 2 "):
        place.train("run.seed=2")


def test_larger_updates_than_those_before_are_refused(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.train("training.updates=2", "training.accumulate_batches=2")
    assert re.search(r"2 batches to an update, \d+ updates an epoch", capsys.readouterr().err)
    with pytest.raises(CheckpointError, match=r"expected 2 batches to an update.*got training.accumulate_batches 3 "):
        place.train("training.updates=4", "training.accumulate_batches=3")
    place.train("training.updates=4", "training.accumulate_batches=2")
    assert place.log()[-1]["update"] == 4


def test_a_damaged_checkpoint_is_passed_over(
    place: Place, undisturbed: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.train()
    newest = place.checkpoints()[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    capsys.readouterr()
    place.train()
    error = capsys.readouterr().err
    assert re.search(r"update-000000024.safetensors: expected a whole checkpoint, .*skipping it", error)
    assert "going on after update 20 " in error
    assert_same(place, undisturbed)


def test_early_stopping_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    # A step of 1e-30 changes no weight, so no validation after the first is a gain.
    place.train("training.learning_rate=1e-30", "training.patience=1", "training.optimizer=sgd")
    assert (
        "stopped early: 1 validations without an improvement (training.patience)\n20 updates" in capsys.readouterr().err
    )


def test_a_rate_that_is_far_too_large_ends_with_advice(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"learning_rate: .*got 1e\+30: 20 updates in a row.*smaller rate"):
        place.train("training.learning_rate=1e30", "training.optimizer=sgd", "training.updates=90")


def test_a_run_whose_every_update_was_skipped_has_learned_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = ["training.learning_rate=1e30", "training.optimizer=sgd", "training.ema=null"]
    with pytest.raises(ConfigError, match=r"got 1e\+30: every update was skipped, nothing has been learned"):
        place.train(*rates, "training.updates=3", "model.initialisation=uniform", "model.initial_range=1e30")
    assert "no training loss (every update was skipped)" in capsys.readouterr().err


# Signals


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_training_after_the_update_and_is_no_loss(
    number: signal.Signals, place: Place, undisturbed: Place
) -> None:
    many = "training.updates=100000", "training.schedule=constant"
    process = place.start(*many)
    wait_for(lambda: (place.run / "log.jsonl").is_file() and len(place.log()) > 5, process)
    process.send_signal(number)
    _, error = process.communicate()
    assert process.returncode == 128 + number
    assert f"{number.name}: finishing the update and saving; once more ends at once" in error
    done = place.log()[-1]["update"]
    assert f"stopped after update {done:,}, saved; the same command goes on from there" in error
    assert "Traceback" not in error
    assert int(place.checkpoints()[-1].name[len("update-") :][:9]) == done
    place.train(f"training.updates={done + 4}", "training.schedule=constant")
    whole = place_in(place.folder / "whole")
    whole.train(f"training.updates={done + 4}", "training.schedule=constant")
    assert_same(place, whole)


@pytest.fixture
def handlers() -> Iterator[None]:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from a job in the background
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before


class Standing:
    """As much of a trainer as a signal touches."""

    must_stop = False
    processes = Processes()


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_the_second_signal_does_what_it_always_did(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    trainer: Any = Standing()
    with pytest.raises(KeyboardInterrupt), module._signals(trainer):
        os.kill(os.getpid(), number)
        assert trainer.must_stop
        assert f"{number.name}: finishing the update" in capfd.readouterr().err
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)  # the signal comes within it


def test_a_signal_that_was_ignored_before_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        trainer: Any = Standing()
        with module._signals(trainer):
            os.kill(os.getpid(), signal.SIGINT)
        assert not trainer.must_stop
    finally:
        signal.signal(signal.SIGINT, before)


# Kills

KILLS = 30
LATER_IMPORTS = ("torch._dynamo", "torch.utils.tensorboard.writer", "pyarrow", "nmt_attn.demo.corpus")
"""What training imports as it goes; missing ones are skipped."""


class Killer:
    """Starts training in children of a server that has imported everything, so that kills hit training, not imports."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["nmt_attn.commands.train", *LATER_IMPORTS])

    def run(self, *overrides: str, seconds: float | None = None, renames: int | None = None) -> bool:
        """Whether it came to its end before it was killed, after N seconds or before its Nth rename."""
        settings = self.place.settings(*overrides)
        process = self.context.Process(target=train_in_silence, args=(self.place.config, settings, renames))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode == 0


def train_in_silence(config: Path, settings: list[str], renames: int | None) -> None:
    torch.set_num_threads(1)
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
    rename, countdown = Path.replace, iter(range(renames or 10**9, 0, -1))

    def die_or_rename(source: Path, target: Path) -> Path:
        if next(countdown) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(source, target)

    Path.replace = die_or_rename  # type: ignore[method-assign, assignment]
    train(TrainOptions(config, tuple(settings), fresh=False))


@pytest.mark.slow
def test_thirty_kills_at_random_moments_change_nothing(place: Place, undisturbed: Place) -> None:
    killer, often = Killer(place), "training.checkpoint_updates=1"
    assert killer.run("run.name=rehearsal", often)
    started = time.monotonic()
    assert killer.run("run.name=performance", often)
    longest = time.monotonic() - started
    rng, kills, wholes = random.Random(1), 0, 0
    while kills < KILLS:
        if killer.run(often, seconds=rng.uniform(0, longest / 2)):
            assert_same(place, undisturbed)
            wholes += 1
            place.run.rename(place.folder / "runs" / f"whole {wholes}")
        else:
            kills += 1
    assert killer.run(often)
    assert_same(place, undisturbed)
    assert list(place.run.rglob("*.tmp")) == []


@pytest.mark.slow
def test_a_kill_before_any_rename_changes_nothing(place: Place, undisturbed: Place) -> None:
    killer = Killer(place)
    # The cache, config.yaml and vocab/ come first, then checkpoints and best/ in turn; each start gets further.
    killed = [not killer.run(renames=renames) for renames in range(1, 21)]
    assert sum(killed) > 10
    assert killer.run()
    assert_same(place, undisturbed)


# Mistakes


def text_files(folder: Path, *, source: str = "a b\nc\n", target: str = "x\ny z\n") -> list[str]:
    """Overrides for a corpus in two files."""
    (folder / "text.s").write_text(source)
    (folder / "text.t").write_text(target)
    parts = ("train", "valid", "test")
    files = [f"data.{part}={{source: text.s, target: text.t}}" for part in parts]
    return [f"data.root={folder}", *files]


def test_text_files_are_trained_on(place: Place) -> None:
    place.train("training.updates=2", *text_files(place.folder))
    assert (place.run / "best" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("training.learning_rte=1", ConfigError, r"training.learning_rte: .*did you mean 'learning_rate'"),
        ("data.train={source: none.s, target: text.t}", DataError, r"none.s: expected a readable file, got no such"),
        ("data.valid={source: text.s, target: none.t}", DataError, r"none.t: expected a readable file, got no such"),
        ("data.train={source: text.s, target: long.t}", DataError, r"long.t"),
        ("data.train={source: blank, target: blank}", DataError, r"data.train: expected at least one usable pair"),
        pytest.param(
            "run.device=cuda",
            ConfigError,
            r"^device: expected a (GPU|PyTorch with CUDA) for 'cuda', got ",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
    ids=lambda value: value.partition("=")[0] if isinstance(value, str) else "",
)
def test_a_mistake_leaves_nothing_behind(override: str, error: type[Exception], message: str, place: Place) -> None:
    files = text_files(place.folder)
    (place.folder / "long.t").write_text("x\ny\nz\n")
    (place.folder / "blank").write_text("\n\n")
    before = sorted(place.folder.rglob("*"))
    with pytest.raises(error, match=message):
        place.train(*files, override)
    assert sorted(place.folder.rglob("*")) == before


def test_changed_text_is_refused_once_there_is_something_to_go_on_from(place: Place) -> None:
    place.train("training.updates=2", *text_files(place.folder))
    files = text_files(place.folder, target="x\ny new\n")
    with pytest.raises(
        CheckpointError, match=r"got other content: data.train \(text.t\), data.valid \(text.t\) \(--acc"
    ):
        place.train("training.updates=2", *files)
    with pytest.raises(CheckpointError, match=r"expected the target vocabulary that the run began with, got another"):
        place.train("training.updates=2", *files, accepts_new_data=True)


def test_new_data_are_told_and_the_best_value_of_others_is_forgotten(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{a} {b}\n" for a in "abcdef" for b in "abcdef"]
    limits = ["training.epochs=null", "training.keep_best=2", "training.validate_updates=1"]
    files = text_files(place.folder, source="".join(lines), target="".join(lines))
    place.train(*files, *limits, "training.updates=3")
    best = place.run / "best" / "model.safetensors"
    before = best.read_bytes()
    (place.folder / "text.t").write_text("".join([*lines[1:], lines[0]]), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"data.train \(text.t\), data.valid \(text.t\)"):
        place.train(*files, *limits, "training.updates=4")
    assert best.read_bytes() == before
    capsys.readouterr()
    place.train(*files, *limits, "training.updates=4", accepts_new_data=True)
    told = capsys.readouterr().err
    assert "new data since the last checkpoint: data.train (text.t), data.valid (text.t); the best value" in told
    assert "at update 4\n" in told and best.read_bytes() != before
    assert [path.name for path in (place.run / "models").iterdir()] == ["update-000000004"]
    place.train(*files, *limits, "training.updates=5")  # it is the run's own now
    assert "new data" not in capsys.readouterr().err


def test_a_finished_run_without_its_checkpoints_is_kept(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.train("training.updates=2")
    shutil.rmtree(place.run / "checkpoints")
    before = {path: path.read_bytes() for path in place.run.rglob("*") if path.is_file()}
    with pytest.raises(
        CheckpointError, match=r"expected a checkpoint to go on from, got none beside best, models, log"
    ):
        place.train("training.updates=2")
    assert {path: path.read_bytes() for path in place.run.rglob("*") if path.is_file()} == before
    place.train("training.updates=2", is_fresh=True)
    assert f"the run before is in {place.run / 'previous'} until the first checkpoint" in capsys.readouterr().err
    assert not (place.run / "previous").exists()


def test_a_folder_of_something_else_is_left_alone(place: Place) -> None:
    place.run.mkdir(parents=True)
    (place.run / "thesis.tex").write_text("mine")
    for is_fresh in (False, True):
        with pytest.raises(CheckpointError, match=r"runs/r: expected a run's folder or none"):
            place.train(is_fresh=is_fresh)
    assert [path.name for path in place.run.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("place_of_fault", "name"),
    [(3, "best/model"), (4, r"models/\.update-000000010.*/model"), (5, "checkpoints/update-000000012")],
)
def test_a_full_disk_ends_training_and_leaves_the_last_checkpoint(
    place_of_fault: int, name: str, place: Place, undisturbed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Checkpoints come after 4 and 8 updates, the first best model after 10 (twice), the next checkpoint after 12.
    saved = []

    def save(*arguments: Any, **keys: Any) -> None:
        saved.append(arguments)
        if len(saved) == place_of_fault:
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        write(*arguments, **keys)

    write = safetensors.torch.save_file
    monkeypatch.setattr(safetensors.torch, "save_file", save)
    with pytest.raises(DataError, match=rf"(?i)runs/r/{name}.safetensors: .*no space left on device"):
        place.train()
    monkeypatch.undo()
    assert [path.name for path in place.checkpoints()] == [f"update-00000000{n}.safetensors" for n in (4, 8)]
    place.train()
    assert_same(place, undisturbed)


@pytest.mark.slow
def test_a_mistake_is_one_line_and_exit_code_2(place: Place) -> None:
    process = place.start("training.updates=2", "training.learning_rte=1")
    _, error = process.communicate()
    assert process.returncode == 2
    assert error.startswith("nmt-attn: training.learning_rte: ") and error.count("\n") == 1
    assert not place.run.parent.exists()


def test_train_alone_says_what_can_be_trained(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    (place.folder / "own.yaml").write_text("run: {name: own}\n")
    (place.folder / "other.yaml").write_text("services: {web: 1}\n")
    with pytest.raises(ConfigError, match="config: expected a YAML file or the name of a shipped") as caught:
        train(TrainOptions())
    listed = str(caught.value)
    assert "own.yaml" in listed
    assert "other.yaml" not in listed
    assert "demo, eutrans-bahdanau" in listed
