"""Objective: what is minimised on a batch, with all that is done to the batch in training alone.

    word dropout         words are read as <unk>              Bowman et al. 2016 (arXiv 1511.06349)
    scheduled sampling   previous words are the model's    Bengio et al. 2015 (arXiv 1506.03099)

    guided attention     weights come near given ones       Chen et al. 2016 (arXiv 1607.01628)
    coverage loss        looking twice costs                See et al. 2017 (arXiv 1704.04368)

Every choice is drawn from torch's random state, on the device of the batch.
"""

import torch
from torch import Tensor

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.fast.training import for_training
from nmt_attn.model.marginal import MarginalSeq2Seq
from nmt_attn.model.seq2seq import OwnWords, Seq2Seq
from nmt_attn.model.state import Weights
from nmt_attn.runtime import at_least_float32, autocast
from nmt_attn.training.from_corpus import LABEL_SMOOTHING
from nmt_attn.training.loss import Loss, alignment_loss, coverage_loss, given_loss, token_loss
from nmt_attn.training.risk import RiskLoss
from nmt_attn.training.schedule import DECAYS
from nmt_attn.types import PAD, SPECIAL_TOKENS, UNK, Batch


class Objective:
    """The loss of a batch, products taken in `dtype`."""

    def __init__(
        self, model: Seq2Seq, config: TrainingConfig, dtype: torch.dtype, risk: RiskLoss | None = None
    ) -> None:
        self.model = model
        self._fast = for_training(model)
        self.config = config
        self.dtype = dtype
        self._smoothing = LABEL_SMOOTHING if config.label_smoothing is None else config.label_smoothing
        self._risk = risk  # None: the likelihood of the reference alone
        self.keeps_padding = model.output.weight.device.type != "cpu"  # avoids a sync to count padding

    @property
    def is_recordable(self) -> bool:
        """Whether CUDA graphs can hold its work: none of sums over ways to write a word, nor of samples."""
        return not isinstance(self.model, MarginalSeq2Seq) and self._risk is None

    def plain(self, batch: Batch) -> Loss:
        """Of the batch as it is: teacher forcing."""
        return self._loss(batch, None, 0.0)

    def training(self, batch: Batch, update: int) -> Loss:
        """Of the batch in training, after `update` updates."""
        rates = self.config.word_dropout
        dropped = batch._replace(
            src_ids=drop_words(batch.src_ids, rates.source), tgt_in=drop_words(batch.tgt_in, rates.target)
        )
        own, guide = own_words(self.config, update), guide_weight(self.config, update)
        if self._risk is None:
            return self._loss(dropped, own, guide)
        share = self.config.risk.likelihood
        with torch.set_grad_enabled(torch.is_grad_enabled() and share > 0):
            loss = self._loss(dropped, own, guide)
        return loss._replace(total=self._risk(self._fast, batch, self.dtype) + share * loss.total)

    def _loss(self, batch: Batch, own: OwnWords | None, guide_weight: float) -> Loss:
        self._fast.train(self.model.training)
        loss, weights = self._word_loss(batch, own)
        if self.config.coverage_loss:
            repeated = coverage_loss(at_least_float32(weights.dense()), batch.tgt_out != PAD)
            loss = loss._replace(total=loss.total + self.config.coverage_loss * repeated)
        if batch.alignment is None:
            return loss
        alignment = alignment_loss(at_least_float32(weights.dense()), batch.alignment)
        return loss._replace(total=loss.total + guide_weight * alignment, alignment=alignment.detach())

    def _word_loss(self, batch: Batch, own: OwnWords | None) -> tuple[Loss, Weights]:
        """The loss of the target's words, and the attention weights."""
        model, smoothing, means = self._fast, self._smoothing, None
        with autocast(batch.src_ids.device, self.dtype):
            if isinstance(model, MarginalSeq2Seq) and smoothing:
                found, means, weights = model.smoothed(batch, own)
            else:
                found, weights = model(batch, own)
        if isinstance(model, MarginalSeq2Seq):
            return given_loss(found, batch.tgt_out, means, smoothing), weights
        return self._token_loss(found, batch.tgt_out), weights

    def _token_loss(self, readouts: Tensor, targets: Tensor) -> Loss:
        return token_loss(
            readouts,
            self.model.output,
            targets,
            self._smoothing,
            self.dtype,
            normaliser=self.model.normaliser,
            keeps_padding=self.keeps_padding,
        )


def drop_words(ids: Tensor, rate: float) -> Tensor:
    """ids [B, T] with each word, but no special token, replaced by `<unk>` with the probability `rate`."""
    if rate == 0:
        return ids
    is_dropped = (torch.rand(ids.shape, device=ids.device) < rate) & (ids >= len(SPECIAL_TOKENS))
    return ids.masked_fill(is_dropped, UNK)


def own_words(config: TrainingConfig, update: int) -> OwnWords | None:
    """How often the model's own words are fed after `update` updates; None for never."""
    sampling = config.scheduled_sampling
    share = sampling.rate * (1 - DECAYS[sampling.decay](update, sampling.updates))
    return OwnWords(share, is_drawn=sampling.choice == "sample") if share > 0 else None


def guide_weight(config: TrainingConfig, update: int) -> float:
    """The weight of the alignment loss after `update` updates."""
    guided = config.guided_attention
    return guided.weight * (1.0 if guided.decay == "none" else DECAYS[guided.decay](update, guided.updates))
