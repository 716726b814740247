"""Shallow fusion: at each step the log-probabilities of a language model of the target join those of the translator.

    log p(y_t | y_<t, x) + weight * log p_LM(y_t | y_<t)          Gulcehre et al. 2015 (arXiv 1503.03535), 4.1

The language model is an n-gram model (nmt_attn/search/ngrams.py), or a decoder of this package that was trained
without a source (`model.encoder.layers: 0`). Words that are copied from the source count as `<unk>`.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from nmt_attn.config.schema import SearchConfig
from nmt_attn.data.codec import TextCodec, load_codecs
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.fast.search import for_search
from nmt_attn.files import usable_path
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, select_rows
from nmt_attn.model.store import VOCAB, WEIGHTS, load_model, model_folder
from nmt_attn.runtime import choose_decoding_precision
from nmt_attn.search.beam import StepFunction
from nmt_attn.search.ngrams import read_arpa
from nmt_attn.types import EOS, UNK, StepOutput


class LanguageModel(Protocol):
    """p(word | words before it) for N hypotheses at once, whose states it hands out."""

    words: int  # V

    def start(self, rows: int) -> Any:
        """The state of `rows` hypotheses without a word."""

    def step(self, last_ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """last_ids [N] int64 -> log p(next word) [N, V] and the next state."""

    def reorder(self, state: Any, rows: Tensor) -> Any:
        """Rows `rows` of the state."""


class DecoderLanguageModel:
    """A decoder without source, as it decodes."""

    def __init__(self, model: Seq2Seq) -> None:
        self.words = model.output.out_features
        self._model = model
        with torch.inference_mode():
            end = torch.tensor([[EOS]], device=model.output.weight.device)
            self._memory = model.encode(end, end.new_ones(1))  # of nothing, and the same for every sentence

    def start(self, rows: int) -> DecoderState:
        """The same first state for all."""
        return select_rows(self._model.start(self._memory), self._memory.lengths.new_zeros(rows))

    def step(self, last_ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """One step of the decoder."""
        result = self._model.step(last_ids, state, self._memory)
        return result.log_probs, result.state

    def reorder(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """Rows `rows` of the state."""
        return select_rows(state, rows)


@dataclass(frozen=True)
class Fusion:
    """A language model and its weight."""

    model: LanguageModel
    weight: float

    def fuse(self, steps: StepFunction[Any]) -> "FusedSteps":
        """The translator's step function with the language model."""
        return FusedSteps(steps, self)


class FusedState(NamedTuple):
    """The translator's state and that of the language model."""

    inner: Any
    own: Any


@dataclass(frozen=True)
class FusedSteps:
    """A step function whose log-probabilities are the sums above; they are not normalised."""

    steps: StepFunction[Any]
    fusion: Fusion

    def start(self) -> FusedState:
        """No word yet."""
        inner = self.steps.start()
        return FusedState(inner, self.fusion.model.start(len(_first_tensor(inner))))

    def step(self, last_ids: Tensor, state: FusedState) -> StepOutput[FusedState]:
        """One step of both."""
        result = self.steps.step(last_ids, state.inner)
        model = self.fusion.model
        more, own = model.step(last_ids.masked_fill(last_ids >= model.words, UNK), state.own)
        more = more.to(result.log_probs)
        copies = result.log_probs.size(1) - model.words  # the source's own words (nmt_attn/model/copying.py)
        more = torch.cat([more, more[:, UNK, None].expand(-1, copies)], 1)
        log_probs = result.log_probs + self.fusion.weight * more
        return StepOutput(log_probs, result.weights, FusedState(result.state, own))

    def reorder(self, state: FusedState, rows: Tensor) -> FusedState:
        """Rows of both."""
        return FusedState(self.steps.reorder(state.inner, rows), self.fusion.model.reorder(state.own, rows))

    def select_sentences(self, sentences: Tensor) -> Self:
        """The step function of these sentences alone."""
        return replace(self, steps=self.steps.select_sentences(sentences))


def fusion_of(search: SearchConfig, target: TextCodec, device: torch.device) -> Fusion | None:
    """What `search.language_model` asks for, for this target; None for nothing.

    Raises DataError for a file that is no n-gram model, CheckpointError and ConfigError for a run that is no language
    model of this target.
    """
    if search.language_model is None:
        return None
    path = usable_path(search.language_model, "search.language_model")
    if path.is_dir():
        folder = model_folder(path)
        _check_same(folder, target, load_codecs(folder / VOCAB).target)
        changed = (folder / WEIGHTS).stat().st_mtime
        return Fusion(_read_decoder(folder, search.precision, device, changed), search.language_model_weight)
    changed = path.stat().st_mtime if path.is_file() else 0.0  # what is no file is refused where it is read
    return Fusion(read_arpa(path, target.vocabulary.tokens, changed), search.language_model_weight)


@lru_cache(maxsize=2)
def _read_decoder(folder: Path, precision: str, device: torch.device, changed: float) -> DecoderLanguageModel:
    """The language model of a folder, in the precision of the search. `changed` is the time of its weights."""
    model = load_model(folder, load_codecs(folder / VOCAB).digest())
    if model.reads_source:
        raise CheckpointError(
            f"search.language_model: expected a model without a source (model.encoder.layers: 0), got {folder}, which "
            "translates"
        )
    model = model.to(device)
    return DecoderLanguageModel(for_search(model, choose_decoding_precision(precision, device)))


def _check_same(folder: Path, expected: TextCodec, found: TextCodec) -> None:
    """Raises ConfigError unless the same text becomes the same ids in both."""
    if expected.digest() != found.digest():
        raise ConfigError(
            f"search.language_model: expected the target vocabulary and tokenizer of the translator "
            f"({expected.size:,} tokens), got those of {folder} ({found.size:,} tokens, or others); tokenizer.like "
            "trains a language model with the translator's"
        )


def _first_tensor(state: Any) -> Tensor:
    """Of a record; one row for each hypothesis."""
    while not isinstance(state, Tensor):
        state = next(part for part in state if part is not None and part != ())
    return state
