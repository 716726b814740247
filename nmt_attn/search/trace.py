"""What beam search did, step by step, and how hypotheses are read back from it once it is over.

W open hypotheses of a sentence became W' at a step. Nothing here knows how the choice was made.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.types import EOS


class Endings(NamedTuple):
    """What closing each of the W open hypotheses by `</s>` gives."""

    eos_log_probs: Tensor  # [B, W]
    ranks: Tensor  # [B, W] float64; -inf where the hypothesis was not closed
    is_finished: Tensor  # [B, W] bool; False with a rank: cut


class Step(NamedTuple):
    """One step of the B sentences that were still searched."""

    sentences: Tensor  # [B] int64, their numbers in the whole batch
    endings: Endings
    parents: Tensor  # [B, W'] int64, which of the W open hypotheses each new one continues
    ids: Tensor  # [B, W'] int64, by which token
    token_log_probs: Tensor  # [B, W']
    weights: Tensor | None  # [B, W, S], of the attention that led to the new tokens and to `</s>`


class Hypothesis(NamedTuple):
    """One translation as ids."""

    ids: tuple[int, ...]  # without `</s>`
    is_finished: bool  # False: cut at the greatest length
    log_prob: float  # natural, `</s>` included
    rank: float
    token_log_probs: tuple[float, ...]  # len(ids) + 1, `</s>` last
    weights: Tensor | None  # [len(ids) + 1, S], the row of `</s>` last


class _Ends(NamedTuple):
    """Where the n hypotheses chosen of each sentence end; where there are fewer, step -1 and rank -inf."""

    step: Tensor  # [B, n] int64, the number of tokens
    row: Tensor  # [B, n] int64, among the W of that step
    ranks: Tensor  # [B, n] float64
    is_finished: Tensor  # [B, n] bool


class _Path(NamedTuple):
    """The same hypotheses token by token, `</s>` included; anything after it."""

    ids: Tensor  # [B, n, T] int64
    token_log_probs: Tensor  # [B, n, T]
    weights: Tensor | None  # [B, n, T, S]


def read_back(trace: list[Step], batch_sentences: int, wanted: int) -> list[list[Hypothesis]]:
    """The best `wanted` hypotheses of each sentence: finished before cut, then by rank, then the first one."""
    if not trace:
        return [[] for _ in range(batch_sentences)]
    ends = _best_ends(trace, batch_sentences, wanted)
    return _hypotheses(ends, _walk_back(trace, ends))


def _best_ends(trace: list[Step], batch_sentences: int, wanted: int) -> _Ends:
    width = max(step.endings.ranks.size(1) for step in trace)
    ranks = trace[0].endings.ranks.new_full((batch_sentences, len(trace), width), -torch.inf)  # [B, T, K]
    is_finished = torch.zeros_like(ranks, dtype=torch.bool)
    for number, step in enumerate(trace):
        columns = step.endings.ranks.size(1)
        ranks[step.sentences, number, :columns] = step.endings.ranks
        is_finished[step.sentences, number, :columns] = step.endings.is_finished
    order = ranks.flatten(1).argsort(dim=1, descending=True, stable=True)  # [B, T * K]
    is_first = is_finished.flatten(1).gather(1, order).to(torch.int8)
    order = order.gather(1, is_first.argsort(dim=1, descending=True, stable=True))[:, :wanted]
    best_ranks = ranks.flatten(1).gather(1, order)
    exists = best_ranks > -torch.inf
    return _Ends(
        step=torch.where(exists, order // width, -1),
        row=torch.where(exists, order % width, 0),
        ranks=best_ranks,
        is_finished=is_finished.flatten(1).gather(1, order),
    )


def _walk_back(trace: list[Step], ends: _Ends) -> _Path:
    """From the last step to the first; all hypotheses of all sentences at once."""
    ids, token_log_probs, weights = [], [], []
    position = torch.zeros_like(ends.step[:, :1])  # [B, 1], of the sentence in the step's batch
    row = ends.row
    for number in reversed(range(len(trace))):
        step = trace[number]
        position[step.sentences, 0] = torch.arange(len(step.sentences), device=position.device)
        position = position.clamp(max=len(step.sentences) - 1)
        is_token, is_eos = ends.step > number, ends.step == number
        new, old = row * is_token, row * is_eos  # 0 where the hypothesis has ended already
        row = torch.where(is_token, step.parents[position, new], row)
        ids.append(torch.where(is_token, step.ids[position, new], EOS))
        eos_log_probs = step.endings.eos_log_probs[position, old]
        token_log_probs.append(torch.where(is_token, step.token_log_probs[position, new], eos_log_probs))
        if step.weights is not None:
            weights.append(step.weights[position, row * (is_token | is_eos)])  # [B, n, S]
    return _Path(
        ids=torch.stack(ids[::-1], dim=2),
        token_log_probs=torch.stack(token_log_probs[::-1], dim=2),
        weights=torch.stack(weights[::-1], dim=2) if weights else None,
    )


def _hypotheses(ends: _Ends, path: _Path) -> list[list[Hypothesis]]:
    lengths, ranks, is_finished = ends.step.tolist(), ends.ranks.tolist(), ends.is_finished.tolist()
    ids, token_log_probs = path.ids.tolist(), path.token_log_probs.tolist()
    weights = None if path.weights is None else path.weights.cpu()
    return [
        [
            Hypothesis(
                ids=tuple(ids[sentence][place][:length]),
                is_finished=is_finished[sentence][place],
                log_prob=math.fsum(token_log_probs[sentence][place][: length + 1]),
                rank=ranks[sentence][place],
                token_log_probs=tuple(token_log_probs[sentence][place][: length + 1]),
                weights=None if weights is None else weights[sentence, place, : length + 1],
            )
            for place, length in enumerate(lengths[sentence])
            if ranks[sentence][place] > -torch.inf
        ]
        for sentence in range(len(lengths))
    ]
