"""Choice: which continuations of the open hypotheses of each sentence go on.

One search takes the best by total (log p, lowered by the constraints).

Groups (Vijayakumar et al. 2018, arXiv 1610.02424, Algorithm 1 with Hamming diversity) choose one after another at
every step. A group goes by the total less the group penalty for each open hypothesis of the groups before it that has
just been continued by the same token; `</s>` is free. The penalty serves the choice of this step alone: totals stay
without it, so that hypotheses of all groups compare. A single group, or a penalty of 0, is plain search.

A sample takes the token that was drawn.

Where phrases must appear, nmt_attn/search/dynamic_beam_allocation.py adds candidates and orders them.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.search.beam_state import BeamOptions, Front
from nmt_attn.search.cached_tensors import first_rows, index, numbers
from nmt_attn.search.dynamic_beam_allocation import in_rounds, with_needed, with_needed_allowed
from nmt_attn.search.sampling import draw
from nmt_attn.search.token_rules import force
from nmt_attn.types import EOS, PAD

BLOCK = 64
"""Neighbouring words of which the likeliest is looked for first."""


class Candidates(NamedTuple):
    """The best continuations of each sentence, best first; the first K of them decide what is finished."""

    totals: Tensor  # [B, C] float64
    parents: Tensor  # [B, C] int64, which open hypothesis is continued
    ids: Tensor  # [B, C] int64
    token_log_probs: Tensor  # [B, C]

    def first(self, count: int) -> "Candidates":
        """The best `count`, or all if they are fewer."""
        return Candidates(*(field[:, :count] for field in self))


def best_continuations(front: Front, log_probs: Tensor, length: int, options: BeamOptions) -> Candidates:
    """The best 2K; so at least K that do not end, for at most W <= K of them do. log_probs [B * W, V]"""
    lowered = _lower(front, log_probs, length, options)
    if options.group_penalty == 0 or options.groups == 1:
        return _choose(front, log_probs, lowered, lowered, length, options)
    sentences = torch.arange(len(front.totals), device=lowered.device).view(-1, options.groups)
    used = lowered.new_zeros(len(sentences), lowered.size(1))  # [B / groups, V]
    found = []
    for group in sentences.unbind(1):
        rows = _rows_of_sentences(group, front.totals.size(1))
        values = lowered[rows] - options.group_penalty * used.repeat_interleave(front.totals.size(1), dim=0)
        candidates = _choose(front.select(group), log_probs[rows], lowered[rows], values, length, options)
        is_eos = candidates.ids == EOS
        going_on = without_eos(candidates, is_eos, options.beam)
        is_open = (going_on.totals > -torch.inf) & ~nothing_goes_on(is_eos, options.beam).unsqueeze(1)
        used.scatter_add_(1, going_on.ids, is_open.to(used.dtype))
        found.append(candidates)
    return Candidates(*(torch.stack(fields, dim=1).flatten(0, 1) for fields in zip(*found, strict=True)))


def without_eos(candidates: Candidates, is_eos: Tensor, beam: int) -> Candidates:
    """The best K that do not end (fewer at the first steps of a tiny vocabulary); is_eos [B, C] bool: which do."""
    totals = candidates.totals.masked_fill(is_eos, -torch.inf)
    places = is_eos.sort(dim=1, stable=True).indices[:, :beam]
    return Candidates(totals.gather(1, places), *(field.gather(1, places) for field in candidates[1:]))


def nothing_goes_on(is_eos: Tensor, beam: int) -> Tensor:
    """[B] bool: whether all of the best K end; is_eos [B, C] bool."""
    return is_eos[:, :beam].all(1)


def top(totals: Tensor, values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` greatest sums of a total and one of its own values, greatest first, and where they stand.

    totals [B, W], values [B * W, V], -inf for PAD -> [B, count], [B, count] int64 from 0 to W * V - 1. Equal sums come
    from left to right: `topk` leaves open which of them it takes, so sentences where that shows are sorted. NaN counts
    as -inf. Values of -inf come in any order.
    """
    sums, places = _promising(totals, values, count + 1)
    greatest, columns = sums.topk(min(count + 1, sums.size(1)))
    found = places.gather(1, columns[:, :count])
    if not (greatest[:, :-1] - greatest[:, 1:]).all():  # NaN, the difference of -inf and -inf, is true
        tied = (greatest[:, :-1] == greatest[:, 1:]).any(1).nonzero().squeeze(1)
        everything = _sums(totals[tied], values.view(*totals.shape, -1)[tied])
        found[tied] = everything.argsort(dim=1, descending=True, stable=True)[:, :count]
    return greatest[:, :count], found


