"""Samples: drawn from tables, and from tiny models."""

import math
from collections import Counter
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_tables import BY_LOG_PROB, VOCABULARY, A, B, TableSteps, chain, ids_of, random_tables, rescored
from tiny_translators import LINES, MODELS, make_codecs, make_model, make_translator
from torch import Tensor

from nmt_attn.config.schema import SearchConfig
from nmt_attn.errors import ConfigError
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ensemble import EnsembleTranslator
from nmt_attn.search.sampling import Sampling, draw, draws_of
from nmt_attn.search.token_rules import NO_RULES, TokenRules
from nmt_attn.search.translator import Translator
from nmt_attn.types import EOS, UNK

PROBABILITIES = [0.1, 0.4, 0.0, 0.3, 0.2]


def shares(sampling: Sampling, draws: int = 20_000) -> list[float]:
    """How often each token of PROBABILITIES is drawn, by evenly spread numbers."""
    numbers = (torch.arange(draws) + 0.5).double() / draws
    log_probs = torch.tensor(PROBABILITIES).log().expand(draws, -1)
    counts = draw(log_probs, numbers, sampling).bincount(minlength=len(PROBABILITIES))
    return (counts / draws).tolist()


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), PROBABILITIES),
        (Sampling(temperature=0.5), [1 / 30, 16 / 30, 0, 9 / 30, 4 / 30]),  # squares 1, 16, 0, 9, 4 hundredths
        (Sampling(top_k=1), [0, 1, 0, 0, 0]),
        (Sampling(top_k=2), [0, 4 / 7, 0, 3 / 7, 0]),
        (Sampling(top_k=9), PROBABILITIES),
        (Sampling(top_p=0.4), [0, 1, 0, 0, 0]),
        (Sampling(top_p=0.41), [0, 4 / 7, 0, 3 / 7, 0]),
        (Sampling(top_p=1.0), PROBABILITIES),
        (Sampling(top_k=3, top_p=0.7), [0, 4 / 7, 0, 3 / 7, 0]),  # of 4/9, 3/9, 2/9 the first two hold 7/9
    ],
)
def test_tokens_are_drawn_as_often_as_by_hand(sampling: Sampling, expected: list[float]) -> None:
    assert shares(sampling) == pytest.approx(expected, abs=2e-4)


def test_of_equal_tokens_the_first_stay_within_the_cut() -> None:
    found = draw(torch.zeros(100, 4), torch.arange(100).double() / 100, Sampling(top_k=2))
    assert set(found.tolist()) == {0, 1}


@pytest.mark.parametrize("number", [0.0, math.nextafter(1, 0)])
def test_the_ends_of_the_range_fall_on_possible_tokens(number: float) -> None:
    """Sums of these p are no powers of two; the last token is impossible, and so is the first."""
    log_probs = torch.tensor([[-math.inf, -0.3, -1.7, -2.9, -math.inf]])
    found = draw(log_probs, torch.tensor([number], dtype=torch.float64), Sampling())
    assert found.item() == (1 if number == 0 else 3)


def test_each_line_and_each_sample_has_numbers_of_its_own_that_depend_on_nothing_else() -> None:
    many = draws_of(Sampling(seed=7), [1, 2, 5], samples=4, steps=6)
    assert len(many.flatten().unique()) == 3 * 4 * 6
    assert torch.equal(draws_of(Sampling(seed=7), [5], samples=2, steps=3), many[2:, :2, :3])
    assert not torch.equal(draws_of(Sampling(seed=8), [5], samples=2, steps=3), many[2:, :2, :3])


