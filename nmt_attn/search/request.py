"""Requests: what a translator is asked for, in the words of the configuration, and what that means for the search."""

from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.config import SearchConfig
from nmt_attn.search.beam import BeamOptions, Limits
from nmt_attn.search.constraints import Constraints
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.unknown import UnknownWords

SPARE_TOKENS = 10
"""What `search.max_length_factor` allows a translation beyond its multiple of the source."""


class Request(NamedTuple):
    """What is asked for, as `Translator.request` has checked it."""

    search: SearchConfig
    nbest: int
    with_alignments: bool
    unknown: UnknownWords | None = None  # None: `<unk>` stays

    def limits(self, source_tokens: Tensor) -> Limits:
        """Those of sentences of so many source tokens [B] int64."""
        longest = greatest_lengths(source_tokens, self.search)
        return Limits(torch.minimum(least_lengths(source_tokens, self.search), longest), longest, source_tokens)

    def options(self) -> BeamOptions:
        """How to search."""
        search = self.search
        return BeamOptions(
            beam=search.beam,
            wanted=1 if self.nbest == 1 else search.beam,  # some may have the same text
            ranking=RANKINGS[search.length_penalty](search.alpha),
            with_weights=self.with_alignments or self.unknown is not None,
            constraints=Constraints(search.forbid_unknown, search.no_repeat_ngram, search.repetition_penalty),
            coverage_penalty=search.coverage_penalty,
        )


def greatest_lengths(source_tokens: Tensor, config: SearchConfig) -> Tensor:
    """Target tokens at most, `</s>` not counted, for sources of so many tokens; [B] int64 both."""
    lengths = (source_tokens * config.max_length_factor).long() + SPARE_TOKENS
    return lengths if config.max_length is None else lengths.clamp(max=config.max_length)


def least_lengths(source_tokens: Tensor, config: SearchConfig) -> Tensor:
    """Target tokens at least, likewise."""
    return (source_tokens * config.min_length_factor).long().clamp(min=config.min_length)
