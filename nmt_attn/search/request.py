"""Requests: what a translator is asked for, in the words of the configuration, and what that means for the search."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nmt_attn.config.sections import SearchConfig
from nmt_attn.search.beam import BeamOptions, Limits
from nmt_attn.search.constraints import Constraints
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.unknown import UnknownWords
from nmt_attn.types import PAD

SPARE_TOKENS = 10
"""What `search.max_length_factor` allows a translation beyond its multiple of the source."""


class Request(NamedTuple):
    """What is asked for, as `Translator.request` has checked it."""

    search: SearchConfig
    nbest: int
    with_alignments: bool
    unknown: UnknownWords | None = None  # None: `<unk>` stays

    def limits(self, source_tokens: Tensor, prefixes: Sequence[Sequence[int]]) -> Limits:
        """Those of sentences of so many source tokens [B] int64, whose translations begin with `prefixes`."""
        prefix_tokens = source_tokens.new_tensor([len(prefix) for prefix in prefixes])
        longest = torch.maximum(greatest_lengths(source_tokens, self.search), prefix_tokens)
        shortest = torch.minimum(least_lengths(source_tokens, self.search), longest)
        return Limits(shortest, longest, source_tokens, _padded(prefixes).to(longest.device) if any(prefixes) else None)

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


def _padded(prefixes: Sequence[Sequence[int]]) -> Tensor:
    return pad_sequence(
        [torch.tensor(prefix, dtype=torch.int64) for prefix in prefixes], batch_first=True, padding_value=PAD
    )
