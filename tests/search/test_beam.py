"""Search over hand-written tables of log p(next | step, last); no model."""

import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_tables import (
    BY_LOG_PROB,
    NAMES,
    VOCABULARY,
    A,
    B,
    History,
    TableSteps,
    chain,
    enumerate_all,
    ids_of,
    plain_search,
    random_tables,
    rescored,
    search,
)
from torch import Tensor

from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.expansion import top_candidates
from nmt_attn.search.ranking import RANKINGS, Ranking
from nmt_attn.types import BOS, EOS, PAD, UNK, StepOutput


def test_greedy_takes_the_best_token_and_a_wider_beam_the_better_sentence() -> None:
    table = torch.full((1, 2, VOCABULARY, VOCABULARY), -torch.inf)
    table[0, 0, BOS, [A, B]] = torch.tensor([0.6, 0.4]).log()
    table[0, 1, A, [A, EOS]] = torch.tensor([0.5, 0.5]).log()  # 0.6 * 0.5 = 0.3
    table[0, 1, B, EOS] = 0.0  # 0.4 * 1 = 0.4
    table[0, 1, A, EOS] += 1e-3  # so that greedy search ends here
    [greedy], [wide] = (search(table, beam=beam, longest=[3]) for beam in (1, 2))
    assert ids_of(greedy) == [(A,)]
    assert ids_of(wide) == [(B,), (A,)]
    assert wide[0].log_prob == pytest.approx(math.log(0.4))
    assert wide[0].token_log_probs == pytest.approx([math.log(0.4), 0.0])


def test_a_finished_hypothesis_is_never_extended() -> None:
    """After `</s>` the table would give A for nothing."""
    table = torch.full((1, 4, VOCABULARY, VOCABULARY), -torch.inf)
    table[0, 0, BOS, [A, EOS]] = torch.tensor([0.5, 0.5]).log()
    table[0, :, EOS, A] = 0.0
    table[0, :, A, [A, EOS]] = torch.tensor([0.5, 0.5]).log()
    [hypotheses] = search(table, beam=3, longest=[3])
    assert ids_of(hypotheses) == [(), (A,), (A, A)]


def test_length_rankings_prefer_the_longer_hypothesis() -> None:
    """p(</s>) = 0.3 at once, p(A </s>) = 0.7 * 0.35 = 0.245: log -1.204 and -1.406; averages -1.204 and -0.703."""
    table = chain({EOS: 0.3, A: 0.7}, {EOS: 0.35})
    best = {name: search(table, beam=3, longest=[1], ranking=RANKINGS[name](1.0))[0][0] for name in NAMES}
    assert {name: hypothesis.ids for name, hypothesis in best.items()} == {
        "none": (),
        "average": (A,),
        "gnmt": (),  # -1.204 / 1 and -1.406 / (7 / 6) = -1.205
        "reward": (A,),
    }
    assert best["average"].rank == pytest.approx(math.log(0.245) / 2)


def test_an_early_stop_misses_what_ranks_higher_only_later() -> None:
    """p(</s>) = 0.5: -0.693 on average. A, closed at once, has log(0.2) / 2 = -0.805; A A has log(0.2) / 3 = -0.536."""
    table = chain({EOS: 0.5, A: 0.2}, {A: 1.0}, {EOS: 1.0})
    average = RANKINGS["average"](1.0)
    [exact], [early] = (
        search(table, beam=2, wanted=1, longest=[3], ranking=average, lookahead=lookahead) for lookahead in (None, 0)
    )
    assert [ids_of(exact)[0], ids_of(early)[0]] == [(A, A), ()]


@pytest.mark.parametrize(("lookahead", "best"), [(0, ()), (1, ()), (2, (A, A, A)), (9, (A, A, A)), (None, (A, A, A))])
def test_a_lookahead_grants_tokens_at_no_cost(lookahead: int | None, best: tuple[int, ...]) -> None:
    """As above with p(A) = 0.1: log(0.1) / 2 = -1.151, / 3 = -0.768, and with a third A / 4 = -0.576 > log 0.5."""
    table = chain({EOS: 0.5, A: 0.1}, {A: 1.0}, {A: 1.0}, {EOS: 1.0})
    average = RANKINGS["average"](1.0)
    [found] = search(table, beam=2, wanted=1, longest=[4], ranking=average, lookahead=lookahead)
    assert ids_of(found)[0] == best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(NAMES), st.integers(2, 4))
