"""Dropout: where its noise goes, that it is the noise of a step or of a sentence, and that search has none."""

import pytest
import torch
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import Tensor

from nmt_attn.model.dropout import Dropout
from nmt_attn.model.luong import LuongDecoder
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.registries import DECODERS

RATE = 0.5
LUONG: Overrides = {"decoder.style": "luong"}
FED: Overrides = {**LUONG, "decoder.input_feeding": "attentional"}
PLACES: dict[str, Overrides] = {
    "encoder.embedding_dropout": {},
    "encoder.layer_dropout": {"encoder.layers": 2},
    "decoder.embedding_dropout": {},
    "decoder.layer_dropout": {"decoder.layers": 2},
    "decoder.output_dropout": {},
    "decoder.attentional_dropout": LUONG,
}


def readouts(model: Seq2Seq, seed: int = 1) -> Tensor:
    torch.manual_seed(seed)
    result, _ = model(tiny_batch([5, 2, 4], [3, 4, 2]))
    assert isinstance(result, Tensor)
    return result


@pytest.mark.parametrize("per_sentence", [False, True])
def test_noise_is_0_or_what_keeps_the_mean(per_sentence: bool) -> None:
    dropout = Dropout(0.2, per_sentence=per_sentence)
    for noise in (dropout(torch.ones(300, 3, 50)), dropout.noise(torch.ones(300, 3, 7), 50)):
        assert noise.unique().tolist() == [0, 1.25]  # 1 / (1 - 0.2)
        # 15,000 draws at least: the standard deviation of the mean is 1.25 * sqrt(0.2 * 0.8 / 15000) = 0.004
        assert noise.mean().item() == pytest.approx(1, abs=0.02)


def test_a_sentence_has_one_mask_and_another_than_its_neighbour() -> None:
    noise = Dropout(RATE, per_sentence=True)(torch.ones(2, 5, 64))
    assert torch.equal(noise[:, :1].expand_as(noise), noise)
    assert not torch.equal(noise[0], noise[1])
    by_step = Dropout(RATE, per_sentence=False)(torch.ones(2, 5, 64))
    assert not torch.equal(by_step[:, 0], by_step[:, 1])


def test_without_a_rate_and_outside_of_training_there_is_no_noise() -> None:
    assert Dropout(0.0, per_sentence=True).noise(torch.ones(1, 2, 3), 4) is None
    assert Dropout(RATE, per_sentence=True).eval().noise(torch.ones(1, 2, 3), 4) is None


@pytest.mark.parametrize("mask", ["step", "sentence"])
@pytest.mark.parametrize("key", PLACES)
def test_every_rate_changes_training_and_nothing_else(key: str, mask: str) -> None:
    noisy, quiet = (tiny_model(accepted({**PLACES[key], **keys})) for keys in ({key: RATE, "dropout_mask": mask}, {}))
    assert not torch.equal(readouts(noisy), readouts(quiet))
    assert not torch.equal(readouts(noisy, 1), readouts(noisy, 2))
    assert torch.equal(readouts(noisy.eval()), readouts(quiet))


@pytest.mark.parametrize("style", DECODERS)
def test_one_rate_stands_for_every_place_without_its_own(style: str) -> None:
    layers = {"decoder.style": style, "encoder.layers": 2, "decoder.layers": 3}
    keys = {f"{side}.{place}_dropout": 0.3 for side in ("encoder", "decoder") for place in ("embedding", "layer")}
    short = tiny_model(accepted({**layers, "encoder.dropout": 0.3, "decoder.dropout": 0.3}))
    long = tiny_model(accepted({**layers, **keys, "decoder.output_dropout": 0.3}))
    assert torch.equal(readouts(short), readouts(long))


@pytest.mark.parametrize("style", DECODERS)
def test_noise_before_the_output_layer_comes_last(style: str) -> None:
    noisy, quiet = (
        tiny_model(accepted({"decoder.style": style, "decoder.output_dropout": rate})) for rate in (RATE, 0.0)
    )
    ours, theirs = readouts(noisy), readouts(quiet)
    is_kept = ours != 0
    torch.testing.assert_close(ours[is_kept], theirs[is_kept] / RATE)
    assert 0 < is_kept.sum() < ours.numel()


@pytest.mark.parametrize("score", ["general", "location"])  # by hand, and step by step
@pytest.mark.parametrize("readout", ["linear", "deep"])
def test_noise_on_the_attentional_state_is_fed_and_read(score: str, readout: str) -> None:
    """One step after the other, the noise put in from outside."""
    keys = {**FED, "attention.score": score, "decoder.readout": readout, "decoder.attentional_dropout": RATE}
    model, whole = tiny_model(accepted(keys)), tiny_batch([5, 2, 4], [3, 4, 2])
    assert isinstance(model.decoder, LuongDecoder)
    forward = readouts(model)
    torch.manual_seed(1)
    noise = model.decoder.attentional_state.dropout.noise(forward, 5)
    assert noise is not None
    memory = model.encode(whole.src_ids, whole.src_lengths)
    state, outputs = model.start(memory), []
    for step, ids in enumerate(whole.tgt_in.unbind(1)):
        embedded = model.target_embedding(ids)
        _, weights, state = model.decoder.step(embedded, state, memory)
        context = (weights.dense() @ memory.encoder_states).squeeze(1)
        state = state._replace(feed=state.feed * noise[:, step])
        read = model.decoder.readout
        outputs.append(state.feed if read is None else read(state.feed, embedded, context))
    torch.testing.assert_close(forward, torch.stack(outputs, 1))


@pytest.mark.parametrize("style", DECODERS)
def test_a_step_of_search_has_no_noise(style: str) -> None:
    keys = {"decoder.style": style, "decoder.layers": 2}
    noisy, quiet = (tiny_model(accepted({**keys, "decoder.dropout": rate})) for rate in (RATE, 0.0))
    memory = quiet.encode(torch.tensor([[4, 5, 3]]), torch.tensor([3]))
    ours, theirs = (model.step(torch.tensor([6]), model.start(memory), memory) for model in (noisy, quiet))
    assert torch.equal(ours.log_probs, theirs.log_probs)
