"""Backpointers: what beam search selected at each step, and how to follow it back to whole hypotheses.

At each step, the W open hypotheses of a sentence become W'. This module does not depend on how they were selected.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Endings(NamedTuple):
    """Hypotheses that end at a step: n places for each sentence, some of them empty."""

    parents: Tensor  # [B, n] int64, which of the W open hypotheses ends
    log_probs: Tensor  # [B, n], of `</s>`
    ranks: Tensor  # [B, n] float64; -inf for an empty place
    is_finished: Tensor  # [B, n] bool; False for a hypothesis cut at the greatest length

    def joined(self, others: "Endings") -> "Endings":
        """These endings and `others` of the same sentences."""
        return Endings(*(torch.cat(fields, dim=1) for fields in zip(self, others, strict=True)))


class Backpointers(NamedTuple):
    """One step of the B sentences that search still works on."""

    sentences: Tensor  # [B] int64, their rows in the whole batch
    parents: Tensor  # [B, W'] int64, which of the W open hypotheses each new one extends
    ids: Tensor  # [B, W'] int64, by which token
    token_log_probs: Tensor  # [B, W']
    endings: Endings | None  # None: no hypothesis ended
    weights: Tensor | None  # [B, W, S], attention weights that predicted the new tokens and `</s>`


class Hypothesis(NamedTuple):
    """One translation as ids."""

    ids: tuple[int, ...]  # without `</s>`
    is_finished: bool  # False: cut at the greatest length
    log_prob: float  # natural, `</s>` included
    rank: float
    token_log_probs: tuple[float, ...]  # len(ids) + 1, `</s>` last
    weights: Tensor | None  # [len(ids) + 1, S], the row of `</s>` last
    copied: Tensor | None = None  # [len(ids) + 1], 1 - p_gen of each step, of a model that copies


class _End(NamedTuple):
    """Where a hypothesis ends."""

    step: int  # the number of its tokens
    parent: int  # among the W of that step
    log_prob: float  # of `</s>`
    rank: float
    is_finished: bool


class _StepLists(NamedTuple):
    """A step as Python lists: indexing tensors one number at a time is slow."""

    rows: dict[int, int]  # row of each sentence
    width: int  # W
    parents: list[list[int]]
    ids: list[list[int]]
    token_log_probs: list[list[float]]


def follow_backpointers(steps: list[Backpointers], batch_sentences: int, wanted: int) -> list[list[Hypothesis]]:
    """The best `wanted` hypotheses of each sentence: finished before cut, then by rank, ties in order of ending."""
    ends: list[list[_End]] = [[] for _ in range(batch_sentences)]
    for number, step in enumerate(steps):
        for sentence, end in _ends(step, number):
            ends[sentence].append(end)
    for found in ends:
        found.sort(key=lambda end: (not end.is_finished, -end.rank))
    lists = _step_lists(steps)
    paths = [[_follow(sentence, end, lists) for end in found[:wanted]] for sentence, found in enumerate(ends)]
    weights = iter(_weights(steps, [rows for found in paths for _, rows in found]))
    return [[hypothesis._replace(weights=next(weights)) for hypothesis, _ in found] for found in paths]


def _ends(step: Backpointers, number: int) -> Iterator[tuple[int, _End]]:
    """The endings of step `number`, each with its sentence."""
    if step.endings is None:
        return
    columns = (field.tolist() for field in step.endings)
    for sentence, *rows in zip(step.sentences.tolist(), *columns, strict=True):
        for parent, log_prob, rank, is_finished in zip(*rows, strict=True):
            if rank > -math.inf:
                yield sentence, _End(number, parent, log_prob, rank, is_finished)


def _step_lists(steps: list[Backpointers]) -> list[_StepLists]:
    lists: list[_StepLists] = []
    width = 1
    for number, step in enumerate(steps):
        if number > 0 and step.sentences is steps[number - 1].sentences:
            rows = lists[-1].rows
        else:
            rows = {sentence: row for row, sentence in enumerate(step.sentences.tolist())}
        fields = (field.tolist() for field in (step.parents, step.ids, step.token_log_probs))
        lists.append(_StepLists(rows, width, *fields))
        width = step.parents.size(1)
    return lists


def _follow(sentence: int, end: _End, lists: list[_StepLists]) -> tuple[Hypothesis, list[int]]:
    """The hypothesis, still without weights, and its row of the weights [B * W, S] at each step."""
    place = end.parent
    ids, token_log_probs, rows = [], [end.log_prob], []
    for number in range(end.step, -1, -1):
        step = lists[number]
        row = step.rows[sentence]
        if number < end.step:
            ids.append(step.ids[row][place])
            token_log_probs.append(step.token_log_probs[row][place])
            place = step.parents[row][place]
        rows.append(row * step.width + place)
    hypothesis = Hypothesis(
        ids=tuple(ids[::-1]),
        is_finished=end.is_finished,
        log_prob=math.fsum(token_log_probs),
        rank=end.rank,
        token_log_probs=tuple(token_log_probs[::-1]),
        weights=None,
    )
    return hypothesis, rows[::-1]


def _weights(steps: list[Backpointers], paths: list[list[int]]) -> list[Tensor | None]:
    """The weights [len(path), S] of each path of rows; None if search kept none."""
    longest = max(map(len, paths), default=0)
    padded = [[*rows, *[0] * (longest - len(rows))] for rows in paths]
    selected = []
    for step, rows in zip(steps, zip(*padded, strict=True), strict=False):
        if step.weights is None:
            return [None] * len(paths)
        selected.append(step.weights.flatten(0, 1)[torch.tensor(rows).to(step.weights.device)])
    if not selected:
        return []
    together = torch.stack(selected, dim=1).cpu()  # [paths, steps, S]
    return [weights[: len(rows)] for weights, rows in zip(together, paths, strict=True)]
