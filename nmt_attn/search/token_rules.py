"""Constraints: what the next token may be, given those that a hypothesis has already.

They change what search goes by, never the log p that is reported. What is lowered is not shared out among the other
tokens, so that nothing can rise: search may still stop by its bound.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt_attn.types import PAD


@dataclass(frozen=True)
class Constraints:
    """The defaults allow everything.

    `repetition_penalty` is Keskar et al. 2019 (arXiv 1909.05858), section 4.1: theta for each token that is there
    already. Differs: it multiplies log p, which is never positive, where the paper divides the scores before the
    softmax.
    """

    forbid_unknown: bool = False
    no_repeat_ngram: int | None = None  # tokens of the n-grams that may not come twice
    repetition_penalty: float = 1.0  # theta >= 1

    @property
    def needs_history(self) -> bool:
        """Whether the tokens so far matter."""
        return self.no_repeat_ngram is not None or self.repetition_penalty != 1

    def lower(self, log_probs: Tensor, history: Tensor) -> Tensor:
        """log_probs [N, V] as search shall see them, after the tokens `history` [N, t] int64."""
        if self.repetition_penalty != 1:
            penalised = self.repetition_penalty * log_probs.gather(1, history)
            log_probs = log_probs.scatter(1, history, penalised)
        if self.no_repeat_ngram is not None and history.size(1) >= self.no_repeat_ngram:
            log_probs = _without_repeated(log_probs, history, self.no_repeat_ngram)
        return log_probs


FREE = Constraints()
"""None."""


def force(lowered: Tensor, log_probs: Tensor, forced_ids: Tensor) -> Tensor:
    """`lowered` [N, V]; where `forced_ids` [N] has a token, not PAD, that one's own log p and -inf for all others."""
    ids = forced_ids.unsqueeze(1)  # [N, 1]
    alone = torch.full_like(lowered, -torch.inf).scatter(1, ids, log_probs.gather(1, ids))
    return torch.where(ids == PAD, lowered, alone)


def _without_repeated(log_probs: Tensor, history: Tensor, size: int) -> Tensor:
    """-inf for every token that would end an n-gram of `size` tokens that is there already."""
    ngrams = history.unfold(1, size, 1)  # [N, t - n + 1, n]
    begun = history[:, history.size(1) - size + 1 :].unsqueeze(1)  # [N, 1, n - 1]
    rows, places = (ngrams[:, :, :-1] == begun).all(dim=2).nonzero(as_tuple=True)
    return log_probs.index_put((rows, ngrams[rows, places, -1]), log_probs.new_tensor(-torch.inf))
