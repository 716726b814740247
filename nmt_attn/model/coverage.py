"""Coverage: what each source position has been given so far, so that attention sees what is done and what is left.

    e_tj = v . tanh(W s + U h_j + V C_{t-1,j})                     Tu et al. 2016 (arXiv 1601.04811), section 3.2
    sum          C_tj = C_{t-1,j} + a_tj                           See et al. 2017 (arXiv 1704.04368), eq. 10 and 11
    linguistic   C_tj = C_{t-1,j} + a_tj / Phi_j                   Tu et al., 3.1.1
                 Phi_j = N sigmoid(U_f h_j), the words that position j becomes, at most N
    neural       C_tj = GRU(C_{t-1,j}; a_tj, h_j, s), d numbers    Tu et al., 3.1.2

C_0 is 0. See et al.'s loss against repetition: nmt_attn/training/loss.py. Differs: the s of `neural` is the query of
the look, which is Tu et al.'s t_{i-1} in Bahdanau's order alone.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.cells import GRU
from nmt_attn.model.initialise import GateProjection, Projection
from nmt_attn.model.state import CellState
from nmt_attn.registry import Registry
from nmt_attn.runtime import at_least_float32


class CoverageSizes(NamedTuple):
    """What a coverage is built from; each takes what it needs."""

    decoder: int  # H, of the query
    encoder: int  # M, of an encoder state
    score: int  # A, inside the score's tanh
    size: int  # d of `neural`
    fertility: float  # N of `linguistic`


class Coverage(nn.Module):
    """Contract. The state is C [B, T, S, d], a row for each of the T hypotheses or steps of a sentence."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `model.attention` that it reads, beside `coverage`."""

    def __init__(self, sizes: CoverageSizes) -> None:
        super().__init__()
        self.size = self.choose_size(sizes)  # d
        self.to_score = Projection(self.size, sizes.score, bias=False)  # V

    def choose_size(self, sizes: CoverageSizes) -> int:
        """d, by default one number for each position."""
        return 1

    def read(self, encoder_states: Tensor) -> Tensor:
        """[B, S, M] -> what `update` needs of each position [B, S, ..], once per sentence; by default nothing."""
        return encoder_states[..., :0]

    def update(self, before: Tensor, weights: Tensor, query: Tensor, read: Tensor) -> Tensor:
        """C [B, T, S, d], weights [B, T, S], query [B, T, H], what was read [B, S, ..] -> the next C."""
        raise NotImplementedError


class Sum(Coverage):
    """The sum of the weights so far (See et al. 2017)."""

    def update(self, before: Tensor, weights: Tensor, query: Tensor, read: Tensor) -> Tensor:
        return before + weights.unsqueeze(3)


class Linguistic(Coverage):
    """The sum of the weights so far, as a share of what the position's fertility lets it become (Tu et al. 2016)."""

    options = ("fertility",)

    def __init__(self, sizes: CoverageSizes) -> None:
        super().__init__(sizes)
        self.most = sizes.fertility  # N
        self.to_fertility = Projection(sizes.encoder, 1, bias=False)  # U_f

    def read(self, encoder_states: Tensor) -> Tensor:
        """The fertilities Phi [B, S, 1]."""
        return self.most * torch.sigmoid(at_least_float32(self.to_fertility(encoder_states)))

    def update(self, before: Tensor, weights: Tensor, query: Tensor, read: Tensor) -> Tensor:
        return before + weights.unsqueeze(3) / read.unsqueeze(1)


class Neural(Coverage):
    """A gated state for each position, which learns what to keep of weight, position and query (Tu et al. 2016)."""

    options = ("coverage_size",)

    def __init__(self, sizes: CoverageSizes) -> None:
        super().__init__(sizes)
        self.cell = GRU(sizes.size)
        self.weight_to_gates = GateProjection(1, sizes.size, GRU.gates, bias=False)
        self.position_to_gates = GateProjection(sizes.encoder, sizes.size, GRU.gates, bias=True)
        self.query_to_gates = GateProjection(sizes.decoder, sizes.size, GRU.gates, bias=False)

    def choose_size(self, sizes: CoverageSizes) -> int:
        return sizes.size

    def read(self, encoder_states: Tensor) -> Tensor:
        """W h [B, S, G x d]."""
        return self.position_to_gates(encoder_states)

    def update(self, before: Tensor, weights: Tensor, query: Tensor, read: Tensor) -> Tensor:
        gates = self.weight_to_gates(weights.unsqueeze(3)) + read.unsqueeze(1) + self.query_to_gates(query).unsqueeze(2)
        after = self.cell(gates.flatten(0, 2), CellState(before.flatten(0, 2), None))
        return after.hidden.view_as(before)


COVERAGES: Registry[type[Coverage]] = registries.COVERAGES
