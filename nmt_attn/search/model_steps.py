"""A model as search sees it."""

from dataclasses import dataclass

from torch import Tensor

from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory, select_rows
from nmt_attn.search.beam import StepResult


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
