"""Attention: a score, a window, and the one place that masks and normalises.

    c_t = sum_j a_tj h_j               Bahdanau et al. 2015 (arXiv 1409.0473v7), eq. 5; Luong et al. 2015, section 3
    a_t = softmax_j(score(s, h_j))     Bahdanau et al. 2015, eq. 6; Luong et al. 2015 (arXiv 1508.04025), eq. 7

The scores themselves: nmt_attn/model/scores.py. Luong's eq. 9 and 10: nmt_attn/model/windows.py. What may take the
softmax's place: nmt_attn/model/normalise.py.
"""

from torch import Tensor, nn

from nmt_attn.model.normalise import Normaliser
from nmt_attn.model.scores import Score
from nmt_attn.model.state import Memory, Weights
from nmt_attn.model.windows import Window, WindowView


class Attention(nn.Module):
    """Context and weights for each query."""

    has_weights = True

    def __init__(self, score: Score, window: Window, normaliser: Normaliser, context_size: int) -> None:
        super().__init__()
        self.score = score
        self.window = window
        self.normaliser = normaliser
        self.context_size = context_size  # M

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        """[B, S, M] -> keys [B, S, A], once per sentence."""
        return self.score.project_keys(encoder_states)

    def forward(self, query: Tensor, memory: Memory, steps: Tensor) -> tuple[Tensor, Weights]:
        """query [B, T, H], steps [B, T] int64 (target positions, from 0) -> context [B, T, M], weights over S."""
        view = self.window.select(query, memory, steps)
        weights = self.window.reweight(self.normaliser.masked(self.scores(view), view.mask), view)
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

    def forward(self, query: Tensor, memory: Memory, steps: Tensor) -> tuple[Tensor, Weights]:
        """The same context [B, T, M or 0] at every step, and no weight anywhere."""
        fixed = memory.final_hidden[-1][:, : self.context_size]
        none = query.new_zeros(*query.shape[:2], memory.mask.shape[1])
        return fixed.unsqueeze(1).expand(-1, query.shape[1], -1), Weights(none, None, memory.mask.shape[1])
