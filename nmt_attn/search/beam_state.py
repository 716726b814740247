"""What beam search keeps from step to step: the limits of each sentence and the hypotheses that are still open."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.search.cached_tensors import first_rows
from nmt_attn.search.lexical_constraints import Phrases, Progress
from nmt_attn.search.ranking import Ranking
from nmt_attn.search.sampling import Sampling
from nmt_attn.search.token_rules import FREE, Constraints
from nmt_attn.types import BOS, PAD, UNK

NEVER = (PAD, BOS)
"""Ids that are never produced."""


class Limits(NamedTuple):
    """What the translations of each sentence keep to. Tokens, `</s>` not counted; 0 <= shortest <= longest.

    No prefix is longer than `longest`, nor is it with what phrases need beside it. Both are kept whatever the
    constraints say.
    """

    shortest: Tensor  # [B] int64
    longest: Tensor  # [B] int64
    source_tokens: Tensor | None = None  # [B] int64, of which coverage is wanted; the first columns of the weights
    prefixes: Tensor | None = None  # [B, P] int64, the first tokens of all translations; PAD after them
    draws: Tensor | None = None  # [B, groups, longest + 1 or more] float64 in [0, 1), for samples
    phrases: Phrases | None = None  # that must appear

    def select(self, rows: Tensor) -> "Limits":
        """Those of the sentences `rows` [B'] int64 alone."""
        return Limits(
            self.shortest[rows],
            self.longest[rows],
            rows_of(self.source_tokens, rows),
            rows_of(self.prefixes, rows),
            rows_of(self.draws, rows),
            self.phrases and self.phrases.select(rows),
        )

    def of_groups(self, groups: int) -> "Limits":
        """Those of B * groups searches, those of a sentence side by side; each has its own draws."""
        rows = torch.arange(len(self.longest), device=self.longest.device).repeat_interleave(groups)
        draws = None if self.draws is None else self.draws.flatten(0, 1).unsqueeze(1)  # [B * groups, 1, T]
        return self._replace(draws=None).select(rows)._replace(draws=draws)

    def forced_ids(self, length: int) -> Tensor:
        """The token [B] int64 that must come after `length` tokens; PAD where any may."""
        if self.prefixes is None or length >= self.prefixes.size(1):
            return torch.full_like(self.longest, PAD)
        return self.prefixes[:, length]


@dataclass(frozen=True)
class BeamOptions:
    """How to search: in `groups` of a sentence, each of which keeps `beam` open hypotheses.

    Of each group `wanted` (1 to `beam`) hypotheses are returned, `with_weights` or without. With `sampling` the beam
    is 1, the limits have draws, and each group is a sample.
    """

    beam: int
    wanted: int
    ranking: Ranking
    with_weights: bool
    constraints: Constraints = FREE
    stops_early: bool = False  # as soon as no open hypothesis ranks higher as it stands, though it might in the end
    coverage_penalty: float = 0.0  # beta >= 0; above 0 the limits have source tokens
    groups: int = 1
    group_penalty: float = 0.0  # lambda >= 0
    sampling: Sampling | None = None

    @property
    def never(self) -> tuple[int, ...]:
        """Ids that are never produced."""
        return (*NEVER, UNK) if self.constraints.forbid_unknown else NEVER


class Past(NamedTuple):
    """What is remembered of W open hypotheses of each sentence; None where the options do not ask for it."""

    history: Tensor | None  # [B, W, t] int64, the tokens
    coverage: Tensor | None  # [B, W, S] float64, the sums of the weights
    progress: Progress | None  # with the phrases

    def of_parents(self, parents: Tensor, ids: Tensor, phrases: Phrases | None) -> "Past":
        """That of the hypotheses which continue `parents` [B, W'] by `ids` [B, W']."""
        history, coverage, progress = self
        if history is None and coverage is None and progress is None:
            return self
        rows = first_rows(len(parents), 1, parents.device)
        if history is not None:
            history = torch.cat([history[rows, parents], ids.unsqueeze(2)], dim=2)
        if progress is not None and phrases is not None:
            progress = Progress(phrases.advance(progress.states[rows, parents], ids), progress.is_over[rows, parents])
        return Past(history, None if coverage is None else coverage[rows, parents], progress)

    def select(self, rows: Tensor) -> "Past":
        """That of the sentences `rows` [B'] int64 alone."""
        history, coverage, progress = self
        return Past(rows_of(history, rows), rows_of(coverage, rows), progress and progress.select(rows))


class Front(NamedTuple):
    """The open hypotheses, W of each sentence, in the order in which they were chosen.

    A sentence that is searched in groups counts as that many sentences here.
    """

    sentences: Tensor  # [B] int64, their numbers in the whole batch
    limits: Limits
    totals: Tensor  # [B, W] float64; -inf where there is none
    last_ids: Tensor  # [B, W] int64
    best_ranks: Tensor  # [B, wanted] float64, of the finished hypotheses so far; -inf where there is none
    past: Past
    bound_until: int  # tokens; from there on all sentences may end
    free_until: int  # tokens; before, none must end

    def select(self, rows: Tensor) -> "Front":
        """The sentences `rows` [B'] int64 alone."""
        return Front(
            self.sentences[rows],
            self.limits.select(rows),
            self.totals[rows],
            self.last_ids[rows],
            self.best_ranks[rows],
            self.past.select(rows),
            self.bound_until,
            self.free_until,
        )


def first_front(limits: Limits, options: BeamOptions) -> Front:
    """One open hypothesis a sentence: the empty one."""
    batch_sentences, device = len(limits.longest), limits.longest.device
    totals = torch.zeros(batch_sentences, 1, dtype=torch.float64, device=device)
    history = torch.empty(batch_sentences, 1, 0, dtype=torch.int64, device=device)
    return Front(
        sentences=torch.arange(batch_sentences, device=device),
        limits=limits,
        totals=totals,
        last_ids=torch.full((batch_sentences, 1), BOS, device=device),
        best_ranks=totals.new_full((batch_sentences, options.wanted), -torch.inf),
        past=Past(
            history=history if options.constraints.needs_history else None,
            coverage=totals.unsqueeze(2) if options.coverage_penalty > 0 else None,  # [B, 1, 1], for any S
            progress=None if limits.phrases is None else limits.phrases.start(),
        ),
        bound_until=max(limits.shortest.tolist(), default=0),
        free_until=min(limits.longest.tolist(), default=0),
    )


def rows_of(tensor: Tensor | None, rows: Tensor) -> Tensor | None:
    """The `rows` of an optional tensor."""
    return None if tensor is None else tensor[rows]
