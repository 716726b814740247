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

from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from nmt_attn.search.constraints import FREE, Constraints, force
from nmt_attn.search.ranking import Ranking, coverage_penalty
from nmt_attn.search.trace import Endings, Hypothesis, Step, read_back
from nmt_attn.types import BOS, EOS, PAD, UNK, length_mask

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


class Limits(NamedTuple):
    """What the translations of each sentence keep to. Tokens, `</s>` not counted; 0 <= shortest <= longest.

    No prefix is longer than `longest`. A prefix is kept whatever the constraints say.
    """

    shortest: Tensor  # [B] int64
    longest: Tensor  # [B] int64
    source_tokens: Tensor | None = None  # [B] int64, of which coverage is wanted; the first columns of the weights
    prefixes: Tensor | None = None  # [B, P] int64, the first tokens of all translations; PAD after them

    def select(self, rows: Tensor) -> "Limits":
        """Those of the sentences `rows` [B'] int64 alone."""
        optional = (_rows(self.source_tokens, rows), _rows(self.prefixes, rows))
        return Limits(self.shortest[rows], self.longest[rows], *optional)

    def forced_ids(self, length: int) -> Tensor:
        """The token [B] int64 that must come after `length` tokens; PAD where any may."""
        if self.prefixes is None or length >= self.prefixes.size(1):
            return torch.full_like(self.longest, PAD)
        return self.prefixes[:, length]


@dataclass(frozen=True)
class BeamOptions:
    """How to search. `wanted` (1 to `beam`) hypotheses are returned, `with_weights` or without."""

    beam: int
    wanted: int
    ranking: Ranking
    with_weights: bool
    constraints: Constraints = FREE
    coverage_penalty: float = 0.0  # beta >= 0; above 0 the limits have source tokens

    @property
    def never(self) -> tuple[int, ...]:
        """Ids that are never produced."""
        return (*NEVER, UNK) if self.constraints.forbid_unknown else NEVER


class Past(NamedTuple):
    """What is remembered of W open hypotheses of each sentence; None where the options do not ask for it."""

    history: Tensor | None  # [B, W, t] int64, the tokens
    coverage: Tensor | None  # [B, W, S] float64, the sums of the weights

    def of_parents(self, parents: Tensor, ids: Tensor) -> "Past":
        """That of the hypotheses which continue `parents` [B, W'] by `ids` [B, W']."""
        history, coverage = self
        rows = torch.arange(len(parents), device=parents.device).unsqueeze(1)
        if history is not None:
            history = torch.cat([history[rows, parents], ids.unsqueeze(2)], dim=2)
        return Past(history, None if coverage is None else coverage[rows, parents])


class Front(NamedTuple):
    """The open hypotheses, W of each sentence, best first."""

    sentences: Tensor  # [B] int64, their numbers in the whole batch
    limits: Limits
    totals: Tensor  # [B, W] float64; -inf where there is none
    last_ids: Tensor  # [B, W] int64
    best_ranks: Tensor  # [B, wanted] float64, of the finished hypotheses so far; -inf where there is none
    past: Past

    def select(self, rows: Tensor) -> "Front":
        """The sentences `rows` [B'] int64 alone."""
        return Front(
            self.sentences[rows],
            self.limits.select(rows),
            self.totals[rows],
            self.last_ids[rows],
            self.best_ranks[rows],
            Past(_rows(self.past.history, rows), _rows(self.past.coverage, rows)),
        )


class Candidates(NamedTuple):
    """The best continuations of each sentence by total, best first; the first K of them decide what is finished."""

    totals: Tensor  # [B, C] float64
    parents: Tensor  # [B, C] int64, which open hypothesis is continued
    ids: Tensor  # [B, C] int64
    token_log_probs: Tensor  # [B, C]


def beam_search(steps: StepFunction[State], limits: Limits, options: BeamOptions) -> list[list[Hypothesis]]:
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


def _first_front(limits: Limits, options: BeamOptions) -> Front:
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
        ),
    )


