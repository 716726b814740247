"""Risk: what is minimised is the expected loss of whole translations that the model itself draws, by any metric.

    mrt         sum over y in S(x) of Q(y | x) (1 - r(y)),  Q(y | x) = p(y | x)^alpha / sum over S(x)
                                       Shen et al. 2016 (arXiv 1512.02433), eq. 9 to 11
    reinforce   - 1 / n  sum over the n samples of (r(y) - b(y)) log p(y | x)
                                       Williams 1992; Ranzato et al. 2016 (arXiv 1511.06732)

r(y) is from 0 to 1 for most metrics. S(x) is the set of the distinct samples and the reference. b(y) is the mean r of
the other samples of the sentence (Kool et al. 2019), which depends on no other update. No gradient goes through the
choice of samples. Differs: samples are drawn without dropout, and scored with it.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nmt_attn import registries
from nmt_attn.config.risk_section import RiskConfig
from nmt_attn.data.batching import collate
from nmt_attn.model.marginal import MarginalSeq2Seq
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.registry import Registry
from nmt_attn.runtime import autocast
from nmt_attn.types import EOS, PAD, Batch

Ids = Sequence[int]
Samples = Sequence[Sequence[Ids]]
"""Of each sentence of a batch, ids without `</s>`."""
Draw = Callable[[Batch, int], Samples]
"""A batch and a seed -> samples."""
Reward = Callable[[Sequence[Ids], Sequence[Ids]], NDArray[np.float64]]
"""Translations and their references, ids without `</s>` -> r of each: the more, the better."""


class Judged(NamedTuple):
    """The samples of B sentences, at most n each."""

    log_probs: Tensor  # [B, n], of the whole
    rewards: Tensor  # [B, n]
    is_real: Tensor  # [B, n] bool, False for an empty place


class RiskLoss:
    """The risk of a batch, summed over its sentences."""

    def __init__(self, config: RiskConfig, draw: Draw, reward: Reward) -> None:
        self.config = config
        self._draw = draw
        self._reward = reward

    def __call__(self, model: Seq2Seq, batch: Batch, dtype: torch.dtype) -> Tensor:
        """Of a model in training mode; products are taken in `dtype`. What is drawn follows from torch's state."""
        seed = int(torch.randint(1 << 62, ()))  # of the CPU's generator, which is seeded for each batch
        references = [words_of(row) for row in batch.tgt_out]
        method = RISKS[self.config.method]
        drawn = self._draw(batch, seed)
        if method.is_over_a_set:
            drawn = [distinct([*each, ref]) for each, ref in zip(drawn, references, strict=True)]
        return method.loss(self._judge(model, batch, drawn, references, dtype), self.config)

    def _judge(
        self,
        model: Seq2Seq,
        batch: Batch,
        drawn: Sequence[Sequence[Ids]],
        references: Sequence[Ids],
        dtype: torch.dtype,
    ) -> Judged:
        sources = [words_of(row) for row in batch.src_ids]
        pairs = [(row, list(ids)) for row, each in enumerate(drawn) for ids in each]
        device = batch.src_ids.device
        flat = collate([list(sources[row]) for row, _ in pairs], [ids for _, ids in pairs]).to(device)
        with autocast(device, dtype):
            scored = model(flat)[0] if isinstance(model, MarginalSeq2Seq) else model.score_target(flat)[0]
        log_probs = scored.masked_fill(flat.tgt_out == PAD, 0.0).sum(1)
        rewards = self._reward([ids for _, ids in pairs], [references[row] for row, _ in pairs])
        sizes = torch.tensor([len(each) for each in drawn], device=device)
        is_real = torch.arange(int(sizes.max()), device=device) < sizes.unsqueeze(1)
        places = is_real.nonzero(as_tuple=True)
        empty = log_probs.new_zeros(is_real.shape)
        given = torch.from_numpy(rewards).to(log_probs)
        return Judged(empty.index_put(places, log_probs), empty.index_put(places, given), is_real)


class Risk:
    """Contract: what is minimised, given samples and their rewards."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `training.risk` that only some methods read."""

    is_over_a_set: ClassVar[bool] = False
    """Whether each sample counts once, the reference among them."""

    @staticmethod
    def loss(judged: Judged, config: RiskConfig) -> Tensor:
        """Summed over the sentences."""
        raise NotImplementedError


class MinimumRisk(Risk):
    """The expected loss over the distinct samples and the reference, by their sharpened probabilities."""

    options = ("alpha",)
    is_over_a_set = True

    @staticmethod
    def loss(judged: Judged, config: RiskConfig) -> Tensor:
        shares = (config.alpha * judged.log_probs).masked_fill(~judged.is_real, -torch.inf).softmax(1)
        return (shares * (1 - judged.rewards)).sum()


class Reinforce(Risk):
    """The gain of each sample over the mean of the others, times its log-probability."""

    @staticmethod
    def loss(judged: Judged, config: RiskConfig) -> Tensor:
        count = judged.is_real.sum(1, keepdim=True)
        rewards = judged.rewards.masked_fill(~judged.is_real, 0.0)
        others = (rewards.sum(1, keepdim=True) - rewards) / (count - 1)
        gains = (rewards - others).masked_fill(~judged.is_real, 0.0)
        return -(gains * judged.log_probs / count).sum()


def distinct(samples: Sequence[Ids]) -> list[Ids]:
    """Each once, where it came first."""
    return list(dict.fromkeys(map(tuple, samples)))


def words_of(row: Tensor) -> Ids:
    """A row of ids with `</s>` and padding -> the ids before `</s>`."""
    ids = row.tolist()
    return tuple(ids[: ids.index(EOS)])


RISKS: Registry[type[Risk]] = registries.RISKS
"""The values of `training.risk.method` beside none."""
