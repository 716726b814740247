"""What beam search did, step by step, and how hypotheses are read back from it once it is over.

W open hypotheses of a sentence became W' at a step. Nothing here knows how the choice was made.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Endings(NamedTuple):
    """Hypotheses that end with `</s>` at a step: n places for each sentence, not all of them taken."""

    parents: Tensor  # [B, n] int64, which of the W open hypotheses is closed
    log_probs: Tensor  # [B, n], of `</s>`
    ranks: Tensor  # [B, n] float64; -inf where there is none
    is_finished: Tensor  # [B, n] bool; False with a rank: cut

    def joined(self, others: "Endings") -> "Endings":
        """These and the others of the same sentences."""
        return Endings(*(torch.cat(fields, dim=1) for fields in zip(self, others, strict=True)))


class Step(NamedTuple):
    """One step of the B sentences that were still searched."""

    sentences: Tensor  # [B] int64, their numbers in the whole batch
    parents: Tensor  # [B, W'] int64, which of the W open hypotheses each new one continues
    ids: Tensor  # [B, W'] int64, by which token
    token_log_probs: Tensor  # [B, W']
    endings: Endings | None  # None: nothing ended
    weights: Tensor | None  # [B, W, S], of the attention that led to the new tokens and to `</s>`


class Hypothesis(NamedTuple):
    """One translation as ids."""

    ids: tuple[int, ...]  # without `</s>`
    is_finished: bool  # False: cut at the greatest length
    log_prob: float  # natural, `</s>` included
    rank: float
    token_log_probs: tuple[float, ...]  # len(ids) + 1, `</s>` last
    weights: Tensor | None  # [len(ids) + 1, S], the row of `</s>` last


class _End(NamedTuple):
    """Where a hypothesis ends."""

    step: int  # the number of tokens
    parent: int  # among the W of that step
    log_prob: float  # of `</s>`
    rank: float
    is_finished: bool


class _Path(NamedTuple):
    """A hypothesis token by token, `</s>` included."""

    end: _End
    ids: tuple[int, ...]  # without `</s>`
    token_log_probs: tuple[float, ...]
    rows: tuple[int, ...]  # of the weights [B * W, S] of each step


class _Places(NamedTuple):
    """A step in plain numbers."""

    rows: dict[int, int]  # of the sentences
    width: int  # W
    parents: list[list[int]]
    ids: list[list[int]]
    token_log_probs: list[list[float]]


def read_back(trace: list[Step], batch_sentences: int, wanted: int) -> list[list[Hypothesis]]:
    """The best `wanted` hypotheses of each sentence: finished before cut, then by rank, then the first one."""
    ends: list[list[_End]] = [[] for _ in range(batch_sentences)]
    for number, step in enumerate(trace):
        for sentence, end in _ends(step, number):
            ends[sentence].append(end)
    for found in ends:
        found.sort(key=lambda end: (not end.is_finished, -end.rank))
    places = _all_places(trace)
    paths = [[_walk_back(sentence, end, places) for end in found[:wanted]] for sentence, found in enumerate(ends)]
    weights = iter(_weights(trace, [path for found in paths for path in found]))
    return [[_hypothesis(path, next(weights)) for path in found] for found in paths]


def _ends(step: Step, number: int) -> Iterator[tuple[int, _End]]:
    """The sentences whose hypotheses end at the step, and how."""
    if step.endings is None:
        return
    columns = (field.tolist() for field in step.endings)
    for sentence, *rows in zip(step.sentences.tolist(), *columns, strict=True):
        for parent, log_prob, rank, is_finished in zip(*rows, strict=True):
            if rank > -math.inf:
                yield sentence, _End(number, parent, log_prob, rank, is_finished)


def _all_places(trace: list[Step]) -> list[_Places]:
    places: list[_Places] = []
    width = 1
    for number, step in enumerate(trace):
        if number > 0 and step.sentences is trace[number - 1].sentences:
            rows = places[-1].rows
        else:
            rows = {sentence: row for row, sentence in enumerate(step.sentences.tolist())}
        fields = (field.tolist() for field in (step.parents, step.ids, step.token_log_probs))
        places.append(_Places(rows, width, *fields))
        width = step.parents.size(1)
    return places


def _walk_back(sentence: int, end: _End, places: list[_Places]) -> _Path:
    """From the last step to the first."""
    place = end.parent
    ids, token_log_probs, rows = [], [end.log_prob], []
    for number in range(end.step, -1, -1):
        step = places[number]
        row = step.rows[sentence]
        if number < end.step:
            ids.append(step.ids[row][place])
            token_log_probs.append(step.token_log_probs[row][place])
            place = step.parents[row][place]
        rows.append(row * step.width + place)
    return _Path(end, tuple(ids[::-1]), tuple(token_log_probs[::-1]), tuple(rows[::-1]))


def _weights(trace: list[Step], paths: list[_Path]) -> list[Tensor | None]:
    """Those of each path [len(path.rows), S]."""
    steps = max((len(path.rows) for path in paths), default=0)
    padded = [[*path.rows, *[0] * (steps - len(path.rows))] for path in paths]
    looks = []
    for step, rows in zip(trace, zip(*padded, strict=True), strict=False):
        if step.weights is None:
            return [None] * len(paths)
        looks.append(step.weights.flatten(0, 1)[torch.tensor(rows).to(step.weights.device)])
    if not looks:
        return []
    together = torch.stack(looks, dim=1).cpu()  # [paths, steps, S]
    return [weights[: len(path.rows)] for weights, path in zip(together, paths, strict=True)]


def _hypothesis(path: _Path, weights: Tensor | None) -> Hypothesis:
    return Hypothesis(
        ids=path.ids,
        is_finished=path.end.is_finished,
        log_prob=math.fsum(path.token_log_probs),
        rank=path.end.rank,
        token_log_probs=path.token_log_probs,
        weights=weights,
    )
