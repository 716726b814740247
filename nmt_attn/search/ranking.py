"""Rankings: how finished hypotheses of different lengths are compared.

    none      log p
    average   log p / |Y|
    gnmt      log p / lp(Y),  lp(Y) = (5 + |Y|)^alpha / (5 + 1)^alpha
    reward    log p + alpha |Y|

|Y| counts the target tokens and `</s>`. gnmt: Wu et al. 2016 (arXiv 1609.08144v2), eq. 14; the paper does not say
whether |Y| counts `</s>`. Its coverage penalty can be added to every ranking. reward: He et al. 2016, word reward.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nmt_attn import registries
from nmt_attn.registry import Registry

LEAST_COVERAGE = 1e-6
"""Lower bound on the coverage of a source word: a word outside every local window would otherwise have log 0."""


@dataclass(frozen=True)
class Ranking:
    """Contract. With alpha >= 0 and log p <= 0, a rank increases with log p and never decreases with the length.

    So no continuation of a hypothesis can outrank the same log p at the greatest length. Search stops by that bound.
    """

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `search` that only some rankings read."""

    alpha: float  # strength; `none` and `average` ignore it

    def terms(self, length: Tensor | int) -> tuple[Tensor | float, Tensor | float]:
        """Divisor > 0 and bonus, for `length` >= 1 in tokens, `</s>` counted: the rank is log p / divisor + bonus."""
        raise NotImplementedError

    def rank(self, log_prob: Tensor, length: Tensor | int) -> Tensor:
        """Rank, in the shape of `log_prob`; `length` as above. Greater is better."""
        divisor, bonus = self.terms(length)
        return log_prob / divisor + bonus

    def bound(self, log_prob: Tensor, longest: Tensor | int) -> Tensor:
        """Upper bound on the rank of a continuation of at most `longest` tokens, `</s>` counted."""
        return self.rank(log_prob, longest)


class LogProb(Ranking):
    """log p: favours short translations."""

    def terms(self, length: Tensor | int) -> tuple[Tensor | float, Tensor | float]:
        return 1.0, 0.0


class Average(Ranking):
    """Mean log p per token."""

    options = ("stop",)

    def terms(self, length: Tensor | int) -> tuple[Tensor | float, Tensor | float]:
        return length, 0.0


class LengthPenalty(Ranking):
    """log p / lp(Y): alpha 0 is `none`, alpha 1 is close to `average`."""

    options = ("alpha", "stop")

    def terms(self, length: Tensor | int) -> tuple[Tensor | float, Tensor | float]:
        return ((5 + length) / 6) ** self.alpha, 0.0


class Reward(Ranking):
    """log p + alpha for each token."""

    options = ("alpha", "stop")

    def terms(self, length: Tensor | int) -> tuple[Tensor | float, Tensor | float]:
        return 1.0, self.alpha * length


def coverage_penalty(coverage: Tensor, is_word: Tensor, beta: float) -> Tensor:
    """beta * sum_j log(min(sum_t a_tj, 1)), never above 0; Wu et al. 2016, eq. 14.

    coverage [..., S], attention weights summed over the steps; is_word [..., S] bool -> [...]. Differs: coverage is
    clamped to `LEAST_COVERAGE`. The penalty affects finished hypotheses only, so the bound of a ranking still holds.
    """
    logs = coverage.clamp(LEAST_COVERAGE, 1.0).log()
    return beta * torch.where(is_word, logs, 0.0).sum(-1)


RANKINGS: Registry[type[Ranking]] = registries.RANKINGS
"""The values of `search.length_penalty`."""
