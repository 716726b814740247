"""Candidate selection: which continuations of the open hypotheses of each sentence are kept.

Plain search takes the best by total (log p after the token rules).

Groups (Vijayakumar et al. 2018, arXiv 1610.02424, Algorithm 1 with Hamming diversity) select one after another at
every step. A group compares totals minus the group penalty times the number of open hypotheses of earlier groups that
were just extended by the same token; `</s>` is not penalised. The penalty affects the selection of this step alone:
totals exclude it, so that hypotheses of all groups are comparable. One group, or a penalty of 0, is plain search.

Sampling takes the token that was drawn.

Where phrases must appear, nmt_attn/search/dynamic_beam_allocation.py adds candidates and orders them.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.search.beam_state import BeamOptions, BeamState, block_rows, cached_ids, cached_range, row_offsets
from nmt_attn.search.dynamic_beam_allocation import add_needed_tokens, allocate_beam, allow_needed_tokens
from nmt_attn.search.sampling import draw
from nmt_attn.search.token_rules import force_tokens
from nmt_attn.types import EOS, PAD

BLOCK = 64
"""Size of the blocks of adjacent token ids whose maxima are compared first."""


class Candidates(NamedTuple):
    """The best continuations of each sentence, best first; the first K of them decide which hypotheses finish."""

    totals: Tensor  # [B, C] float64
    parents: Tensor  # [B, C] int64, which open hypothesis is extended
    ids: Tensor  # [B, C] int64
    token_log_probs: Tensor  # [B, C]

    def first(self, count: int) -> "Candidates":
        """The best `count`, or all if there are fewer."""
        return Candidates(*(field[:, :count] for field in self))


def best_candidates(beam: BeamState, log_probs: Tensor, length: int, options: BeamOptions) -> Candidates:
    """The best 2K of each sentence. At least K of them do not end, because at most W <= K do. log_probs [B * W, V]"""
    adjusted = _adjust(beam, log_probs, length, options)
    if options.group_penalty == 0 or options.groups == 1:
        return _select_best(beam, log_probs, adjusted, adjusted, length, options)
    sentences = torch.arange(len(beam.totals), device=adjusted.device).view(-1, options.groups)
    counts = adjusted.new_zeros(len(sentences), adjusted.size(1))  # [B / groups, V]
    found = []
    for group in sentences.unbind(1):
        rows = block_rows(group, beam.totals.size(1))
        values = adjusted[rows] - options.group_penalty * counts.repeat_interleave(beam.totals.size(1), dim=0)
        candidates = _select_best(beam.select(group), log_probs[rows], adjusted[rows], values, length, options)
        is_eos = candidates.ids == EOS
        continuing = open_candidates(candidates, is_eos, options.beam)
        is_open = (continuing.totals > -torch.inf) & ~all_end(is_eos, options.beam).unsqueeze(1)
        counts.scatter_add_(1, continuing.ids, is_open.to(counts.dtype))
        found.append(candidates)
    return Candidates(*(torch.stack(fields, dim=1).flatten(0, 1) for fields in zip(*found, strict=True)))


def open_candidates(candidates: Candidates, is_eos: Tensor, beam: int) -> Candidates:
    """The best K that do not end (a tiny vocabulary has fewer at first); is_eos [B, C] bool: which ones end."""
    totals = candidates.totals.masked_fill(is_eos, -torch.inf)
    places = is_eos.sort(dim=1, stable=True).indices[:, :beam]
    return Candidates(totals.gather(1, places), *(field.gather(1, places) for field in candidates[1:]))


def all_end(is_eos: Tensor, beam: int) -> Tensor:
    """[B] bool: True where all of the best K end. is_eos [B, C] bool"""
    return is_eos[:, :beam].all(1)


def top_candidates(totals: Tensor, values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` greatest sums of a hypothesis's total and one of its values, in descending order, and their indices.

    totals [B, W], values [B * W, V], -inf for PAD -> [B, count], [B, count] int64 from 0 to W * V - 1. Ties are ordered
    by index: `topk` does not define which of them it returns, so sentences with ties are sorted. NaN counts as -inf.
    The order of sums of -inf is undefined.
    """
    sums, places = _candidate_blocks(totals, values, count + 1)
    greatest, columns = sums.topk(min(count + 1, sums.size(1)))
    found = places.gather(1, columns[:, :count])
    if not (greatest[:, :-1] - greatest[:, 1:]).all():  # -inf minus -inf is NaN, which is truthy
        tied = (greatest[:, :-1] == greatest[:, 1:]).any(1).nonzero().squeeze(1)
        all_sums = _sums(totals[tied], values.view(*totals.shape, -1)[tied])
        found[tied] = all_sums.argsort(dim=1, descending=True, stable=True)[:, :count]
    return greatest[:, :count], found


