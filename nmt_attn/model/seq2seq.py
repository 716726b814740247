"""The whole model: source ids in, the decoder's readouts or the next word's log-probabilities out.

    p(y_t | y_1 .. y_{t-1}, x) = softmax(W_o t_t + b)
                    Bahdanau et al. 2015 (arXiv 1409.0473v7), eq. 2 to 4 and A.2.2;
                    Luong et al. 2015 (arXiv 1508.04025), eq. 1, 2 and 6

The decoder makes t_t: Luong's h~_t, or one of the readouts of nmt_attn/model/readout.py.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn.model.decoder import Decoder
from nmt_attn.model.dropout import Dropout
from nmt_attn.model.encoder import Encoder
from nmt_attn.model.factors import FactoredEmbedding
from nmt_attn.model.normalise import Normaliser
from nmt_attn.model.state import DecoderState, Memory, Weights
from nmt_attn.runtime import at_least_float32
from nmt_attn.types import BOS, PAD, Batch, StepOutput, length_mask

BLOCK_NUMBERS = 1 << 22
"""Scores of words held at once where targets are scored: [tokens, V] is never allocated as a whole."""


class StepReadout(NamedTuple):
    """The same step before the output layer."""

    readout: Tensor  # [N, R]
    weights: Tensor  # [N, S]
    state: DecoderState
    gate: Tensor | None = None  # [N], copying


class OwnWords(NamedTuple):
    """Scheduled sampling: how often the previous word is the model's own, and which one it is."""

    share: float  # 0 to 1
    is_drawn: bool  # by its probability; else the most likely one


