"""Model folders: which is found, which are refused, and that loading one changes nothing else."""

import math
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_translators import SEARCH, SIZES, make_codecs, save

from nmt_attn.config.file import load_config, parse_config
from nmt_attn.config.model_section import ModelConfig
from nmt_attn.config.schema import Config
from nmt_attn.errors import CheckpointError
from nmt_attn.model.store import find_model, load_model, model_from_config, save_model
from nmt_attn.search.translator import Translator


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty runs/ in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    return Path("runs")


def make_run(folder: Path, seconds: int) -> Path:
    weights = folder / "best" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    os.utime(weights, (seconds, seconds))
    return weights.parent


def test_the_run_whose_model_was_written_last_is_taken_and_named(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(runs / "c", 100)
    newest = make_run(runs / "a", 300)
    make_run(runs / "b", 200)
    (runs / "just-begun" / "checkpoints").mkdir(parents=True)
    assert find_model(None) == newest
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"model: {newest}")


def test_a_named_run_is_taken_without_a_word(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(runs / "new", 200)
    old = make_run(runs / "old", 100)
    assert find_model(runs / "old") == find_model(old) == old
    assert capsys.readouterr().err == ""


def test_without_a_trained_run_it_says_how_to_get_one(runs: Path) -> None:
    (runs / "just-begun").mkdir()
    with pytest.raises(CheckpointError, match=r"runs: expected a run with a trained model, got none .*--model"):
        find_model(None)


def test_a_folder_without_a_model_is_refused(runs: Path) -> None:
    (runs / "just-begun").mkdir()
    with pytest.raises(CheckpointError, match=r"runs/just-begun: expected a run or a model folder"):
        find_model(runs / "just-begun")


def test_a_name_of_a_run_or_a_file_of_it_is_led_to_the_run(runs: Path) -> None:
    model = make_run(runs / "mine", 100)
    weights = model / "model.safetensors"
    for given in (Path("mine"), weights):
        with pytest.raises(CheckpointError, match=rf"{given}: expected .* \(did you mean runs/mine\?\)$"):
            find_model(given)


def test_a_location_score_has_a_row_for_each_position_of_the_longest_source_and_its_end() -> None:
    text = "data: {max_length: 7}\nmodel: {attention: {score: location}}\n"
    model = model_from_config(parse_config(text, [], "f.yaml"), 11, 13)
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters() if "attention.score" in name}
    assert [shape[0] for shape in shapes.values()] == [8]


def test_a_vocabulary_in_another_order_is_refused(tmp_path: Path) -> None:
    words = make_codecs("word")
    save(tmp_path, words)
    path = tmp_path / "vocab" / "target.txt"
    first = path.read_text().split("\n")
    first[4], first[5] = first[5], first[4]
    path.write_text("\n".join(first))
    with pytest.raises(CheckpointError, match=r"vocab: expected the vocabulary that model.safetensors was trained w"):
        Translator.load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [("hidden: 11", "hidden: 12"), ("lowercase: false", "lowercase: true"), ("max_length: ", "max_length: 1")],
)
def test_a_configuration_of_another_model_is_refused(old: str, new: str, tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    path = tmp_path / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CheckpointError, match=r"config.yaml: expected model, tokenizer and data.max_length of mod"):
        Translator.load(tmp_path)
    path.write_text("")
    with pytest.raises(CheckpointError, match=r"config.yaml: expected model, tokenizer"):
        Translator.load(tmp_path)
    path.write_text(text.replace("beam: 3", "beam: 2"))
    assert Translator.load(tmp_path).search.beam == 2


def test_a_vocabulary_of_another_model_is_refused(tmp_path: Path) -> None:
    words = make_codecs("word")
    save(tmp_path, words)
    make_codecs("char").save(tmp_path / "vocab")
    with pytest.raises(CheckpointError, match=r"vocab: expected the vocabulary that model.safetensors was trained w"):
        Translator.load(tmp_path, torch.device("cpu"))
    rewrite(tmp_path, vocabulary=None)  # of an earlier version
    with pytest.raises(CheckpointError, match=rf"vocab: expected {words.source.size} tokens"):
        Translator.load(tmp_path, torch.device("cpu"))


