"""Tables of log p(next | step, last) behind beam search, and the same searches in plain Python."""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS, Ranking
from nmt_attn.search.token_rules import NO_RULES, TokenRules
from nmt_attn.types import BOS, EOS, PAD, UNK, StepOutput

A, B = 4, 5
VOCABULARY = 6  # four special tokens, A and B
NAMES = sorted(RANKINGS)
BY_LOG_PROB = RANKINGS["none"](1.0)


class History(NamedTuple):
    """What a row has seen; so that a row that is mixed up with another one shows."""

    ids: Tensor  # [N, length]


@dataclass(frozen=True)
class TableSteps:
    """log_probs [B, steps, V (last), V (next)]; the weights of a step are the tokens so far, then 0."""

    log_probs: Tensor

    def start(self) -> History:
        return History(torch.empty(len(self.log_probs), 0))

    def step(self, last_ids: Tensor, state: History) -> StepOutput[History]:
        ids = torch.cat([state.ids, last_ids.unsqueeze(1).float()], dim=1)
        width = len(last_ids) // len(self.log_probs)
        sentences = torch.arange(len(self.log_probs)).repeat_interleave(width)
        step = min(state.ids.size(1), self.log_probs.size(1) - 1)  # the last one repeats
        padding = torch.zeros(len(ids), 30 - ids.size(1))
        return StepOutput(self.log_probs[sentences, step, last_ids], torch.cat([ids, padding], dim=1), History(ids))

    def reorder(self, state: History, rows: Tensor) -> History:
        return History(state.ids[rows])

    def select_sentences(self, sentences: Tensor) -> "TableSteps":
        return TableSteps(self.log_probs[sentences])


def search(
    tables: Tensor,
    *,
    beam: int,
    wanted: int | None = None,
    longest: list[int],
    shortest: list[int] | None = None,
    ranking: Ranking = BY_LOG_PROB,
    lookahead: int | None = None,
    token_rules: TokenRules = NO_RULES,
    prefixes: list[tuple[int, ...]] | None = None,
) -> list[list[Hypothesis]]:
    """Beam search over tables, one for each sentence."""
    shortest = shortest or [0] * len(longest)
    limits = Limits(torch.tensor(shortest), torch.tensor(longest))
    if prefixes is not None:
        size = max(map(len, prefixes))
        padded = torch.tensor([[*prefix, *[PAD] * (size - len(prefix))] for prefix in prefixes], dtype=torch.int64)
        limits = limits._replace(prefixes=padded)
    options = BeamOptions(
        beam, wanted or beam, ranking, with_weights=True, token_rules=token_rules, lookahead=lookahead
    )
    return beam_search(TableSteps(tables), limits, options)


def random_tables(seed: int, sentences: int, *, steps: int = 4, coarse: bool = False) -> Tensor:
    """Normalised; with `coarse` multiples of 1/4 below 0 and some impossible tokens, so that sums are exact and tie."""
    generator = torch.Generator().manual_seed(seed)
    shape = (sentences, steps, VOCABULARY, VOCABULARY)
    if not coarse:
        return (2 * torch.randn(shape, generator=generator)).log_softmax(-1)
    tables = -torch.randint(1, 9, shape, generator=generator) / 4
    return tables.masked_fill(torch.rand(shape, generator=generator) < 0.15, -torch.inf)


def chain(*steps: dict[int, float]) -> Tensor:
    """One sentence; the probabilities of a step, whatever came before; everything else is impossible."""
    table = torch.zeros(1, len(steps), VOCABULARY, VOCABULARY)
    for number, probabilities in enumerate(steps):
        for token, probability in probabilities.items():
            table[0, number, :, token] = probability
    return table.log()


def rescored(table: Tensor, ids: tuple[int, ...]) -> list[float]:
    """log p of each token and `</s>`, forced. table [steps, V, V]"""
    pairs = itertools.pairwise((BOS, *ids, EOS))
    return [float(table[min(step, len(table) - 1), last, token]) for step, (last, token) in enumerate(pairs)]


def penalised(table: Tensor, ids: tuple[int, ...], token_rules: TokenRules) -> float:
    """What search goes by: log p of the whole, lowered; -inf where it is forbidden."""
    total = 0.0
    for place, (token, log_prob) in enumerate(zip((*ids, EOS), rescored(table, ids), strict=True)):
        total += lowered(log_prob, ids[:place], token, token_rules)
    return total


def lowered(log_prob: float, ids: tuple[int, ...], token: int, token_rules: TokenRules) -> float:
    """log p of `token` after `ids` as search sees it."""
    if token_rules.forbid_unknown and token == UNK:
        return -math.inf
    if token_rules.no_repeat_ngram is not None:
        size = token_rules.no_repeat_ngram
        ngrams = [(*ids, token)[place : place + size] for place in range(len(ids) + 2 - size)]
        if len(ngrams) > 0 and ngrams[-1] in ngrams[:-1]:
            return -math.inf
    return log_prob * token_rules.repetition_penalty if token in ids else log_prob


class Whole(NamedTuple):
    """One entry of a list made by plain Python; sorts best first."""

    is_cut: bool
    minus_rank: float
    length: int
    place: int  # among the closed ones of this length
    ids: tuple[int, ...]


def enumerate_all(
    table: Tensor, shortest: int, longest: int, ranking: Ranking, token_rules: TokenRules = NO_RULES
) -> dict[tuple[int, ...], float]:
    """The rank of every possible sequence."""
    ranks = {}
    for length in range(shortest, longest + 1):
        for ids in itertools.product((UNK, A, B), repeat=length):
            total = penalised(table, ids, token_rules)
            if total > -math.inf:
                ranks[ids] = ranking.rank(torch.tensor(total, dtype=torch.float64), length + 1).item()
    return ranks


def plain_search(
    table: Tensor, beam: int, shortest: int, longest: int, ranking: Ranking, token_rules: TokenRules = NO_RULES
) -> list[tuple[int, ...]]:
    """Beam search in plain Python that goes on as long as one of the best goes on: ids, best first."""
    finished: list[Whole] = []
    front: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for length in range(longest + 1):
        row = table[min(length, len(table) - 1)].tolist()
        candidates = []  # (-total, parent, token); PAD and BOS are never produced
        for parent, (sum_so_far, ids) in enumerate(front):
            for token in (UNK, EOS, A, B):
                total = sum_so_far + lowered(row[ids[-1] if ids else BOS][token], ids, token, token_rules)
                if total > -math.inf and not (token == EOS and length < shortest):
                    candidates.append((-total, parent, token))
        candidates.sort()
        ending = {parent for _, parent, token in candidates[:beam] if token == EOS}
        for minus, parent, token in sorted(candidates, key=lambda candidate: candidate[1]):
            if token == EOS and (parent in ending or length == longest):
                rank = ranking.rank(torch.tensor(-minus, dtype=torch.float64), length + 1).item()
                finished.append(Whole(parent not in ending, -rank, length, parent, front[parent][1]))
        if all(token == EOS for _, _, token in candidates[:beam]):
            break
        going_on = [candidate for candidate in candidates if candidate[2] != EOS][:beam]
        front = [(-minus, (*front[parent][1], token)) for minus, parent, token in going_on]
    return [whole.ids for whole in sorted(finished)]


def ids_of(hypotheses: list[Hypothesis]) -> list[tuple[int, ...]]:
    """Those of each."""
    return [hypothesis.ids for hypothesis in hypotheses]