def _promising(totals: Tensor, values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sums among which the `count` greatest are, and their places, [B, n] both.

    They lie in those `count` blocks that have the greatest sums: a block left out has as many others before it, each
    with a sum as great as its greatest.
    """
    batch_sentences, width = totals.shape
    vocabulary = values.size(1)
    by_hypothesis = values.view(batch_sentences, width, vocabulary)
    if width * vocabulary < 4 * count * BLOCK:  # too few to gain by it
        sums = _sums(totals, by_hypothesis)
        return sums, numbers(sums.size(1), totals.device).expand_as(sums)
    blocks = _blocks(width, vocabulary, totals.device)
    chosen = _sums(totals, _greatest_of_blocks(by_hypothesis)).topk(count).indices
    places = blocks.places[chosen]  # [B, count, BLOCK]
    inside = values.view(batch_sentences, -1).gather(1, places.flatten(1)).view_as(places)
    return _sums(totals.gather(1, blocks.parents[chosen]), inside), places.flatten(1)


def _sums(totals: Tensor, values: Tensor) -> Tensor:
    """totals [B, n], values [B, n, m] -> [B, n * m]"""
    sums = (totals.unsqueeze(2) + values).flatten(1)
    return sums.nan_to_num_(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _greatest_of_blocks(values: Tensor) -> Tensor:
    """values [B, W, V] -> [B, W, n], the last block being shorter"""
    greatest = values.unfold(2, BLOCK, BLOCK).amax(3)
    rest = values.size(2) % BLOCK
    return greatest if rest == 0 else torch.cat([greatest, values[:, :, -rest:].amax(2, keepdim=True)], dim=2)


class _Blocks(NamedTuple):
    """How the words after W hypotheses are cut into blocks, n for each hypothesis."""

    places: Tensor  # [W * n, BLOCK] int64, from 0 to W * V - 1; PAD's where the last block is shorter
    parents: Tensor  # [W * n] int64, the hypotheses


@lru_cache(maxsize=8)
def _blocks(width: int, vocabulary: int, device: torch.device) -> _Blocks:
    ids = torch.arange(-(-vocabulary // BLOCK) * BLOCK, device=device).view(-1, BLOCK)
    ids[ids >= vocabulary] = PAD
    parents = torch.arange(width, device=device).view(-1, 1, 1)
    places = parents * vocabulary + ids  # [W, n, BLOCK]
    return _Blocks(places.flatten(0, 1), parents[:, 0].expand(-1, len(ids)).flatten())


def _lower(front: Front, log_probs: Tensor, length: int, options: BeamOptions) -> Tensor:
    """log_probs [B * W, V] as search goes by them: -inf for what may not come next. May be written into them."""
    width = front.totals.size(1)
    forces = front.limits.prefixes is not None and length < front.limits.prefixes.size(1)
    lowered = log_probs
    if front.past.history is not None:
        lowered = options.constraints.lower(log_probs, front.past.history.flatten(0, 1))
        lowered = with_needed_allowed(front, lowered, log_probs)
    if forces:
        lowered = lowered.clone()  # what is forced may be barred, and its own log p is reported
    lowered.index_fill_(1, index(options.never, lowered.device), -torch.inf)
    if length < front.bound_until:
        is_short = (length < front.limits.shortest).repeat_interleave(width)
        lowered[:, EOS].masked_fill_(is_short, -torch.inf)
    if options.sampling is not None:
        assert front.limits.draws is not None, "the options ask for samples"
        drawn = draw(lowered, front.limits.draws[:, 0, length], options.sampling)  # one hypothesis a row
        lowered = force(lowered, lowered, drawn)
    if forces:
        lowered = force(lowered, log_probs, front.limits.forced_ids(length).repeat_interleave(width))
    return lowered


def _choose(
    front: Front, log_probs: Tensor, lowered: Tensor, values: Tensor, length: int, options: BeamOptions
) -> Candidates:
    """The best 2K by total and `values` [B * W, V] of the tokens; totals are those of `lowered`."""
    batch_sentences, width = front.totals.shape
    vocabulary = values.size(1)
    count = min(2 * options.beam, width * vocabulary)
    if front.limits.phrases is None:
        totals, places = top(front.totals, values, count)
    else:
        totals, places = _top_in_rounds(front, values, length, count, options)
    parents = places // vocabulary
    ids = places.sub(parents, alpha=vocabulary)
    if values is not lowered:
        own = front.totals.gather(1, parents) + lowered.view(batch_sentences, -1).gather(1, places)
        totals = own.masked_fill(totals == -torch.inf, -torch.inf)
    return Candidates(totals, parents, ids, log_probs.reshape(batch_sentences, -1).gather(1, places))


def _top_in_rounds(
    front: Front, values: Tensor, length: int, count: int, options: BeamOptions
) -> tuple[Tensor, Tensor]:
    """As `top`, where phrases must appear: sums and places [B, count] from 0 to W * V - 1."""
    choices = min(options.beam + 1, values.size(1))  # K that go on are among them
    _, ids = top(front.totals.new_zeros(len(values), 1), values, choices)  # [B * W, c]
    best_values, ids = with_needed(front, values, ids)
    ids = ids.view(*front.totals.shape, -1)  # [B, W, c]
    sums = _sums(front.totals, best_values.view_as(ids))
    sums, places = in_rounds(front, sums, ids.flatten(1), length, min(count, sums.size(1)))
    return sums, (ids + first_rows(ids.size(1), values.size(1), ids.device)).flatten(1).gather(1, places)


def _rows_of_sentences(sentences: Tensor, width: int) -> Tensor:
    """The rows [B * W] of the hypotheses of the sentences [B]."""
    return (sentences.unsqueeze(1) * width + numbers(width, sentences.device)).flatten()
