"""Diverse groups on tables."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_tables import NAMES, A, B, TableSteps, chain, ids_of, random_tables, rescored, search
from tiny_translators import LINES, SEARCH, make_translator, texts
from torch import Tensor

from nmt_attn.errors import ConfigError
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS, Ranking
from nmt_attn.types import BOS, EOS, UNK

AVERAGE = RANKINGS["average"](1.0)


def search_groups(
    tables: Tensor, longest: list[int], *, beam: int, groups: int, penalty: float, ranking: Ranking = AVERAGE
) -> list[list[Hypothesis]]:
    """`beam` is that of each group."""
    limits = Limits(torch.zeros(len(longest), dtype=torch.int64), torch.tensor(longest))
    options = BeamOptions(beam, beam, ranking, with_weights=True, groups=groups, group_penalty=penalty)
    return beam_search(TableSteps(tables), limits, options)


def test_a_group_leaves_to_the_one_before_what_it_has_taken() -> None:
    """log 0.6 - 0.5 = -1.01 is less than log 0.4 = -0.92, and more than log 0.3 = -1.20."""
    table = chain({A: 0.6, B: 0.4}, {EOS: 1.0})
    [found] = search_groups(table, [3], beam=1, groups=2, penalty=0.5)
    assert ids_of(found) == [(A,), (B,)]
    assert [one.log_prob for one in found] == pytest.approx([math.log(0.6), math.log(0.4)])  # without the penalty
    table = chain({A: 0.6, B: 0.3, UNK: 0.1}, {EOS: 1.0})
    [found] = search_groups(table, [3], beam=1, groups=2, penalty=0.5)
    assert ids_of(found) == [(A,)]  # both the same, which is told once
    [found] = search_groups(table, [3], beam=1, groups=3, penalty=0.5)
    assert ids_of(found) == [(A,), (B,)]  # log 0.6 - 2 * 0.5 = -1.51


def plain_groups(table: Tensor, groups: int, penalty: float, longest: int) -> set[tuple[int, ...]]:
    """Groups of width 1 in plain Python."""
    found: list[tuple[int, ...]] = [()] * groups
    is_open = [True] * groups
    for length in range(longest):
        used: Counter[int] = Counter()
        for group in range(groups):
            if not is_open[group]:
                continue
            row = table[min(length, len(table) - 1), found[group][-1] if found[group] else BOS].double().tolist()
            token = max((UNK, EOS, A, B), key=lambda each: (row[each] - penalty * used[each], -each))
            if token == EOS:
                is_open[group] = False
            else:
                used[token] += 1
                found[group] = (*found[group], token)
    return set(found)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    groups=st.integers(1, 4),
    penalty=st.sampled_from([0.25, 1.0, 4.0]),
    longest=st.integers(0, 6),
)
def test_groups_of_width_one_find_what_plain_python_finds(seed: int, groups: int, penalty: float, longest: int) -> None:
    """Two sentences of different greatest length, so that one leaves the batch."""
    tables = random_tables(seed, 2)
    found = search_groups(tables, [longest, 2], beam=1, groups=groups, penalty=penalty)
    for table, hypotheses, most in zip(tables, found, (longest, 2), strict=True):
        assert set(ids_of(hypotheses)) == plain_groups(table, groups, penalty, most)
        assert len(hypotheses) == len(set(ids_of(hypotheses)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_without_a_penalty_every_group_is_the_narrower_beam(name: str, seed: int) -> None:
    tables, ranking = random_tables(seed, 3), RANKINGS[name](0.7)
    narrow = search(tables, beam=2, longest=[5, 1, 7], ranking=ranking)
    found = search_groups(tables, [5, 1, 7], beam=2, groups=3, penalty=0.0, ranking=ranking)
    assert list(map(ids_of, found)) == list(map(ids_of, narrow))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), beam=st.integers(1, 3), penalty=st.sampled_from([0.5, 2.0]))
def test_the_first_group_is_plain_search_and_all_are_ranked_as_one_list(
    name: str, seed: int, beam: int, penalty: float
) -> None:
    tables, ranking = random_tables(seed, 3), RANKINGS[name](0.7)
    longest = [4, 2, 6]
    plain = search(tables, beam=beam, longest=longest, ranking=ranking)
    one = search_groups(tables, longest, beam=beam, groups=1, penalty=penalty, ranking=ranking)
    assert list(map(ids_of, one)) == list(map(ids_of, plain))
    together = search_groups(tables, longest, beam=beam, groups=3, penalty=penalty, ranking=ranking)
    for number, hypotheses in enumerate(together):
        assert set(ids_of(plain[number])) <= set(ids_of(hypotheses))
        assert len(hypotheses) == len(set(ids_of(hypotheses))) <= 3 * beam
        order = [(not hypothesis.is_finished, -hypothesis.rank) for hypothesis in hypotheses]
        assert order == sorted(order)
        for hypothesis in hypotheses:
            log_probs = rescored(tables[number], hypothesis.ids)
            assert hypothesis.log_prob == pytest.approx(math.fsum(log_probs), abs=1e-5)
            expected = ranking.rank(torch.tensor(hypothesis.log_prob, dtype=torch.float64), len(log_probs)).item()
            assert hypothesis.rank == pytest.approx(expected, abs=1e-5)
        [alone] = search_groups(
            tables[[number]], [longest[number]], beam=beam, groups=3, penalty=penalty, ranking=ranking
        )
        assert ids_of(alone) == ids_of(hypotheses)


def test_the_best_does_not_depend_on_how_many_are_asked_for_and_the_list_is_more_diverse() -> None:
    search = SEARCH.model_copy(update={"beam": 6, "groups": 3, "group_penalty": 2.0})
    lines = [line for line in LINES if line.strip()]
    diverse = list(make_translator(search=search).translate(lines, nbest=6))
    assert texts(list(make_translator(search=search).translate(lines))) == texts(diverse)
    plain = list(make_translator(search=search.model_copy(update={"groups": 1})).translate(lines, nbest=6))
    words = [
        len({one.text.split()[0] for each in translations for one in each.hypotheses if one.text})
        for translations in (plain, diverse)
    ]
    assert words[0] < words[1]
    for translation in diverse:
        assert len({one.text for one in translation.hypotheses}) == len(translation.hypotheses)


def test_a_width_that_groups_do_not_divide_is_refused() -> None:
    translator = make_translator(search=SEARCH.model_copy(update={"beam": 6, "groups": 3}))
    with pytest.raises(ConfigError, match=r"search\.groups: expected a divisor of the beam's width, 5, got 3"):
        translator.translate([], beam=5)
