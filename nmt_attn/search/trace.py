"""The trace of a search of fixed size: all that its steps have selected, in one tensor, and how it is read."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.search.backpointers import Hypothesis


def read_trace(trace: Tensor, wanted: int, weights: Tensor | None) -> list[list[Hypothesis]]:
    """The best `wanted` hypotheses of each sentence: finished before cut, then by rank, ties in order of ending.

    trace [T, FIELDS, B, K] on the CPU, as in nmt_attn/fast/gpu/beam_steps.py; weights [T, >= B, K, S] on any device.
    """
    parents, ids, log_probs, end_log_probs, all_ranks, is_chosen = trace.unbind(1)  # [T, B, K] each
    ranks, chosen, end_log_prob = (_by_sentence(part) for part in (all_ranks, is_chosen, end_log_probs))
    order = ranks.argsort(dim=1, descending=True, stable=True)
    order = order.gather(1, chosen.gather(1, order).argsort(dim=1, descending=True, stable=True))[:, :wanted]
    lengths, place = order // trace.size(3), order % trace.size(3)  # [B, n]
    tokens, chances, places = [], [], []
    for step in reversed(range(len(trace))):
        tokens.append(ids[step].gather(1, place))
        chances.append(log_probs[step].gather(1, place))
        place = torch.where(step < lengths, parents[step].gather(1, place).long(), place)
        places.append(place)
    whole = [torch.stack(parts[::-1], 2) for parts in (tokens, chances, places)]  # [B, n, T]
    kept = None if weights is None else _weights_of(weights, whole[2])
    ends = [part.gather(1, order).tolist() for part in (ranks, chosen, end_log_prob)]
    lists = zip(lengths.tolist(), whole[0].long().tolist(), whole[1].tolist(), *ends, strict=True)
    return [
        [
            _hypothesis(_Path(*fields), None if kept is None else kept[row, number])
            for number, fields in enumerate(zip(*columns, strict=True))
            if fields[3] > -math.inf
        ]
        for row, columns in enumerate(lists)
    ]


class _Path(NamedTuple):
    """Back from one end."""

    length: int  # in tokens
    ids: list[int]  # [T], of which `length` count
    log_probs: list[float]
    rank: float
    is_chosen: float
    end_log_prob: float


def _by_sentence(part: Tensor) -> Tensor:
    """[T, B, K] -> [B, T * K]"""
    return part.transpose(0, 1).flatten(1)


def _weights_of(weights: Tensor, places: Tensor) -> Tensor:
    """weights [T, >= B, K, S], places [B, n, T] -> those of the paths [B, n, T, S] on the CPU."""
    batch, _, steps = places.shape
    sentences, numbers = torch.arange(batch).view(-1, 1, 1), torch.arange(steps)
    flat = (numbers * weights.size(1) + sentences) * weights.size(2) + places
    return weights.flatten(0, 2).index_select(0, flat.flatten().to(weights.device)).cpu().view(*places.shape, -1)


def _hypothesis(path: _Path, weights: Tensor | None) -> Hypothesis:
    """weights [T, S]"""
    token_log_probs = (*path.log_probs[: path.length], path.end_log_prob)
    return Hypothesis(
        ids=tuple(path.ids[: path.length]),
        is_finished=path.is_chosen > 0,
        log_prob=math.fsum(token_log_probs),
        rank=path.rank,
        token_log_probs=token_log_probs,
        weights=None if weights is None else weights[: path.length + 1],
    )
