"""Constraints on tables, against lists made by plain Python."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_tables import NAMES, A, B, chain, enumerate_all, ids_of, plain_search, random_tables, rescored, search
from torch import Tensor

from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS, coverage_penalty
from nmt_attn.search.token_rules import TokenRules
from nmt_attn.types import EOS, UNK, StepOutput

TOKEN_RULES = st.builds(
    TokenRules,
    forbid_unknown=st.booleans(),
    no_repeat_ngram=st.sampled_from([None, 1, 2, 3]),
    repetition_penalty=st.sampled_from([1.0, 1.5, 2.0]),  # exact in binary
)
LOG_HALF = math.log(0.5)


def test_tokens_that_are_there_already_cost_more() -> None:
    log_probs = torch.tensor([[-1.0, -2.0, -3.0, -4.0, -5.0]])
    token_rules = TokenRules(repetition_penalty=2.0)
    assert token_rules.apply(log_probs, torch.tensor([[4, 1, 4]])).tolist() == [[-1.0, -4.0, -3.0, -4.0, -10.0]]
    assert token_rules.apply(log_probs, torch.empty(1, 0, dtype=torch.int64)).tolist() == log_probs.tolist()
    assert log_probs.tolist() == [[-1.0, -2.0, -3.0, -4.0, -5.0]]


@pytest.mark.parametrize(
    ("size", "history", "banned"),
    [
        (1, [2, 0, 2], [0, 2]),
        (2, [2, 0, 2], [0]),  # `2 0` was there
        (2, [2, 0, 1], []),
        (2, [1, 1], [1]),
        (3, [2, 0, 1, 2, 0], [1]),
        (3, [2, 0], []),
    ],
)
def test_no_ngram_comes_twice(size: int, history: list[int], banned: list[int]) -> None:
    found = TokenRules(no_repeat_ngram=size).apply(torch.zeros(1, 3), torch.tensor([history]))
    assert (found[0] == -torch.inf).nonzero().flatten().tolist() == banned


def test_an_unknown_word_is_forbidden_where_it_is_the_likeliest() -> None:
    table = chain({UNK: 0.7, A: 0.2, EOS: 0.1}, {EOS: 1.0})
    [[free]] = search(table, beam=1, longest=[3])
    [[bound]] = search(table, beam=1, longest=[3], token_rules=TokenRules(forbid_unknown=True))
    assert (free.ids, bound.ids) == ((UNK,), (A,))
    assert bound.log_prob == pytest.approx(math.log(0.2))  # as the model has it


def test_penalties_change_the_rank_and_not_the_log_probability() -> None:
    """A A: log p 3 log 1/2; what search goes by is 4 log 1/2, for the second A counts twice."""
    table = chain({A: 0.5}, {A: 0.5}, {EOS: 0.5})
    [[found]] = search(table, beam=1, longest=[2], token_rules=TokenRules(repetition_penalty=2.0))
    assert found.ids == (A, A)
    assert found.log_prob == pytest.approx(3 * LOG_HALF)
    assert found.rank == pytest.approx(4 * LOG_HALF)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    coarse=st.booleans(),
    beam=st.integers(1, 5),
    shortest=st.integers(0, 2),
    longest=st.integers(2, 6),
    token_rules=TOKEN_RULES,
)
def test_constrained_search_finds_what_plain_python_finds(
    name: str, seed: int, coarse: bool, beam: int, shortest: int, longest: int, token_rules: TokenRules
) -> None:
    table = random_tables(seed, 1, coarse=coarse)
    ranking = RANKINGS[name](0.5)
    expected = plain_search(table[0].double(), beam, shortest, longest, ranking, token_rules)
    for wanted in (1, beam):
        [found] = search(
            table.double(),
            beam=beam,
            wanted=wanted,
            shortest=[shortest],
            longest=[longest],
            ranking=ranking,
            token_rules=token_rules,
        )
        assert ids_of(found) == expected[:wanted]
        for hypothesis in found:
            assert hypothesis.log_prob == pytest.approx(math.fsum(rescored(table[0], hypothesis.ids)), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), shortest=st.integers(0, 2), token_rules=TOKEN_RULES)
def test_full_width_finds_all_that_is_allowed(name: str, seed: int, shortest: int, token_rules: TokenRules) -> None:
    table, ranking = random_tables(seed, 1), RANKINGS[name](0.7)
    ranks = enumerate_all(table[0], shortest, 3, ranking, token_rules)
    [found] = search(table, beam=4**4, shortest=[shortest], longest=[3], ranking=ranking, token_rules=token_rules)
    assert sorted(ids_of(found)) == sorted(ranks)
    assert [hypothesis.rank for hypothesis in found] == pytest.approx(sorted(ranks.values(), reverse=True), abs=1e-5)


class Looking:
    """One sentence of three words and padding; log p of `table`, and weights that depend on the last token."""

    WEIGHTS = torch.tensor([[0.6, 0.3, 0.1, 0.0], [0.1, 0.8, 0.0, 0.1], [0.0, 0.2, 0.5, 0.3]])

    def __init__(self, table: Tensor) -> None:
        self.table = table

    def start(self) -> Tensor:
        return torch.zeros(len(self.table), dtype=torch.int64)  # tokens so far

    def step(self, last_ids: Tensor, state: Tensor) -> StepOutput[Tensor]:
        sentences = torch.arange(len(self.table)).repeat_interleave(len(last_ids) // len(self.table))
        steps = state.clamp(max=self.table.size(1) - 1)
        return StepOutput(self.table[sentences, steps, last_ids], self.WEIGHTS[last_ids % 3], state + 1)

    def reorder(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]

    def select_sentences(self, sentences: Tensor) -> "Looking":
        return Looking(self.table[sentences])


def covered(ids: tuple[int, ...], words: int, beta: float) -> float:
    """The coverage penalty in plain Python; `<s>` is 2."""
    rows = [Looking.WEIGHTS[token % 3].tolist() for token in (2, *ids)]
    sums = [sum(row[word] for row in rows) for word in range(words)]
    return beta * math.fsum(math.log(min(max(each, 1e-6), 1.0)) for each in sums)


def test_the_coverage_penalty_by_hand() -> None:
    """Sums 1.5 (counts as 1), 0.5 and 0 of three words; the fourth column is not a word: 0.2 (log 0.5 + log 1e-6)."""
    coverage = torch.tensor([1.5, 0.5, 0.0, 0.25], dtype=torch.float64)
    is_word = torch.tensor([True, True, True, False])
    expected = 0.2 * (LOG_HALF + math.log(1e-6))
    assert coverage_penalty(coverage, is_word, 0.2).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), beta=st.sampled_from([0.2, 1.0, 5.0]), words=st.integers(1, 3))
def test_full_width_ranks_by_coverage_too_and_stops_only_when_it_may(
    name: str, seed: int, beta: float, words: int
) -> None:
    """Two sentences, the other one shorter, so that rows leave the batch."""
    table, ranking = random_tables(seed, 2), RANKINGS[name](0.7)
    ranks = {ids: rank + covered(ids, words, beta) for ids, rank in enumerate_all(table[1], 0, 3, ranking).items()}
    expected = sorted(ranks.values(), reverse=True)
    limits = Limits(torch.tensor([0, 0]), torch.tensor([1, 3]), torch.tensor([2, words]))
    for wanted in (1, 3, 4**4):
        options = BeamOptions(4**4, wanted, ranking, with_weights=False, coverage_penalty=beta)
        _, found = beam_search(Looking(table), limits, options)
        assert [hypothesis.rank for hypothesis in found] == pytest.approx(expected[:wanted], abs=1e-5)
        assert [ranks[hypothesis.ids] for hypothesis in found] == pytest.approx(expected[:wanted], abs=1e-5)


def test_coverage_changes_which_translation_is_best() -> None:
    """Sums of `<s>` and A: 0.1, 1.0, 0.5, so log 0.05; of `<s>` and B: 0, 0.4, 1.0, so log 0.4e-6."""
    table = chain({B: 0.55, A: 0.45}, {EOS: 1.0})
    limits = Limits(torch.tensor([0]), torch.tensor([2]), torch.tensor([3]))
    for beta, best, rank in [(0.0, B, math.log(0.55)), (1.0, A, math.log(0.45 * 0.05))]:
        options = BeamOptions(2, 2, RANKINGS["none"](1.0), with_weights=False, coverage_penalty=beta)
        [found] = beam_search(Looking(table), limits, options)
        assert found[0].ids == (best,)
        assert found[0].rank == pytest.approx(rank, abs=1e-6)


def test_ngrams_of_the_result_differ() -> None:
    tables = random_tables(5, 3)
    for hypotheses in search(tables, beam=4, longest=[9, 9, 9], token_rules=TokenRules(no_repeat_ngram=2)):
        for hypothesis in hypotheses:
            pairs = list(itertools.pairwise(hypothesis.ids))
            assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    prefix=st.lists(st.sampled_from([UNK, A, B]), max_size=3),
    shortest=st.integers(0, 2),
    longest=st.integers(3, 4),
)
def test_full_width_finds_the_best_of_all_that_begin_with_the_prefix(
    name: str, seed: int, prefix: list[int], shortest: int, longest: int
) -> None:
    """Two sentences; the other has another prefix and another greatest length."""
    tables, ranking, start = random_tables(seed, 2), RANKINGS[name](0.7), tuple(prefix)
    ranks = {
        ids: rank
        for ids, rank in enumerate_all(tables[0], shortest, longest, ranking).items()
        if ids[: len(start)] == start
    }
    found, other = search(
        tables,
        beam=4**5,
        shortest=[shortest, 0],
        longest=[longest, 2],
        ranking=ranking,
        prefixes=[start, (B, A)],
    )
    assert sorted(ids_of(found)) == sorted(ranks)
    assert [hypothesis.rank for hypothesis in found] == pytest.approx(sorted(ranks.values(), reverse=True), abs=1e-5)
    assert ids_of(other) == [(B, A)]


@pytest.mark.parametrize("beam", [1, 3])
def test_a_prefix_is_kept_whatever_the_token_rules_say(beam: int) -> None:
    tables = random_tables(7, 3)
    token_rules = TokenRules(forbid_unknown=True, no_repeat_ngram=1, repetition_penalty=3.0)
    prefixes = [(A, A, UNK), (), (UNK,)]
    found = search(tables, beam=beam, longest=[5, 5, 1], token_rules=token_rules, prefixes=prefixes)
    for table, prefix, hypotheses in zip(tables, prefixes, found, strict=True):
        assert hypotheses
        for hypothesis in hypotheses:
            assert hypothesis.ids[: len(prefix)] == prefix
            assert UNK not in hypothesis.ids[len(prefix) :]
            assert hypothesis.log_prob == pytest.approx(math.fsum(rescored(table, hypothesis.ids)), abs=1e-5)
