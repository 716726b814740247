"""The kernels of the additive score against the plain path; on a CPU triton interprets them. Skipped without triton."""

import os
from collections.abc import Iterator

import pytest
import torch
from tiny_models import accepted, tiny_batch, tiny_model
from torch import Tensor

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are imported
pytest.importorskip("triton", reason="needs triton")

from nmt_attn.fast import additive_kernels, attention
from nmt_attn.fast.additive_kernels import kernel_scores
from nmt_attn.fast.attention import tanh_scores, works_on
from nmt_attn.fast.training import for_training
from nmt_attn.model.seq2seq import Seq2Seq

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ROWS, STEPS, SOURCES, HIDDEN = 3, 2, 21, 70  # S and A in two blocks, the second not full


def inputs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(ROWS, STEPS, HIDDEN), (ROWS, SOURCES, HIDDEN), (HIDDEN,), (ROWS, STEPS, SOURCES)]
    return [torch.randn(shape, generator=generator).to(DEVICE) for shape in shapes]


def plain_scores(queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    return torch.tanh(queries.unsqueeze(2) + keys.unsqueeze(1)) @ vector


def test_values_and_gradients_are_those_of_the_plain_path() -> None:
    assert additive_kernels.BLOCK_S < SOURCES < 2 * additive_kernels.BLOCK_S
    assert additive_kernels.BLOCK_A < HIDDEN < 2 * additive_kernels.BLOCK_A
    *variables, slope = inputs()
    results = []
    for path in (kernel_scores, plain_scores):
        leaves = [variable.clone().requires_grad_() for variable in variables]
        made = path(*leaves)
        assert made.shape == (ROWS, STEPS, SOURCES)
        results.append([made, *torch.autograd.grad((made * slope).sum(), leaves)])
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=2e-5)  # sums of 6 to 126 numbers of size 1


def test_one_number_by_hand() -> None:
    # v tanh(q + k) = 2 tanh(0.3 + 0.2) = 2 x 0.46212 = 0.92423; its slope in q and k 2 (1 - 0.21355) = 1.57290.
    query, key, vector = (torch.tensor([number], device=DEVICE, requires_grad=True) for number in (0.3, 0.2, 2.0))
    score = kernel_scores(query.view(1, 1, 1), key.view(1, 1, 1), vector)
    score.sum().backward()
    assert score.item() == pytest.approx(0.92423, abs=1e-5)
    found = [leaf.grad.item() for leaf in (query, key, vector) if leaf.grad is not None]
    assert found == pytest.approx([1.57290, 1.57290, 0.46212], abs=1e-5)


@pytest.fixture(autouse=True)
def _tries_again() -> Iterator[None]:
    works_on.cache_clear()
    yield
    works_on.cache_clear()


def test_kernels_are_tried_before_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert works_on(DEVICE)
    works_on.cache_clear()
    monkeypatch.setattr(additive_kernels, "scores", lambda queries, keys, vector, out: out.zero_())
    with pytest.warns(UserWarning, match=r"^the additive score takes its plain path, .* fail on .* \(they are off by "):
        assert not works_on(DEVICE)

    def failing(*arguments: Tensor) -> None:
        raise RuntimeError("Failed to find C compiler\nmore")

    works_on.cache_clear()
    monkeypatch.setattr(additive_kernels, "scores", failing)
    with pytest.warns(UserWarning, match=r"\(RuntimeError: Failed to find C compiler\)$"):
        assert not works_on(DEVICE)
    assert not works_on(DEVICE)  # said once


def results(model: Seq2Seq) -> list[Tensor | None]:
    """Readouts, weights, and gradients of a loss that sees both."""
    readouts, weights = model(tiny_batch([4, 2, 5], [3, 6, 1]).to(DEVICE))
    seen = weights.dense()
    loss = (readouts**2).sum() + (seen * torch.arange(seen.numel(), device=DEVICE).view_as(seen).sin()).sum()
    return [readouts, seen, *torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)]


@pytest.mark.parametrize("score", ["additive", "normed-additive", "concat"])
@pytest.mark.parametrize("style", ["bahdanau", "luong", "conditional"])
def test_a_model_is_that_of_the_plain_path(style: str, score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bahdanau's order and input feeding by the loop, the conditional one by steps."""
    feeding = {"decoder.input_feeding": "attentional"} if style == "luong" else {}
    model = tiny_model(accepted({"attention.score": score, "decoder.style": style, **feeding})).float().to(DEVICE)
    calls: list[Tensor] = []
    original = additive_kernels.scores

    def counting(*arguments: Tensor) -> None:
        calls.append(arguments[0])
        original(*arguments)

    monkeypatch.setattr(additive_kernels, "scores", counting)
    monkeypatch.setattr(attention, "has_kernels", lambda keys: True)
    found = [results(model), results(for_training(model))]
    assert len(calls) == 6  # one for each step of the longest target
    for plain, ours in zip(*found, strict=True):
        assert (ours is None) == (plain is None)
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_brought_to_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "has_kernels", lambda keys: True)
    queries, keys, vector, _ = (part.bfloat16() for part in inputs())
    leaves = [part.requires_grad_() for part in (queries, keys, vector.float())]
    found = tanh_scores(*leaves)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, plain_scores(*(leaf.float() for leaf in leaves)), rtol=1e-5, atol=2e-5)
    found.sum().backward()
    assert [leaf.grad.dtype for leaf in leaves if leaf.grad is not None] == [leaf.dtype for leaf in leaves]
