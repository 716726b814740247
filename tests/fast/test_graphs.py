"""CUDA graphs as far as a CPU can prove them: a recorder that does the work again stands in for the GPU's."""

import gc
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from recorders import Repeating
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from tiny_training import Session, start
from torch import Tensor

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.data import batching
from nmt_attn.data.batching import POSITIONS_MULTIPLE, SENTENCES_MULTIPLE, Shape, pad_to_bucket, shape_of
from nmt_attn.errors import ConfigError
from nmt_attn.fast import graphs as module
from nmt_attn.fast.graphs import Replay, check_graphs
from nmt_attn.model.build import DECODERS
from nmt_attn.model.scores import SCORES
from nmt_attn.model.windows import WINDOWS
from nmt_attn.processes import Processes
from nmt_attn.training import trainer as trainer_module
from nmt_attn.training.events import UpdateEvent
from nmt_attn.training.late_step import LateStep
from nmt_attn.training.objective import Objective
from nmt_attn.types import EOS, PAD, Batch


def test_a_batch_is_padded_by_empty_sentences() -> None:
    batch = tiny_batch([3, 2], [2, 4])
    padded = pad_to_bucket(batch)
    assert shape_of(batch) == (2, 3, 4)
    assert shape_of(padded) == (SENTENCES_MULTIPLE, POSITIONS_MULTIPLE, POSITIONS_MULTIPLE) == (8, 4, 4)
    for before, after in zip(batch[:5], padded[:5], strict=True):
        assert before is not None and after is not None
        inside = tuple(slice(size) for size in before.shape)
        assert torch.equal(after[inside], before) and after.dtype == before.dtype
    assert padded.src_ids.sum() - batch.src_ids.sum() == 6 * EOS  # 6 sentences of </s> alone
    assert padded.src_lengths[2:].tolist() == [1] * 6 and padded.src_ids[2:, 0].eq(EOS).all()
    assert padded.tgt_out[2:].eq(PAD).all() and padded.tgt_lengths[2:].eq(0).all()


