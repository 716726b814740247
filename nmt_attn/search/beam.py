"""Beam search over a step function; it knows no model. Width 1 is greedy search.

At every step the K open hypotheses of a sentence are continued by every token, and the best K continuations by log p
decide: those that end with `</s>` are finished and never extended. The best K others stay open, so the width stays K.

Order. Finished hypotheses are ordered by rank. Equal values go to what was there first: the shorter hypothesis, then
the better parent, then the lower token id. Nothing depends on the other sentences of the batch.

End. A sentence's search ends when all of the best K continuations end with `</s>` (at width 1: with the first `</s>`),
and at the greatest length. It stops earlier as soon as no open hypothesis can rank above the last of its best `wanted`
finished ones (`Ranking.bound`). This changes nothing: going on would return the same list. So a shorter list is the
beginning of a longer one.

Length. At the greatest length every open hypothesis is closed by `</s>`, whose log p is added as always, so that every
log p equals that of forced decoding. Where `</s>` was not among the best K by itself, the hypothesis is cut
(`is_finished` is False) and comes after all finished ones.

Log-probabilities add up in float64. NaN counts as probability 0; a hypothesis of probability 0 is never returned.
"""

from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from nmt_attn.search.ranking import Ranking
from nmt_attn.search.trace import Endings, Hypothesis, Step, read_back
from nmt_attn.types import BOS, EOS, PAD

State = TypeVar("State")
NEVER = (PAD, BOS)
"""Ids that are never produced."""
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


class LengthLimits(NamedTuple):
    """Target tokens of each sentence, `</s>` not counted; 0 <= shortest <= longest."""

    shortest: Tensor  # [B] int64
    longest: Tensor  # [B] int64


@dataclass(frozen=True)
class BeamOptions:
    """How to search. `wanted` (1 to `beam`) hypotheses are returned, `with_weights` or without."""

    beam: int
    wanted: int
    ranking: Ranking
    with_weights: bool


class Front(NamedTuple):
    """The open hypotheses, W of each sentence, best first."""

    sentences: Tensor  # [B] int64, their numbers in the whole batch
    limits: LengthLimits
    log_probs: Tensor  # [B, W] float64; -inf where there is none
    last_ids: Tensor  # [B, W] int64
    best_ranks: Tensor  # [B, wanted] float64, of the finished hypotheses so far; -inf where there is none

    def select(self, rows: Tensor) -> "Front":
        """The sentences `rows` [B'] int64 alone."""
        limits = LengthLimits(*(limit[rows] for limit in self.limits))
        return Front(self.sentences[rows], limits, self.log_probs[rows], self.last_ids[rows], self.best_ranks[rows])


class Candidates(NamedTuple):
    """The best continuations of each sentence by log p, best first; the first K of them decide what is finished."""

    log_probs: Tensor  # [B, C] float64
    parents: Tensor  # [B, C] int64, which open hypothesis is continued
    ids: Tensor  # [B, C] int64
    token_log_probs: Tensor  # [B, C]


def beam_search(steps: StepFunction[State], limits: LengthLimits, options: BeamOptions) -> list[list[Hypothesis]]:
    """For each sentence up to `wanted` different hypotheses, best first; none if all have probability 0."""
    front = _first_front(limits, options)
    state = steps.start()
    trace: list[Step] = []
    while len(front.sentences) > 0:
        result = steps.step(front.last_ids.flatten(), state)
        width = front.last_ids.size(1)
        step, front, is_done = _advance(front, result, len(trace), options)
        trace.append(step)
        kept = _staying(is_done)
        if len(kept) == 0:
            break
        state = steps.reorder(result.state, (kept.unsqueeze(1) * width + step.parents[kept]).flatten())
        if len(kept) < len(is_done):
            steps, front = steps.keep(kept), front.select(kept)
    return read_back(trace, len(limits.longest), options.wanted)


