"""The attention loop of v . tanh(q + k) with the kernels of a GPU: no [B, S, A] of a step is ever made.

One kernel a step for the scores, one a step for d loss / d q; those of k and v are one for all steps, after the loop.
Imported where triton is there alone (nmt_attn/model/fused.py).
"""

import torch
from torch import Tensor

from nmt_attn.model.additive_kernels import key_gradients, query_gradient, scores
from nmt_attn.model.attention_loops import AttentionLoop, LoopScore


class FusedAttentionLoop(AttentionLoop):
    """It is kept as that of a score without v, whose slopes are kept too."""

    def __init__(self, score: LoopScore, states: Tensor, mask: Tensor, steps: int, dtype: torch.dtype) -> None:
        super().__init__(score._replace(vector=None), states, mask, steps, dtype)
        assert score.vector is not None, "v . tanh(q + k)"
        self.keys, self.vector = score.keys.contiguous(), score.vector.contiguous()

    def _score(self, projected: Tensor) -> None:
        scores(projected.unsqueeze(0), self.keys, self.vector, self.scores.unsqueeze(0))

    def _score_back(self, t: int, slope: Tensor, grad_projected: Tensor) -> None:
        self.grad_scores[t] = slope
        query_gradient(
            self.projected[t : t + 1], self.keys, self.vector, slope.unsqueeze(0), grad_projected.unsqueeze(0)
        )

    def _score_gradients(self) -> tuple[Tensor, Tensor | None]:
        return key_gradients(self.projected, self.keys, self.vector, self.grad_scores)
