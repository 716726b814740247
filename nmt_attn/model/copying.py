"""Copying: a word is written from the vocabulary, or taken over from the source.

    p_gen = sigmoid(w_h . c_t + w_s . s_t + w_x . x_t + b)                     See et al. 2017 (arXiv 1704.04368), eq. 8
    P(w) = p_gen P_vocab(w) + (1 - p_gen) sum over j with x_j = w of a_tj      eq. 9

c_t is the context, s_t the top layer's output, x_t the vector of y_{t-1}. Every source position is a row of the target:
that of its token in the target vocabulary (V tokens), found by its spelling; else V + j, with j the first position of
that token in the source. So the S last columns of log p [N, V + S] are the source's own words. The decoder reads them
as `<unk>`, as they have no vector. A source's `</s>` is the target's.

With label smoothing e, the wanted distribution is (1 - e) on the target and e / V on every word of the vocabulary: the
source's own words get no share.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.utils.checkpoint import checkpoint

from nmt_attn import registries
from nmt_attn.model.initialise import Projection
from nmt_attn.model.marginal import MarginalSeq2Seq, Smoothed
from nmt_attn.model.seq2seq import BLOCK_NUMBERS, OwnWords, StepReadout
from nmt_attn.model.state import DecoderState, Memory, Weights
from nmt_attn.registry import Registry
from nmt_attn.runtime import at_least_float32
from nmt_attn.types import PAD, UNK, Batch


class PointerGenerator(nn.Module):
    """Words are generated with p_gen and copied with 1 - p_gen (See et al. 2017)."""

    def __init__(self, context: int, state: int, embedding: int) -> None:
        super().__init__()
        self.context_projection = Projection(context, 1, bias=False)  # w_h
        self.state_projection = Projection(state, 1)  # w_s, b
        self.embedding_projection = Projection(embedding, 1, bias=False)  # w_x

    def forward(self, context: Tensor, state: Tensor, embedded: Tensor) -> Tensor:
        """c_t [..., M], s_t [..., H], x_t [..., E] -> the z [...] of p_gen = sigmoid(z)."""
        total = self.context_projection(context) + self.state_projection(state) + self.embedding_projection(embedded)
        return at_least_float32(total.squeeze(-1))


class CopyingSeq2Seq(MarginalSeq2Seq):
    """The model whose decoder has a `copying` part. Ids of words that it is given may be rows above V."""

    @property
    def words(self) -> int:
        """V, the size of the target vocabulary."""
        return self.output.out_features

    def forward(self, batch: Batch, own_words: OwnWords | None = None) -> tuple[Tensor, Weights]:
        """Teacher forcing: log p(y_t | y_<t, x) [B, T] of the rows of `tgt_out`, and the weights [B, T, S]."""
        log_probs, _, weights = self._scored(batch, own_words, smooths=False)
        return log_probs, weights

    def smoothed(self, batch: Batch, own_words: OwnWords | None) -> Smoothed:
        return self._scored(batch, own_words, smooths=True)

    def score_target(self, batch: Batch) -> tuple[Tensor, Weights]:
        return self(batch)

    def _scored(self, batch: Batch, own_words: OwnWords | None, *, smooths: bool) -> Smoothed:
        """`means` are 0 unless it `smooths`."""
        memory = self.encode(batch.src_ids, batch.src_lengths)._replace(copy_rows=batch.copy_rows)
        readouts, weights = self.read_out(batch.tgt_in, memory, own_words)
        rows, targets = rows_of(memory), batch.tgt_out
        columns = targets.unsqueeze(2)
        if smooths:
            columns = torch.cat([columns, rows.unsqueeze(1).expand(-1, targets.shape[1], -1)], 2)
        generate, copy = shares(weights)
        listed, means = self._vocabulary_log_probs(readouts, columns)
        generated = (generate.unsqueeze(2) + listed).masked_fill(columns >= self.words, -torch.inf)
        is_target = rows.unsqueeze(1) == columns[:, :, :1]  # [B, T, S]
        copied = copy + log_mass(at_least_float32(weights.dense()), is_target)
        log_probs = torch.logaddexp(generated[:, :, 0], copied)
        if not smooths:
            return Smoothed(log_probs, torch.zeros_like(log_probs), weights)
        held = at_least_float32(weights.dense()) @ same_words(rows).to(generate.dtype)
        both = torch.logaddexp(generated[:, :, 1:], copy.unsqueeze(2) + held.clamp_min(tiny(held)).log())
        counts = first_of_each(rows, self.words).unsqueeze(1)
        gain = (both - generated[:, :, 1:]).masked_fill(~counts, 0.0).sum(2)
        return Smoothed(log_probs, generate + means + gain / self.words, weights)

    def _vocabulary_log_probs(self, readouts: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """readouts [B, T, R], columns [B, T, C] -> log P_vocab of them [B, T, C], and its mean over all words [B, T].

        A column of V or more counts as `<unk>`. Scores are computed block by block, and again on the way back.
        """
        size = max(1, BLOCK_NUMBERS // self.words)
        known = self.known(columns).flatten(0, 1).split(size)
        parts = zip(readouts.flatten(0, 1).split(size), known, strict=True)
        found = [checkpoint(self._listed, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
        listed, means = (torch.cat(each) for each in zip(*found, strict=True))
        return listed.view(columns.shape), means.view(columns.shape[:2])

    def _listed(self, readouts: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        log_probs = self.log_probs(readouts)
        return log_probs.gather(1, columns), log_probs.mean(1)

    def known(self, ids: Tensor) -> Tensor:
        """ids int64 as the decoder reads them: `<unk>` for the source's own words."""
        return ids.masked_fill(ids >= self.words, UNK)

    def read_out(self, tgt_in: Tensor, memory: Memory, own_words: OwnWords | None) -> tuple[Tensor, Weights]:
        return super().read_out(self.known(tgt_in), memory, own_words)

    def mix_own_words(self, tgt_in: Tensor, state: DecoderState, memory: Memory, own: OwnWords) -> Tensor:
        return self.known(super().mix_own_words(tgt_in, state, memory, own))

    def next_scores(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState]:
        """last_ids [B] int64 -> log p(next word) [B, V + S], next state."""
        log_probs, _, after = self.step(last_ids, state, memory)
        return log_probs, after

    def step_readout(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> StepReadout:
        return super().step_readout(self.known(last_ids), state, memory)

    def next_log_probs(self, read: StepReadout, memory: Memory) -> Tensor:
        """What was read [N, R] -> log p [N, V + S]: the vocabulary, and the source's own words."""
        assert read.gate is not None, "of a copying decoder"
        rows, repeats = rows_of(memory), len(read.readout) // len(memory.mask)
        weights = at_least_float32(read.weights)
        mass = (weights.unflatten(0, (len(rows), -1)) @ same_words(rows).to(weights.dtype)).flatten(0, 1)  # [N, S]
        rows = rows.repeat_interleave(repeats, 0)
        copied = logsigmoid(-read.gate).unsqueeze(1) + mass.clamp_min(tiny(mass)).log()
        generated = logsigmoid(read.gate).unsqueeze(1) + self.log_probs(read.readout)
        none = generated.new_full(rows.shape, -torch.inf)
        every = torch.cat([generated, none], 1)
        before = every.gather(1, rows)
        return every.scatter(1, rows, torch.where(rows == PAD, before, torch.logaddexp(before, copied)))


def rows_of(memory: Memory) -> Tensor:
    """The row that each source position holds [B, S]; `<pad>` where nothing can be attended to."""
    assert memory.copy_rows is not None, "copying knows what the source says"
    return memory.copy_rows.masked_fill(~memory.mask, PAD)


def same_words(rows: Tensor) -> Tensor:
    """rows [B, S] -> whether two positions hold the same word [B, S, S]."""
    return rows.unsqueeze(1) == rows.unsqueeze(2)


def first_of_each(rows: Tensor, words: int) -> Tensor:
    """rows [B, S] -> True at the first position of each token of the vocabulary of `words` [B, S]."""
    is_again = same_words(rows).tril(-1).any(2)
    return ~is_again & (rows < words) & (rows != PAD)


def shares(weights: Weights) -> tuple[Tensor, Tensor]:
    """The logarithms of p_gen and of 1 - p_gen [B, T]."""
    assert weights.gate is not None, "of a copying decoder"
    return logsigmoid(weights.gate), logsigmoid(-weights.gate)


def log_mass(weights: Tensor, is_held: Tensor) -> Tensor:
    """weights, is_held [B, T, S] -> the logarithm of the sum of the weights there [B, T]; -inf where nothing is held.

    A softmax never gives 0, but floats do: the least number stands for it, so that a copy stays possible.
    """
    mass = (weights * is_held).sum(2)
    return torch.where(is_held.any(2), mass.clamp_min(tiny(mass)).log(), -torch.inf)


def tiny(like: Tensor) -> float:
    """The least normal number of a tensor's format."""
    return torch.finfo(like.dtype).tiny


COPYINGS: Registry[type[PointerGenerator]] = registries.COPYINGS
