import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nmt_attn.config.reference import choices_of
from nmt_attn.config.schema import SearchConfig
from nmt_attn.search.ranking import RANKINGS

LOG_PROB = torch.tensor(-6.0, dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "alpha", "expected"),
    [
        ("none", 1.0, -6.0),
        ("average", 1.0, -2.0),  # -6 / 3
        ("gnmt", 1.0, -4.5),  # lp = (5 + 3) / 6 = 4/3
        ("gnmt", 2.0, -3.375),  # lp = 16/9
        ("gnmt", 0.0, -6.0),  # lp = 1
        ("reward", 0.5, -4.5),  # -6 + 0.5 * 3
    ],
)
def test_three_tokens_are_ranked_as_by_hand(name: str, alpha: float, expected: float) -> None:
    assert RANKINGS[name](alpha).rank(LOG_PROB, 3).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(RANKINGS))
def test_lengths_may_be_a_tensor(name: str) -> None:
    ranking = RANKINGS[name](0.7)
    lengths = torch.tensor([2, 5, 11])
    together = ranking.rank(LOG_PROB.expand(3), lengths)
    one_by_one = [ranking.rank(LOG_PROB, int(length)).item() for length in lengths]
    assert together.tolist() == pytest.approx(one_by_one)


@pytest.mark.parametrize("name", sorted(RANKINGS))
@settings(max_examples=30)
@given(
    log_prob=st.floats(-50, 0),
    fall=st.floats(0, 20),
    length=st.integers(1, 30),
    more=st.integers(0, 30),
    spare=st.integers(0, 5),
    alpha=st.floats(0, 3),
)
def test_no_continuation_passes_the_bound(
    name: str, log_prob: float, fall: float, length: int, more: int, spare: int, alpha: float
) -> None:
    ranking = RANKINGS[name](alpha)
    longest = length + more + spare
    continued = ranking.rank(as_float64(log_prob - fall), length + more)
    assert continued <= ranking.bound(as_float64(log_prob), longest)


@pytest.mark.parametrize("name", sorted(RANKINGS))
def test_an_impossible_hypothesis_ranks_below_everything(name: str) -> None:
    assert RANKINGS[name](1.0).rank(as_float64(-math.inf), 4).item() == -math.inf


def test_every_ranking_can_be_configured() -> None:
    choices = choices_of(SearchConfig.model_fields["length_penalty"])
    assert choices == list(RANKINGS)


def as_float64(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