def _candidate_blocks(totals: Tensor, values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """A subset of the sums that contains the `count` greatest, and their indices, [B, n] both.

    It consists of the `count` blocks with the greatest maxima: for any other block there are `count` blocks that each
    contain a sum at least as great as its maximum.
    """
    batch_sentences, width = totals.shape
    vocabulary = values.size(1)
    by_hypothesis = values.view(batch_sentences, width, vocabulary)
    if width * vocabulary < 4 * count * BLOCK:  # too few columns for blocks to pay off
        sums = _sums(totals, by_hypothesis)
        return sums, cached_range(sums.size(1), totals.device).expand_as(sums)
    block_places, parents = _blocks(width, vocabulary, totals.device)
    chosen = _sums(totals, _block_maxima(by_hypothesis)).topk(count).indices
    places = block_places[chosen]  # [B, count, BLOCK]
    inside = values.view(batch_sentences, -1).gather(1, places.flatten(1)).view_as(places)
    return _sums(totals.gather(1, parents[chosen]), inside), places.flatten(1)


def _sums(totals: Tensor, values: Tensor) -> Tensor:
    """totals [B, n], values [B, n, m] -> [B, n * m]"""
    sums = (totals.unsqueeze(2) + values).flatten(1)
    return sums.nan_to_num_(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _block_maxima(values: Tensor) -> Tensor:
    """values [B, W, V] -> maxima [B, W, n]; the last block may be shorter."""
    greatest = values.unfold(2, BLOCK, BLOCK).amax(3)
    rest = values.size(2) % BLOCK
    return greatest if rest == 0 else torch.cat([greatest, values[:, :, -rest:].amax(2, keepdim=True)], dim=2)


@lru_cache(maxsize=8)
def _blocks(width: int, vocabulary: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The W * V continuations of a sentence in W * n blocks: their places [W * n, BLOCK] and hypotheses [W * n], int64.

    Places are from 0 to W * V - 1; the last block of a hypothesis may be shorter, and is filled with that of PAD.
    """
    ids = torch.arange(-(-vocabulary // BLOCK) * BLOCK, device=device).view(-1, BLOCK)
    ids[ids >= vocabulary] = PAD
    parents = torch.arange(width, device=device).view(-1, 1, 1)
    places = parents * vocabulary + ids  # [W, n, BLOCK]
    return places.flatten(0, 1), parents[:, 0].expand(-1, len(ids)).flatten()


def _adjust(beam: BeamState, log_probs: Tensor, length: int, options: BeamOptions) -> Tensor:
    """log_probs [B * W, V] after all rules: -inf for tokens that may not come next. May overwrite `log_probs`."""
    width = beam.totals.size(1)
    forces = beam.limits.prefixes is not None and length < beam.limits.prefixes.size(1)
    adjusted = log_probs
    if beam.history.tokens is not None:
        adjusted = options.token_rules.apply(log_probs, beam.history.tokens.flatten(0, 1))
        adjusted = allow_needed_tokens(beam, adjusted, log_probs)
    if forces:
        adjusted = adjusted.clone()  # a rule may forbid the forced token, whose own log p is reported
    adjusted.index_fill_(1, cached_ids(options.never_produced, adjusted.device), -torch.inf)
    if length < beam.all_may_end_at:
        is_short = (length < beam.limits.shortest).repeat_interleave(width)
        adjusted[:, EOS].masked_fill_(is_short, -torch.inf)
    if options.sampling is not None:
        assert beam.limits.draws is not None, "sampling needs draws"
        drawn = draw(adjusted, beam.limits.draws[:, 0, length], options.sampling)  # one hypothesis per row
        adjusted = force_tokens(adjusted, adjusted, drawn)
    if forces:
        adjusted = force_tokens(adjusted, log_probs, beam.limits.forced_ids(length).repeat_interleave(width))
    return adjusted


def _select_best(
    beam: BeamState, log_probs: Tensor, adjusted: Tensor, values: Tensor, length: int, options: BeamOptions
) -> Candidates:
    """The best 2K by total plus `values` [B * W, V]; the totals they carry are sums of `adjusted`."""
    batch_sentences, width = beam.totals.shape
    vocabulary = values.size(1)
    count = min(2 * options.beam, width * vocabulary)
    if beam.limits.phrases is None:
        totals, places = top_candidates(beam.totals, values, count)
    else:
        totals, places = _allocate(beam, values, length, count, options)
    parents = places // vocabulary
    ids = places.sub(parents, alpha=vocabulary)
    if values is not adjusted:
        own = beam.totals.gather(1, parents) + adjusted.view(batch_sentences, -1).gather(1, places)
        totals = own.masked_fill(totals == -torch.inf, -torch.inf)
    return Candidates(totals, parents, ids, log_probs.reshape(batch_sentences, -1).gather(1, places))


def _allocate(beam: BeamState, values: Tensor, length: int, count: int, options: BeamOptions) -> tuple[Tensor, Tensor]:
    """`top_candidates` where phrases must appear: sums and indices [B, count] from 0 to W * V - 1."""
    choices = min(options.beam + 1, values.size(1))  # includes K that do not end
    _, ids = top_candidates(beam.totals.new_zeros(len(values), 1), values, choices)  # [B * W, c]
    best_values, ids = add_needed_tokens(beam, values, ids)
    ids = ids.view(*beam.totals.shape, -1)  # [B, W, c]
    sums = _sums(beam.totals, best_values.view_as(ids))
    sums, places = allocate_beam(beam, sums, ids.flatten(1), length, min(count, sums.size(1)))
    return sums, (ids + row_offsets(ids.size(1), values.size(1), ids.device)).flatten(1).gather(1, places)
