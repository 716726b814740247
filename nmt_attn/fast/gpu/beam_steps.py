"""A step of beam search in two operations, defined: what the K open hypotheses of each sentence become.

Every buffer keeps its size: K hypotheses for each of B sentences, N = B x K rows, those of a sentence adjacent. A place
without a hypothesis has the total -inf. What search means by a step: nmt_attn/search/beam.py.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from nmt_attn.fast.gpu.operation import operation
from nmt_attn.fast.gpu.sizes import Part, parts_of
from nmt_attn.types import BOS, EOS, PAD, UNK

EXACT = -1
"""The `lookahead` of a search that goes on until nothing can win."""
FIELDS = 6
"""Of the trace: parent, token, its log p; log p of `</s>`, rank, -inf where nothing ends, whether `</s>` was chosen."""


class Beam(NamedTuple):
    """The open hypotheses, and what the sentences ask for."""

    totals: Tensor  # [B, K] float64, log p; -inf for an empty place
    last_ids: Tensor  # [N] int64
    rows: Tensor  # [N] int64, which row each of them extends
    best_ranks: Tensor  # [B, wanted] float64, of the finished hypotheses, best first; -inf for an empty place
    lengths: Tensor  # [B] int64, tokens of the hypotheses; the same number in all of them
    is_done: Tensor  # [B] int32, 1 where the search has ended
    trace: Tensor  # [T, FIELDS, B, K] float64, what every step has selected
    shortest: Tensor  # [B] int64, as in `Limits`
    longest: Tensor  # [B] int64, less than T
    terms: Tensor  # [2, T + 2] float64: the rank of a whole of n tokens is its log p / terms[0, n] + terms[1, n]


@operation
def best_words(values: Tensor, ids: Tensor, sums: Tensor, scores: Tensor, bias: Part, forbids_unknown: bool) -> None:
    """scores [N, V] without the bias [V] or None -> of each of C parts of the words, in the format of `values`:

    the k greatest scores of words that a hypothesis can go on with, and their ids [N, C, k], the lower id first where
    they are equal, -inf and PAD where there are fewer; the greatest of all scores, and the sum of exponentials of their
    distance from it [N, C, 2].
    """
    rows, count = len(scores), values.shape[2]
    parts, size = parts_of(scores.shape[1])
    total = _with_bias(scores, bias, values)
    padded = pad(total, (0, parts * size - total.shape[1]), value=-torch.inf).view(rows, parts, size)
    greatest = padded.amax(2)
    sums[..., 0] = greatest
    sums[..., 1] = torch.exp(padded - greatest.masked_fill(greatest == -torch.inf, 0.0).unsqueeze(2)).sum(2)
    words = padded.clone().view(rows, -1)
    for never in (PAD, BOS, EOS, *([UNK] if forbids_unknown else [])):
        words[:, never] = -torch.inf
    found = (
        words.view_as(padded).nan_to_num(-torch.inf, torch.inf, -torch.inf).sort(dim=2, descending=True, stable=True)
    )
    firsts = torch.arange(0, parts * size, size, device=ids.device).view(1, parts, 1)
    kept = min(count, size)
    values[..., :kept] = found.values[..., :kept]
    values[..., kept:] = -torch.inf
    is_there = values[..., :kept] > -torch.inf
    ids[..., :kept] = torch.where(is_there, found.indices[..., :kept] + firsts, PAD)
    ids[..., kept:] = PAD


@operation
def advance(
    values: Tensor,
    ids: Tensor,
    sums: Tensor,
    scores: Tensor,
    bias: Part,
    totals: Tensor,
    last_ids: Tensor,
    rows: Tensor,
    best_ranks: Tensor,
    lengths: Tensor,
    is_done: Tensor,
    trace: Tensor,
    shortest: Tensor,
    longest: Tensor,
    terms: Tensor,
    lookahead: int,
) -> None:
    """What `best_words` found, scores [N, V], and the fields of a `Beam`, which become those after the step.

    A sentence ends once no open hypothesis would win if it went on at no cost for `lookahead` tokens and `</s>`; for
    `EXACT` until its greatest length.
    """
    (batch, beam), words = totals.shape, scores.shape[1]
    norm = _log_norms(sums)
    log_probs = values.flatten(1) - norm.unsqueeze(1)  # [N, C * k]
    end = (
        _with_bias(scores[:, EOS : EOS + 1], None if bias is None else bias[EOS : EOS + 1], values)[:, 0] - norm
    ).view(batch, beam)
    parents = torch.arange(beam, device=totals.device)
    new = _impossible_if_nan(totals.unsqueeze(2) + log_probs.view(batch, beam, -1)).flatten(1)
    places = (parents.view(1, -1, 1) * words + ids.view(batch, beam, -1)).flatten(1)  # parent * V + token
    order = _best(new, places, beam)
    open_totals, open_places = new.gather(1, order), places.gather(1, order)
    is_there = open_totals > -torch.inf
    chosen = log_probs.view(batch, -1).gather(1, order).masked_fill(~is_there, 0.0)

    closed = _impossible_if_nan(totals + end)
    ending = closed.masked_fill((lengths < shortest).unsqueeze(1), -torch.inf)
    before = _counts_before(open_totals, open_places, ending, parents * words + EOS)
    before = before + _counts_before(ending, (parents * words + EOS).expand_as(ending), ending, parents * words + EOS)
    is_end = (ending > -torch.inf) & (before < beam)
    is_last = lengths >= longest
    is_closed = is_end | (is_last.unsqueeze(1) & (closed > -torch.inf))
    ranks = _ranks(closed, lengths + 1, terms).masked_fill(~is_closed, -torch.inf)
    best_ranks.copy_(torch.cat([best_ranks, ranks], 1).sort(dim=1, descending=True).values[:, : best_ranks.shape[1]])

    at = longest + 1 if lookahead == EXACT else torch.minimum(longest + 1, lengths + 2 + lookahead)
    is_won = _ranks(open_totals[:, :1], at, terms)[:, 0] <= best_ranks[:, -1]
    is_done.copy_(is_won | (is_end.sum(1) == beam) | is_last)
    open_parents = torch.where(is_there, open_places // words, 0)
    open_ids = torch.where(is_there, open_places % words, PAD)
    step = torch.stack([open_parents, open_ids, chosen, end, ranks, is_end], 0).to(trace.dtype)
    trace.index_copy_(0, lengths[:1].clamp(max=len(trace) - 1), step.unsqueeze(0))
    totals.copy_(open_totals.masked_fill(is_done.bool().unsqueeze(1), -torch.inf))
    last_ids.copy_(open_ids.flatten())
    rows.copy_((torch.arange(0, batch * beam, beam, device=rows.device).unsqueeze(1) + open_parents).flatten())
    lengths.add_(1)


def _with_bias(scores: Tensor, bias: Part, like: Tensor) -> Tensor:
    return scores.to(like.dtype) if bias is None else scores.to(like.dtype) + bias.to(like.dtype)


def _log_norms(sums: Tensor) -> Tensor:
    """Each part's greatest score and sum of exponentials [N, C, 2] -> log of the sum of all exponentials [N]."""
    norm = sums[..., 0].amax(1)
    norm = norm.masked_fill(norm == -torch.inf, 0.0)
    share = (sums[..., 1] * torch.exp(sums[..., 0] - norm.unsqueeze(1))).sum(1)
    return norm + torch.log(share.masked_fill(share == 0, 1.0))


def _best(totals: Tensor, places: Tensor, beam: int) -> Tensor:
    """Where the greatest `beam` of the totals [B, n] stand, the lower place first where they are equal: [B, K]."""
    order = places.argsort(dim=1, stable=True)
    return order.gather(1, totals.gather(1, order).argsort(dim=1, descending=True, stable=True))[:, :beam]


def _ranks(log_probs: Tensor, tokens: Tensor, terms: Tensor) -> Tensor:
    """Of wholes with these log p [B, K] and numbers of tokens [B]."""
    divisor, bonus = terms.gather(1, tokens.clamp(max=terms.shape[1] - 1).expand(2, -1)).unsqueeze(2)
    return log_probs / divisor + bonus


def _impossible_if_nan(totals: Tensor) -> Tensor:
    return totals.double().nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _counts_before(totals: Tensor, places: Tensor, ending: Tensor, ends: Tensor) -> Tensor:
    """How many of the candidates [B, n] come before each of `ending` [B, K], whose places are `ends` [K]: [B, K]."""
    totals, places = totals.unsqueeze(2), places.unsqueeze(2)
    is_before = (totals > ending.unsqueeze(1)) | ((totals == ending.unsqueeze(1)) & (places < ends))
    return is_before.sum(1)
