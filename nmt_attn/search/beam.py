"""Beam search over a step function; it depends on no model. Width 1 is greedy search.

Each step extends the K open hypotheses of a sentence by every token. Of the best K candidates by total (log p after
the token rules), those that end with `</s>` are finished and never extended. The best K of the other candidates stay
open, so the width stays K.

Order. Finished hypotheses are ordered by rank. Ties go to the shorter hypothesis, then to the better parent, then to
the lower token id. Nothing depends on the other sentences of the batch.

End. The search of a sentence ends when all of the best K candidates end with `</s>` (at width 1: at the first `</s>`),
and at the greatest length. It ends earlier once no open hypothesis can outrank the last of the best `wanted` finished
ones (`Ranking.bound`); continuing would return the same list, so a shorter list is the beginning of a longer one. With
a `lookahead` of N tokens, search ends once no open hypothesis would win if it went on for N more tokens and `</s>` at
no cost: faster, but it may miss a longer hypothesis that would have ranked higher.

Length. At the greatest length, every open hypothesis is closed by `</s>`, whose log p is added as always: every
reported log p equals that of forced decoding. If `</s>` was not among the best K, the hypothesis is cut
(`is_finished` is False) and is listed after all finished ones.

Totals are summed in float64. NaN counts as probability 0; a hypothesis of probability 0 is never returned.
"""

from typing import Protocol, TypeVar

import torch
from torch import Tensor

from nmt_attn.search.backpointers import Backpointers, Endings, Hypothesis, follow_backpointers
from nmt_attn.search.beam_state import (
    BeamOptions,
    BeamState,
    Limits,
    block_rows,
    cached_range,
    initial_beam,
    row_offsets,
)
from nmt_attn.search.dynamic_beam_allocation import note_early_ends
from nmt_attn.search.expansion import Candidates, all_end, best_candidates, open_candidates
from nmt_attn.search.ranking import coverage_penalty
from nmt_attn.types import EOS, StepOutput, length_mask

State = TypeVar("State")


class StepFunction(Protocol[State]):
    """The model as search sees it: B sentences, and N = B * W open hypotheses, those of a sentence adjacent."""

    def start(self) -> State:
        """The decoder state before the first token; one row for each sentence."""

    def step(self, last_ids: Tensor, state: State) -> StepOutput[State]:
        """One step from the hypotheses whose last tokens are `last_ids` [N] int64. Search writes into `log_probs`."""

    def reorder(self, state: State, rows: Tensor) -> State:
        """Rows `rows` [N'] int64 of `state`; rows may repeat."""

    def select_sentences(self, sentences: Tensor) -> "StepFunction[State]":
        """The step function of `sentences` [B'] int64 alone; `reorder` selects the rows of the state."""


