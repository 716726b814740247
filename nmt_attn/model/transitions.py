"""Transitions: where the alignment may go, p(a_t = j | a_{t-1} = i, y_<t, x), of hard attention.

    hard                     exp(e_tj) over all j                              Wu et al. 2018 (arXiv 1808.10024)
    hard-first-order         exp(e_tj + u_t,i,j-i) over |j - i| <= D
    monotonic                exp(e_tj) over j >= i                             Wu and Cotterell 2019 (arXiv 1905.06319)
    monotonic-first-order    exp(e_tj + u_t,i,j-i) over 0 <= j - i <= D

each divided by its sum over j. e_tj is the score of position j, u_t,i = U [s_t ; h_i] has a number for each jump. The
first step begins at the first position. Differs: the first orders of the paper have the jump alone; here the score of
the position joins it.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection
from nmt_attn.registry import Registry

IMPOSSIBLE = -1e30
"""Stands for log 0: finite, so that no gradient becomes NaN, and its exponential is 0 in every number format."""


class TransitionSizes(NamedTuple):
    """What a transition is built from."""

    decoder: int  # H, of the state s_t
    encoder: int  # M
    jump: int  # D, the most positions that a first order goes at once


class Transition(nn.Module):
    """Contract: which jumps j - i are possible, and what is added to the scores of the positions."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `model.attention` that it reads, beside `alignment`, `score` and those of the score."""

    is_monotonic: ClassVar[bool] = False
    """Whether the alignment never goes back."""

    def __init__(self, sizes: TransitionSizes) -> None:
        super().__init__()

    def forward(self, scores: Tensor, query: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """Scores e [B, T, S], query s [B, T, H], encoder states [B, S, M], mask [B, S] -> log p [B, T, S, S].

        Row i is a_{t-1}, column j is a_t. Rows of padding mean nothing.
        """
        size = scores.shape[2]
        logits = scores.unsqueeze(2) + self.jump_scores(query, states)
        is_possible = mask[:, None, None] & self.possible(size, scores.device)
        log_probs = logits.masked_fill(~is_possible, IMPOSSIBLE).log_softmax(3)
        return log_probs.masked_fill(~is_possible, IMPOSSIBLE)

    def jump_scores(self, query: Tensor, states: Tensor) -> Tensor:
        """What the jump from i to j adds to e_tj: [B, T, S, S], or what is broadcast to it."""
        return query.new_zeros(1, 1, states.shape[1], 1)

    def possible(self, size: int, device: torch.device) -> Tensor:
        """[S, S] bool: whether a jump from i (rows) to j may be."""
        jumps = jumps_of(size, device)
        return jumps >= 0 if self.is_monotonic else torch.ones_like(jumps, dtype=torch.bool)


class Independent(Transition):
    """Zeroth order: where the last word was aligned says nothing."""


class Monotonic(Transition):
    """Zeroth order over the positions from the last one on."""

    is_monotonic = True


class FirstOrder(Transition):
    """Jumps of at most D positions have scores of their own."""

    options = ("jump",)

    def __init__(self, sizes: TransitionSizes) -> None:
        super().__init__(sizes)
        self.most = sizes.jump  # D
        self.least = 0 if self.is_monotonic else -sizes.jump
        count = self.most - self.least + 1
        self.query_projection = Projection(sizes.decoder, count)  # U, its columns for s_t, and a bias
        self.state_projection = Projection(sizes.encoder, count, bias=False)  # U, its columns for h_i

    def jump_scores(self, query: Tensor, states: Tensor) -> Tensor:
        by_jump = self.query_projection(query).unsqueeze(2) + self.state_projection(states).unsqueeze(1)
        jumps = jumps_of(states.shape[1], states.device)
        places = (jumps - self.least).clamp(0, self.most - self.least)
        return by_jump.gather(3, places.expand(*by_jump.shape[:2], -1, -1))

    def possible(self, size: int, device: torch.device) -> Tensor:
        jumps = jumps_of(size, device)
        return (jumps >= self.least) & (jumps <= self.most)


class MonotonicFirstOrder(FirstOrder):
    """Jumps of 0 to D positions."""

    is_monotonic = True


def jumps_of(size: int, device: torch.device) -> Tensor:
    """j - i [S, S] int64, row i and column j."""
    places = torch.arange(size, device=device)
    return places - places.unsqueeze(1)


TRANSITIONS: Registry[type[Transition]] = registries.TRANSITIONS
"""The values of `model.attention.alignment` beside `soft`."""