class Seq2Seq(nn.Module):
    """Embeddings, encoder, decoder with its attention, and the output layer W_o."""

    def __init__(
        self,
        source_embedding: nn.Embedding,
        encoder: Encoder,
        target_embedding: nn.Embedding,
        decoder: Decoder,
        output: nn.Linear,
        normaliser: Normaliser,
        *,
        source_dropout: Dropout,
        target_dropout: Dropout,
        attends_eos: bool,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.encoder = encoder
        self.target_embedding = target_embedding
        self.decoder = decoder
        self.output = output
        self.normaliser = normaliser  # of the output layer's scores
        self.source_dropout = source_dropout  # on word vectors
        self.target_dropout = target_dropout
        self.attends_eos = attends_eos

    @property
    def factor_sizes(self) -> dict[str, int]:
        """How many values each factor of the source has, by name; none where words have no factors."""
        embedding = self.source_embedding
        return embedding.factor_sizes if isinstance(embedding, FactoredEmbedding) else {}

    @property
    def has_attention(self) -> bool:
        """Whether weights mean anything; False for the plain encoder-decoder."""
        return self.decoder.attention.has_weights

    @property
    def reads_source(self) -> bool:
        """Whether it translates; False for a language model of the target."""
        return len(self.encoder.layers) > 0

    def encode(self, src_ids: Tensor, src_lengths: Tensor) -> Memory:
        """src_ids [B, S], src_lengths [B] (`</s>` counted) -> all that the decoder needs of the source, once."""
        encoded = self.encoder(self.source_dropout(self.source_embedding(src_ids)), src_lengths)
        lengths = src_lengths if self.attends_eos else src_lengths - 1
        return Memory(
            encoder_states=encoded.states,
            keys=self.decoder.attention.project_keys(encoded.states),
            mask=length_mask(lengths, encoded.states.shape[1]),
            lengths=lengths,
            source_lengths=src_lengths,
            read_lengths=encoded.lengths,
            final_hidden=self.decoder.attention.read_finals(encoded.final_hidden),
            final_cell=encoded.final_cell,
            coverage_read=self.decoder.attention.read_coverage(encoded.states),
        )

    def start(self, memory: Memory) -> DecoderState:
        """The decoder's state before the first word, one row for each sentence."""
        return self.decoder.start(memory)

    def forward(self, batch: Batch, own_words: OwnWords | None = None) -> tuple[Tensor, Weights]:
        """Teacher forcing: readouts [B, T, R] that the output layer turns into scores, and weights [B, T, S].

        With `own_words`, some of the previous words are the model's own; no gradient goes through their choice.
        """
        return self.read_out(batch.tgt_in, self.encode(batch.src_ids, batch.src_lengths), own_words)

    def read_out(self, tgt_in: Tensor, memory: Memory, own_words: OwnWords | None) -> tuple[Tensor, Weights]:
        """The same for tgt_in [B, T] and the encoded source."""
        state = self.start(memory)
        if own_words is not None:
            tgt_in = self.mix_own_words(tgt_in, state, memory, own_words)
        embedded = self.target_dropout(self.target_embedding(tgt_in))
        readouts, weights = self.decoder(embedded, state, memory)
        return readouts, weights

    def score_target(self, batch: Batch) -> tuple[Tensor, Weights]:
        """log p(y_t | y_<t, x) [B, T] of the words of `tgt_out`, and the weights [B, T, S] that are their alignment."""
        readouts, weights = self(batch)
        words = batch.tgt_out.flatten().split(max(1, BLOCK_NUMBERS // self.output.out_features))
        parts = zip(readouts.flatten(0, 1).split(len(words[0])), words, strict=True)
        scored = [self.log_probs(r).gather(1, w.unsqueeze(1)) for r, w in parts]
        return torch.cat(scored).view(batch.tgt_out.shape), weights

    def mix_own_words(self, tgt_in: Tensor, state: DecoderState, memory: Memory, own: OwnWords) -> Tensor:
        """tgt_in [B, T] with words after the first replaced, each with the probability `own.share`, by what the model
        would write there after the words before it, its own included.

        Bengio et al. 2015 (arXiv 1506.03099). As the choice has no gradient, it can be made before the pass that has
        one. Differs: the word is chosen as in search, without dropout in the decoder, and is never <pad> or <s>.
        """
        is_own = (torch.rand(tgt_in.shape, device=tgt_in.device) < own.share) & (tgt_in != PAD)
        is_own[:, 0] = False
        ids = tgt_in.clone()
        with torch.no_grad(), _without_kept_casts(tgt_in.device):
            for t in range(1, _last_own(is_own) + 1):
                scores, state = self.next_scores(ids[:, t - 1], state, memory)
                ids[:, t] = torch.where(is_own[:, t], self._choose(scores, own), ids[:, t])
        return ids

    def next_scores(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState]:
        """last_ids [B] int64 -> scores [B, V] whose softmax is p(next word), next state."""
        readout, _, after = self.decoder.step(self.target_embedding(last_ids), state, memory)
        return at_least_float32(self.output(readout)), after

    def _choose(self, scores: Tensor, own: OwnWords) -> Tensor:
        """scores [B, V], which are lost -> one word for each row [B] int64."""
        for never in (PAD, BOS):
            scores[:, never] = -torch.inf
        if not own.is_drawn:
            return scores.argmax(-1)
        # The greatest p / q, q ~ Exponential(1), is a draw by p; torch.multinomial would sync the GPU to check p.
        probs = self.normaliser.probabilities(scores)
        return probs.div_(torch.empty_like(probs).exponential_()).argmax(-1)

    def step(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> StepOutput[DecoderState]:
        """last_ids [N] int64 -> log p(next word), attention weights, next state."""
        read = self.step_readout(last_ids, state, memory)
        return StepOutput(self.next_log_probs(read, memory), read.weights, read.state)

    def next_log_probs(self, read: StepReadout, memory: Memory) -> Tensor:
        """What a step has read [N, R] -> log p of every next word [N, V]."""
        return self.log_probs(read.readout)

    def log_probs(self, readout: Tensor) -> Tensor:
        """readout [N, R] -> log p of every word [N, V]."""
        return self.normaliser.log_probabilities(at_least_float32(self.output(readout)))

    def step_readout(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> StepReadout:
        """last_ids [N] int64 -> what the output layer turns into scores, attention weights, next state."""
        readout, weights, state = self.decoder.step(self.target_embedding(last_ids), state, memory)
        return StepReadout(readout, weights.dense().flatten(0, 1), state, weights.gate)


def _last_own(is_own: Tensor) -> int:
    """is_own [B, T] bool -> the last step with a word of the model's own, or 0; on a GPU T - 1, to avoid a sync."""
    if is_own.device.type != "cpu":
        return is_own.shape[1] - 1
    return int(is_own.any(0).nonzero().max()) if is_own.any() else 0


def _without_kept_casts(device: torch.device) -> torch.autocast:
    """The same number format without autocast's cache: a weight cast without gradient must not be used with one."""
    kind = device.type
    is_on, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
    return torch.autocast(kind, dtype=dtype, enabled=is_on, cache_enabled=False)
