"""The same numbers on a GPU as on the CPU. Run by `make test-gpu`, where there is a CUDA device.

CUDA graphs: tests/fast/test_graphs.py. Where there is no GPU: tests/test_pretended_gpu.py.
"""

import warnings
from itertools import product

import pytest
import torch
from tiny_models import accepted, tiny_batch, tiny_model
from tiny_training import start
from torch.nn.utils import clip_grad_norm_

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.fast.graphs import CudaRecorder
from nmt_attn.fast.search import for_search
from nmt_attn.fast.training import for_training
from nmt_attn.model.build import DECODERS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.windows import WINDOWS
from nmt_attn.runtime import DecodingPrecision, autocast
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.recorded import RecordedSearch
from nmt_attn.search.step_functions import ModelSteps
from nmt_attn.training.loss import token_loss
from nmt_attn.training.objective import Objective
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.trainer import UPDATES_AHEAD

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
COMBINATIONS = [*product(sorted(SCORES), sorted(WINDOWS), sorted(DECODERS)), ("none", "global", "bahdanau")]
CUDA = torch.device("cuda")


@pytest.mark.parametrize(("score", "window", "style"), COMBINATIONS)
def test_loss_and_gradients_are_those_of_the_cpu(score: str, window: str, style: str) -> None:
    project = {"attention.project": True} if score in ("dot", "scaled-dot") else {}
    config = accepted({"attention.score": score, "attention.window": window, "decoder.style": style, **project})
    batch, results = tiny_batch([4, 2, 5], [3, 6, 1]), []
    for device in (torch.device("cpu"), CUDA):
        model = tiny_model(config).to(device)
        readouts, _ = for_training(model)(batch.to(device))
        targets, keeps_padding = batch.tgt_out.to(device), device == CUDA
        loss = token_loss(readouts, model.output, targets, 0.1, torch.float64, keeps_padding=keeps_padding)
        gradients = torch.autograd.grad(loss.total, list(model.parameters()), allow_unused=True)
        results.append((loss.total.cpu(), [None if gradient is None else gradient.cpu() for gradient in gradients]))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("style", sorted(DECODERS))
def test_bf16_trains_on_a_gpu(style: str) -> None:
    config = accepted({"decoder.style": style})
    model = tiny_model(config).float().to(CUDA)
    batch = tiny_batch([4, 2, 5], [3, 6, 1]).to(CUDA)
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        with autocast(CUDA, dtype):
            readouts, _ = for_training(model)(batch)
        losses.append(token_loss(readouts, model.output, batch.tgt_out, 0.0, dtype).total)
    assert losses[1].isfinite()
    torch.testing.assert_close(losses[0], losses[1], rtol=0.05, atol=0)
    losses[1].backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("style", sorted(DECODERS))
def test_no_update_waits_for_the_gpu(style: str) -> None:
    model = tiny_model(accepted({"decoder.style": style})).float().to(CUDA)
    objective = Objective(model, TrainingConfig(), torch.float32)
    optimizer = build_optimizer(model.parameters(), TrainingConfig())
    batch = tiny_batch([4, 2, 5], [3, 6, 1]).pin_memory().to(CUDA)
    for mode in ("default", "error"):  # the first update loads libraries
        torch.cuda.set_sync_debug_mode(mode)
        try:
            objective.training(batch, 0).total.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_training_is_that_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiny_training.DROPOUT", {})  # whose masks are drawn by another generator
    here, there = start(updates=12, epochs=None), start(updates=12, epochs=None, device=CUDA)
    assert (here.trainer.updates_ahead, there.trainer.updates_ahead) == (0, UPDATES_AHEAD)
    for session in (here, there):
        session.run()
    losses = [[report.loss for report in session.watcher.updates] for session in (here, there)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_batches_are_pinned() -> None:
    session = start(device=CUDA)
    loaded = session.trainer._gradients.load(session.trainer.plan(1)[:1], 1)
    assert all(part.is_pinned() for part in loaded.batches[0][:5])


@pytest.mark.parametrize(("score", "window", "style"), COMBINATIONS)
def test_a_recorded_search_is_beam_search(score: str, window: str, style: str) -> None:
    """By graphs on the GPU, step by step there, and on the CPU, in float64."""
    project = {"attention.project": True} if score in ("dot", "scaled-dot") else {}
    config = accepted({"attention.score": score, "attention.window": window, "decoder.style": style, **project})
    batch = tiny_batch([4, 2, 5], [3, 6, 1])
    for beam in (1, 4):
        limits = Limits(torch.tensor([0, 1, 0]), torch.tensor([12, 11, 10]))
        options = BeamOptions(beam=beam, wanted=beam, ranking=RANKINGS["gnmt"](0.7), with_weights=True)
        with torch.inference_mode():
            fast = for_search(tiny_model(config).eval().to(CUDA), "fp32")
            recorded = RecordedSearch(fast, CudaRecorder(CUDA))
            found = [recorded.search(batch.src_ids, batch.src_lengths, limits, options) for _ in range(2)]
            there = Limits(limits.shortest.to(CUDA), limits.longest.to(CUDA))
            memory = fast.encode(batch.src_ids.to(CUDA), batch.src_lengths.to(CUDA))
            found.append(beam_search(ModelSteps(fast, memory), there, options))
            here = for_search(tiny_model(config).eval(), "fp32")
            expected = beam_search(ModelSteps(here, here.encode(batch.src_ids, batch.src_lengths)), limits, options)
        assert all(each.step.bytes >= 0 for each in recorded._recorded.values()) and recorded._can_record
        for one, other in product(found, [expected]):
            for ours, theirs in zip(one, other, strict=True):
                assert [each.ids for each in ours] == [each.ids for each in theirs]
                for mine, its in zip(ours, theirs, strict=True):
                    assert (mine.is_finished, mine.rank) == (its.is_finished, pytest.approx(its.rank, abs=1e-9))
                    assert mine.weights is not None and its.weights is not None
                    torch.testing.assert_close(mine.weights, its.weights.cpu(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("style", sorted(DECODERS))
def test_a_recorded_search_in_a_lower_format_finds_what_is_as_likely(style: str, precision: DecodingPrecision) -> None:
    """By Triton's kernels, which float64 does not take."""
    model = tiny_model(accepted({"decoder.style": style})).float().eval().to(CUDA)
    batch = tiny_batch([4, 2, 5, 3], [1, 1, 1, 1])
    limits = Limits(torch.zeros(4, dtype=torch.int64), torch.full((4,), 9))
    options = BeamOptions(beam=4, wanted=2, ranking=RANKINGS["average"](1.0), with_weights=False)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("error")  # no kernel is left out
        fast = for_search(model, precision)
        found = RecordedSearch(fast, CudaRecorder(CUDA)).search(batch.src_ids, batch.src_lengths, limits, options)
        there = Limits(limits.shortest.to(CUDA), limits.longest.to(CUDA))
        memory = fast.encode(batch.src_ids.to(CUDA), batch.src_lengths.to(CUDA))
        expected = beam_search(ModelSteps(fast, memory), there, options)
    tolerance = 1e-4 if precision == "fp32" else 3e-2
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[0].rank == pytest.approx(theirs[0].rank, abs=tolerance)
        if precision == "fp32":
            assert [each.ids for each in ours] == [each.ids for each in theirs]
