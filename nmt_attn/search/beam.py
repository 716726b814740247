"""Beam search over a step function; it knows no model. Width 1 is greedy search.

At every step the K open hypotheses of a sentence are continued by every token, and the best K continuations by total
(log p, lowered by the constraints) decide: those that end with `</s>` are finished and never extended. The best K
others stay open, so the width stays K.

Order. Finished hypotheses are ordered by rank. Equal values go to what was there first: the shorter hypothesis, then
the better parent, then the lower token id. Nothing depends on the other sentences of the batch.

End. A sentence's search ends when all of the best K continuations end with `</s>` (at width 1: with the first `</s>`),
and at the greatest length. It stops earlier as soon as no open hypothesis can rank above the last of its best `wanted`
finished ones (`Ranking.bound`). This changes nothing: going on would return the same list. So a shorter list is the
beginning of a longer one.

Length. At the greatest length every open hypothesis is closed by `</s>`, whose log p is added as always, so that every
log p equals that of forced decoding. Where `</s>` was not among the best K by itself, the hypothesis is cut
(`is_finished` is False) and comes after all finished ones.

Totals add up in float64. NaN counts as probability 0; a hypothesis of probability 0 is never returned.
"""

from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from nmt_attn.search.banks import mark_ends
from nmt_attn.search.choice import Candidates, best_continuations, nothing_goes_on, without_eos
from nmt_attn.search.front import BeamOptions, Front, Limits, first_front
from nmt_attn.search.ranking import coverage_penalty
from nmt_attn.search.trace import Endings, Hypothesis, Step, read_back
from nmt_attn.types import EOS, length_mask

State = TypeVar("State")
DROP_SHARE = 1 / 8
"""Stopped sentences leave the batch when they are this share of it: leaving copies the rest."""


class StepResult(NamedTuple, Generic[State]):
    """What follows N hypotheses."""

    log_probs: Tensor  # [N, V]
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
        kept = _staying(is_done.view(-1, options.groups).all(1))
        if len(kept) == 0:
            break
        rows = _with_groups(kept, options.groups)
        state = steps.reorder(result.state, (rows.unsqueeze(1) * width + step.parents[rows]).flatten())
        if len(rows) < len(is_done):
            steps, front = steps.keep(kept), front.select(rows)
    found = read_back(trace, batch_sentences * options.groups, options.wanted)
    groups = (found[first : first + options.groups] for first in range(0, len(found), options.groups))
    return [_merge(each, options) for each in groups]


def _advance(front: Front, result: StepResult[State], length: int, options: BeamOptions) -> tuple[Step, Front, Tensor]:
    """One token on from hypotheses of `length` tokens: what happened, the new front, which sentences stop [B] bool."""
    weights = result.weights.reshape(*front.totals.shape, -1)  # [B, W, S]
    if front.past.coverage is not None:
        front = front._replace(past=front.past._replace(coverage=front.past.coverage + weights))
    front = mark_ends(front, result.log_probs, length)
    candidates = best_continuations(front, result.log_probs, length, options)
    endings = _endings(front, candidates, result.log_probs, length, options)
    grown = without_eos(candidates, options.beam)
    finished_ranks = endings.ranks.masked_fill(~endings.is_finished, -torch.inf)
    best_ranks = torch.cat([front.best_ranks, finished_ranks], dim=1).topk(options.wanted).values
    bound = options.ranking.bound(grown.totals.amax(1), front.limits.longest + 1)
    is_decided = (bound <= best_ranks[:, -1]) | nothing_goes_on(candidates, options.beam)
    is_done = is_decided | (length >= front.limits.longest)
    step = Step(
        sentences=front.sentences,
        endings=endings,
        parents=grown.parents,
        ids=grown.ids,
        token_log_probs=grown.token_log_probs,
        weights=weights if options.with_weights else None,
    )
    totals = grown.totals.masked_fill(is_done.unsqueeze(1), -torch.inf)
    past = front.past.of_parents(grown.parents, grown.ids, front.limits.phrases)
    return step, Front(front.sentences, front.limits, totals, grown.ids, best_ranks, past), is_done


def _endings(front: Front, candidates: Candidates, log_probs: Tensor, length: int, options: BeamOptions) -> Endings:
    """Closes what ends with `</s>` among the best K, and everything at the greatest length."""
    eos_log_probs = log_probs[:, EOS].view_as(front.totals).clone()  # a view would keep [N, V] alive in the trace
    totals = front.totals + eos_log_probs
    totals = totals.masked_fill(totals.isnan(), -torch.inf)
    best = slice(0, options.beam)
    is_end = (candidates.ids[:, best] == EOS) & (candidates.totals[:, best] > -torch.inf)
    endings = torch.zeros_like(totals, dtype=torch.int32)  # one or none for each open hypothesis
    is_finished = endings.scatter_add(1, candidates.parents[:, best], is_end.int()).bool()
    is_closed = is_finished | (length >= front.limits.longest).unsqueeze(1)
    ranks = options.ranking.rank(totals, length + 1)
    if front.past.coverage is not None:
        assert front.limits.source_tokens is not None, "the options ask for coverage"
        is_word = length_mask(front.limits.source_tokens, front.past.coverage.size(2)).unsqueeze(1)  # [B, 1, S]
        ranks = ranks + coverage_penalty(front.past.coverage, is_word, options.coverage_penalty)
    return Endings(eos_log_probs, ranks.masked_fill(~is_closed, -torch.inf), is_finished)


def _staying(is_done: Tensor) -> Tensor:
    """Rows [B'] int64 of the batch that stay in it: all, or those that go on once enough others are done."""
    going_on = (~is_done).nonzero().squeeze(1)
    done_sentences = len(is_done) - len(going_on)
    if len(going_on) > 0 and done_sentences < DROP_SHARE * len(is_done):
        return torch.arange(len(is_done), device=is_done.device)
    return going_on


def _with_groups(sentences: Tensor, groups: int) -> Tensor:
    """The rows [B * groups] of all groups of the sentences [B]."""
    return (sentences.unsqueeze(1) * groups + torch.arange(groups, device=sentences.device)).flatten()


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