def test_an_early_stop_ranks_nothing_higher_and_is_no_other_search_by_log_p(seed: int, name: str, beam: int) -> None:
    table, ranking = random_tables(seed, 1), RANKINGS[name](1.0)
    exact, early = (
        search(table, beam=beam, longest=[5], ranking=ranking, lookahead=lookahead)[0] for lookahead in (None, 0)
    )
    assert (early[0].is_finished, early[0].rank) <= (exact[0].is_finished, exact[0].rank)
    assert all(sum(rescored(table[0], each.ids)) == pytest.approx(each.log_prob) for each in early)
    assert name != "none" or ids_of(early) == ids_of(exact)


def test_at_the_greatest_length_hypotheses_are_cut_with_the_log_probability_of_the_end() -> None:
    table = chain({A: 0.9, EOS: 0.1}, {A: 0.8, B: 0.15, EOS: 0.05})
    [[cut]] = search(table, beam=1, longest=[2])
    assert cut.ids == (A, A)
    assert not cut.is_finished
    assert cut.log_prob == pytest.approx(math.log(0.9 * 0.8 * 0.05))
    assert cut.token_log_probs == pytest.approx([math.log(0.9), math.log(0.8), math.log(0.05)])


def test_a_cut_hypothesis_comes_after_a_finished_one() -> None:
    """Width 2 finishes with p 0.1 at once; what is cut after two tokens has 0.9 * 0.8 * 0.2 = 0.144 and more."""
    table = chain({A: 0.9, EOS: 0.1}, {A: 0.8, B: 0.2}, {EOS: 0.2, A: 0.5, B: 0.3})
    [hypotheses] = search(table, beam=2, longest=[2])
    assert [(hypothesis.ids, hypothesis.is_finished) for hypothesis in hypotheses] == [((), True), ((A, A), False)]
    assert hypotheses[1].rank > hypotheses[0].rank


def test_the_shortest_length_is_kept_without_touching_the_log_probabilities() -> None:
    table = chain({EOS: 0.9, A: 0.1})
    [[hypothesis]] = search(table, beam=1, shortest=[2], longest=[5])
    assert hypothesis.ids == (A, A)
    assert hypothesis.log_prob == pytest.approx(math.log(0.1 * 0.1 * 0.9))


def test_a_greatest_length_of_zero_gives_the_empty_hypothesis() -> None:
    [[hypothesis]] = search(chain({EOS: 0.25, A: 0.75}), beam=1, longest=[0])
    assert hypothesis.ids == ()
    assert hypothesis.log_prob == pytest.approx(math.log(0.25))


def test_padding_and_start_are_never_produced_but_unknown_words_are() -> None:
    [hypotheses] = search(chain({PAD: 0.5, BOS: 0.3, UNK: 0.1, EOS: 0.1}), beam=4, longest=[2])
    assert {token for hypothesis in hypotheses for token in hypothesis.ids} == {UNK}


@pytest.mark.parametrize("damage", [math.nan, -math.inf])
def test_a_sentence_without_probabilities_has_no_hypothesis_and_leaves_the_others_alone(damage: float) -> None:
    tables = random_tables(3, 2)
    alone = search(tables[1:], beam=2, longest=[3])
    tables[0] = damage
    assert [ids_of(hypotheses) for hypotheses in search(tables, beam=2, longest=[3, 3])] == [[], ids_of(alone[0])]


def test_no_sentence_gives_no_result() -> None:
    assert search(random_tables(1, 0), beam=2, longest=[]) == []


def test_of_equal_hypotheses_the_shorter_one_wins_then_the_better_parent_then_the_lower_id() -> None:
    table = torch.full((1, 3, VOCABULARY, VOCABULARY), -torch.inf)
    table[0, 0, BOS, [EOS, A, B]] = torch.tensor([-2.0, -1.0, -0.5])
    table[0, 1, A, [A, B]] = torch.tensor([-0.5, -0.5])
    table[0, 1, B, [A, B, EOS]] = torch.tensor([-1.0, -1.0, -1.5])
    table[0, 2, :, EOS] = -0.5  # every sequence of two tokens has -2, as `</s>` and `B </s>` have
    [hypotheses] = search(table, beam=5, longest=[2])
    assert [hypothesis.log_prob for hypothesis in hypotheses] == [-2.0] * 5
    assert ids_of(hypotheses) == [(), (B,), (B, A), (B, B), (A, A)]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=125, deadline=None)  # 500 tables over the rankings
