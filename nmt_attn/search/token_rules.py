"""Token rules: which tokens may come next, given the tokens of a hypothesis.

The rules change the log-probabilities that search compares, never the ones it reports. Penalised probability mass is
not renormalised, so no log-probability can rise and the bound of a ranking still holds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt_attn.types import PAD


@dataclass(frozen=True)
class TokenRules:
    """By default, every token is allowed.

    `repetition_penalty` is Keskar et al. 2019 (arXiv 1909.05858), section 4.1: theta for each token that the
    hypothesis already contains. Differs: it multiplies log p, which is never positive, where the paper divides the
    logits.
    """

    forbid_unknown: bool = False
    no_repeat_ngram: int | None = None  # n: no n-gram may occur twice
    repetition_penalty: float = 1.0  # theta >= 1

    @property
    def needs_tokens(self) -> bool:
        """True if a rule depends on the tokens so far."""
        return self.no_repeat_ngram is not None or self.repetition_penalty != 1

    def apply(self, log_probs: Tensor, tokens: Tensor) -> Tensor:
        """log_probs [N, V] after the rules, for hypotheses with `tokens` [N, t] int64."""
        if self.repetition_penalty != 1:
            penalised = self.repetition_penalty * log_probs.gather(1, tokens)
            log_probs = log_probs.scatter(1, tokens, penalised)
        if self.no_repeat_ngram is not None and tokens.size(1) >= self.no_repeat_ngram:
            log_probs = _block_repeated_ngrams(log_probs, tokens, self.no_repeat_ngram)
        return log_probs


NO_RULES = TokenRules()
"""Every token is allowed."""


def force_tokens(adjusted: Tensor, log_probs: Tensor, forced_ids: Tensor) -> Tensor:
    """`adjusted` [N, V], except in rows whose `forced_ids` [N] is not PAD: there that token's log p, -inf elsewhere."""
    ids = forced_ids.unsqueeze(1)  # [N, 1]
    forced = torch.full_like(adjusted, -torch.inf).scatter(1, ids, log_probs.gather(1, ids))
    return torch.where(ids == PAD, adjusted, forced)


def _block_repeated_ngrams(log_probs: Tensor, tokens: Tensor, size: int) -> Tensor:
    """-inf for every token that would complete an n-gram of `size` tokens for the second time."""
    ngrams = tokens.unfold(1, size, 1)  # [N, t - n + 1, n]
    begun = tokens[:, tokens.size(1) - size + 1 :].unsqueeze(1)  # [N, 1, n - 1]
    rows, places = (ngrams[:, :, :-1] == begun).all(dim=2).nonzero(as_tuple=True)
    return log_probs.index_put((rows, ngrams[rows, places, -1]), log_probs.new_tensor(-torch.inf))
