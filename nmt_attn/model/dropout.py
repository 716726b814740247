"""Dropout: noise for a whole sequence, drawn before any loop, so that every form of a decoder can take it.

    step       a new mask at every position                       Srivastava et al. 2014; Zaremba et al. 2014
    sentence   one mask for all positions of a sentence           Gal and Ghahramani 2016 (arXiv 1512.05287)

What is kept is divided by the share that is kept. There is no noise outside of training, and never in a single step
of search. Differs: Gal and Ghahramani drop words as a whole and the recurrent state too; here the mask of a word
vector is over its numbers, and the state between two steps is left alone.
"""

import torch
from torch import Tensor, nn

from nmt_attn.runtime import at_least_float32


class Dropout(nn.Module):
    """Noise at one place of the network."""

    def __init__(self, rate: float, *, per_sentence: bool) -> None:
        super().__init__()
        self.rate = rate
        self.per_sentence = per_sentence

    def forward(self, values: Tensor) -> Tensor:
        """values [B, T, D] with noise."""
        if not self.per_sentence and values.device.type != "cpu":
            # One kernel of a GPU. In the order of the axes, however the numbers lie in memory.
            return nn.functional.dropout(values.contiguous(), self.rate, self.training)
        noise = self.noise(values, values.shape[2])
        return values if noise is None else values * noise.to(values.dtype)

    def noise(self, like: Tensor, size: int) -> Tensor | None:
        """Factors [B, T, size] for the sentences and steps of `like` [B, T, D], 0 or 1 / (1 - rate); None for 1."""
        if not self.training or self.rate == 0:
            return None
        rows, steps = like.shape[:2]
        drawn = torch.rand(rows, 1 if self.per_sentence else steps, size, dtype=torch.float32, device=like.device)
        factors = drawn.ge_(self.rate).to(at_least_float32(like).dtype).div_(1 - self.rate)
        return factors.expand(rows, steps, size)
