"""Phrases that must appear, on tables: against lists made by plain Python that knows no automaton."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_tables import (
    NAMES,
    VOCABULARY,
    A,
    B,
    TableSteps,
    chain,
    enumerate_all,
    ids_of,
    random_tables,
    rescored,
    search,
)
from torch import Tensor

from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.lexical_constraints import Phrase, phrases_of
from nmt_attn.search.ranking import RANKINGS, Ranking
from nmt_attn.search.token_rules import NO_RULES, TokenRules
from nmt_attn.types import EOS, PAD, UNK

AVERAGE = RANKINGS["average"](1.0)
Ids = tuple[int, ...]


class Words(NamedTuple):
    """Which tokens begin a word, and whether words are parted by A alone, so that A stands before every phrase."""

    begin: frozenset[int]
    has_blank: bool


WORDS = Words(frozenset({UNK, A, B}), has_blank=False)
PIECES = Words(frozenset({A}), has_blank=False)
CHARACTERS = Words(frozenset({A}), has_blank=True)


def phrase(ids: Ids, words: Words = WORDS) -> Phrase:
    return Phrase((A, *ids), 1) if words.has_blank else Phrase(ids, 0)


def constrained(
    tables: Tensor,
    phrases: Sequence[Sequence[Phrase]],
    *,
    beam: int,
    longest: Sequence[int],
    words: Words = WORDS,
    shortest: int = 0,
    ranking: Ranking = AVERAGE,
    constraints: TokenRules = NO_RULES,
    prefixes: Sequence[Ids] | None = None,
    groups: int = 1,
    wanted: int | None = None,
) -> list[list[Hypothesis]]:
    """Search over tables, one for each sentence."""
    begins_word = torch.tensor([token in {*words.begin, EOS} for token in range(VOCABULARY)])
    limits = Limits(torch.full((len(longest),), shortest), torch.tensor(longest))
    if any(phrases):
        limits = limits._replace(phrases=phrases_of(phrases, begins_word))
    if prefixes is not None:
        size = max(map(len, prefixes))
        padded = [[*prefix, *[PAD] * (size - len(prefix))] for prefix in prefixes]
        limits = limits._replace(prefixes=torch.tensor(padded, dtype=torch.int64))
    options = BeamOptions(
        beam,
        wanted or beam,
        ranking,
        with_weights=True,
        token_rules=constraints,
        groups=groups,
        group_penalty=0.5 if groups > 1 else 0.0,
    )
    return beam_search(TableSteps(tables), limits, options)


def lacking(ids: Ids, phrases: Sequence[Phrase], words: Words) -> int:
    """Tokens that are enough in any case, from the tokens alone."""
    text = (A, *ids) if words.has_blank else ids
    waiting, begun, afresh = 0, [], 0
    for wanted in (one.ids for one in phrases):
        ends = [end for end in range(len(wanted), len(text) + 1) if text[end - len(wanted) : end] == wanted]
        if any(end < len(text) and text[end] in words.begin for end in ends):
            continue
        if len(text) in ends:
            waiting += len(wanted)
            continue
        state = max(size for size in range(len(wanted)) if text[len(text) - size :] == wanted[:size])
        afresh += len(wanted)
        begun.append((state, wanted[state] in words.begin))
    return min([afresh, *(afresh - state + (0 if is_start else waiting) for state, is_start in begun)])


def has_all(ids: Ids, phrases: Sequence[Phrase], words: Words) -> bool:
    return lacking(ids, phrases, words) == 0


def test_a_phrase_is_put_where_it_costs_least() -> None:
    """A B </s> has 0.5 * 0.1 * 0.5; B A </s> has 0.1 * 0.5 * 0.5: of all with A and B in them, and no longer."""
    table = chain({A: 0.6, B: 0.1, EOS: 0.3}, {A: 0.3, B: 0.2, EOS: 0.5}, {A: 0.1, B: 0.1, EOS: 0.8})
    [free] = search(table, beam=3, longest=[2], wanted=1)
    [found] = constrained(table, [[phrase((B,))]], beam=3, longest=[2])
    assert B not in free[0].ids
    assert ids_of(found)[:2] == [(A, B), (B, A)]  # 0.6 * 0.2 and 0.1 * 0.3
    assert found[0].log_prob == pytest.approx(math.log(0.6 * 0.2 * 0.8))


def test_what_is_missing_comes_at_once_where_greedy_search_would_end() -> None:
    table = chain({UNK: 0.9, A: 0.1}, {EOS: 0.9, UNK: 0.05, A: 0.01, B: 0.04}, {UNK: 0.8, B: 0.01, EOS: 0.19})
    [[found]] = constrained(table, [[phrase((A, B))]], beam=1, longest=[9])
    assert found.ids[:3] == (UNK, A, B)
    assert found.log_prob == pytest.approx(math.fsum(rescored(table[0], found.ids)))


def test_at_the_greatest_length_the_phrase_is_there_all_the_same() -> None:
    """The model never wants to end, nor the phrase."""
    table = chain({UNK: 0.97, A: 0.01, B: 0.01, EOS: 0.01})
    [[found]] = constrained(table, [[phrase((A, B, A))]], beam=1, longest=[7])
    assert found.ids == (UNK, UNK, UNK, UNK, A, B, A)


def test_overlapping_phrases_may_share_tokens() -> None:
    table = chain({A: 1.0}, {B: 1.0}, {A: 0.5, UNK: 0.4, B: 0.1}, {EOS: 0.9, A: 0.05, B: 0.05})
    [found] = constrained(table, [[phrase((A, B)), phrase((B, UNK))]], beam=4, longest=[6])
    assert found[0].ids == (A, B, UNK)


def test_a_phrase_is_whole_words() -> None:
    """Pieces: A begins a word, B does not. `A B` is one word, so it does not have the phrase `A`."""
    table = chain({A: 1.0}, {B: 0.8, A: 0.1, EOS: 0.1}, {EOS: 0.9, A: 0.05, B: 0.05})
    [whole] = constrained(table, [[phrase((A,), PIECES)]], beam=3, longest=[4], words=PIECES)
    [words] = constrained(table, [[phrase((A,))]], beam=3, longest=[4])
    assert words[0].ids == (A, B)
    assert all(has_all(one.ids, [phrase((A,), PIECES)], PIECES) for one in whole)
    assert (A, B) not in ids_of(whole)


def test_at_the_beginning_no_blank_is_needed() -> None:
    [[found]] = constrained(
        chain({B: 0.9, A: 0.1}, {EOS: 1.0}), [[phrase((B,), CHARACTERS)]], beam=1, longest=[3], words=CHARACTERS
    )
    assert found.ids == (B,)


PHRASES = st.lists(
    st.lists(st.sampled_from([UNK, A, B]), min_size=1, max_size=2).map(tuple), min_size=1, max_size=2, unique=True
)


def as_phrases(texts: Sequence[Ids], words: Words) -> list[Phrase]:
    """The texts as phrases of this kind of tokens: pieces begin with A, letters have no A in them."""
    if words is PIECES:
        texts = [(A, *text[1:]) for text in texts]
    if words is CHARACTERS:
        texts = [tuple(B if token == A else token for token in text) for text in texts]
    return [phrase(text, words) for text in dict.fromkeys(texts)]


@pytest.mark.parametrize("words", [WORDS, PIECES, CHARACTERS], ids=["words", "pieces", "characters"])
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    texts=PHRASES,
    shortest=st.integers(0, 2),
    name=st.sampled_from(NAMES),
    prefix=st.lists(st.sampled_from([UNK, A, B]), max_size=2).map(tuple),
)
def test_full_width_finds_all_that_have_the_phrases_and_no_other(
    words: Words, seed: int, texts: list[Ids], shortest: int, name: str, prefix: Ids
) -> None:
    """Beside a sentence without phrases, which goes its own way."""
    phrases, longest = as_phrases(texts, words), 4
    if len(prefix) + lacking(prefix, phrases, words) > longest:
        return
    tables, ranking = random_tables(seed, 2), RANKINGS[name](0.7)
    ranks = {
        ids: rank
        for ids, rank in enumerate_all(tables[0], shortest, longest, ranking).items()
        if ids[: len(prefix)] == prefix
        and has_all(ids, phrases, words)
        and all(lacking(ids[:end], phrases, words) <= longest - end for end in range(len(prefix), len(ids)))
    }
    found, other = constrained(
        tables,
        [phrases, []],
        beam=4**5,
        longest=[longest, 2],
        words=words,
        shortest=shortest,
        ranking=ranking,
        prefixes=[prefix, ()],
    )
    assert sorted(ids_of(found)) == sorted(ranks)
    assert [one.rank for one in found] == pytest.approx(sorted(ranks.values(), reverse=True), abs=1e-5)
    assert sorted(ids_of(other)) == sorted(enumerate_all(tables[1], shortest, 2, ranking))


@pytest.mark.parametrize("words", [WORDS, PIECES, CHARACTERS], ids=["words", "pieces", "characters"])
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    coarse=st.booleans(),
    texts=st.lists(PHRASES, min_size=3, max_size=3),
    beam=st.integers(1, 4),
    groups=st.integers(1, 2),
    spare=st.integers(0, 3),
    no_repeat_ngram=st.sampled_from([None, 1, 2]),
)
def test_however_narrow_the_beam_every_hypothesis_has_the_phrases(
    words: Words,
    seed: int,
    coarse: bool,
    texts: list[list[Ids]],
    beam: int,
    groups: int,
    spare: int,
    no_repeat_ngram: int | None,
) -> None:
    """Alone as in the batch; no token is impossible."""
    tables = random_tables(seed, 3, coarse=coarse).clamp(min=-9.0)
    phrases = [as_phrases(each, words) for each in texts]
    phrases[1] = []
    longest = [lacking((), each, words) + spare for each in phrases]
    arguments = {"beam": beam, "words": words, "groups": groups, "constraints": TokenRules(False, no_repeat_ngram)}
    found = constrained(tables, phrases, longest=longest, **arguments)  # type: ignore[arg-type]
    for number, hypotheses in enumerate(found):
        assert hypotheses
        assert len(set(ids_of(hypotheses))) == len(hypotheses)
        [alone] = constrained(tables[[number]], [phrases[number]], longest=[longest[number]], **arguments)  # type: ignore[arg-type]
        assert ids_of(alone) == ids_of(hypotheses)
        for one in hypotheses:
            assert len(one.ids) <= longest[number]
            assert has_all(one.ids, phrases[number], words)
            assert one.log_prob == pytest.approx(math.fsum(rescored(tables[number], one.ids)), abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(
        st.lists(st.sampled_from([UNK, A, B]), min_size=1, max_size=5).map(tuple), min_size=1, max_size=3, unique=True
    ),
    ids=st.lists(st.sampled_from([UNK, A, B]), max_size=9),
    words=st.sampled_from([WORDS, PIECES, CHARACTERS]),
)
def test_progress_is_what_the_tokens_alone_say(texts: list[Ids], ids: list[int], words: Words) -> None:
    phrases = as_phrases(texts, words)
    begins_word = torch.tensor([token in {*words.begin, EOS} for token in range(VOCABULARY)])
    machine = phrases_of([phrases, [phrase((B,), words)]], begins_word)
    states = machine.start().states  # [2, 1, P]
    for end, token in enumerate(ids, 1):
        states = machine.advance(states, torch.tensor([[token], [UNK]]))
        assert machine.missing(states)[0].tolist() == [lacking(tuple(ids[:end]), phrases, words)]


def test_each_bank_has_a_place_so_that_the_phrase_need_not_wait_for_the_end() -> None:
    """A A A ... is the likeliest by far: its like would fill a beam that does not care until B is forced."""
    table = chain({A: 0.90, UNK: 0.09, B: 0.01}, {A: 0.9, UNK: 0.09, B: 0.01}, {EOS: 0.9, A: 0.09, B: 0.01})
    [found] = constrained(table, [[phrase((B,))]], beam=2, longest=[8], ranking=RANKINGS["none"](1.0))
    assert found[0].ids == (A, B)
