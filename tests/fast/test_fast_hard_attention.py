"""Hard attention's accelerated form equals the plain one: values, gradients, search steps and best alignments."""

from itertools import product

import pytest
import torch
from reference_runs import parameter_gradients
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import Tensor

from nmt_attn.fast import hard_attention
from nmt_attn.fast.hard_attention import FastHardSeq2Seq
from nmt_attn.fast.search import for_search
from nmt_attn.fast.training import for_training
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.registries import CELLS, SCORES, TRANSITIONS
from nmt_attn.runtime import DecodingPrecision, cpu_has_int8
from nmt_attn.types import PAD

BATCH = tiny_batch([5, 2, 4], [3, 4, 2])
OTHERS: list[Overrides] = [
    {"decoder.readout": "maxout", "decoder.readout_hidden": 4},
    {"decoder.readout": "deep", "decoder.attentional_activation": "none"},
    {"decoder.layers": 2, "decoder.attentional_bias": True, "decoder.residual": True},
    {"attention.attend_eos": False},
]


def model_of(name: str, score: str = "general", cell: str = "gru", **more: object) -> HardSeq2Seq:
    keys: Overrides = {"attention.alignment": name, "attention.score": score, "decoder.style": "luong", **more}
    keys |= {"encoder.cell": cell, "decoder.cell": cell, "decoder.hidden": 6 if "dot" in score else 5}
    model = tiny_model(accepted(keys))
    assert isinstance(model, HardSeq2Seq)
    return model


def fast_of(model: Seq2Seq) -> FastHardSeq2Seq:
    fast = for_training(model)
    assert isinstance(fast, FastHardSeq2Seq)
    return fast


def loss_of(model: Seq2Seq) -> tuple[Tensor, Tensor]:
    log_probs, weights = model(BATCH)
    seen = weights.dense()
    real = log_probs.masked_fill(BATCH.tgt_out == PAD, 0.0)
    return (real**3).sum() + (seen * torch.arange(seen.numel()).view_as(seen).sin()).sum(), log_probs


def equal(model: HardSeq2Seq, tolerance: float) -> None:
    plain, fast = loss_of(model), loss_of(fast_of(model))
    torch.testing.assert_close(fast, plain, rtol=tolerance, atol=tolerance)
    ours, theirs = (list(parameter_gradients(model, each[0]).values()) for each in (fast, plain))
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "score"), list(product(TRANSITIONS, SCORES)))
def test_values_and_gradients_with_every_score(name: str, score: str) -> None:
    equal(model_of(name, score), 1e-10)


@pytest.mark.parametrize(("name", "cell"), list(product(TRANSITIONS, CELLS)))
def test_values_and_gradients_with_every_cell_in_float32(name: str, cell: str) -> None:
    equal(model_of(name, cell=cell).float(), 2e-4)  # of gradients up to 10; values agree to 1e-6


@pytest.mark.parametrize("more", OTHERS, ids=str)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_values_and_gradients_with_other_parts(name: str, more: Overrides) -> None:
    equal(model_of(name, **more), 1e-10)


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_blocks_change_nothing(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hard_attention, "BLOCK_NUMBERS", rows * 11)
    equal(model_of("monotonic"), 1e-10)


@pytest.mark.parametrize("name", TRANSITIONS)
def test_dropout_is_the_same(name: str) -> None:
    model = model_of(name, **{"decoder.attentional_dropout": 0.3, "decoder.dropout": 0.2}).train()
    found = []
    for each in (model, fast_of(model)):
        each.train()
        torch.manual_seed(3)
        found.append(each(BATCH)[0])
    torch.testing.assert_close(found[0], found[1])
    assert not torch.equal(found[0], model(BATCH)[0])


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("name", TRANSITIONS)
@torch.no_grad()
def test_search_steps(name: str, precision: DecodingPrecision) -> None:
    if precision == "int8" and not cpu_has_int8():
        pytest.skip("int8")
    tolerance = {"fp32": 1e-5, "bf16": 0.1, "int8": 0.2}[precision]
    model = model_of(name).float().eval()
    fast = for_search(model, precision)
    memories = [each.encode(BATCH.src_ids, BATCH.src_lengths) for each in (model, fast)]
    states = [each.start(memory) for each, memory in zip((model, fast), memories, strict=True)]
    for last_ids in BATCH.tgt_in.unbind(1):
        steps = [
            each.step(last_ids, state, memory)
            for each, state, memory in zip((model, fast), states, memories, strict=True)
        ]
        for ours, theirs in ((steps[1].log_probs, steps[0].log_probs), (steps[1].weights, steps[0].weights)):
            torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
        states = [step.state for step in steps]


@pytest.mark.parametrize("name", TRANSITIONS)
def test_best_alignments(name: str) -> None:
    model = model_of(name)
    plain, fast = (each.score_target(BATCH) for each in (model, fast_of(model)))
    torch.testing.assert_close(fast[0], plain[0])
    assert torch.equal(fast[1].dense(), plain[1].dense())
