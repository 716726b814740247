"""Choice: which continuations of the open hypotheses of each sentence go on.

One search takes the best by total (log p, lowered by the constraints).

Groups (Vijayakumar et al. 2018, arXiv 1610.02424, Algorithm 1 with Hamming diversity) choose one after another at
every step. A group goes by the total less the group penalty for each open hypothesis of the groups before it that has
just been continued by the same token; `</s>` is free. The penalty serves the choice of this step alone: totals stay
without it, so that hypotheses of all groups compare. A single group, or a penalty of 0, is plain search.

A sample takes the token that was drawn.

Where phrases must appear, nmt_attn/search/banks.py adds candidates and orders them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.search.banks import in_rounds, with_needed, with_needed_allowed
from nmt_attn.search.constraints import force
from nmt_attn.search.front import BeamOptions, Front
from nmt_attn.search.sampling import draw
from nmt_attn.types import EOS, PAD

BLOCK = 64
"""Neighbouring words of which the likeliest is looked for first."""


class Candidates(NamedTuple):
    """The best continuations of each sentence, best first; the first K of them decide what is finished."""

    totals: Tensor  # [B, C] float64
    parents: Tensor  # [B, C] int64, which open hypothesis is continued
    ids: Tensor  # [B, C] int64
    token_log_probs: Tensor  # [B, C]


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
        going_on = without_eos(candidates, options.beam)
        is_open = (going_on.totals > -torch.inf) & ~nothing_goes_on(candidates, options.beam).unsqueeze(1)
        used.scatter_add_(1, going_on.ids, is_open.to(used.dtype))
        found.append(candidates)
    return Candidates(*(torch.stack(fields, dim=1).flatten(0, 1) for fields in zip(*found, strict=True)))


def without_eos(candidates: Candidates, beam: int) -> Candidates:
    """The best K that do not end (fewer at the first steps of a tiny vocabulary)."""
    is_eos = candidates.ids == EOS
    totals = candidates.totals.masked_fill(is_eos, -torch.inf)
    places = is_eos.to(torch.int8).argsort(dim=1, stable=True)[:, :beam]
    return Candidates(totals.gather(1, places), *(field.gather(1, places) for field in candidates[1:]))


def nothing_goes_on(candidates: Candidates, beam: int) -> Tensor:
    """[B] bool: whether all of the best K end."""
    goes_on = (candidates.ids != EOS) & (candidates.totals > -torch.inf)
    return ~goes_on[:, :beam].any(1)


def top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` greatest values of each row, greatest first, equal ones from left to right, and their columns.

    values [R, C] -> [R, count], [R, count] int64. `topk` leaves open which of equal values it takes: rows where that
    shows are sorted. Values of -inf come in any order.
    """
    greatest, columns = _greatest(values, min(count + 1, values.size(1)))
    is_equal = (greatest[:, 1:] == greatest[:, :-1]) & (greatest[:, 1:] > -torch.inf)
    greatest, columns = greatest[:, :count], columns[:, :count]
    tied = is_equal.any(1).nonzero().squeeze(1)
    if len(tied) > 0:
        columns[tied] = values[tied].argsort(dim=1, descending=True, stable=True)[:, :count]
    return greatest, columns


def _greatest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """`topk` of each row: first of the blocks by their greatest values, then within as many blocks as are wanted.

    As exact: a block left out has `count` others before it, each with a value as great as its greatest.
    """
    blocks = values.size(1) // BLOCK
    if blocks < 8 * count:  # too few to gain by it
        return values.topk(count)
    whole = blocks * BLOCK
    chosen = values[:, :whole].unflatten(1, (blocks, BLOCK)).amax(2).topk(count).indices
    inside = (chosen.unsqueeze(2) * BLOCK + torch.arange(BLOCK, device=values.device)).flatten(1)
    rest = torch.arange(whole, values.size(1), device=values.device).expand(len(values), -1)
    places = torch.cat([inside, rest], 1)
    greatest, where = values.gather(1, places).topk(count)
    return greatest, places.gather(1, where)


def _lower(front: Front, log_probs: Tensor, length: int, options: BeamOptions) -> Tensor:
    """log_probs [B * W, V] as search goes by them."""
    width = front.totals.size(1)
    lowered = log_probs
    if front.past.history is not None:
        lowered = options.constraints.lower(log_probs, front.past.history.flatten(0, 1))
        lowered = with_needed_allowed(front, lowered, log_probs)
    if options.sampling is not None:
        assert front.limits.draws is not None, "the options ask for samples"
        numbers = front.limits.draws[:, 0, length]  # one hypothesis a row
        lowered = force(
            lowered, lowered, draw(_without_barred(front, lowered, length, options), numbers, options.sampling)
        )
    if front.limits.prefixes is not None and length < front.limits.prefixes.size(1):
        lowered = force(lowered, log_probs, front.limits.forced_ids(length).repeat_interleave(width))
    return lowered


def _without_barred(front: Front, lowered: Tensor, length: int, options: BeamOptions) -> Tensor:
    """-inf for what may not come next."""
    allowed = lowered.clone()
    allowed[:, list(options.never)] = -torch.inf
    allowed[length < front.limits.shortest, EOS] = -torch.inf
    return allowed


def _choose(
    front: Front, log_probs: Tensor, lowered: Tensor, values: Tensor, length: int, options: BeamOptions
) -> Candidates:
    """The best 2K by total and `values` [B * W, V] of the tokens; totals are those of `lowered`."""
    batch_sentences, width = front.totals.shape
    vocabulary = log_probs.size(1)
    choices = min(options.beam + 1 + len(options.never), vocabulary)  # K that go on are among them
    best_values, ids = top(values, choices)  # [B * W, c]
    if front.limits.phrases is not None:
        best_values, ids = with_needed(front, values, ids)
    choices = ids.size(1)
    ids = ids.reshape(batch_sentences, -1)  # [B, W * c]
    sums = front.totals.repeat_interleave(choices, dim=1) + best_values.reshape(batch_sentences, -1)
    sums = sums.masked_fill(_is_barred(front, ids, length, options) | sums.isnan(), -torch.inf)
    count = min(2 * options.beam, width * choices)
    best, places = top(sums, count) if front.limits.phrases is None else in_rounds(front, sums, ids, length, count)
    parents, ids = places // choices, ids.gather(1, places)
    flat = parents * vocabulary + ids
    totals = front.totals.gather(1, parents) + lowered.reshape(batch_sentences, -1).gather(1, flat)
    totals = totals.masked_fill(best == -torch.inf, -torch.inf)
    return Candidates(totals, parents, ids, log_probs.reshape(batch_sentences, -1).gather(1, flat))


def _is_barred(front: Front, ids: Tensor, length: int, options: BeamOptions) -> Tensor:
    """[B, W * c] bool: which of these tokens may not come next."""
    is_barred = (ids == EOS) & (length < front.limits.shortest).unsqueeze(1)
    forced_ids = front.limits.forced_ids(length)
    for token in options.never:
        is_barred |= (ids == token) & (forced_ids == PAD).unsqueeze(1)  # none of them is forced but `<unk>`
    return is_barred


def _rows_of_sentences(sentences: Tensor, width: int) -> Tensor:
    """The rows [B * W] of the hypotheses of the sentences [B]."""
    return (sentences.unsqueeze(1) * width + torch.arange(width, device=sentences.device)).flatten()