@given(seed=st.integers(0, 10**6), coarse=st.booleans(), shortest=st.integers(0, 2), longest=st.integers(2, 3))
def test_full_width_finds_what_enumeration_finds(
    name: str, seed: int, coarse: bool, shortest: int, longest: int
) -> None:
    table = random_tables(seed, 1, coarse=coarse)
    ranking = RANKINGS[name](0.7)
    ranks = enumerate_all(table[0], shortest, longest, ranking)
    [found] = search(table, beam=4**4, shortest=[shortest], longest=[longest], ranking=ranking)
    assert sorted(ids_of(found)) == sorted(ranks)
    assert [hypothesis.rank for hypothesis in found] == pytest.approx(sorted(ranks.values(), reverse=True))
    assert all(hypothesis.is_finished for hypothesis in found)
    [best] = search(table, beam=4**4, wanted=1, shortest=[shortest], longest=[longest], ranking=ranking)
    assert ids_of(best) == ids_of(found)[:1]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    coarse=st.booleans(),
    beam=st.integers(1, 5),
    shortest=st.integers(0, 2),
    longest=st.integers(2, 9),
    alpha=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_stopping_early_changes_nothing(
    name: str, seed: int, coarse: bool, beam: int, shortest: int, longest: int, alpha: float
) -> None:
    """Against plain Python that looks at no rank before the end, for every length of the list; ties included."""
    table = random_tables(seed, 1, coarse=coarse)
    ranking = RANKINGS[name](alpha)
    expected = plain_search(table[0], beam, shortest, longest, ranking)
    for wanted in range(1, beam + 1):
        [found] = search(table, beam=beam, wanted=wanted, shortest=[shortest], longest=[longest], ranking=ranking)
        assert ids_of(found) == expected[:wanted]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), longest=st.integers(0, 7))
def test_width_one_is_greedy(name: str, seed: int, longest: int) -> None:
    table = random_tables(seed, 1)
    table[..., [PAD, BOS]] = -torch.inf
    greedy: tuple[int, ...] = ()
    for step in range(longest):
        token = int(table[0, min(step, 3), greedy[-1] if greedy else BOS].argmax())
        if token == EOS:
            break
        greedy = (*greedy, token)
    [[found]] = search(table, beam=1, longest=[longest], ranking=RANKINGS[name](1.0))
    assert found.ids == greedy


class Case(NamedTuple):
    """Five sentences of different lengths."""

    tables: Tensor
    shortest: list[int]
    longest: list[int]

    def search(self, order: list[int], beam: int, ranking: Ranking) -> list[list[Hypothesis]]:
        return search(
            self.tables[order],
            beam=beam,
            shortest=[self.shortest[number] for number in order],
            longest=[self.longest[number] for number in order],
            ranking=ranking,
        )


def five_sentences(seed: int, *, coarse: bool = False) -> Case:
    return Case(random_tables(seed, 5, coarse=coarse), shortest=[0, 2, 0, 1, 0], longest=[7, 2, 11, 3, 5])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), coarse=st.booleans(), beam=st.integers(1, 4), order=st.permutations(list(range(5))))
