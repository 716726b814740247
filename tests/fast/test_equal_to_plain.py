"""Every accelerated form equals the plain one: each score x window x decoder x cell, in training and in search."""

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from reference_runs import run_steps
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import Tensor, nn

from nmt_attn.fast.gpu.forms import GPU
from nmt_attn.fast.packed import PackedLinear
from nmt_attn.fast.products import FastLinear
from nmt_attn.fast.search import for_search
from nmt_attn.fast.training import PARTS, TRAINING, for_training
from nmt_attn.fast.views import Fast, view
from nmt_attn.model.build import DECODERS
from nmt_attn.model.cells import CELLS
from nmt_attn.model.copying import COPYINGS
from nmt_attn.model.coverage import COVERAGES
from nmt_attn.model.deep_transition import DeepTransition
from nmt_attn.model.normalise import NORMALISERS
from nmt_attn.model.scores import SCORES, Score, ScoreSizes
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.windows import WINDOWS
from nmt_attn.runtime import DecodingPrecision, cpu_has_int8, cpu_has_packed_products
from nmt_attn.types import PAD, Batch

ACCELERATED = [cell for cell in sorted(CELLS) if CELLS[cell] in {**PARTS, **GPU}]
OTHERS = [cell for cell in sorted(CELLS) if cell not in ACCELERATED]
EVERY = pytest.mark.parametrize(
    ("score", "window", "style", "cell"),
    [
        *product(sorted(SCORES), sorted(WINDOWS), sorted(DECODERS), ACCELERATED),
        *product(["none"], ["global"], sorted(DECODERS), sorted(CELLS)),
        *product(["additive", "general"], ["global"], sorted(DECODERS), OTHERS),
        *product(["dot"], ["local-p"], sorted(DECODERS), OTHERS),
    ],
)
TOLERANCES: dict[DecodingPrecision, float] = {"fp32": 1e-5, "bf16": 0.05, "int8": 0.1}
"""Of weights and log-probabilities: rounding of float32, of 8 binary digits, of 127 levels."""
IS_THERE = {"fp32": cpu_has_packed_products(), "bf16": True, "int8": cpu_has_int8()}
"""Which of them this CPU has."""


def model_of(score: str, window: str, style: str, cell: str, **more: object) -> Seq2Seq:
    keys: Overrides = {"attention.score": score, "attention.window": window, "decoder.style": style, **more}
    keys |= {"encoder.cell": cell, "decoder.cell": cell, "decoder.hidden": 6 if "dot" in score else 5}
    if style == "luong" and score != "none":
        keys.setdefault("decoder.input_feeding", "attentional")
    return tiny_model(accepted(keys))


def batch() -> Batch:
    return tiny_batch([5, 2, 4], [3, 4, 2])