def beam_search(steps: StepFunction[State], limits: Limits, options: BeamOptions) -> list[list[Hypothesis]]:
    """Distinct hypotheses of each sentence, best first: up to `wanted` of each group; none if all have probability 0.

    Samples are in the order of the groups and may repeat.
    """
    batch_sentences = len(limits.longest)
    beam = initial_beam(limits.of_groups(options.groups), options)
    state = steps.start()
    if options.groups > 1:
        state = steps.reorder(state, beam.sentences // options.groups)
    backpointers: list[Backpointers] = []
    while len(beam.sentences) > 0:
        result = steps.step(beam.last_ids.flatten(), state)
        width = beam.last_ids.size(1)
        step, beam, is_done = _advance(beam, result, len(backpointers), options)
        backpointers.append(step)
        rows = row_offsets(len(is_done), width, is_done.device) + step.parents  # [B, K], of the state
        has_moved = options.beam > 1
        if is_done.any():
            beam = beam._replace(totals=beam.totals.masked_fill(is_done.unsqueeze(1), -torch.inf))
            remaining = _remaining(is_done.view(-1, options.groups).all(1))
            if len(remaining) == 0:
                break
            if len(remaining) * options.groups < len(is_done):
                rows_left = block_rows(remaining, options.groups)
                steps, beam, has_moved = steps.select_sentences(remaining), beam.select(rows_left), True
                rows = rows[rows_left]
        state = steps.reorder(result.state, rows.flatten()) if has_moved else result.state
    found = follow_backpointers(backpointers, batch_sentences * options.groups, options.wanted)
    groups = (found[first : first + options.groups] for first in range(0, len(found), options.groups))
    return [_merge(each, options) for each in groups]


def _advance(
    beam: BeamState, result: StepOutput[State], length: int, options: BeamOptions
) -> tuple[Backpointers, BeamState, Tensor]:
    """Extends hypotheses of `length` tokens: backpointers, the new beam, and which sentences are done [B] bool."""
    weights = result.weights.reshape(*beam.totals.shape, -1)  # [B, W, S]
    if beam.history.coverage is not None:
        beam = beam._replace(history=beam.history._replace(coverage=beam.history.coverage + weights))
    beam = note_early_ends(beam, result.log_probs, length)
    eos_log_probs = result.log_probs[:, EOS].clone() if length >= beam.none_must_end_before else None
    candidates = best_candidates(beam, result.log_probs, length, options)
    is_eos = candidates.ids == EOS  # [B, C]
    has_ends = bool(is_eos.any())
    extended = open_candidates(candidates, is_eos, options.beam) if has_ends else candidates.first(options.beam)
    endings, best_ranks = None, beam.best_ranks
    if has_ends or eos_log_probs is not None:
        endings = _endings(beam, candidates.first(options.beam), eos_log_probs, length, options)
        best_ranks = torch.cat([best_ranks, endings.ranks], dim=1).topk(options.wanted).values
    lengths = beam.limits.longest + 1  # with `</s>`
    if options.lookahead is not None:
        lengths = lengths.clamp(max=length + 2 + options.lookahead)
    is_done = options.ranking.bound(extended.totals.amax(1), lengths) <= best_ranks[:, -1]
    if has_ends:
        is_done |= all_end(is_eos, options.beam)
    if eos_log_probs is not None:
        is_done |= length >= beam.limits.longest
    step = Backpointers(
        sentences=beam.sentences,
        parents=extended.parents,
        ids=extended.ids,
        token_log_probs=extended.token_log_probs,
        endings=endings,
        weights=weights if options.with_weights else None,
    )
    history = beam.history.extend(extended.parents, extended.ids, beam.limits.phrases)
    beam = beam._replace(totals=extended.totals, last_ids=extended.ids, best_ranks=best_ranks, history=history)
    return step, beam, is_done


def _endings(
    beam: BeamState, best: Candidates, eos_log_probs: Tensor | None, length: int, options: BeamOptions
) -> Endings:
    """What ends among the best K and, given log p of `</s>` [B * W], every hypothesis at its greatest length."""
    is_end = best.ids == EOS
    totals = best.totals.masked_fill(~is_end, -torch.inf)
    endings = Endings(best.parents, best.token_log_probs, totals, is_end)
    if eos_log_probs is not None:
        endings = endings.joined(_cut(beam, endings, eos_log_probs.view_as(beam.totals), length))
    ranks = options.ranking.rank(endings.ranks, length + 1)
    if beam.history.coverage is not None:
        assert beam.limits.source_tokens is not None, "the coverage penalty needs source tokens"
        coverage = beam.history.coverage[row_offsets(len(ranks), 1, ranks.device), endings.parents]  # [B, n, S]
        is_word = length_mask(beam.limits.source_tokens, coverage.size(2)).unsqueeze(1)  # [B, 1, S]
        ranks = ranks + coverage_penalty(coverage, is_word, options.coverage_penalty)
    return endings._replace(ranks=ranks)


def _cut(beam: BeamState, ended: Endings, eos_log_probs: Tensor, length: int) -> Endings:
    """Closes the open hypotheses [B, W] at their greatest length that have not `ended`; ranks are their totals."""
    totals = beam.totals + eos_log_probs
    ends = torch.zeros_like(totals, dtype=torch.int32)  # 0 or 1 for each open hypothesis
    is_closed = ends.scatter_add(1, ended.parents, ended.is_finished.int()).bool()
    is_open = ~is_closed & (length >= beam.limits.longest).unsqueeze(1)
    totals = totals.masked_fill(~is_open | totals.isnan(), -torch.inf)
    parents = cached_range(totals.size(1), totals.device).expand_as(totals)
    return Endings(parents, eos_log_probs, totals, torch.zeros_like(is_closed))


def _remaining(is_done: Tensor) -> Tensor:
    """Rows [B'] int64 that stay in the batch: the sentences not done, filled up with done ones to a common size."""
    open_sentences = len(is_done) - int(is_done.sum())
    return is_done.sort(stable=True).indices[: _common_size(open_sentences)].sort().values


def _common_size(sentences: int) -> int:
    """The smallest of 1 ... 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, ... that is at least `sentences`; 0 for 0.

    Few distinct batch sizes reuse compiled matrix products. Above 8 a batch shrinks by at least an eighth at a time, so
    what remains is seldom copied.
    """
    step = 1 << max(0, (sentences - 1).bit_length() - 3)
    return -(-sentences // step) * step


def _merge(groups: list[list[Hypothesis]], options: BeamOptions) -> list[Hypothesis]:
    """The hypotheses of all groups of a sentence in one list, without repetitions unless they are samples."""
    hypotheses = [hypothesis for group in groups for hypothesis in group]
    if options.groups == 1 or options.sampling is not None:
        return hypotheses
    hypotheses.sort(key=lambda one: (not one.is_finished, -one.rank))
    distinct: dict[tuple[int, ...], Hypothesis] = {}
    for hypothesis in hypotheses:
        distinct.setdefault(hypothesis.ids, hypothesis)
    return list(distinct.values())