@pytest.mark.parametrize(("sizes", "expected"), [((8, 4, 4), (8, 4, 4)), ((9, 5, 1), (16, 8, 4))])
def test_shapes_are_few(sizes: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    sentences, source, target = sizes
    assert shape_of(pad_to_bucket(tiny_batch([source] * sentences, [target] * sentences))) == Shape(*expected)


def gradients_of(batch: Batch, overrides: Overrides, *, keeps_padding: bool) -> tuple[Tensor, list[Tensor | None]]:
    model = tiny_model(accepted(overrides))
    objective = Objective(model, TrainingConfig(label_smoothing=0.1), torch.float32)
    objective.keeps_padding = keeps_padding
    loss = objective.training(batch, 0)
    loss.total.backward()
    return loss.total.detach(), [weight.grad for weight in model.parameters()]


@pytest.mark.parametrize(
    ("score", "window", "style"),
    [*product(sorted(SCORES), sorted(WINDOWS), sorted(DECODERS)), ("none", "global", "bahdanau")],
)
def test_buckets_change_neither_loss_nor_gradients(score: str, window: str, style: str) -> None:
    keys: Overrides = {"attention.score": score, "attention.window": window, "decoder.style": style}
    if score in ("dot", "scaled-dot"):
        keys["decoder.hidden"] = 6
    batch = tiny_batch([5, 2, 4], [3, 4, 2])
    loss, gradients = gradients_of(batch, keys, keeps_padding=False)
    padded_loss, padded_gradients = gradients_of(pad_to_bucket(batch), keys, keeps_padding=True)
    torch.testing.assert_close(padded_loss, loss, rtol=0, atol=1e-10)
    torch.testing.assert_close(padded_gradients, gradients, rtol=0, atol=1e-10)


class Forgetful(Repeating):
    """Like it, but a replay does nothing."""

    def record(self, work: Callable[[], None]) -> Replay:
        return super().record(work)._replace(again=lambda: None)


@pytest.fixture
def recorders(monkeypatch: pytest.MonkeyPatch) -> list[Repeating]:
    """Those that trainers have made. Buckets are small, so that tiny batches are of several shapes."""
    monkeypatch.setattr(batching, "SENTENCES_MULTIPLE", 2)
    monkeypatch.setattr(batching, "POSITIONS_MULTIPLE", 2)
    made: list[Repeating] = []

    def make(device: torch.device) -> Repeating:
        made.append(Repeating(device))
        return made[-1]

    monkeypatch.setattr(trainer_module, "CudaRecorder", make)
    return made


def graphed(folder: Path | None = None, **keys: Any) -> Session:
    return start(folder, updates=12, epochs=None, validate_updates=5, cuda_graphs=True, pairs=60, **keys)


def without_time(session: Session) -> list[UpdateEvent]:
    return [report._replace(seconds=0.0) for report in session.watcher.updates]


def test_each_shape_is_recorded_once_and_then_replayed(recorders: list[Repeating]) -> None:
    session = graphed()
    gradients = {name: weight.grad for name, weight in session.trainer.model.named_parameters()}
    places = {name: gradient.data_ptr() for name, gradient in gradients.items() if gradient is not None}
    assert len(places) == len(gradients)
    session.run()
    graphs = session.trainer._gradients._graphs
    assert graphs is not None
    plan = session.trainer.plan(1)
    assert len(plan) > 12
    loaded = [session.trainer._gradients.load([rows], 1).batches[0] for rows in plan[:12]]
    assert set(graphs._recorded) == {shape_of(batch) for batch in loaded}
    assert recorders[0].recorded == len(graphs._recorded) < 12 == recorders[0].replayed
    for name, weight in session.trainer.model.named_parameters():
        assert weight.grad is not None and weight.grad.data_ptr() == places[name], name


@pytest.mark.parametrize("keys", [{}, {"accumulate_batches": 3}, {"word_dropout": {"target": 0.3}}], ids=str)
@pytest.mark.parametrize(("limit", "size"), [("MOST_BYTES", 150), ("SPARE_BYTES", 1 << 31)])
def test_recorded_or_step_by_step_is_the_same_training(
    limit: str, size: int, keys: dict[str, Any], recorders: list[Repeating], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for all, for one, and for no graph."""
    every = graphed(**keys)
    every.run()
    monkeypatch.setattr(module, limit, size)
    some = graphed(**keys)
    some.run()
    assert recorders[0].forgotten == 0
    if limit == "MOST_BYTES":
        assert recorders[1].forgotten == recorders[1].recorded - 1 >= recorders[0].recorded - 1
    else:
        assert recorders[1].recorded == 0 < recorders[0].recorded
    assert without_time(some) == without_time(every)
    assert every.watcher.validations[0].loss == some.watcher.validations[0].loss
    for name, weight in some.weights().items():
        assert torch.equal(weight, every.weights()[name]), name


def test_graphs_make_the_updates_of_plain_training(recorders: list[Repeating], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiny_training.DROPOUT", {})  # whose masks depend on the shape
    reports = []
    for cuda_graphs in (True, False):
        session = start(updates=12, epochs=None, pairs=60, cuda_graphs=cuda_graphs, loss_per="sentence")
        session.run()
        reports.append(session.watcher.updates)
    for ours, plain in zip(*reports, strict=True):
        assert ours.loss == pytest.approx(plain.loss, rel=1e-5)
        assert ours.gradient_norm == pytest.approx(plain.gradient_norm, rel=1e-4)
        sizes = ("sentences", "source_tokens", "target_tokens", "padding_share")
        assert [getattr(ours, name) for name in sizes] == [getattr(plain, name) for name in sizes]


def test_a_stop_changes_nothing(recorders: list[Repeating], tmp_path: Path) -> None:
    whole = graphed()
    whole.run()
    first = graphed(tmp_path)

    def stop(report: UpdateEvent) -> None:
        first.trainer.must_stop = report.update == 7

    first.watcher._on_update = stop
    first.run()
    second = graphed(tmp_path)
    second.run()
    assert without_time(first) + without_time(second) == without_time(whole)
    for name, weight in second.weights().items():
        assert torch.equal(weight, whole.weights()[name]), name


class Failing(Repeating):
    """Like it, but it cannot record a second shape."""

    def record(self, work: Callable[[], None]) -> Replay:
        if self.recorded:
            work()  # as far as it came
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        return super().record(work)


def test_after_a_failed_recording_training_goes_on_step_by_step(
    recorders: list[Repeating], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = graphed()
    whole.run()
    monkeypatch.setattr(trainer_module, "CudaRecorder", Failing)
    session = graphed()
    said = r"^training goes on without CUDA graphs, as a recording failed \(operation not permitted .* capturing\)$"
    with pytest.warns(UserWarning, match=said):
        session.run()
    assert without_time(session) == without_time(whole)


def test_the_graph_used_longest_ago_makes_room(recorders: list[Repeating], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 250)  # for two graphs
    session = graphed()
    graphs = session.trainer._gradients._graphs
    assert graphs is not None
    batches = [pad_to_bucket(tiny_batch([size, 2], [3, 2])) for size in (2, 4, 6)]
    for batch, kept in zip([batches[i] for i in (0, 1, 0, 2)], ([0], [0, 1], [1, 0], [0, 2]), strict=True):
        graphs.do(batch, 1.0, lambda: None)
        assert list(graphs._recorded) == [shape_of(batches[i]) for i in kept]


def test_a_replay_that_does_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the tests above do see whether a replay works on the batch of its update."""
    monkeypatch.setattr(trainer_module, "CudaRecorder", Forgetful)
    session = graphed()
    session.run()
    assert all(report.gradient_norm == 0 for report in session.watcher.updates)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("keys", [{}, {"accumulate_batches": 2}, {"word_dropout": {"source": 0.2}}], ids=str)
def test_on_a_gpu_graphs_make_the_updates_of_the_same_work_step_by_step(
    keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly, with dropout, whose masks follow from the seed of the batch in a replay too."""
    losses = []
    for spare in (module.SPARE_BYTES, 1 << 60):
        monkeypatch.setattr(module, "SPARE_BYTES", spare)
        if spare == 1 << 60:
            monkeypatch.setattr(LateStep, "_record", lambda self, recorder: None)
        session = start(updates=30, epochs=None, pairs=60, cuda_graphs=True, device="cuda", **keys)
        session.run()
        graphs = session.trainer._gradients._graphs
        assert graphs is not None and (len(graphs._recorded) > 0) == (spare < 1 << 60)
        late = session.trainer._gradients._late_step
        assert late is not None and (late._replay is not None) == (spare < 1 << 60)
        losses.append([report.loss for report in session.watcher.updates])
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 30


def test_graphs_are_refused_where_they_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"^training\.cuda_graphs: expected false without a GPU, .* run\.device cpu$"):
        check_graphs(torch.device("cpu"), Processes())
    with pytest.raises(ConfigError, match=r"^training\.cuda_graphs: expected false with several .* and 2 processes$"):
        check_graphs(torch.device("cuda"), Processes(0, 2))
    check_graphs(torch.device("cuda"), Processes())


class Recording:
    """What is put in the place of torch's CUDA: a graph that knows addresses alone, as a graph of the GPU does."""

    def __init__(self) -> None:
        self.replay = self.reset = lambda: None

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch) -> None:
        nothing, block = lambda *_: None, lambda *_, **__: nullcontext()
        stream = SimpleNamespace(wait_stream=nothing)
        for name, value in {
            "CUDAGraph": cls,
            "graph": block,
            "stream": block,
            "Stream": lambda *_: stream,
            "current_stream": lambda *_: stream,
            "synchronize": nothing,
            "graph_pool_handle": nothing,
            "mem_get_info": lambda *_: (0, 0),
            "memory_reserved": lambda *_: 0,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)


def test_a_recording_keeps_the_buffers_that_it_reads_and_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph has their addresses alone: once freed, they are other tensors', and the replay would write into those."""
    Recording.install(monkeypatch)
    buffer = torch.zeros(3)
    alive = weakref.ref(buffer)

    def work(buffer: Tensor = buffer) -> None:
        buffer.add_(1)

    replay = module.CudaRecorder(torch.device("cpu")).record(work)
    del buffer, work
    gc.collect()
    assert alive() is not None and alive().tolist() == [3, 3, 3]  # type: ignore[union-attr]
    del replay
    gc.collect()
    assert alive() is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_a_replay_writes_into_no_other_tensor() -> None:
    device = torch.device("cuda")
    recorder = module.CudaRecorder(device)

    def recorded() -> Replay:
        buffer = torch.zeros(1 << 20, device=device)

        def work() -> None:
            buffer.fill_(7)

        return recorder.record(work)

    replay = recorded()
    gc.collect()
    others = [torch.zeros(1 << 20, device=device) for _ in range(8)]
    replay.again()
    torch.cuda.synchronize()
    assert all(not other.any() for other in others)
