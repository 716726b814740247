"""Dynamic beam allocation: how the K places of a beam are shared out where phrases must appear.

After Post and Vilar 2018 (arXiv 1804.06609). Candidates that lack the same number of phrase tokens form a bank. The
places are allocated in rounds: to the best candidate of each bank, to the second best of each, and so on, so that no
place stays empty; within a round by total. In addition to the most likely tokens, the candidates include the tokens
that begin or continue a phrase, the most likely token that begins a word, and `</s>`.

Differs: a candidate that would leave too few tokens for the missing phrases is discarded, so that the phrases are
complete at the greatest length at the latest. Once `</s>` was the most likely token while phrases were missing, only
candidates that add missing tokens take part in the rounds of that hypothesis; its other candidates come last.

A sentence without phrases has one bank: plain search.
"""

import torch
from torch import Tensor

from nmt_attn.search.beam_state import BeamState
from nmt_attn.search.lexical_constraints import PhraseProgress, Phrases
from nmt_attn.types import EOS, PAD


def note_early_ends(beam: BeamState, log_probs: Tensor, length: int) -> BeamState:
    """Marks the hypotheses whose most likely token is `</s>` while phrases are missing. log_probs [B * W, V]"""
    if beam.limits.phrases is None:
        return beam
    phrases, progress = _phrases_and_progress(beam)
    would_end = (log_probs.argmax(1) == EOS).view_as(beam.totals) & (length >= beam.limits.shortest).unsqueeze(1)
    wanted_to_end = progress.wanted_to_end | (would_end & (phrases.missing(progress.states) > 0))
    return beam._replace(history=beam.history._replace(progress=progress._replace(wanted_to_end=wanted_to_end)))


def allow_needed_tokens(beam: BeamState, adjusted: Tensor, log_probs: Tensor) -> Tensor:
    """`adjusted` [B * W, V] with log p restored for tokens that phrases need and a rule has set to -inf."""
    if beam.limits.phrases is None:
        return adjusted
    ids = _needed(beam)
    values = adjusted.gather(1, ids)
    return adjusted.scatter(1, ids, torch.where(values == -torch.inf, log_probs.gather(1, ids), values))


def add_needed_tokens(beam: BeamState, values: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Adds phrase tokens, a word start and `</s>` to the candidates `ids` [B * W, c]: values [B * W, c'] and ids.

    A repeated id has the value -inf.
    """
    phrases, _ = _phrases_and_progress(beam)
    begins_word = phrases.begins_word.repeat_interleave(len(values) // len(phrases.begins_word), 0)
    begins_word[:, EOS] = False
    word_start = values.masked_fill(~begins_word, -torch.inf).argmax(1, keepdim=True)
    ids = torch.cat([ids, _needed(beam), word_start, torch.full_like(word_start, EOS)], dim=1)
    is_repeated = (ids.unsqueeze(2) == ids.unsqueeze(1)).tril(-1).any(2)
    return values.gather(1, ids).masked_fill(is_repeated, -torch.inf), ids


def allocate_beam(beam: BeamState, sums: Tensor, ids: Tensor, length: int, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` candidates in order of the rounds: their sums and their columns [B, count].

    sums [B, W * c], -inf for no candidate; ids [B, W * c]; the c candidates of a hypothesis are adjacent
    """
    phrases, progress = _phrases_and_progress(beam)
    choices = ids.size(1) // progress.states.size(1)
    before = progress.states.repeat_interleave(choices, dim=1)  # [B, W * c, P]
    wanted_to_end = progress.wanted_to_end.repeat_interleave(choices, dim=1)
    lacked, lacking = phrases.missing(before), phrases.missing(phrases.advance(before, ids))
    room = (beam.limits.longest - length - 1).clamp(min=0).unsqueeze(1)
    is_forbidden = torch.where(ids == EOS, lacked > 0, lacking > room)
    is_free = (beam.limits.forced_ids(length) == PAD).unsqueeze(1)  # a prefix takes precedence
    sums = sums.masked_fill(is_forbidden & is_free, -torch.inf)
    is_late = wanted_to_end & (lacked > 0) & (lacking >= lacked)
    most = int(phrases.lengths.sum(1).max()) + 1
    rounds = _ranks_in_banks(sums, lacking + most * is_late) + sums.size(1) * is_late
    rounds = rounds.masked_fill(sums == -torch.inf, 2 * sums.size(1))
    by_sum = sums.argsort(dim=1, descending=True, stable=True)
    places = by_sum.gather(1, rounds.gather(1, by_sum).argsort(dim=1, stable=True))[:, :count]
    return sums.gather(1, places), places


def _ranks_in_banks(sums: Tensor, banks: Tensor) -> Tensor:
    """[B, C] int64: how many candidates of the same bank [B, C] have a greater sum, or the same sum further left."""
    by_sum = sums.argsort(dim=1, descending=True, stable=True)
    order = by_sum.gather(1, banks.gather(1, by_sum).argsort(dim=1, stable=True))  # grouped by bank
    ordered = banks.gather(1, order)
    positions = torch.arange(ordered.size(1), device=ordered.device).expand_as(ordered)
    is_first = torch.ones_like(ordered, dtype=torch.bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    firsts = torch.where(is_first, positions, 0).cummax(dim=1).values
    return torch.empty_like(order).scatter_(1, order, positions - firsts)


def _needed(beam: BeamState) -> Tensor:
    """The tokens [B * W, 2 P] that continue a phrase or begin one; PAD where there is none."""
    phrases, progress = _phrases_and_progress(beam)
    continuing = phrases.needed(progress.states)  # [B, W, P]
    return torch.cat([continuing, phrases.ids[:, None, :, 0].expand_as(continuing)], dim=2).flatten(0, 1)


def _phrases_and_progress(beam: BeamState) -> tuple[Phrases, PhraseProgress]:
    assert beam.limits.phrases is not None and beam.history.progress is not None, "phrases have their progress"
    return beam.limits.phrases, beam.history.progress
