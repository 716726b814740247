"""The picture of one validation sentence: which sentence, of which model, and when there is none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.alignment.weights import WeightMatrix
from nmt_attn.config.file import load_config
from nmt_attn.config.schema import SearchConfig
from nmt_attn.data.prepare import PreparedData, prepare_training
from nmt_attn.evaluation import system_outputs as module
from nmt_attn.model.store import load_model
from nmt_attn.search.forced import force_decode
from nmt_attn.search.translator import Translator


def prepared(run: Path) -> PreparedData:
    """Data of the run: those sentences that are not blank are its validation corpus."""
    return prepare_training(load_config(run / "config.yaml", [f"data.cache={run}/cache"]))


@pytest.mark.parametrize("score", ["additive", "location"])
def test_the_reference_is_read_by_the_model_as_it_is(
    score: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, score)
    shown: list[WeightMatrix] = []
    monkeypatch.setattr(module, "alignment_pixels", lambda matrix, _title: shown.append(matrix))
    model, data = load_model(run / "best"), prepared(run)
    draw = module.validation_picture(data, model)
    assert draw is not None
    draw()
    torch.nn.init.constant_(model.target_embedding.weight, 0.5)
    draw()
    # The third sentence has 6 words, the fifth 14: the third is the nearer to PICTURE_WORDS, 10 (ties: the first).
    first, second = shown
    assert [*first.source] == [*SOURCES[2].split(), "</s>"]
    assert [*first.target] == [*REFERENCES[2].split(), "</s>"]
    translator = Translator(load_model(run / "best"), data.codecs, SearchConfig())
    [pair] = force_decode(translator, [SOURCES[2]], [REFERENCES[2]], with_alignments=True)
    np.testing.assert_allclose(first.weights, pair.alignment(0).weights)
    assert not np.allclose(first.weights, second.weights)


def test_a_model_without_attention_has_no_picture(tmp_path: Path) -> None:
    run = make_run(tmp_path, "none")
    assert module.validation_picture(prepared(run), load_model(run / "best")) is None
