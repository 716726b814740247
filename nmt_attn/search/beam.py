"""Beam search over a step function; it knows no model. Width 1 is greedy search.

At every step the K open hypotheses of a sentence are continued by every token, and the best K continuations by total
(log p, lowered by the constraints) decide: those that end with `</s>` are finished and never extended. The best K
others stay open, so the width stays K.

Order. Finished hypotheses are ordered by rank. Equal values go to what was there first: the shorter hypothesis, then
the better parent, then the lower token id. Nothing depends on the other sentences of the batch.

End. A sentence's search ends when all of the best K continuations end with `</s>` (at width 1: with the first `</s>`),
and at the greatest length. It stops earlier as soon as no open hypothesis can rank above the last of its best `wanted`
finished ones (`Ranking.bound`). This changes nothing: going on would return the same list. So a shorter list is the
beginning of a longer one. With `stops_early` it ends when no open hypothesis does so if it is closed at once for
nothing: faster, but a longer hypothesis that would have ranked higher in the end may be missed.

Length. At the greatest length every open hypothesis is closed by `</s>`, whose log p is added as always, so that every
log p equals that of forced decoding. Where `</s>` was not among the best K by itself, the hypothesis is cut
(`is_finished` is False) and comes after all finished ones.

Totals add up in float64. NaN counts as probability 0; a hypothesis of probability 0 is never returned.
"""

from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from nmt_attn.search.backpointers import Endings, Hypothesis, Step, read_back
from nmt_attn.search.beam_state import BeamOptions, Front, Limits, first_front
from nmt_attn.search.cached_tensors import first_rows, numbers
from nmt_attn.search.dynamic_beam_allocation import mark_ends
from nmt_attn.search.expansion import Candidates, best_continuations, nothing_goes_on, without_eos
from nmt_attn.search.ranking import coverage_penalty
from nmt_attn.types import EOS, length_mask

State = TypeVar("State")


class StepResult(NamedTuple, Generic[State]):
    """What follows N hypotheses."""

    log_probs: Tensor  # [N, V], search's own: it writes in it
    weights: Tensor  # [N, S], of this step's attention
    state: State


class StepFunction(Protocol[State]):
    """The model as search sees it: B sentences, and N = B * W open hypotheses, those of a sentence side by side."""

    def start(self) -> State:
        """The state before the first token; one row for each sentence."""

    def step(self, last_ids: Tensor, state: State) -> StepResult[State]:
        """What follows the hypotheses whose last tokens are `last_ids` [N] int64, and the state after these."""

    def reorder(self, state: State, rows: Tensor) -> State:
        """The `rows` [N'] int64 of `state`, which may repeat."""

    def keep(self, sentences: Tensor) -> "StepFunction[State]":
        """The same for the `sentences` [B'] int64 of this one alone; the state's rows are chosen by `reorder`."""


