"""Searchers: source ids in, hypotheses out. A model as it decodes, with all that is made of its weights for that.

On a GPU the steps of what is covered are CUDA graphs. A batch that memory is too small for is searched in parts.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from nmt_attn.data.batching import collate_source
from nmt_attn.data.codec import TextCodec
from nmt_attn.fast.graphs import CudaRecorder
from nmt_attn.fast.packed import JoinedLinear, output_rows
from nmt_attn.fast.search import for_search
from nmt_attn.memory_lack import Halving, free_cache
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.runtime import choose_decoding_precision, use_tf32
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import StepFunction, beam_search
from nmt_attn.search.lexical_constraints import word_beginnings
from nmt_attn.search.recorded import RecordedSearch, covers, covers_model
from nmt_attn.search.request import Request
from nmt_attn.search.shortlist import OutputWords
from nmt_attn.search.step_functions import ModelSteps, ShortlistSteps
from nmt_attn.search.translation import Sentence
from nmt_attn.search.viterbi import with_best_alignments


class Searcher:
    """Searches with one model; `precision` as in `search.precision`. After a change of the weights, make a new one."""

    def __init__(self, model: Seq2Seq, target: TextCodec, precision: str) -> None:
        self._model = model
        self._target = target
        self._precision = precision
        self._common: tuple[Tensor, nn.Linear] | None = None  # ids [F] and output rows of the last shortlist
        self._halving = Halving("sentences", "a smaller --batch-size, search.batch_sentences or --beam needs less")

    def search_in_parts(
        self, rows: Sequence[int], sentences: Sequence[Sentence], request: Request
    ) -> Iterator[tuple[Sequence[int], Sequence[list[Hypothesis]]]]:
        """Groups of the rows with the hypotheses of each; all in one, unless the memory is too small for that."""
        return self._halving.each(
            rows,
            lambda some: self.search([sentences[row] for row in some], request),
            self._free,
            lambda row: request.too_large(sentences[row].demand.line, len(sentences[row].ids), self._device),
        )

    @torch.inference_mode()
    def search(self, sentences: Sequence[Sentence], request: Request) -> list[list[Hypothesis]]:
        """Hypotheses for each sentence; the attention's columns are those of the longest one."""
        batch = collate_source([sentence.ids for sentence in sentences])
        demands, options = [sentence.demand for sentence in sentences], request.options()
        if self._recorded is not None and request.shortlist is None and request.fusion is None:
            limits = request.limits(batch.src_lengths - 1, demands, self._begins_word)
            if covers(limits, options):
                return self._recorded.search(*batch, limits, options)
        src_ids, src_lengths = (tensor.to(self._device) for tensor in batch)
        if request.shortlist is None:
            limits = request.limits(src_lengths - 1, demands, self._begins_word)
            steps = self.steps(src_ids, src_lengths)
            found = beam_search(steps if request.fusion is None else request.fusion.fuse(steps), limits, options)
            return self.align(sentences, found) if options.with_weights else found
        words = request.shortlist.choose(batch[0], [demand.ids for demand in demands])
        demands = [demand.renumbered(words) for demand in demands]
        limits = request.limits(src_lengths - 1, demands, self._begins_word[words.ids])
        found = beam_search(self.steps(src_ids, src_lengths, words.to(self._device)), limits, options)
        ids = words.ids.tolist()
        return [[each._replace(ids=tuple(ids[number] for number in each.ids)) for each in one] for one in found]

    def steps(self, src_ids: Tensor, src_lengths: Tensor, words: OutputWords | None = None) -> StepFunction[Any]:
        """The step function for these sentences, over `words` alone: src_ids [B, S], src_lengths [B] with `</s>`."""
        memory = self._fast.encode(src_ids, src_lengths)
        if words is None:
            return ModelSteps(self._fast, memory)
        return ShortlistSteps(self._fast, memory, self._output(words), words)

    def align(self, sentences: Sequence[Sentence], found: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        """What search has found; of hard attention with the most likely alignment in place of the steps' weights."""
        if not isinstance(self._fast, HardSeq2Seq):
            return found
        return with_best_alignments(self._fast, [sentence.ids for sentence in sentences], found)

    @property
    def _device(self) -> torch.device:
        return self._model.output.weight.device

    @cached_property
    def _begins_word(self) -> Tensor:
        return word_beginnings(self._target)

    @cached_property
    def _fast(self) -> Seq2Seq:
        """The model as it decodes."""
        use_tf32(self._precision)
        return for_search(self._model, choose_decoding_precision(self._precision, self._device))

    @cached_property
    def _recorded(self) -> RecordedSearch | None:
        """The search whose steps are CUDA graphs; None without a GPU, or where its kernels do not cover the model."""
        is_recorded = self._device.type == "cuda" and covers_model(self._model)
        return RecordedSearch(self._fast, CudaRecorder(self._device)) if is_recorded else None

    def _output(self, words: OutputWords) -> nn.Module:
        """The output layer for these words. Its rows for the words that all batches share are packed once."""
        common, other = words.ids[: words.common], words.ids[words.common :]
        if self._common is None or not torch.equal(self._common[0], common):
            self._common = common, output_rows(self._fast.output, common)
        if len(other) == 0:
            return self._common[1]
        return JoinedLinear(self._common[1], output_rows(self._fast.output, other))

    def _free(self) -> None:
        """Gives back what is kept of a GPU's memory for searches to come."""
        self.__dict__.pop("_recorded", None)
        free_cache()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made of the weights for search, which is made anew: packed matrices cannot be copied."""
        made = ("_fast", "_begins_word", "_recorded")
        return {name: value for name, value in self.__dict__.items() if name not in made} | {"_common": None}
