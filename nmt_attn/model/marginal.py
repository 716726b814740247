"""Models whose p(word) is a sum over ways to write it: over alignments, or over generating and copying.

No single readout gives that sum, so that `forward` gives the targets' log-probabilities in place of readouts.
"""

from typing import NamedTuple

from torch import Tensor

from nmt_attn.model.seq2seq import OwnWords, Seq2Seq
from nmt_attn.model.state import Weights
from nmt_attn.types import Batch


class Smoothed(NamedTuple):
    """What label smoothing needs of given targets."""

    log_probs: Tensor  # [B, T], of the words of `tgt_out`
    means: Tensor  # [B, T], over all words of the vocabulary
    weights: Weights


class MarginalSeq2Seq(Seq2Seq):
    """Contract. `forward` gives log p(y_t | y_<t, x) [B, T] of the words of `tgt_out`, and the weights [B, T, S]."""

    def smoothed(self, batch: Batch, own_words: OwnWords | None) -> Smoothed:
        """The same with the mean of log p(word | y_<t, x) over all words of the vocabulary."""
        raise NotImplementedError
