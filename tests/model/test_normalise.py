"""Normalisers: numbers by hand, the definition by bisection, derivatives, and what is 0."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import normalise as reference

from nmt_attn.model.normalise import NORMALISERS

EVERY = pytest.mark.parametrize("name", NORMALISERS)
SPARSE = [name for name in NORMALISERS if NORMALISERS[name].is_sparse]


def scores_of(*shape: int, spread: float = 2.0) -> torch.Tensor:
    return spread * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_sparsemax_by_hand() -> None:
    # Two of z = (1, 0.6, -0.5) are above tau = (1 + 0.6 - 1) / 2 = 0.3; of all three, (1.1 - 1) / 3 is above -0.5.
    z = torch.tensor([0.6, -0.5, 1.0])
    sparsemax = NORMALISERS["sparsemax"]()
    p = sparsemax.probabilities(z)
    torch.testing.assert_close(p, torch.tensor([0.3, 0.0, 0.7]))
    # p . z + (1 - p . p) / 2 = 0.88 + (1 - 0.58) / 2
    assert sparsemax.conjugate(z, p).item() == pytest.approx(1.09)


def test_entmax_by_hand() -> None:
    # z / 2 = (0.8, 0.6, -0.1): 0.8^2 + 0.6^2 = 1, so that tau = 0, which -0.1 does not reach.
    z = torch.tensor([1.6, 1.2, -0.2])
    entmax = NORMALISERS["entmax-1.5"]()
    p = entmax.probabilities(z)
    torch.testing.assert_close(p, torch.tensor([0.64, 0.36, 0.0]))
    # 0.64 x 1.6 + 0.36 x 1.2 + 4 / 3 (1 - 0.8^3 - 0.6^3)
    assert entmax.conjugate(z, p).item() == pytest.approx(1.456 + 4 / 3 * 0.272)


@EVERY
@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_values_equal_the_definition(name: str, spread: float) -> None:
    z = scores_of(5, 7, spread=spread)
    p = NORMALISERS[name]().probabilities(z)
    for ours, row in zip(p, z, strict=True):
        np.testing.assert_allclose(ours.numpy(), reference.probabilities(name, row.numpy()).real, atol=1e-12)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9), st.sampled_from(sorted(NORMALISERS)))
def test_they_sum_to_1_in_the_order_of_the_scores(z: list[float], name: str) -> None:
    scores = torch.tensor(z, dtype=torch.float64)
    p = NORMALISERS[name]().probabilities(scores)
    assert p.sum().item() == pytest.approx(1, abs=1e-9)
    assert (p >= 0).all()
    assert (p[scores.argsort()].diff() >= 0).all()


@EVERY
def test_gradcheck(name: str) -> None:
    z = scores_of(3, 7).requires_grad_()
    assert torch.autograd.gradcheck(NORMALISERS[name]().probabilities, z)


@EVERY
def test_they_are_the_gradient_of_their_conjugate(name: str) -> None:
    normaliser, z, step = NORMALISERS[name](), scores_of(7), 1e-6
    p = normaliser.probabilities(z)
    for k, direction in enumerate(torch.eye(7, dtype=torch.float64)):
        high, low = (
            normaliser.conjugate(at, normaliser.probabilities(at))
            for at in (z + step * direction, z - step * direction)
        )
        assert ((high - low) / (2 * step)).item() == pytest.approx(p[k].item(), abs=1e-8)


@pytest.mark.parametrize("name", SPARSE)
def test_a_clear_winner_takes_all_exactly_and_then_costs_nothing(name: str) -> None:
    normaliser, z = NORMALISERS[name](), torch.tensor([-5.0, 7.0, 4.0, -torch.inf])
    p = normaliser.probabilities(z)
    assert p.tolist() == [0, 1, 0, 0]
    assert normaliser.conjugate(z[:3], p[:3]).item() == 7.0  # the winner's score, so that the loss is 0


@EVERY
def test_masked_positions_get_nothing(name: str) -> None:
    mask = torch.tensor([[True, False, True], [False, False, False]])
    z = torch.tensor([[[1.0, 99.0, 1.0]], [[1.0, 2.0, 3.0]]]).requires_grad_()
    weights = NORMALISERS[name]().masked(z, mask)
    torch.testing.assert_close(weights, torch.tensor([[[0.5, 0.0, 0.5]], [[0.0, 0.0, 0.0]]]))
    assert weights[0, 0, 1] == 0
    (gradient,) = torch.autograd.grad((weights * torch.tensor([1.0, 2.0, 4.0])).sum(), z)
    assert gradient[0, 0, 1] == 0
    assert gradient[1].eq(0).all()


@EVERY
def test_bfloat16_scores_give_exact_sums(name: str) -> None:
    p = NORMALISERS[name]().masked(torch.randn(3, 1, 500).bfloat16(), torch.ones(3, 500, dtype=torch.bool)).float()
    torch.testing.assert_close(p.sum(-1), torch.ones(3, 1), atol=1e-2 if name == "softmax" else 1e-5, rtol=0)


@pytest.mark.parametrize("name", SPARSE)
def test_what_has_no_probability_can_still_be_written_but_what_is_no_word_cannot(name: str) -> None:
    log_probs = NORMALISERS[name]().log_probabilities(torch.tensor([3.0, -9.0, -torch.inf]))
    assert log_probs.tolist() == [0.0, pytest.approx(-87.3365, abs=1e-3), -torch.inf]
