"""A model as search sees it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory, select_rows
from nmt_attn.runtime import at_least_float32
from nmt_attn.search.beam import StepResult
from nmt_attn.search.shortlist import OutputWords


@dataclass(frozen=True)
class ModelSteps:
    """The `beam.StepFunction` of sentences that the model has encoded."""

    model: Seq2Seq
    memory: Memory

    def start(self) -> DecoderState:
        """The decoder's state before the first token."""
        return self.model.start(self.memory)

    def step(self, last_ids: Tensor, state: DecoderState) -> StepResult[DecoderState]:
        """One step of all hypotheses; the memory keeps one row a sentence."""
        return StepResult(*self.model.step(last_ids, state, self.memory))

    def reorder(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """These rows of the state."""
        return select_rows(state, rows)

    def keep(self, sentences: Tensor) -> "ModelSteps":
        """These sentences alone."""
        return ModelSteps(self.model, select_rows(self.memory, sentences))


@dataclass(frozen=True)
class ShortlistSteps:
    """The same over a few words: search sees their numbers; a sentence's p is shared among its own words alone."""

    model: Seq2Seq
    memory: Memory
    output: nn.Module  # to these words
    words: OutputWords

    def start(self) -> DecoderState:
        """The decoder's state before the first token."""
        return self.model.start(self.memory)

    def step(self, last_ids: Tensor, state: DecoderState) -> StepResult[DecoderState]:
        """One step of all hypotheses; last_ids [N] are numbers, as are the columns of log p [N, C]."""
        read = self.model.step_readout(self.words.ids[last_ids], state, self.memory)
        scores = at_least_float32(self.output(read.readout))
        own = self.words.is_own
        by_sentence = scores.view(len(own), -1, own.size(1))  # [B, W, C]
        masked = by_sentence.masked_fill(~own.unsqueeze(1), -torch.inf).flatten(0, 1)
        return StepResult(masked.log_softmax(-1), read.weights, read.state)

    def reorder(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """These rows of the state."""
        return select_rows(state, rows)

    def keep(self, sentences: Tensor) -> "ShortlistSteps":
        """These sentences alone."""
        memory = select_rows(self.memory, sentences)
        return ShortlistSteps(self.model, memory, self.output, self.words.select(sentences))