def _advance(front: Front, result: StepResult[State], length: int, options: BeamOptions) -> tuple[Step, Front, Tensor]:
    """One token on from hypotheses of `length` tokens: what happened, the new front, which sentences stop [B] bool."""
    weights = result.weights.reshape(*front.totals.shape, -1)  # [B, W, S]
    if front.past.coverage is not None:
        front = front._replace(past=front.past._replace(coverage=front.past.coverage + weights))
    candidates = _best_continuations(front, result.log_probs, length, options)
    endings = _endings(front, candidates, result.log_probs, length, options)
    grown = _without_eos(candidates, options.beam)
    finished_ranks = endings.ranks.masked_fill(~endings.is_finished, -torch.inf)
    best_ranks = torch.cat([front.best_ranks, finished_ranks], dim=1).topk(options.wanted).values
    bound = options.ranking.bound(grown.totals[:, 0], front.limits.longest + 1)
    is_decided = (bound <= best_ranks[:, -1]) | _nothing_goes_on(candidates, options.beam)
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
    past = front.past.of_parents(grown.parents, grown.ids)
    return step, Front(front.sentences, front.limits, totals, grown.ids, best_ranks, past), is_done


def _best_continuations(front: Front, log_probs: Tensor, length: int, options: BeamOptions) -> Candidates:
    """The best 2K; so at least K that do not end, for at most W <= K of them do."""
    batch_sentences, width = front.totals.shape
    vocabulary = log_probs.size(1)
    choices = min(options.beam + 1 + len(options.never), vocabulary)  # K that go on are among them
    lowered = log_probs
    if front.past.history is not None:
        lowered = options.constraints.lower(log_probs, front.past.history.flatten(0, 1))
    forced_ids = front.limits.forced_ids(length)
    if front.limits.prefixes is not None and length < front.limits.prefixes.size(1):
        lowered = force(lowered, log_probs, forced_ids.repeat_interleave(width))
    values, ids = top(lowered, choices)  # [B * W, c]
    ids = ids.reshape(batch_sentences, -1)  # [B, W * c]
    is_barred = (ids == EOS) & (length < front.limits.shortest).unsqueeze(1)
    for token in options.never:
        is_barred |= (ids == token) & (forced_ids == PAD).unsqueeze(1)  # none of them is forced but `<unk>`
    totals = front.totals.repeat_interleave(choices, dim=1) + values.reshape(batch_sentences, -1)
    totals = totals.masked_fill(is_barred | totals.isnan(), -torch.inf)
    best, places = top(totals, min(2 * options.beam, width * choices))
    parents, ids = places // choices, ids.gather(1, places)
    token_log_probs = log_probs.reshape(batch_sentences, -1).gather(1, parents * vocabulary + ids)
    return Candidates(best, parents, ids, token_log_probs)


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


def _nothing_goes_on(candidates: Candidates, beam: int) -> Tensor:
    """[B] bool: whether all of the best K end."""
    goes_on = (candidates.ids != EOS) & (candidates.totals > -torch.inf)
    return ~goes_on[:, :beam].any(1)


def _without_eos(candidates: Candidates, beam: int) -> Candidates:
    """The best K that do not end (fewer at the first steps of a tiny vocabulary)."""
    is_eos = candidates.ids == EOS
    totals = candidates.totals.masked_fill(is_eos, -torch.inf)
    places = is_eos.to(torch.int8).argsort(dim=1, stable=True)[:, :beam]
    return Candidates(totals.gather(1, places), *(field.gather(1, places) for field in candidates[1:]))


def _rows(tensor: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if tensor is None else tensor[rows]


def _staying(is_done: Tensor) -> Tensor:
    """Rows [B'] int64 of the batch that stay in it: all, or those that go on once enough others are done."""
    going_on = (~is_done).nonzero().squeeze(1)
    done_sentences = len(is_done) - len(going_on)
    if len(going_on) > 0 and done_sentences < DROP_SHARE * len(is_done):
        return torch.arange(len(is_done), device=is_done.device)
    return going_on
