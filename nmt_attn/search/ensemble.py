"""Ensembles: several models with the same vocabularies decode together.

    linear      p = (p_1 + ... + p_M) / M
    log-linear  p = (p_1 * ... * p_M)^(1 / M), normalised

Attention weights are averaged over the models that have attention.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from nmt_attn.data.batching import SourceBatch
from nmt_attn.data.codec import TextCodec
from nmt_attn.errors import ConfigError
from nmt_attn.files import shown
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import StepFunction
from nmt_attn.search.searcher import Searcher
from nmt_attn.search.shortlist import OutputWords
from nmt_attn.search.translation import Sentence
from nmt_attn.search.translator import Translator
from nmt_attn.types import UNK, StepOutput

Combination = Literal["linear", "log-linear"]


def linear(log_probs: Sequence[Tensor]) -> Tensor:
    """Log of the mean probability: M tensors [N, V] -> [N, V]."""
    return reduce(torch.logaddexp, log_probs) - math.log(len(log_probs))


def log_linear(log_probs: Sequence[Tensor]) -> Tensor:
    """Mean log-probability, renormalised: M tensors [N, V] -> [N, V]."""
    return (reduce(torch.add, log_probs) / len(log_probs)).log_softmax(-1)


COMBINATIONS: dict[Combination, Callable[[Sequence[Tensor]], Tensor]] = {"linear": linear, "log-linear": log_linear}


@dataclass(frozen=True)
class EnsembleSteps:
    """Step functions of the same sentences, combined into one; its state is the tuple of their states."""

    members: tuple[StepFunction[Any], ...]
    attending: tuple[int, ...]  # the members whose weights are averaged
    combination: Combination
    words: int  # V

    def start(self) -> tuple[Any, ...]:
        """The state of each member before the first token."""
        return tuple(member.start() for member in self.members)

    def step(self, last_ids: Tensor, state: tuple[Any, ...]) -> StepOutput[tuple[Any, ...]]:
        """One step of every member."""
        known = last_ids.masked_fill(last_ids >= self.words, UNK)  # what one of them has copied
        results = [member.step(known, own) for member, own in zip(self.members, state, strict=True)]
        log_probs = COMBINATIONS[self.combination](_same_words([result.log_probs for result in results]))
        weights = reduce(torch.add, [results[place].weights for place in self.attending]) / len(self.attending)
        return StepOutput(log_probs, weights, tuple(result.state for result in results))

    def reorder(self, state: tuple[Any, ...], rows: Tensor) -> tuple[Any, ...]:
        """Rows `rows` of the state of every member."""
        return tuple(member.reorder(own, rows) for member, own in zip(self.members, state, strict=True))

    def select_sentences(self, sentences: Tensor) -> "EnsembleSteps":
        """The step function of these sentences alone."""
        members = tuple(member.select_sentences(sentences) for member in self.members)
        return EnsembleSteps(members, self.attending, self.combination, self.words)


class EnsembleSearcher(Searcher):
    """Searches by the steps of all members; without recorded steps, which would be those of the first alone."""

    def __init__(self, members: Sequence[Translator], combination: Combination) -> None:
        first = members[0]
        super().__init__(first.model, first.codecs.target, first.search.precision)
        self._members = tuple(member.searcher for member in members)
        self._attending = tuple(place for place, member in enumerate(members) if member.has_attention)
        self._combination = combination

    @cached_property
    def _recorded(self) -> None:
        """None."""

    @property
    def copies(self) -> bool:
        return any(member.copies for member in self._members)

    def align(self, sentences: Sequence[Sentence], found: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        """The weights of the steps: no alignment is the most likely one of several models. Copied shares are means."""
        copying = [member.align(sentences, found) for member in self._members if member.copies]
        return [list(map(_with_mean_share, *each)) for each in zip(*copying, strict=True)] if copying else found

    def steps(self, source: SourceBatch, words: OutputWords | None = None) -> EnsembleSteps:
        return EnsembleSteps(
            tuple(member.steps(source, words) for member in self._members),
            self._attending or tuple(range(len(self._members))),
            self._combination,
            self._target.size,
        )


class EnsembleTranslator(Translator):
    """Several translators combined; the search options are those of the first.

    Raises ConfigError if their vocabularies differ.
    """

    def __init__(self, members: Sequence[Translator], combination: Combination) -> None:
        first, *others = members
        name = " + ".join(member.name for member in members)
        super().__init__(first.model, first.codecs, first.search, name, first.columns, first.evaluate)
        for other in others:
            _check_same(first.codecs.source, other.codecs.source, "source", first.name, other.name)
            _check_same(first.codecs.target, other.codecs.target, "target", first.name, other.name)
        self.members = tuple(members)
        self.searcher = EnsembleSearcher(members, combination)

    @property
    def has_attention(self) -> bool:
        return any(member.has_attention for member in self.members)


def load_translator(
    folders: Sequence[Path], combination: Combination, device: torch.device, overrides: Sequence[str]
) -> Translator:
    """The model of one folder, or those of several as one. Raises UserError."""
    members = [Translator.load(folder, device, overrides) for folder in folders]
    return EnsembleTranslator(members, combination) if len(members) > 1 else members[0]


def _same_words(log_probs: Sequence[Tensor]) -> list[Tensor]:
    """Of the models M tensors [N, V or V + S] -> all of the same size: who copies nothing writes no source word."""
    size = max(each.size(1) for each in log_probs)
    return [
        each if each.size(1) == size else pad(each, (0, size - each.size(1)), value=-math.inf) for each in log_probs
    ]


def _with_mean_share(*same: Hypothesis) -> Hypothesis:
    """One hypothesis as several models copy it."""
    copied = [each.copied for each in same if each.copied is not None]
    return same[0]._replace(copied=torch.stack(copied).mean(0))


def _check_same(expected: TextCodec, found: TextCodec, side: str, first: str, other: str) -> None:
    where = f"{other}: expected the {side} vocabulary of {first}, as models of an ensemble share theirs"
    if expected.size != found.size:
        raise ConfigError(f"{where} ({expected.size} tokens), got {found.size} tokens")
    for place, (token, another) in enumerate(zip(expected.vocabulary.tokens, found.vocabulary.tokens, strict=True)):
        if token != another:
            raise ConfigError(f"{where} (token {place}: {shown(token)}), got {shown(another)}")
    if (expected.record(), expected.tokenizer.model) != (found.record(), found.tokenizer.model):
        raise ConfigError(f"{where}, got another tokenizer of the same tokens")
