"""The whole model: source ids in, the decoder's readouts or the next word's log-probabilities out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn.model.decoder import Decoder
from nmt_attn.model.dropout import Dropout
from nmt_attn.model.encoder import Encoder
from nmt_attn.model.precision import at_least_float32
from nmt_attn.model.state import DecoderState, Memory, Weights
from nmt_attn.types import Batch, length_mask


class StepOutput(NamedTuple):
    """One step of search. N = B x K, the K hypotheses of one sentence adjacent."""

    log_probs: Tensor  # [N, V]
    weights: Tensor  # [N, S]
    state: DecoderState


class Seq2Seq(nn.Module):
    """Embeddings, encoder, decoder with its attention, and the output layer W_o."""

    def __init__(
        self,
        source_embedding: nn.Embedding,
        encoder: Encoder,
        target_embedding: nn.Embedding,
        decoder: Decoder,
        output: nn.Linear,
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
        self.source_dropout = source_dropout  # on word vectors
        self.target_dropout = target_dropout
        self.attends_eos = attends_eos

    @property
    def has_attention(self) -> bool:
        """Whether weights mean anything; False for the plain encoder-decoder."""
        return self.decoder.attention.has_weights

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
            final_hidden=encoded.final_hidden,
            final_cell=encoded.final_cell,
        )

    def start(self, memory: Memory) -> DecoderState:
        """The decoder's state before the first word, one row for each sentence."""
        return self.decoder.start(memory)

    def forward(self, batch: Batch) -> tuple[Tensor, Weights]:
        """Teacher forcing: readouts [B, T, R] that the output layer turns into scores, and weights [B, T, S]."""
        memory = self.encode(batch.src_ids, batch.src_lengths)
        embedded = self.target_dropout(self.target_embedding(batch.tgt_in))
        readouts, weights = self.decoder(embedded, self.start(memory), memory)
        return readouts, weights

    def step(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> StepOutput:
        """last_ids [N] int64 -> log p(next word), attention weights, next state."""
        embedded = self.target_embedding(last_ids)
        readout, weights, state = self.decoder.step(embedded, state, memory)
        log_probs = torch.log_softmax(at_least_float32(self.output(readout)), -1)
        return StepOutput(log_probs, weights.dense().flatten(0, 1), state)
