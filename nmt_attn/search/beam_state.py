"""The state of beam search: the length limits of each sentence and its open hypotheses."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.search.lexical_constraints import PhraseProgress, Phrases
from nmt_attn.search.ranking import Ranking
from nmt_attn.search.sampling import Sampling
from nmt_attn.search.token_rules import NO_RULES, TokenRules
from nmt_attn.types import BOS, PAD, UNK

NEVER_PRODUCED = (PAD, BOS)
"""Ids that no translation contains."""


class Limits(NamedTuple):
    """What the translations of each sentence must respect. Tokens, `</s>` not counted; 0 <= shortest <= longest.

    `longest` leaves room for the prefix and for the phrases. Prefixes and phrases take precedence over token rules.
    """

    shortest: Tensor  # [B] int64
    longest: Tensor  # [B] int64
    source_tokens: Tensor | None = None  # [B] int64, the first columns of the weights, which coverage sums over
    prefixes: Tensor | None = None  # [B, P] int64, the first tokens of every translation; then PAD
    draws: Tensor | None = None  # [B, groups, longest + 1 or more] float64 in [0, 1), for sampling
    phrases: Phrases | None = None  # that each translation must contain

    def select(self, rows: Tensor) -> "Limits":
        """The limits of the sentences `rows` [B'] int64."""
        return Limits(
            self.shortest[rows],
            self.longest[rows],
            select_optional(self.source_tokens, rows),
            select_optional(self.prefixes, rows),
            select_optional(self.draws, rows),
            self.phrases and self.phrases.select(rows),
        )

    def of_groups(self, groups: int) -> "Limits":
        """The limits of B * groups searches, those of one sentence adjacent; each group has its own draws."""
        rows = torch.arange(len(self.longest), device=self.longest.device).repeat_interleave(groups)
        draws = None if self.draws is None else self.draws.flatten(0, 1).unsqueeze(1)  # [B * groups, 1, T]
        return self._replace(draws=None).select(rows)._replace(draws=draws)

    def forced_ids(self, length: int) -> Tensor:
        """The prefix token [B] int64 that follows `length` tokens; PAD where the prefix has ended."""
        if self.prefixes is None or length >= self.prefixes.size(1):
            return torch.full_like(self.longest, PAD)
        return self.prefixes[:, length]


@dataclass(frozen=True)
class BeamOptions:
    """How to search. A sentence is searched by `groups` groups, each of which keeps `beam` open hypotheses.

    Each group returns `wanted` hypotheses (1 to `beam`), with their attention weights if `with_weights`. With
    `sampling`, each group draws one sample: `beam` must be 1 and the limits must have draws.
    """

    beam: int
    wanted: int
    ranking: Ranking
    with_weights: bool
    token_rules: TokenRules = NO_RULES
    lookahead: int | None = None  # tokens that an open hypothesis may still add at no cost; None: all that are allowed
    coverage_penalty: float = 0.0  # beta >= 0; above 0 the limits must have source tokens
    groups: int = 1
    group_penalty: float = 0.0  # lambda >= 0
    sampling: Sampling | None = None

    @property
    def never_produced(self) -> tuple[int, ...]:
        """Ids that no translation may contain."""
        return (*NEVER_PRODUCED, UNK) if self.token_rules.forbid_unknown else NEVER_PRODUCED


class BeamHistory(NamedTuple):
    """What search tracks for the W open hypotheses of each sentence; None where no option needs it."""

    tokens: Tensor | None  # [B, W, t] int64
    coverage: Tensor | None  # [B, W, S] float64, attention weights summed over the steps
    progress: PhraseProgress | None  # through the phrases

    def extend(self, parents: Tensor, ids: Tensor, phrases: Phrases | None) -> "BeamHistory":
        """The history of the hypotheses that extend `parents` [B, W'] by the tokens `ids` [B, W']."""
        tokens, coverage, progress = self
        if tokens is None and coverage is None and progress is None:
            return self
        rows = row_offsets(len(parents), 1, parents.device)
        if tokens is not None:
            tokens = torch.cat([tokens[rows, parents], ids.unsqueeze(2)], dim=2)
        if progress is not None and phrases is not None:
            states = phrases.advance(progress.states[rows, parents], ids)
            progress = PhraseProgress(states, progress.wanted_to_end[rows, parents])
        return BeamHistory(tokens, None if coverage is None else coverage[rows, parents], progress)

    def select(self, rows: Tensor) -> "BeamHistory":
        """The history of the sentences `rows` [B'] int64."""
        tokens, coverage, progress = self
        return BeamHistory(
            select_optional(tokens, rows), select_optional(coverage, rows), progress and progress.select(rows)
        )


class BeamState(NamedTuple):
    """The W open hypotheses of each sentence, in the order in which they were selected.

    B counts each group of a sentence as a sentence.
    """

    sentences: Tensor  # [B] int64, their rows in the whole batch
    limits: Limits
    totals: Tensor  # [B, W] float64, log-probability after the token rules; -inf for an empty place
    last_ids: Tensor  # [B, W] int64
    best_ranks: Tensor  # [B, wanted] float64, of the finished hypotheses so far; -inf for an empty place
    history: BeamHistory
    all_may_end_at: int  # tokens; from this length on `</s>` is allowed in every sentence
    none_must_end_before: int  # tokens; no sentence reaches its greatest length before

    def select(self, rows: Tensor) -> "BeamState":
        """The state of the sentences `rows` [B'] int64."""
        return self._replace(
            sentences=self.sentences[rows],
            limits=self.limits.select(rows),
            totals=self.totals[rows],
            last_ids=self.last_ids[rows],
            best_ranks=self.best_ranks[rows],
            history=self.history.select(rows),
        )


def initial_beam(limits: Limits, options: BeamOptions) -> BeamState:
    """One open hypothesis for each sentence: the empty one."""
    batch_sentences, device = len(limits.longest), limits.longest.device
    totals = torch.zeros(batch_sentences, 1, dtype=torch.float64, device=device)
    tokens = torch.empty(batch_sentences, 1, 0, dtype=torch.int64, device=device)
    return BeamState(
        sentences=torch.arange(batch_sentences, device=device),
        limits=limits,
        totals=totals,
        last_ids=torch.full((batch_sentences, 1), BOS, device=device),
        best_ranks=totals.new_full((batch_sentences, options.wanted), -torch.inf),
        history=BeamHistory(
            tokens=tokens if options.token_rules.needs_tokens else None,
            coverage=totals.unsqueeze(2) if options.coverage_penalty > 0 else None,  # [B, 1, 1], broadcasts over S
            progress=None if limits.phrases is None else limits.phrases.start(),
        ),
        all_may_end_at=max(limits.shortest.tolist(), default=0),
        none_must_end_before=min(limits.longest.tolist(), default=0),
    )


def select_optional(tensor: Tensor | None, rows: Tensor) -> Tensor | None:
    """The `rows` of a tensor, or None."""
    return None if tensor is None else tensor[rows]


@lru_cache(maxsize=64)
def cached_range(count: int, device: torch.device) -> Tensor:
    """0 ... count - 1 [count] int64. Shared between calls: never write into it."""
    return torch.arange(count, device=device)


@lru_cache(maxsize=64)
def row_offsets(count: int, width: int, device: torch.device) -> Tensor:
    """The first row [count, 1] int64 of each of `count` blocks of `width` rows. Shared: never write into it."""
    return torch.arange(count, device=device).unsqueeze(1) * width


def block_rows(blocks: Tensor, width: int) -> Tensor:
    """All rows [B * width] of the `blocks` [B] int64 of `width` rows each."""
    return (blocks.unsqueeze(1) * width + cached_range(width, blocks.device)).flatten()


@lru_cache(maxsize=64)
def cached_ids(ids: tuple[int, ...], device: torch.device) -> Tensor:
    """`ids` as a tensor [n] int64. Shared between calls: never write into it."""
    return torch.tensor(ids).to(device)
