"""The index of states, and what is nearest."""

from pathlib import Path

import pytest
from tiny_runs import make_run
from typer.testing import CliRunner

from nmt_attn import show
from nmt_attn.cli import app
from nmt_attn.demo.corpus import demo_corpus
from nmt_attn.errors import CheckpointError
from nmt_attn.lab.examples import INDEXED_PAIRS, shipped_index
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.neighbours import LAYERS, PAIRS, STATES, StateIndex
from nmt_attn.types import SentencePair

PAIRS_OF_WORDS = [
    SentencePair("un gato", "a cat"),
    SentencePair("el perro ve", "the dog sees"),
    SentencePair("dos", "two"),
]


@pytest.fixture
def model(tmp_path: Path) -> LabModel:
    return LabModel.load(make_run(tmp_path))


def test_a_training_sentence_is_its_own_neighbour(model: LabModel, tmp_path: Path) -> None:
    StateIndex.build(model.translator, PAIRS_OF_WORDS).save(tmp_path / "index")
    index = StateIndex.load(tmp_path / "index")
    assert index.pairs == 3
    trace = model.trace("el perro ve", prefix=["the", "dog", "sees", "</s>"])
    for layer in LAYERS:
        assert index.places(trace, layer) == 4
        for place in range(4):
            nearest = index.nearest(trace, layer, place, 9)
            assert nearest[0].cosine == pytest.approx(1, abs=0.01)
            assert [each.cosine for each in nearest] == sorted((each.cosine for each in nearest), reverse=True)
            [own] = [each for each in nearest if (each.place, each.source) == (place, ("el", "perro", "ve", "</s>"))]
            assert own.cosine == pytest.approx(1, abs=0.01)
            assert own.token == (own.source if layer == "encoder" else own.target)[place]


def test_no_more_are_found_than_there_are(model: LabModel) -> None:
    index = StateIndex.build(model.translator, PAIRS_OF_WORDS)
    trace = model.trace("un gato")
    assert index.size("encoder") == 3 + 4 + 2
    assert len(index.nearest(trace, "encoder", 0, 50)) == 3 + 4 + 2


def test_the_command_makes_an_index_of_a_run(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    result = CliRunner().invoke(app, ["index", str(run), "--limit", "2"])
    assert result.exit_code == 0, result.output
    assert "states of 2 pairs" in result.output
    assert {path.name for path in (run / "index").iterdir()} == {STATES, PAIRS}


def test_a_folder_that_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected an index that nmt-attn index made"):
        StateIndex.load(tmp_path)


def test_the_shipped_models_have_neighbours_of_their_own_training_set() -> None:
    model = show.load("luong-local")
    index = shipped_index(model)
    assert index.pairs == INDEXED_PAIRS
    sources = {pair.source for pair in demo_corpus("train", 2 * INDEXED_PAIRS)}
    trace = model.trace("Turn off the lights")
    for layer in LAYERS:
        nearest = index.nearest(trace, layer, 0, 10)
        assert nearest[0].cosine > 0.8
        assert {" ".join(each.source[:-1]) for each in nearest} <= sources
    assert index.nearest(trace, "encoder", 3, 1)[0].token == "lights"
    assert index.nearest(trace, "context", 0, 1)[0].token == "लाइट"