def top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` greatest values of each row, greatest first, equal ones from left to right, and their columns.

    values [R, C] -> [R, count], [R, count] int64. `topk` leaves open which of equal values it takes: rows where that
    shows are sorted. Values of -inf come in any order.
    """
    greatest, columns = values.topk(min(count + 1, values.size(1)))
    is_equal = (greatest[:, 1:] == greatest[:, :-1]) & (greatest[:, 1:] > -torch.inf)
    greatest, columns = greatest[:, :count], columns[:, :count]
    tied = is_equal.any(1).nonzero().squeeze(1)
    if len(tied) > 0:
        columns[tied] = values[tied].argsort(dim=1, descending=True, stable=True)[:, :count]
    return greatest, columns


def _first_front(limits: LengthLimits, options: BeamOptions) -> Front:
    """One open hypothesis a sentence: the empty one."""
    batch_sentences, device = len(limits.longest), limits.longest.device
    return Front(
        sentences=torch.arange(batch_sentences, device=device),
        limits=limits,
        log_probs=torch.zeros(batch_sentences, 1, dtype=torch.float64, device=device),
        last_ids=torch.full((batch_sentences, 1), BOS, device=device),
        best_ranks=torch.full((batch_sentences, options.wanted), -torch.inf, dtype=torch.float64, device=device),
    )


def _advance(front: Front, result: StepResult[State], length: int, options: BeamOptions) -> tuple[Step, Front, Tensor]:
    """One token on from hypotheses of `length` tokens: what happened, the new front, which sentences stop [B] bool."""
    candidates = _best_continuations(front, result.log_probs, length, options.beam)
    endings = _endings(front, candidates, result.log_probs, length, options)
    grown = _without_eos(candidates, options.beam)
    finished_ranks = endings.ranks.masked_fill(~endings.is_finished, -torch.inf)
    best_ranks = torch.cat([front.best_ranks, finished_ranks], dim=1).topk(options.wanted).values
    bound = options.ranking.bound(grown.log_probs[:, 0], front.limits.longest + 1)
    is_decided = (bound <= best_ranks[:, -1]) | _nothing_goes_on(candidates, options.beam)
    is_done = is_decided | (length >= front.limits.longest)
    step = Step(
        sentences=front.sentences,
        endings=endings,
        parents=grown.parents,
        ids=grown.ids,
        token_log_probs=grown.token_log_probs,
        weights=result.weights.reshape(*front.log_probs.shape, -1) if options.with_weights else None,  # [B, W, S]
    )
    log_probs = grown.log_probs.masked_fill(is_done.unsqueeze(1), -torch.inf)
    return step, Front(front.sentences, front.limits, log_probs, grown.ids, best_ranks), is_done


def _best_continuations(front: Front, log_probs: Tensor, length: int, beam: int) -> Candidates:
    """The best 2K; so at least K that do not end, for at most W <= K of them do."""
    batch_sentences, width = front.log_probs.shape
    choices = min(beam + 1 + len(NEVER), log_probs.size(1))  # K that go on are among them
    token_log_probs, ids = top(log_probs, choices)  # [B * W, c]
    token_log_probs = token_log_probs.reshape(batch_sentences, -1)  # [B, W * c]
    ids = ids.reshape(batch_sentences, -1)  # [B, W * c]
    is_barred = (ids == EOS) & (length < front.limits.shortest).unsqueeze(1)
    for token in NEVER:
        is_barred |= ids == token
    totals = front.log_probs.repeat_interleave(choices, dim=1) + token_log_probs
    totals = totals.masked_fill(is_barred | totals.isnan(), -torch.inf)
    best, places = top(totals, min(2 * beam, width * choices))
    return Candidates(best, places // choices, ids.gather(1, places), token_log_probs.gather(1, places))


def _endings(front: Front, candidates: Candidates, log_probs: Tensor, length: int, options: BeamOptions) -> Endings:
    """Closes what ends with `</s>` among the best K, and everything at the greatest length."""
    eos_log_probs = log_probs[:, EOS].view_as(front.log_probs).clone()  # a view would keep [N, V] alive in the trace
    totals = front.log_probs + eos_log_probs
    totals = totals.masked_fill(totals.isnan(), -torch.inf)
    best = slice(0, options.beam)
    is_end = (candidates.ids[:, best] == EOS) & (candidates.log_probs[:, best] > -torch.inf)
    endings = torch.zeros_like(totals, dtype=torch.int32)  # one or none for each open hypothesis
    is_finished = endings.scatter_add(1, candidates.parents[:, best], is_end.int()).bool()
    is_closed = is_finished | (length >= front.limits.longest).unsqueeze(1)
    ranks = options.ranking.rank(totals, length + 1).masked_fill(~is_closed, -torch.inf)
    return Endings(eos_log_probs, totals, ranks, is_finished)


def _nothing_goes_on(candidates: Candidates, beam: int) -> Tensor:
    """[B] bool: whether all of the best K end."""
    goes_on = (candidates.ids != EOS) & (candidates.log_probs > -torch.inf)
    return ~goes_on[:, :beam].any(1)


def _without_eos(candidates: Candidates, beam: int) -> Candidates:
    """The best K that do not end (fewer at the first steps of a tiny vocabulary)."""
    is_eos = candidates.ids == EOS
    log_probs = candidates.log_probs.masked_fill(is_eos, -torch.inf)
    places = is_eos.to(torch.int8).argsort(dim=1, stable=True)[:, :beam]
    return Candidates(log_probs.gather(1, places), *(field.gather(1, places) for field in candidates[1:]))


def _staying(is_done: Tensor) -> Tensor:
    """Rows [B'] int64 of the batch that stay in it: all, or those that go on once enough others are done."""
    going_on = (~is_done).nonzero().squeeze(1)
    done_sentences = len(is_done) - len(going_on)
    if len(going_on) > 0 and done_sentences < DROP_SHARE * len(is_done):
        return torch.arange(len(is_done), device=is_done.device)
    return going_on
