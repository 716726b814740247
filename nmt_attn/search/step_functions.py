"""Step functions: a model as search sees it (`beam.StepFunction`)."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory, select_rows
from nmt_attn.runtime import at_least_float32
from nmt_attn.search.shortlist import OutputWords
from nmt_attn.types import StepOutput


@dataclass(frozen=True)
class ModelSteps:
    """A model over its whole vocabulary; `memory` has one row for each sentence."""

    model: Seq2Seq
    memory: Memory

    def start(self) -> DecoderState:
        """The decoder state before the first token."""
        return self.model.start(self.memory)

    def step(self, last_ids: Tensor, state: DecoderState) -> StepOutput[DecoderState]:
        """One step from the hypotheses whose last tokens are `last_ids` [N] int64."""
        return self.model.step(last_ids, state, self.memory)

    def reorder(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """Rows `rows` of the state."""
        return select_rows(state, rows)

    def select_sentences(self, sentences: Tensor) -> Self:
        """The step function of these sentences alone."""
        return replace(self, memory=select_rows(self.memory, sentences))


@dataclass(frozen=True)
class ShortlistSteps(ModelSteps):
    """A model over the C words of a shortlist. Each sentence is normalised over its own words."""

    output: nn.Module  # logits of these words
    words: OutputWords

    def step(self, last_ids: Tensor, state: DecoderState) -> StepOutput[DecoderState]:
        """One step; last_ids [N] and the columns of log_probs [N, C] are indices into the shortlist."""
        read = self.model.step_readout(self.words.ids[last_ids], state, self.memory)
        logits = at_least_float32(self.output(read.readout))
        own = self.words.is_own
        by_sentence = logits.view(len(own), -1, own.size(1))  # [B, W, C]
        masked = by_sentence.masked_fill(~own.unsqueeze(1), -torch.inf).flatten(0, 1)
        return StepOutput(self.model.normaliser.log_probabilities(masked), read.weights, read.state)

    def select_sentences(self, sentences: Tensor) -> Self:
        """The step function of these sentences alone."""
        return replace(super().select_sentences(sentences), words=self.words.select(sentences))