def beam_search(steps: StepFunction[State], limits: Limits, options: BeamOptions) -> list[list[Hypothesis]]:
    """For each sentence different hypotheses, best first: up to `wanted` of each group; none if all have probability 0.

    Samples come in the order of the groups, whether they differ or not.
    """
    batch_sentences = len(limits.longest)
    front = first_front(limits.of_groups(options.groups), options)
    state = steps.start()
    if options.groups > 1:
        state = steps.reorder(state, front.sentences // options.groups)
    trace: list[Step] = []
    while len(front.sentences) > 0:
        result = steps.step(front.last_ids.flatten(), state)
        width = front.last_ids.size(1)
        step, front, is_done = _advance(front, result, len(trace), options)
        trace.append(step)
        rows = first_rows(len(is_done), width, is_done.device) + step.parents  # [B, K], of the state
        has_moved = options.beam > 1
        if is_done.any():
            front = front._replace(totals=front.totals.masked_fill(is_done.unsqueeze(1), -torch.inf))
            kept = _staying(is_done.view(-1, options.groups).all(1))
            if len(kept) == 0:
                break
            if len(kept) * options.groups < len(is_done):
                chosen = _with_groups(kept, options.groups)
                steps, front, rows, has_moved = steps.keep(kept), front.select(chosen), rows[chosen], True
        state = steps.reorder(result.state, rows.flatten()) if has_moved else result.state
    found = read_back(trace, batch_sentences * options.groups, options.wanted)
    groups = (found[first : first + options.groups] for first in range(0, len(found), options.groups))
    return [_merge(each, options) for each in groups]


def _advance(front: Front, result: StepResult[State], length: int, options: BeamOptions) -> tuple[Step, Front, Tensor]:
    """One token on from hypotheses of `length` tokens: what happened, the new front, which sentences stop [B] bool."""
    weights = result.weights.reshape(*front.totals.shape, -1)  # [B, W, S]
    if front.past.coverage is not None:
        front = front._replace(past=front.past._replace(coverage=front.past.coverage + weights))
    front = mark_ends(front, result.log_probs, length)
    eos_log_probs = result.log_probs[:, EOS].clone() if length >= front.free_until else None
    candidates = best_continuations(front, result.log_probs, length, options)
    is_eos = candidates.ids == EOS  # [B, C]
    has_ends = bool(is_eos.any())
    grown = without_eos(candidates, is_eos, options.beam) if has_ends else candidates.first(options.beam)
    endings, best_ranks = None, front.best_ranks
    if has_ends or eos_log_probs is not None:
        endings = _endings(front, candidates.first(options.beam), eos_log_probs, length, options)
        best_ranks = torch.cat([best_ranks, endings.ranks], dim=1).topk(options.wanted).values
    lengths = length + 2 if options.stops_early else front.limits.longest + 1  # with `</s>`
    is_done = options.ranking.bound(grown.totals.amax(1), lengths) <= best_ranks[:, -1]
    if has_ends:
        is_done |= nothing_goes_on(is_eos, options.beam)
    if eos_log_probs is not None:
        is_done |= length >= front.limits.longest
    step = Step(
        sentences=front.sentences,
        parents=grown.parents,
        ids=grown.ids,
        token_log_probs=grown.token_log_probs,
        endings=endings,
        weights=weights if options.with_weights else None,
    )
    past = front.past.of_parents(grown.parents, grown.ids, front.limits.phrases)
    return step, front._replace(totals=grown.totals, last_ids=grown.ids, best_ranks=best_ranks, past=past), is_done


def _endings(
    front: Front, best: Candidates, eos_log_probs: Tensor | None, length: int, options: BeamOptions
) -> Endings:
    """What ends among the best K, and, given log p of `</s>` [B * W], all that is at its greatest length."""
    is_end = best.ids == EOS
    totals = best.totals.masked_fill(~is_end, -torch.inf)
    endings = Endings(best.parents, best.token_log_probs, totals, is_end)
    if eos_log_probs is not None:
        endings = endings.joined(_cuts(front, endings, eos_log_probs.view_as(front.totals), length))
    ranks = options.ranking.rank(endings.ranks, length + 1)
    if front.past.coverage is not None:
        assert front.limits.source_tokens is not None, "the options ask for coverage"
        coverage = front.past.coverage[first_rows(len(ranks), 1, ranks.device), endings.parents]  # [B, n, S]
        is_word = length_mask(front.limits.source_tokens, coverage.size(2)).unsqueeze(1)  # [B, 1, S]
        ranks = ranks + coverage_penalty(coverage, is_word, options.coverage_penalty)
    return endings._replace(ranks=ranks)


def _cuts(front: Front, ended: Endings, eos_log_probs: Tensor, length: int) -> Endings:
    """The open hypotheses [B, W] at their greatest length that have not `ended`, closed, with totals as ranks."""
    totals = front.totals + eos_log_probs
    ends = torch.zeros_like(totals, dtype=torch.int32)  # one or none for each open hypothesis
    is_closed = ends.scatter_add(1, ended.parents, ended.is_finished.int()).bool()
    is_open = ~is_closed & (length >= front.limits.longest).unsqueeze(1)
    totals = totals.masked_fill(~is_open | totals.isnan(), -torch.inf)
    parents = numbers(totals.size(1), totals.device).expand_as(totals)
    return Endings(parents, eos_log_probs, totals, torch.zeros_like(is_closed))


def _staying(is_done: Tensor) -> Tensor:
    """Rows [B'] int64 of the batch that stay in it: those that go on, and of the others as many as its size needs."""
    going_on = len(is_done) - int(is_done.sum())
    return is_done.sort(stable=True).indices[: _common_size(going_on)].sort().values


def _common_size(sentences: int) -> int:
    """The least of 1 ... 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, ... that is not below; 0 for 0.

    Batches of few different sizes meet the same compiled products again; and as those of more than 8 shrink by an
    eighth or more, what stays is not copied often.
    """
    step = 1 << max(0, (sentences - 1).bit_length() - 3)
    return -(-sentences // step) * step


def _with_groups(sentences: Tensor, groups: int) -> Tensor:
    """The rows [B * groups] of all groups of the sentences [B]."""
    return (sentences.unsqueeze(1) * groups + numbers(groups, sentences.device)).flatten()


def _merge(groups: list[list[Hypothesis]], options: BeamOptions) -> list[Hypothesis]:
    """The hypotheses of a sentence's groups as one list."""
    everything = [hypothesis for group in groups for hypothesis in group]
    if options.groups == 1 or options.sampling is not None:
        return everything
    everything.sort(key=lambda one: (not one.is_finished, -one.rank))
    different: dict[tuple[int, ...], Hypothesis] = {}
    for hypothesis in everything:
        different.setdefault(hypothesis.ids, hypothesis)
    return list(different.values())