@pytest.mark.parametrize("name", ["config.yaml", "shortlist.txt", "vocab/source.txt", "vocab/source.json"])
def test_a_link_to_elsewhere_is_refused_and_nothing_of_it_is_shown(name: str, tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "model"
    secret.write_text("hunter2\n")
    save(folder, make_codecs("word"))
    inside = folder / name
    if inside.exists():
        inside.rename(folder / "kept")
        inside.symlink_to(folder / "kept")
        Translator.load(folder)
        inside.unlink()
    inside.symlink_to(secret)
    said = rf"model/{name}: expected a file of \S+model, got a link to a place outside \(copy the file\)$"
    with pytest.raises(CheckpointError, match=said) as raised:
        Translator.load(folder)
    assert "hunter2" not in str(raised.value)
    inside.unlink()
    inside.symlink_to(inside)
    with pytest.raises(CheckpointError, match=rf"model/{name}: expected a file of this folder, got "):
        Translator.load(folder)


def test_a_configuration_that_extends_another_file_is_refused(tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    path = tmp_path / "config.yaml"
    path.write_text("extends: /etc/passwd\n" + path.read_text())
    with pytest.raises(CheckpointError, match=r"config.yaml: expected every key .*, got extends: '/etc/passwd'$"):
        find_model(tmp_path)


def test_at_most_eighty_letters_of_a_file_are_shown(tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    (tmp_path / "vocab" / "source.txt").write_text("x" * 1000 + "\n")
    with pytest.raises(CheckpointError, match=r"source.txt: expected the first lines <pad> .*, got 'x{80}'$"):
        Translator.load(tmp_path)


def rewrite(folder: Path, **metadata: str | None) -> None:
    """The weights with other metadata."""
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as stream:
        found = {**stream.metadata(), **metadata}
    given = {key: value for key, value in found.items() if value is not None}
    save_file(load_file(path), path, metadata=given)


def test_a_model_of_an_earlier_version_is_loaded_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, make_codecs("word"))
    Translator.load(tmp_path)
    assert capsys.readouterr().err == ""
    rewrite(tmp_path, vocabulary=None, config=None)
    Translator.load(tmp_path)
    assert capsys.readouterr().err.count("is of an earlier version: whether vocabulary") == 1


DAMAGE: list[tuple[dict[str, str | None], str]] = [
    ({"source_size": "many"}, "got a vocabulary of 'many' tokens in its metadata"),
    ({"source_size": None}, "'source_size'"),
    ({"target_size": "-5"}, "got a vocabulary of '-5' tokens in its metadata"),
    ({"target_size": "9" * 5000}, "got a vocabulary of '9{80}' tokens in its metadata"),
    ({"source_size": "1" + "0" * 15}, "got a vocabulary of '1000000000000000' tokens in its metadata"),
    ({"source_size": "1000000"}, r"expected source_embedding.weight of shape \[1000000, 7\], as config"),
]


@pytest.mark.parametrize(("metadata", "message"), DAMAGE, ids=lambda value: str(value)[:40])
def test_damaged_metadata_is_one_short_line(metadata: dict[str, str | None], message: str, tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    rewrite(tmp_path, **metadata)
    with pytest.raises(CheckpointError, match=message) as caught:
        Translator.load(tmp_path)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_sizes_that_do_not_fit_the_weights_are_one_short_line(tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    rewrite(tmp_path, vocabulary=None, config=None)
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace("hidden: 11", "hidden: 12", 1))
    with pytest.raises(
        CheckpointError, match=r"expected decoder\.\S+ of shape \[.*\], as config.yaml says, got \["
    ) as it:
        Translator.load(tmp_path)
    assert len(str(it.value)) < 300


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers_are_refused(number: float, tmp_path: Path) -> None:
    saved = save(tmp_path, make_codecs("word"))
    with torch.no_grad():
        saved.model.output.weight[3, 2] = number
    save_model(saved.model, load_config(tmp_path / "config.yaml", []), tmp_path, vocabulary=saved.codecs.digest())
    with pytest.raises(CheckpointError, match=r"expected finite weights, got NaN or infinity in output.weight"):
        Translator.load(tmp_path)


@pytest.mark.parametrize("tie", ["none", "target-output"])
def test_tied_weights_are_loaded_and_stay_tied(tie: str, tmp_path: Path) -> None:
    codecs = make_codecs("word")
    small = {**SIZES, "tie": tie, "decoder": {"hidden": 3, "embedding": 3, "readout": "linear", "style": "luong"}}
    config = Config().model_copy(update={"model": ModelConfig.model_validate(small), "search": SEARCH})
    model = model_from_config(config, codecs.source.size, codecs.target.size)
    save_model(model, config, tmp_path, vocabulary=codecs.digest())
    loaded = load_model(tmp_path)
    assert (loaded.output.weight is loaded.target_embedding.weight) == (tie != "none")
    assert torch.equal(loaded.output.weight, model.output.weight)


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Translator.load(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_a_tokenizer_nested_too_deeply_is_one_line(tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    (tmp_path / "vocab" / "source.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match=r"source.json: expected the keys tokenizer and lowercase, got '\[\["):
        Translator.load(tmp_path)


@pytest.mark.parametrize("init", ["bridge", "learned"])
def test_what_layers_share_is_written_once_and_shared_when_loaded(init: str, tmp_path: Path) -> None:
    keys = ["layers=2", f"init={init}", "init_shared=true"]
    config = parse_config("", [*(f"model.decoder.{key}" for key in keys), "model.encoder.layers=2"], "f.yaml")
    model = model_from_config(config, 7, 9)
    save_model(model, config, tmp_path, vocabulary="x")
    first, second = load_model(tmp_path, "x").decoder.start_state.hidden
    assert {*map(id, first.parameters())} == {*map(id, second.parameters())} != set()
    written = [name for name in load_file(tmp_path / "model.safetensors") if ".start_state." in name]
    assert len(written) == len([*first.parameters()])
