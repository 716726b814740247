"""Banks: how the K places of a beam are shared out where phrases must appear.

In the spirit of dynamic beam allocation (Post and Vilar 2018, arXiv 1804.06609). Continuations that lack equally many
tokens of the phrases make a bank. The places go round the banks, to the best of each, to the second best of each, and
so on, so that no place stays empty; within a round by total. Beside the likeliest tokens, those that begin or go on
with a phrase are looked at, the likeliest that begins a word, and `</s>`.

Differs: a continuation that would leave too few tokens for what is missing is none, so that the phrases are there at
the greatest length at the latest. Where `</s>` was the likeliest and phrases were missing, the hypothesis is over:
from there on only what brings missing tokens is in the rounds, the rest comes after them.

A sentence without phrases has one bank: plain search.
"""

import torch
from torch import Tensor

from nmt_attn.search.beam_state import Front
from nmt_attn.search.lexical_constraints import Phrases, Progress
from nmt_attn.types import EOS, PAD


def mark_ends(front: Front, log_probs: Tensor, length: int) -> Front:
    """The front that knows which hypotheses are over. log_probs [B * W, V]"""
    if front.limits.phrases is None:
        return front
    phrases, progress = _parts(front)
    would_end = (log_probs.argmax(1) == EOS).view_as(front.totals) & (length >= front.limits.shortest).unsqueeze(1)
    is_over = progress.is_over | (would_end & (phrases.missing(progress.states) > 0))
    return front._replace(past=front.past._replace(progress=progress._replace(is_over=is_over)))


def with_needed_allowed(front: Front, lowered: Tensor, log_probs: Tensor) -> Tensor:
    """`lowered` [B * W, V] with the log p of the tokens that phrases need where it is -inf."""
    if front.limits.phrases is None:
        return lowered
    ids = _needed(front)
    values = lowered.gather(1, ids)
    return lowered.scatter(1, ids, torch.where(values == -torch.inf, log_probs.gather(1, ids), values))


def with_needed(front: Front, values: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """More tokens beside `ids` [B * W, c] to look at, and the `values` [B * W, V] of all; each counts once."""
    phrases, _ = _parts(front)
    begins_word = phrases.begins_word.clone()
    begins_word[EOS] = False
    beginning = values.masked_fill(~begins_word, -torch.inf).argmax(1, keepdim=True)
    ids = torch.cat([ids, _needed(front), beginning, torch.full_like(beginning, EOS)], dim=1)
    is_repeated = (ids.unsqueeze(2) == ids.unsqueeze(1)).tril(-1).any(2)
    return values.gather(1, ids).masked_fill(is_repeated, -torch.inf), ids


def in_rounds(front: Front, sums: Tensor, ids: Tensor, length: int, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` continuations, those of W hypotheses side by side: their sums and their places [B, count].

    sums [B, W * c], -inf where there is none; ids [B, W * c]
    """
    phrases, progress = _parts(front)
    choices = ids.size(1) // progress.states.size(1)
    had = progress.states.repeat_interleave(choices, dim=1)  # [B, W * c, P]
    is_over = progress.is_over.repeat_interleave(choices, dim=1)
    lacked, lacks = phrases.missing(had), phrases.missing(phrases.advance(had, ids))
    room = (front.limits.longest - length - 1).clamp(min=0).unsqueeze(1)
    is_barred = torch.where(ids == EOS, lacked > 0, lacks > room)
    is_free = (front.limits.forced_ids(length) == PAD).unsqueeze(1)  # a prefix is kept all the same
    sums = sums.masked_fill(is_barred & is_free, -torch.inf)
    is_late = is_over & (lacked > 0) & (lacks >= lacked)
    most = int(phrases.lengths.sum(1).max()) + 1
    rounds = _rounds(sums, lacks + most * is_late) + sums.size(1) * is_late
    rounds = rounds.masked_fill(sums == -torch.inf, 2 * sums.size(1))
    by_sum = sums.argsort(dim=1, descending=True, stable=True)
    places = by_sum.gather(1, rounds.gather(1, by_sum).argsort(dim=1, stable=True))[:, :count]
    return sums.gather(1, places), places


def _rounds(sums: Tensor, banks: Tensor) -> Tensor:
    """[B, C] int64: how many of the same bank [B, C] have a greater sum; of equal ones those on the left count."""
    by_sum = sums.argsort(dim=1, descending=True, stable=True)
    order = by_sum.gather(1, banks.gather(1, by_sum).argsort(dim=1, stable=True))  # bank by bank
    ordered = banks.gather(1, order)
    numbers = torch.arange(ordered.size(1), device=ordered.device).expand_as(ordered)
    is_first = torch.ones_like(ordered, dtype=torch.bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    firsts = torch.where(is_first, numbers, 0).cummax(dim=1).values
    return torch.empty_like(order).scatter_(1, order, numbers - firsts)


def _needed(front: Front) -> Tensor:
    """The tokens [B * W, 2 P] that go on with a phrase or begin one; PAD among them."""
    phrases, progress = _parts(front)
    going_on = phrases.needed(progress.states)  # [B, W, P]
    return torch.cat([going_on, phrases.ids[:, None, :, 0].expand_as(going_on)], dim=2).flatten(0, 1)


def _parts(front: Front) -> tuple[Phrases, Progress]:
    assert front.limits.phrases is not None and front.past.progress is not None, "both or none"
    return front.limits.phrases, front.past.progress