def results(model: Seq2Seq, parameters: list[nn.Parameter]) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Readouts, weights, and gradients of a loss that sees both; a weight without a part in it has gradient 0."""
    readouts, weights = model(batch())
    seen = weights.dense()
    loss = (readouts**3).sum() + (seen * torch.arange(seen.numel()).view_as(seen).sin()).sum()
    return readouts, seen, list(torch.autograd.grad(loss, parameters, materialize_grads=True))


def close(ours: object, theirs: object, tolerance: float) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


@EVERY
def test_training_gives_the_values_and_gradients_of_the_plain_model(
    score: str, window: str, style: str, cell: str
) -> None:
    model = model_of(score, window, style, cell)
    fast, parameters = for_training(model), list(model.parameters())
    assert any(isinstance(module, FastLinear) for module in fast.modules())
    close(results(fast, parameters), results(model, parameters), 1e-10)
    model.float()  # the view has the same parameters
    close(results(fast, parameters), results(model, parameters), 1e-3)


@torch.inference_mode()
@EVERY
def test_search_steps_as_the_plain_model(score: str, window: str, style: str, cell: str) -> None:
    # Rounding moves a predicted centre, so that a narrow window would see other positions.
    wide = {"attention.half_width": 5} if window == "local-p" else {}
    model = model_of(score, window, style, cell, **wide).float().eval()
    expected = run_steps(model, batch())
    for precision, tolerance in TOLERANCES.items():
        if IS_THERE[precision]:
            fast = for_search(model, precision)
            assert any(isinstance(module, PackedLinear) for module in fast.modules())
            close(run_steps(fast, batch()), expected, tolerance)


@torch.inference_mode()
@pytest.mark.parametrize("cell", CELLS)
def test_a_source_without_words_whose_eos_is_not_read(cell: str) -> None:
    keys = {"encoder.reads_eos": False, "attention.attend_eos": False, "encoder.layers": 2}
    model = model_of("general", "global", "luong", cell, **keys).float().eval()
    pairs = tiny_batch([5, 1, 4], [3, 4, 2])
    fast = [for_training(model)] + [for_search(model, "fp32")] * IS_THERE["fp32"]
    for each in fast:
        close(run_steps(each, pairs), run_steps(model, pairs), 1e-5)


@pytest.mark.parametrize("kind", ["separate", "alternating"])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_stacks_of_the_encoder_that_meet_at_the_top(cell: str, kind: str) -> None:
    model = model_of("additive", "global", "luong", cell, **{"encoder.bidirectional": kind, "encoder.layers": 3})
    parameters = list(model.parameters())
    for forms in (TRAINING, GPU):
        close(results(view(model, forms), parameters), results(model, parameters), 1e-10)
    model.float().eval()
    with torch.inference_mode():
        for precision in (each for each, is_there in IS_THERE.items() if is_there):
            close(run_steps(for_search(model, precision), batch()), run_steps(model, batch()), TOLERANCES[precision])


@pytest.mark.parametrize("depths", [2, [1, 2, 1]], ids=str)
@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_cells_in_a_row_take_their_own_path_with_accelerated_cells(cell: str, style: str, depths: object) -> None:
    stack = {"encoder.layers": 3, "decoder.layers": 3} if isinstance(depths, list) else {}
    depth = {"encoder.transition_depth": depths, "decoder.transition_depth": depths}
    model = model_of("additive", "global", style, cell, **stack, **depth)
    parameters = list(model.parameters())
    for forms in (TRAINING, GPU):
        fast = view(model, forms)
        rows = [module for module in fast.modules() if type(module) is DeepTransition]
        assert rows and all(isinstance(row.first, Fast) == (CELLS[cell] in forms) for row in rows)
        close(results(fast, parameters), results(model, parameters), 1e-10)
    model.float().eval()
    with torch.inference_mode():
        # a layer normalisation in each of several cells divides rounding by small deviations again and again
        there = [each for each in IS_THERE if IS_THERE[each] and (each == "fp32" or cell in ACCELERATED)]
        for precision in there:
            close(run_steps(for_search(model, precision), batch()), run_steps(model, batch()), TOLERANCES[precision])


@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("cell", OTHERS)
def test_cells_that_nothing_accelerates_stay_plain_among_accelerated_parts(cell: str, style: str) -> None:
    more = {"encoder.layers": 2, "decoder.layers": 2}
    model = model_of("additive", "global", style, cell, **more)
    parameters = list(model.parameters())
    for forms in (TRAINING, GPU):
        fast = view(model, forms)
        assert type(fast.decoder.bottom) is CELLS[cell] and isinstance(fast.decoder.attention, Fast)
        close(results(fast, parameters), results(model, parameters), 1e-10)


def test_every_part_that_is_accelerated_is_met_here() -> None:
    """No form without a test: each class of the table is in some view of the laws above."""
    combinations = [("additive", "global", style, cell) for style in DECODERS for cell in CELLS]
    views = [for_training(model_of(*names, **{"decoder.layers": 2})) for names in combinations]
    hard = {"attention.alignment": "hard", "decoder.input_feeding": "none"}
    views.append(for_training(model_of("additive", "global", "luong", "gru", **hard)))
    assert {type(module) for view in views for module in view.modules()} >= set(PARTS.values())


@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_sparse_weights_and_outputs_take_their_own_path_among_accelerated_parts(name: str, style: str) -> None:
    model = model_of("additive", "global", style, "gru", **{"attention.normalise": name, "decoder.normalise": name})
    parameters = list(model.parameters())
    for forms in (TRAINING, GPU):
        fast = view(model, forms)
        assert isinstance(fast.decoder.bottom, Fast)
        close(results(fast, parameters), results(model, parameters), 1e-10)
    model.float().eval()
    with torch.inference_mode():
        for ours, theirs in zip(run_steps(for_search(model, "fp32"), batch()), run_steps(model, batch()), strict=True):
            close(ours, theirs, TOLERANCES["fp32"])


@pytest.mark.parametrize("feeding", ["none", "attentional"])
@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("name", sorted(COVERAGES))
def test_coverage_takes_its_own_path_among_accelerated_parts(name: str, style: str, feeding: str) -> None:
    feeding = feeding if style == "luong" else "none"
    keys = {"attention.coverage": name, "decoder.input_feeding": feeding}
    model = model_of("concat", "global", style, "lstm", **keys)
    parameters = list(model.parameters())
    for forms in (TRAINING, GPU):
        fast = view(model, forms)
        assert isinstance(fast.decoder.bottom, Fast)
        close(results(fast, parameters), results(model, parameters), 1e-10)
    model.float().eval()
    with torch.inference_mode():
        close(run_steps(for_search(model, "fp32"), batch()), run_steps(model, batch()), TOLERANCES["fp32"])


@pytest.mark.parametrize("feeding", ["none", "attentional"])
@pytest.mark.parametrize("style", sorted(DECODERS))
@pytest.mark.parametrize("name", sorted(COPYINGS))
def test_copying_takes_its_own_path_among_accelerated_parts(name: str, style: str, feeding: str) -> None:
    feeding = feeding if style == "luong" else "none"
    model = model_of("concat", "global", style, "lstm", **{"decoder.copying": name, "decoder.input_feeding": feeding})
    parameters, given = list(model.parameters()), batch()._replace(copy_rows=batch().src_ids)

    def loss_and_gradients(each: Seq2Seq) -> tuple[Tensor, ...]:
        loss = -each(given)[0].masked_fill(given.tgt_out == PAD, 0.0).sum()
        return (loss, *torch.autograd.grad(loss, parameters, allow_unused=True))

    for forms in (TRAINING, GPU):
        fast = view(model, forms)
        assert isinstance(fast.decoder.bottom, Fast)
        close(loss_and_gradients(fast), loss_and_gradients(model), 1e-10)
    model.float().eval()
    with torch.inference_mode():
        for precision in (each for each, is_there in IS_THERE.items() if is_there):
            fast = for_search(model, precision)
            close(list(step_log_probs(fast, given)), list(step_log_probs(model, given)), TOLERANCES[precision])
            close(fast.score_target(given)[0], model.score_target(given)[0], TOLERANCES[precision])


def step_log_probs(model: Seq2Seq, given: Batch) -> Iterator[Tensor]:
    """log p of every word at each step of the targets."""
    memory = model.encode(given.src_ids, given.src_lengths)._replace(copy_rows=given.copy_rows)
    state = model.start(memory)
    for ids in given.tgt_in.unbind(1):
        log_probs, _, state = model.step(ids, state, memory)
        yield log_probs


class Distance(Score):
    """- |s - W h|^2, of which no accelerator has heard."""

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__()
        self.key_projection = nn.Linear(sizes.encoder, sizes.decoder)

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        keys: Tensor = self.key_projection(encoder_states)
        return keys

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        return -(query.unsqueeze(2) - keys.unsqueeze(1)).square().sum(-1)


@pytest.mark.parametrize("style", sorted(DECODERS))
def test_a_score_from_elsewhere_takes_its_own_path_among_accelerated_parts(style: str) -> None:
    model = model_of("dot", "global", style, "lstm")
    sizes = ScoreSizes(decoder=6, encoder=6, hidden=6, positions=8, use_bias=False, project=False)
    model.decoder.attention.score = Distance(sizes).double()
    fast, parameters = for_training(model), list(model.parameters())
    assert fast.decoder.attention.score is model.decoder.attention.score
    assert isinstance(fast.decoder.bottom, Fast)
    close(results(fast, parameters), results(model, parameters), 1e-10)
    model.float().eval()
    with torch.inference_mode():
        for ours, theirs in zip(run_steps(for_search(model, "fp32"), batch()), run_steps(model, batch()), strict=True):
            close(ours, theirs, TOLERANCES["fp32"])
