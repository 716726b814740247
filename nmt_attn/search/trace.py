"""The trace of a search of fixed size: all that its steps have selected, in one tensor, and how it is read."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nmt_attn.search.backpointers import Hypothesis

Numbers = NDArray[Any]


def read_trace(trace: Tensor, wanted: int, weights: Tensor | None) -> list[list[Hypothesis]]:
    """The best `wanted` hypotheses of each sentence: finished before cut, then by rank, ties in order of ending.

    trace [T, FIELDS, B, K] on the CPU, as in nmt_attn/fast/gpu/beam_steps.py; weights [T, >= B, K, S] on any device.
    """
    parents, ids, log_probs, end_log_probs, ranks, is_chosen = trace.numpy().swapaxes(0, 1)  # [T, B, K] each
    lengths, sentences, places = _best_ends(ranks, is_chosen, wanted)  # [P]
    ends = [part[lengths, sentences, places].tolist() for part in (end_log_probs, ranks, is_chosen)]
    tokens, chances, rows = _follow((parents, ids, log_probs), lengths, sentences, places)
    kept = [None] * len(lengths) if weights is None else _weights_of(weights, sentences, rows)
    found: list[list[Hypothesis]] = [[] for _ in range(trace.size(2))]
    paths = zip(sentences.tolist(), lengths.tolist(), tokens.tolist(), chances.tolist(), *ends, kept, strict=True)
    for sentence, length, path, path_log_probs, end_log_prob, rank, is_finished, of_path in paths:
        token_log_probs = (*path_log_probs[:length], end_log_prob)
        found[sentence].append(
            Hypothesis(
                ids=tuple(path[:length]),
                is_finished=is_finished > 0,
                log_prob=math.fsum(token_log_probs),
                rank=rank,
                token_log_probs=token_log_probs,
                weights=None if of_path is None else of_path[: length + 1],
            )
        )
    return found


def _best_ends(ranks: Numbers, is_chosen: Numbers, wanted: int) -> tuple[Numbers, Numbers, Numbers]:
    """[T, B, K] -> of the best `wanted` of each sentence, best first: step, sentence, and place among the K [P]."""
    steps, sentences, places = np.nonzero(ranks > -math.inf)
    at = steps, sentences, places
    order = np.lexsort((-ranks[at], 1 - is_chosen[at], sentences))  # ties stay in order of ending
    sorted_sentences = sentences[order]
    position = np.arange(len(order)) - np.searchsorted(sorted_sentences, sorted_sentences)
    order = order[position < wanted]
    return steps[order], sentences[order], places[order]


def _follow(
    fields: tuple[Numbers, Numbers, Numbers], lengths: Numbers, sentences: Numbers, places: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Back from the ends [P] -> tokens, their log p, and the place of the hypothesis before each step, [P, T] each."""
    parents, ids, log_probs = fields
    tokens = np.zeros((len(lengths), len(parents)), np.int64)
    chances = np.zeros(tokens.shape)
    rows = np.zeros(tokens.shape, np.int64)
    for step in reversed(range(len(parents))):
        tokens[:, step] = ids[step, sentences, places]
        chances[:, step] = log_probs[step, sentences, places]
        places = np.where(step < lengths, parents[step, sentences, places].astype(np.int64), places)
        rows[:, step] = places
    return tokens, chances, rows


def _weights_of(weights: Tensor, sentences: Numbers, rows: Numbers) -> Tensor:
    """weights [T, >= B, K, S], of each path its sentence [P] and places [P, T] -> [P, T, S] on the CPU."""
    steps, batch, beam, _ = weights.shape
    flat = (np.arange(steps) * batch + sentences[:, None]) * beam + rows
    chosen = torch.from_numpy(flat.ravel()).to(weights.device)
    return weights.flatten(0, 2).index_select(0, chosen).cpu().unflatten(0, rows.shape)
