"""`nmt-attn train` with word vectors from a file: read at a fresh start alone, reported, frozen if asked for."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from nmt_attn.commands.train import train
from nmt_attn.errors import DataError
from nmt_attn.options.training import TrainOptions

CONFIG = """
run: {name: r, precision: fp32}
data: {train: {limit: 30}, valid: {limit: 4}}
model:
  encoder: {hidden: 8, embedding: 3}
  decoder: {hidden: 6, embedding: 5}
training: {batch_tokens: 90, updates: 3, schedule: constant, validate_translation: false}
"""


def run(folder: Path, *overrides: str) -> dict[str, Tensor]:
    """The best model after training in `folder`, which may hold a run."""
    folder.mkdir(exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    train(
        TrainOptions(
            path,
            (
                f"run.dir={folder / 'runs'}",
                *overrides,
            ),
            fresh=False,
        )
    )
    return safetensors.torch.load_file(folder / "runs" / "r" / "best" / "model.safetensors")


def vocabulary(folder: Path, side: str) -> list[str]:
    return (folder / "runs" / "r" / "vocab" / f"{side}.txt").read_text(encoding="utf-8").split("\n")[:-1]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The vocabularies of the tiny run."""
    folder = tmp_path_factory.mktemp("plain")
    run(folder)
    return {side: vocabulary(folder, side) for side in ("source", "target")}


def vectors_file(folder: Path, words: list[str], size: int) -> Path:
    """The vector of the word with the id i is i, i, ..., for every third word."""
    path = folder / "vectors.txt"
    rows = [" ".join([words[i], *[str(i)] * size]) for i in range(4, len(words), 3)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    return path


@pytest.mark.parametrize(("side", "size"), [("source", 3), ("target", 5)])
def test_the_words_of_the_file_begin_there_and_the_others_as_ever(
    side: str, size: int, words: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = vectors_file(tmp_path, words[side], size)
    keys = [f"data.vectors.{side}={path}", "data.vectors.freeze=true"]
    frozen = run(tmp_path, *keys)[f"{side}_embedding.weight"]
    still = run(tmp_path, "run.name=r", *keys, "training.updates=5")[f"{side}_embedding.weight"]
    total = len(words[side]) - 4
    count = len(range(4, len(words[side]), 3))
    message = f"{side} vectors: {path} has {count} of {total} words ({count / total:.1%}); the others keep"
    assert capsys.readouterr().err.count(message) == 1  # the second start went on and read nothing
    for index in range(4, len(frozen), 3):
        assert frozen[index].tolist() == [index] * size
    first = torch.arange(len(frozen)) % 3 != 1
    other = run(tmp_path / "learning", f"data.vectors.{side}={path}", "training.learning_rate=1e-9")
    torch.testing.assert_close(other[f"{side}_embedding.weight"], frozen, rtol=0, atol=1e-6)
    assert 0 < frozen[first].abs().max() < 6  # N(0, 1)
    assert torch.equal(still, frozen)


def test_without_freezing_the_vectors_learn(words: dict[str, list[str]], tmp_path: Path) -> None:
    path = vectors_file(tmp_path, words["source"], 3)
    learnt = run(tmp_path, f"data.vectors.source={path}")["source_embedding.weight"][4]
    assert learnt.tolist() != [4, 4, 4]
    torch.testing.assert_close(learnt, torch.full((3,), 4.0), rtol=0, atol=0.1)


def test_going_on_needs_no_file(words: dict[str, list[str]], tmp_path: Path) -> None:
    path = vectors_file(tmp_path, words["source"], 3)
    keys = f"data.vectors.source={path}", "training.schedule=constant"  # whose rates are the same for more updates
    whole = run(tmp_path / "whole", *keys, "training.updates=6")
    run(tmp_path, *keys)
    path.unlink()
    halves = run(tmp_path, *keys, "training.updates=6")
    for name, weight in whole.items():
        assert torch.equal(halves[name], weight), name


def test_a_file_of_another_size_is_refused_and_leaves_nothing(words: dict[str, list[str]], tmp_path: Path) -> None:
    path = vectors_file(tmp_path, words["source"], 4)
    with pytest.raises(DataError, match=r"vectors\.txt:1: .* 3 numbers \(model\.encoder\.embedding\), got 4 numbers"):
        run(tmp_path, f"data.vectors.source={path}")
    assert not (tmp_path / "runs" / "r").exists()
