"""Requests: what a translator is asked for, in the words of the configuration, and what that means for the search."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nmt_attn.config.schema import SearchConfig
from nmt_attn.errors import CheckpointError, ConfigError, DataError, UserError
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.lexical_constraints import Phrase, Phrases, phrases_of
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.sampling import Sampling, draws_of
from nmt_attn.search.shortlist import OutputWords, Shortlist
from nmt_attn.search.token_rules import TokenRules
from nmt_attn.search.unk_replacement import UnkReplacement
from nmt_attn.types import PAD

SPARE_TOKENS = 10
"""What `search.max_length_factor` allows a translation beyond its multiple of the source."""


class Demand(NamedTuple):
    """What the translations of one line keep to."""

    line: int  # its number, from 1
    prefix_ids: Sequence[int]
    phrases: Sequence[Phrase] = ()  # that must appear

    @property
    def ids(self) -> list[int]:
        """All target ids that are named in it."""
        return [*self.prefix_ids, *(token for phrase in self.phrases for token in phrase.ids)]

    def renumbered(self, words: OutputWords) -> "Demand":
        """The same in the numbers of the words."""
        phrases = [phrase._replace(ids=words.numbers(phrase.ids)) for phrase in self.phrases]
        return Demand(self.line, words.numbers(self.prefix_ids), phrases)


class Request(NamedTuple):
    """What is asked for, as `Translator.request` has checked it."""

    search: SearchConfig
    nbest: int
    with_alignments: bool
    unknown: UnkReplacement | None = None  # None: `<unk>` stays
    sampling: Sampling | None = None  # None: the best are searched for
    shortlist: Shortlist | None = None  # None: all words are scored

    def limits(self, source_tokens: Tensor, demands: Sequence[Demand], begins_word: Tensor | None = None) -> Limits:
        """Those of sentences of so many source tokens [B] int64; begins_word [V] is needed where there are phrases.

        Raises DataError for phrases that do not fit into the greatest length.
        """
        prefixes = _padded([demand.prefix_ids for demand in demands]).to(source_tokens.device)
        longest = torch.maximum(greatest_lengths(source_tokens, self.search), (prefixes != PAD).sum(1))
        shortest = torch.minimum(least_lengths(source_tokens, self.search), longest)
        limits = Limits(shortest, longest, source_tokens, prefixes if prefixes.size(1) > 0 else None)
        if any(demand.phrases for demand in demands):
            assert begins_word is not None, "there are phrases"
            phrases = phrases_of([demand.phrases for demand in demands], begins_word).to(longest.device)
            _check_room(phrases, prefixes, longest, demands)
            limits = limits._replace(phrases=phrases)
        if self.sampling is None:
            return limits
        lines = [demand.line for demand in demands]
        draws = draws_of(self.sampling, lines, self.nbest, int(longest.max()) + 1)
        return limits._replace(draws=draws.to(longest.device))

    def options(self) -> BeamOptions:
        """How to search."""
        search = self.search
        groups = search.groups if self.sampling is None else self.nbest
        beam = search.beam // groups if self.sampling is None else 1
        return BeamOptions(
            beam=beam,
            wanted=1 if self.nbest == groups == 1 else beam,  # some may have the same text; groups wait for each other
            ranking=RANKINGS[search.length_penalty](search.alpha),
            with_weights=self.with_alignments or self.unknown is not None,
            token_rules=TokenRules(search.forbid_unknown, search.no_repeat_ngram, search.repetition_penalty),
            stops_early=search.stop == "early",
            coverage_penalty=search.coverage_penalty,
            groups=groups,
            group_penalty=search.group_penalty if groups > 1 and self.sampling is None else 0.0,
            sampling=self.sampling,
        )

    def nothing_found(self, name: str, line: str) -> UserError:
        """What is wrong where the model `name` has no translation of `line`."""
        size = self.search.no_repeat_ngram
        if size is None:
            return CheckpointError(f"{name}: expected probabilities, got none for {line[:80]!r}")
        return ConfigError(
            f"search.no_repeat_ngram: expected a translation of {line[:80]!r} as long as search.min_length and "
            f"search.min_length_factor ask for, got too few words for one that repeats no {size} tokens in a row, or a "
            f"model without probabilities ({name})"
        )


def check_width(search: SearchConfig, nbest: int, beam: int | None, sampling: Sampling | None) -> None:
    """Raises ConfigError if so many translations cannot be had; `beam` is the width that was asked for, if one was."""
    if sampling is None and search.beam % search.groups != 0:
        raise ConfigError(f"search.groups: expected a divisor of the beam's width, {search.beam}, got {search.groups}")
    if sampling is None and not 1 <= nbest <= search.beam:
        raise ConfigError(f"nbest: expected 1 to the beam's width, {search.beam}, got {nbest}")
    if sampling is not None and nbest < 1:
        raise ConfigError(f"nbest: expected at least 1, got {nbest}")
    if sampling is not None and beam is not None and beam > 1:
        raise ConfigError(f"beam: expected none or 1 with sampling, which draws and does not search, got {beam}")
    if sampling is not None and search.groups > 1:
        raise ConfigError(
            f"search.groups: expected 1 with sampling, which draws and does not search, got {search.groups}"
        )


def greatest_lengths(source_tokens: Tensor, config: SearchConfig) -> Tensor:
    """Target tokens at most, `</s>` not counted, for sources of so many tokens; [B] int64 both."""
    lengths = (source_tokens * config.max_length_factor).long() + SPARE_TOKENS
    return lengths if config.max_length is None else lengths.clamp(max=config.max_length)


def least_lengths(source_tokens: Tensor, config: SearchConfig) -> Tensor:
    """Target tokens at least, likewise."""
    return (source_tokens * config.min_length_factor).long().clamp(min=config.min_length)


def _padded(prefixes: Sequence[Sequence[int]]) -> Tensor:
    return pad_sequence(
        [torch.tensor(prefix, dtype=torch.int64) for prefix in prefixes], batch_first=True, padding_value=PAD
    )


def _check_room(phrases: Phrases, prefixes: Tensor, longest: Tensor, demands: Sequence[Demand]) -> None:
    states = phrases.start().states  # [B, 1, P]
    for ids in prefixes.unsqueeze(2).unbind(1):  # [B, 1]
        states = torch.where((ids == PAD).unsqueeze(2), states, phrases.advance(states, ids))
    tokens = phrases.missing(states)[:, 0] + (prefixes != PAD).sum(1)
    for demand, needed, most in zip(demands, tokens.tolist(), longest.tolist(), strict=True):
        if needed > most:
            raise DataError(
                f"constraints of line {demand.line}: expected at most {most} tokens with the prefix, as long as this "
                f"translation may become (search.max_length, search.max_length_factor), got {needed}"
            )
