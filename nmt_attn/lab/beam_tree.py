"""Beam tree: what beam search weighed at every step of one sentence, the candidates that it dropped among them.

The search is the one that translates; a step function in between notes what passes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from nmt_attn.lab.trace import TracedStep, traced_step
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory, select_rows
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.ranking import Ranking
from nmt_attn.types import BOS, EOS, PAD, StepOutput

Fate = Literal["kept", "pruned", "ended", "cut", "open"]
"""Of a candidate: it goes on; it was dropped; it ended with `</s>`; it ended because it was as long as allowed; it was
there when the search was over."""


@dataclass(frozen=True)
class Node:
    """One candidate: a hypothesis continued by one token."""

    number: int
    parent: int  # the number of another; -1 for the root's children
    step: int  # t, from 0
    token: int
    log_prob: float  # of this token
    total: float  # of the whole hypothesis
    place: int  # among the step's candidates by total, from 1
    fate: Fate
    rank: float | None  # of what ended
    weights: tuple[float, ...]  # [S], of the look that led to it
    is_best: bool = False  # on the path of the translation


class Round(NamedTuple):
    """One step of the search as the model answered it."""

    log_probs: Tensor  # [W, V]
    weights: Tensor  # [W, S]
    last_ids: tuple[int, ...]  # W, the tokens that led here
    rows: tuple[int, ...]  # W, which of the hypotheses of the step before each continues


@dataclass
class NotingSteps:
    """The `StepFunction` of one sentence: the model's own, with given weights at some steps, noting every answer."""

    model: Seq2Seq
    memory: Memory
    given: Mapping[int, Tensor] = field(default_factory=dict)  # step -> weights [S]
    rounds: list[Round] = field(default_factory=list)
    rows: tuple[int, ...] = (0,)

    def start(self) -> DecoderState:
        """The decoder's state before the first token."""
        return self.model.start(self.memory)

    def step(self, last_ids: Tensor, state: DecoderState) -> StepOutput[DecoderState]:
        """One step of all hypotheses."""
        traced = self.traced(last_ids, state)
        numbers = tuple(last_ids.tolist())
        rows = self.rows if len(self.rows) == len(numbers) else tuple(range(len(numbers)))
        self.rounds.append(Round(traced.log_probs.clone(), traced.weights, numbers, rows))
        return StepOutput(traced.log_probs, traced.weights, traced.state)

    def traced(self, last_ids: Tensor, state: DecoderState) -> TracedStep:
        """The same, with all its numbers."""
        given = self.given.get(int(state.position[0]))
        return traced_step(self.model, last_ids, state, self.memory, given)

    def reorder(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """These rows of the state."""
        self.rows = tuple(rows.tolist())
        return select_rows(state, rows)

    def select_sentences(self, sentences: Tensor) -> "NotingSteps":
        """The one sentence."""
        return self


def beam_tree(rounds: Sequence[Round], best: Hypothesis, beam: int, ranking: Ranking) -> list[Node]:
    """The candidates of every step, best first: 2 x beam of them, and all that went on or ended."""
    nodes: list[Node] = []
    front = [(-1, 0.0)]  # number and total of each open hypothesis
    for step, played in enumerate(rounds):
        following = rounds[step + 1] if step + 1 < len(rounds) else None
        candidates = _candidates(played, [total for _, total in front], beam)
        first = len(nodes)
        places: dict[tuple[int, int], int] = {}
        for place, (total, row, token) in enumerate(candidates, 1):
            places[row, token] = len(nodes)
            fate = _fate(row, token, place, beam, following)
            rank = float(ranking.rank(torch.tensor(total), step + 1)) if fate == "ended" else None
            weights = tuple(played.weights[row].tolist())
            log_prob = float(played.log_probs[row, token])
            nodes.append(Node(len(nodes), front[row][0], step, token, log_prob, total, place, fate, rank, weights))
        if following is not None:
            kept = zip(following.rows, following.last_ids, strict=True)
            front = [_open(nodes, places.get(each)) for each in kept]
        assert len(nodes) > first or following is None, "some hypothesis goes on"
    return _with_best(nodes, best)


def _open(nodes: Sequence[Node], number: int | None) -> tuple[int, float]:
    return (-1, -math.inf) if number is None else (number, nodes[number].total)


def _candidates(played: Round, totals: Sequence[float], beam: int) -> list[tuple[float, int, int]]:
    """Total, row and token of the best 2 x beam continuations, best first."""
    sums = torch.tensor(totals, dtype=torch.float64).unsqueeze(1) + played.log_probs.double()
    sums[:, [PAD, BOS]] = -torch.inf
    size = sums.size(1)
    values, places = sums.flatten().sort(descending=True, stable=True)
    best = zip(values[: 2 * beam].tolist(), places[: 2 * beam].tolist(), strict=True)
    return [(total, place // size, place % size) for total, place in best if total > -math.inf]


def _fate(row: int, token: int, place: int, beam: int, following: Round | None) -> Fate:
    if token == EOS:
        return "ended" if place <= beam else "pruned"
    if following is None:
        return "open"
    return "kept" if (row, token) in zip(following.rows, following.last_ids, strict=True) else "pruned"


def _with_best(nodes: list[Node], best: Hypothesis) -> list[Node]:
    """The same with the path of the best hypothesis marked, and its end as what it was."""
    parent = -1
    for token in (*best.ids, EOS):
        found = next((node for node in nodes if node.parent == parent and node.token == token), None)
        if found is None:  # cut where `</s>` was not among the candidates
            break
        fate: Fate = found.fate if token != EOS else "ended" if best.is_finished else "cut"
        rank = best.rank if token == EOS else None
        nodes[found.number] = replace(found, is_best=True, fate=fate, rank=rank)
        parent = found.number
    return nodes