def test_the_largest_seeds_differ_too() -> None:
    first, second = (draws_of(Sampling(seed=(1 << 64) - number), [1], samples=1, steps=6) for number in (1, 2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"temperature": 0.0}, r"temperature: expected a number above 0, got 0\.0"),
        ({"temperature": math.nan}, r"temperature: expected a number above 0, got nan"),
        ({"top_k": 0}, r"top_k: expected at least 1, got 0"),
        ({"top_p": 1.5}, r"top_p: expected a share above 0 and up to 1, got 1\.5"),
        ({"top_p": 0.0}, r"top_p: expected a share above 0 and up to 1, got 0\.0"),
        ({"seed": -1}, r"seed: expected a whole number from 0 .*, got -1"),
    ],
)
def test_numbers_that_make_no_distribution_are_refused(keys: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Sampling(**keys)  # type: ignore[arg-type]


def sample(
    tables: Tensor,
    samples: int,
    sampling: Sampling = Sampling(),  # noqa: B008
    *,
    shortest: int = 0,
    longest: int = 3,
    token_rules: TokenRules = NO_RULES,
    prefix: tuple[int, ...] = (),
) -> list[list[Hypothesis]]:
    """`samples` of each table; their lines are 1, 2, ..."""
    sentences = len(tables)
    prefixes = torch.tensor([prefix] * sentences, dtype=torch.int64) if prefix else None
    draws = draws_of(sampling, range(1, sentences + 1), samples, longest + 1)
    lengths = [torch.full((sentences,), length) for length in (shortest, longest)]
    limits = Limits(lengths[0], lengths[1], prefixes=prefixes, draws=draws)
    options = BeamOptions(
        1, 1, BY_LOG_PROB, with_weights=True, token_rules=token_rules, groups=samples, sampling=sampling
    )
    return beam_search(TableSteps(tables), limits, options)


def test_sentences_come_as_often_as_their_probability_says() -> None:
    """`</s>` 0.2, A 0.5 and B 0.3; then `</s>` 0.6 or A 0.4; then `</s>`: seven sentences at most."""
    table = chain({EOS: 0.2, A: 0.5, B: 0.3}, {EOS: 0.6, A: 0.4}, {EOS: 1.0})
    [found] = sample(table, 2000)
    expected = {(): 0.2, (A,): 0.3, (B,): 0.18, (A, A): 0.2, (B, A): 0.12}
    counts = Counter(ids_of(found))
    assert set(counts) == set(expected)
    for ids, probability in expected.items():
        deviation = math.sqrt(probability * (1 - probability) / 2000)
        assert abs(counts[ids] / 2000 - probability) < 4 * deviation


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shortest=st.integers(0, 2),
    longest=st.integers(2, 5),
    top_k=st.sampled_from([None, 1, 2]),
    prefix=st.lists(st.sampled_from([UNK, A, B]), max_size=2),
    forbid_unknown=st.booleans(),
    no_repeat_ngram=st.sampled_from([None, 2]),
)
def test_samples_keep_to_what_is_asked_for_and_tell_their_log_probability(
    seed: int,
    shortest: int,
    longest: int,
    top_k: int | None,
    prefix: list[int],
    forbid_unknown: bool,
    no_repeat_ngram: int | None,
) -> None:
    tables = random_tables(seed, 3)
    found = sample(
        tables,
        4,
        Sampling(top_k=top_k, seed=seed),
        shortest=shortest,
        longest=longest,
        token_rules=TokenRules(forbid_unknown, no_repeat_ngram),
        prefix=tuple(prefix),
    )
    for table, samples in zip(tables, found, strict=True):
        assert len(samples) == 4
        for one in samples:
            assert shortest <= len(one.ids) <= longest
            assert one.ids[: len(prefix)] == tuple(prefix)
            free = one.ids[len(prefix) :]
            assert not (forbid_unknown and UNK in free)
            pairs = list(zip(one.ids, one.ids[1:], strict=False))
            assert no_repeat_ngram is None or len(pairs) == len(set(pairs))
            assert one.log_prob == pytest.approx(math.fsum(rescored(table, one.ids)), abs=1e-5)
            assert one.rank == pytest.approx(one.log_prob, abs=1e-5)
            assert one.weights is not None
            assert one.weights[-1, 1 : len(one.ids) + 1].tolist() == list(one.ids)  # its own row, last step


def test_the_likeliest_token_alone_is_greedy_search() -> None:
    tables = random_tables(3, 4)
    limits = Limits(torch.zeros(4, dtype=torch.int64), torch.full((4,), 6))
    greedy = beam_search(TableSteps(tables), limits, BeamOptions(1, 1, BY_LOG_PROB, with_weights=False))
    found = sample(tables, 2, Sampling(top_k=1), longest=6)
    assert [ids_of(samples) for samples in found] == [ids_of(one) * 2 for one in greedy]


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_sample_depends_on_the_seed_and_the_line_alone(model: str) -> None:
    """Not on the batch, the window, how many samples there are, nor on the other lines."""
    translator = make_translator(model)
    drawn = partial(translator.translate, sample=True, temperature=1.3)
    three = list(drawn(LINES, nbest=3, seed=5))
    two = list(drawn(LINES, nbest=2, seed=5, batch_size=2, window_lines=4))
    for one, other in zip(three, two, strict=True):
        assert [each.text for each in other.hypotheses] == [each.text for each in one.hypotheses[:2]]
    others = list(drawn(["das Haus"] * 2 + LINES[2:], nbest=3, seed=5))
    assert [each.text for each in others[6].hypotheses] == [each.text for each in three[6].hypotheses]
    assert len({each.text for each in others[0].hypotheses + others[1].hypotheses}) > 3  # equal lines, other draws
    again = list(drawn(LINES, nbest=3, seed=6))
    assert [one.text for one in again] != [one.text for one in three]


def test_every_sample_has_its_own_alignment_and_unknown_words_are_replaced() -> None:
    codecs = make_codecs("word")
    members = [Translator(make_model(MODELS[name], codecs), codecs, SearchConfig()) for name in ("bahdanau", "luong")]
    found = EnsembleTranslator(members, "linear").translate(
        ["die Katze sieht", "das Haus"], nbest=4, sample=True, replace_unknown=True, prefixes=["the", ""]
    )
    for translation in found:
        assert len(translation.hypotheses) == 4
        for hypothesis in translation.hypotheses:
            assert hypothesis.alignment is not None
            assert hypothesis.alignment.target == tuple(hypothesis.text.split())
            assert "<unk>" not in hypothesis.text
            torch.testing.assert_close(
                hypothesis.alignment.weights.sum(1), torch.ones(len(hypothesis.alignment.target) + 1)
            )


@pytest.mark.parametrize(
    ("beam", "nbest", "search", "message"),
    [
        (5, 1, SearchConfig(), r"beam: expected none or 1 with sampling, which draws and does not search, got 5"),
        (None, 0, SearchConfig(), r"nbest: expected at least 1, got 0"),
        (None, 1, SearchConfig(groups=5), r"search\.groups: expected 1 with sampling, .*, got 5"),
    ],
)
def test_what_only_a_search_has_is_refused(beam: int | None, nbest: int, search: SearchConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_translator(search=search).translate([], beam=beam, nbest=nbest, sample=True)


def test_more_samples_than_the_vocabulary_has_tokens_are_no_matter() -> None:
    [found] = sample(random_tables(1, 1), 3 * VOCABULARY)
    assert len(found) == 3 * VOCABULARY
