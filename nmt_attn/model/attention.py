"""Attention: a score, a window, and the one place that masks and normalises.

    c_t = sum_j a_tj h_j               Bahdanau et al. 2015 (arXiv 1409.0473v7), eq. 5; Luong et al. 2015, section 3
    a_t = softmax_j(score(s, h_j))     Bahdanau et al. 2015, eq. 6; Luong et al. 2015 (arXiv 1508.04025), eq. 7

The scores themselves: nmt_attn/model/scores.py. Luong's eq. 9 and 10: nmt_attn/model/windows.py. What may take the
softmax's place: nmt_attn/model/normalise.py.
"""

import torch
from torch import Tensor, nn

from nmt_attn.model.coverage import Coverage
from nmt_attn.model.initialise import Projection
from nmt_attn.model.normalise import SOFTMAX, Normaliser
from nmt_attn.model.scores import Score, TanhScore
from nmt_attn.model.state import Memory, Weights
from nmt_attn.model.windows import Window, WindowView
from nmt_attn.runtime import at_least_float32


class Attention(nn.Module):
    """Context and weights for each query."""

    has_weights = True

    def __init__(self, score: Score, window: Window, context_size: int, normaliser: Normaliser = SOFTMAX) -> None:
        super().__init__()
        self.score = score
        self.window = window
        self.normaliser = normaliser
        self.context_size = context_size  # M

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        """[B, S, M] -> keys [B, S, A], once per sentence."""
        return self.score.project_keys(encoder_states)

    def read_coverage(self, encoder_states: Tensor) -> Tensor | None:
        """[B, S, M] -> what coverage needs of it, once per sentence; None without."""
        return None

    def read_finals(self, final_hidden: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The final state [B, M] of each encoder layer, as the decoder sees it: as it is."""
        return final_hidden

    def forward(self, query: Tensor, memory: Memory, steps: Tensor) -> tuple[Tensor, Weights]:
        """query [B, T, H], steps [B, T] int64 (target positions, from 0) -> context [B, T, M], weights over S."""
        view = self.window.select(query, memory, steps)
        return self.attend(view, self.scores(view), query, memory)

    def attend(self, view: WindowView, scores: Tensor, query: Tensor, memory: Memory) -> tuple[Tensor, Weights]:
        """Scores [B, T, W] of what the window shows of `memory` to `query` [B, T, H] -> context and weights."""
        weights = self.window.reweight(self.normaliser.masked(scores, view.mask), view)
        context = weights.to(view.encoder_states.dtype) @ view.encoder_states
        source_length = memory.mask.shape[1]
        if not self.window.is_local:
            return context, Weights(weights, None, source_length)
        rows = query.shape[:2]  # B, T
        seen = Weights(weights.view(*rows, -1), view.positions.view(*rows, -1), source_length)
        return context.view(*rows, -1), seen

    def scores(self, view: WindowView) -> Tensor:
        """What the window shows -> scores [B, T, W]."""
        scores: Tensor = self.score(view.query, view.keys, view.positions)
        return scores


class CoveredAttention(Attention):
    """Attention whose score sees the coverage (nmt_attn/model/coverage.py)."""

    def __init__(
        self, score: TanhScore, window: Window, context_size: int, normaliser: Normaliser, coverage: Coverage
    ) -> None:
        super().__init__(score, window, context_size, normaliser)
        self.coverage = coverage

    def read_coverage(self, encoder_states: Tensor) -> Tensor | None:
        return self.coverage.read(encoder_states)

    def first_coverage(self, memory: Memory) -> Tensor:
        """C_0 [B, S, d], before the first step."""
        rows, size = memory.mask.shape
        return at_least_float32(memory.encoder_states).new_zeros(rows, size, self.coverage.size)

    def cover(self, query: Tensor, memory: Memory, steps: Tensor, before: Tensor) -> tuple[Tensor, Weights]:
        """The same with C [B x T, S, d] before this step; the weights bring along C after it."""
        rows = before.unflatten(0, query.shape[:2])  # [B, T, S, d]
        context, weights = self(query, memory, steps, rows)
        assert memory.coverage_read is not None
        given = at_least_float32(weights.dense())
        after = self.coverage.update(rows, given, query, memory.coverage_read) * memory.mask[:, None, :, None]
        return context, weights._replace(coverage=after.flatten(0, 1))

    def forward(  # type: ignore[override]
        self, query: Tensor, memory: Memory, steps: Tensor, coverage: Tensor
    ) -> tuple[Tensor, Weights]:
        """query [B, T, H], steps [B, T] int64, C [B, T, S, d] before this step -> context [B, T, M], weights over S."""
        view = self.window.select(query, memory, steps)
        if self.window.is_local:  # which sees each query as a sentence of its own
            rows = torch.arange(len(view.positions), device=query.device).unsqueeze(1)
            coverage = coverage.flatten(0, 1)[rows, view.positions].unsqueeze(1)  # [B x T, 1, W, d]
        covered = self.coverage.to_score(coverage)
        return self.attend(view, self.score(view.query, view.keys, view.positions, covered), query, memory)


class NoAttention(nn.Module):
    """The plain encoder-decoder: c is one vector, the encoder's last state (Bahdanau et al. 2015, eq. 1-3).

    It reaches the decoder through the first state alone (context of size 0) or, by option, at every step too.
    """

    has_weights = False

    def __init__(self, context_size: int) -> None:
        super().__init__()
        self.context_size = context_size  # M, or 0

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        """No keys: [B, S, 0]."""
        return encoder_states[..., :0]

    def read_coverage(self, encoder_states: Tensor) -> Tensor | None:
        """Nothing."""
        return None

    def read_finals(self, final_hidden: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The final state [B, M] of each encoder layer, as the decoder sees it: as it is."""
        return final_hidden

    def forward(self, query: Tensor, memory: Memory, steps: Tensor) -> tuple[Tensor, Weights]:
        """The same context [B, T, M or 0] at every step, and no weight anywhere."""
        weights = Weights(query.new_zeros(*query.shape[:2], memory.mask.shape[1]), None, memory.mask.shape[1])
        if self.context_size == 0:
            return query.new_zeros(*query.shape[:2], 0), weights
        return memory.final_hidden[-1].unsqueeze(1).expand(-1, query.shape[1], -1), weights


class ProjectedNoAttention(NoAttention):
    """The same with c = tanh(V h + b) in the place of the top layer's last state h.

    With `init: bridge`, s_0 = tanh(V' c + b'). Cho et al. 2014 (arXiv 1406.1078v3), 2.2 and A.1.
    """

    def __init__(self, context_size: int) -> None:
        super().__init__(context_size)
        self.projection = Projection(context_size, context_size)  # V, b

    def read_finals(self, final_hidden: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The top layer's final state [B, M] becomes c [B, M]; those below stay as they are."""
        return (*final_hidden[:-1], torch.tanh(self.projection(final_hidden[-1])))