def test_the_other_sentences_of_the_batch_and_their_order_change_nothing(
    name: str, seed: int, coarse: bool, beam: int, order: list[int]
) -> None:
    case, ranking = five_sentences(seed, coarse=coarse), RANKINGS[name](0.7)
    together = case.search(order, beam, ranking)
    for number, hypotheses in zip(order, together, strict=True):
        [alone] = case.search([number], beam, ranking)
        assert [without_weights(one) for one in alone] == [without_weights(one) for one in hypotheses]
        assert all(torch.equal(a.weights, b.weights) for a, b in zip(alone, hypotheses, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_reported_belongs_to_the_hypothesis(seed: int) -> None:
    case = five_sentences(seed)
    for sentence, hypotheses in enumerate(case.search(list(range(5)), 4, RANKINGS["average"](1.0))):
        assert len(set(ids_of(hypotheses))) == len(hypotheses) == 4
        for hypothesis in hypotheses:
            ids, table = hypothesis.ids, case.tables[sentence]
            assert case.shortest[sentence] <= len(ids) <= case.longest[sentence]
            assert hypothesis.token_log_probs == pytest.approx(rescored(table, ids))
            assert hypothesis.log_prob == pytest.approx(math.fsum(rescored(table, ids)), abs=1e-5)
            assert hypothesis.rank == pytest.approx(hypothesis.log_prob / (len(ids) + 1))
            history = torch.tensor([BOS, *ids]).expand(len(ids) + 1, -1).tril()  # row t: what was known at step t
            assert hypothesis.weights is not None
            assert torch.equal(hypothesis.weights[:, : len(ids) + 1], history.float())


def test_weights_are_left_out_on_demand() -> None:
    limits = Limits(torch.tensor([0]), torch.tensor([3]))
    options = BeamOptions(2, 2, BY_LOG_PROB, with_weights=False)
    [hypotheses] = beam_search(TableSteps(random_tables(1, 1)), limits, options)
    assert [hypothesis.weights for hypothesis in hypotheses] == [None, None]


def rows_of_each_step(tables: Tensor, longest: list[int], options: BeamOptions) -> list[int]:
    rows: list[int] = []

    class Counting(TableSteps):
        def step(self, last_ids: Tensor, state: History) -> StepOutput[History]:
            rows.append(len(last_ids))
            return super().step(last_ids, state)

        def select_sentences(self, sentences: Tensor) -> "Counting":
            return Counting(self.log_probs[sentences])

    limits = Limits(torch.zeros(len(longest), dtype=torch.int64), torch.tensor(longest))
    beam_search(Counting(tables), limits, options)
    return rows


def test_the_work_shrinks_as_sentences_stop() -> None:
    tables = chain({A: 0.9, EOS: 0.1}).expand(3, -1, -1, -1)
    rows = rows_of_each_step(tables, [1, 4, 2], BeamOptions(1, 1, BY_LOG_PROB, with_weights=False))
    assert rows == [3, 3, 2, 1, 1]  # lengths 0..4; nobody ends before its greatest length


def test_batches_shrink_to_few_sizes() -> None:
    """One of 23 sentences stops after each step; of 9 that go on a tenth place is kept, and so on."""
    tables = chain({A: 0.9, EOS: 0.1}).expand(23, -1, -1, -1)
    rows = rows_of_each_step(tables, list(range(23)), BeamOptions(1, 1, BY_LOG_PROB, with_weights=False))
    assert rows == [23, 23, 23, 20, 20, 20, 20, 16, 16, 14, 14, 12, 12, 10, 10, 8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(("wanted", "steps"), [(1, 2), (2, 4)])
def test_a_sentence_stops_when_nothing_open_can_enter_its_list(wanted: int, steps: int) -> None:
    """p(A </s>) = 0.5; what is open then has 0.3 (A A), so nothing better can come: one hypothesis is settled.

    p(A A </s>) = 0.3 * 0.4 = 0.12 is the second; what is open then has 0.3 * 0.6 = 0.18, and after one more 0.0018.
    """
    table = chain({A: 1.0}, {EOS: 0.5, A: 0.3, B: 0.01}, {EOS: 0.4, A: 0.6}, {EOS: 0.01, A: 0.01})
    rows = rows_of_each_step(table, [9], BeamOptions(2, wanted, BY_LOG_PROB, with_weights=False))
    assert len(rows) == steps


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.lists(st.sampled_from([0.0, -1.0, -2.0]), min_size=7, max_size=7), min_size=1, max_size=5),
    count=st.integers(1, 8),
)
def test_top_takes_equal_values_from_left_to_right(values: list[list[float]], count: int) -> None:
    greatest, columns = top_candidates(torch.zeros(len(values), 1), torch.tensor(values), count)
    for row, found, places in zip(values, greatest.tolist(), columns.tolist(), strict=True):
        assert places == sorted(range(7), key=lambda column: (-row[column], column))[:count]
        assert found == [row[column] for column in places]


def without_weights(hypothesis: Hypothesis) -> Hypothesis:
    return hypothesis._replace(weights=None)
