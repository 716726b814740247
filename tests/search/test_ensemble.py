"""Ensembles on tables, and of tiny models."""

import math

import pytest
import torch
from search_tables import NAMES, TableSteps, ids_of, plain_search, random_tables
from tiny_translators import LINES, MODELS, SEARCH, forced, make_codecs, make_model, texts

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.data.codec import Codecs
from nmt_attn.data.tokenizer import TextOptions
from nmt_attn.errors import ConfigError
from nmt_attn.options.translation import SearchOptions
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ensemble import COMBINATIONS, Combination, EnsembleSteps, EnsembleTranslator, linear, log_linear
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.searcher import Searcher
from nmt_attn.search.translator import Translator

KINDS: list[Combination] = ["linear", "log-linear"]


def test_two_distributions_are_mixed_as_by_hand() -> None:
    """Means 0.5, 0.5; roots of 0.8 * 0.2 = 0.16 for both, so 0.5; with (0.9, 0.1) and (0.5, 0.5): 0.75 / 0.25."""
    first = torch.tensor([[0.8, 0.2], [0.9, 0.1]]).log()
    second = torch.tensor([[0.2, 0.8], [0.1, 0.9]]).log()
    third = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    torch.testing.assert_close(linear([first, third]).exp(), torch.tensor([[0.8, 0.2], [0.7, 0.3]]))
    torch.testing.assert_close(log_linear([first, second]).exp(), torch.full((2, 2), 0.5))
    torch.testing.assert_close(log_linear([first, third]).exp(), torch.tensor([[0.8, 0.2], [0.75, 0.25]]))


def test_what_is_impossible_for_one_is_impossible_for_all_only_in_the_log_linear_way() -> None:
    first, second = torch.tensor([[0.0, -math.inf]]), torch.tensor([[0.5, 0.5]]).log()
    torch.testing.assert_close(linear([first, second]).exp(), torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(log_linear([first, second]).exp(), torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_searching_with_three_tables_is_searching_with_their_mixture(kind: Combination, name: str) -> None:
    """Sentences end at different lengths, so that rows leave every member."""
    tables = [random_tables(seed, 3) for seed in (1, 2, 3)]
    steps = EnsembleSteps(tuple(map(TableSteps, tables)), attending=(0, 2), combination=kind)
    limits = Limits(torch.tensor([0, 0, 1]), torch.tensor([2, 5, 9]))
    ranking = RANKINGS[name](0.5)
    found = beam_search(steps, limits, BeamOptions(4, 4, ranking, with_weights=True))
    for sentence, hypotheses in enumerate(found):
        mixed = COMBINATIONS[kind]([table[sentence] for table in tables])
        shortest, longest = (int(limit[sentence]) for limit in limits[:2])
        assert ids_of(hypotheses) == plain_search(mixed, 4, shortest, longest, ranking)[:4]


def make_translators(*names: str) -> list[Translator]:
    codecs = make_codecs("word")
    sections = MODELS | {"plain": {"attention": {"score": "none"}}}
    return [Translator(make_model(sections[name], codecs), codecs, SEARCH, name) for name in names]


def test_recorded_steps_of_one_model_are_not_taken_for_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU a translator searches by recorded steps of its model, which an ensemble must not inherit."""
    members = make_translators("bahdanau", "luong")
    ensemble = EnsembleTranslator(members, "linear")
    monkeypatch.setattr(Searcher, "_recorded", property(lambda self: pytest.fail("the first model's alone")))
    assert len(ensemble.translate(LINES)) == len(LINES)


def test_an_ensemble_counts_metrics_as_its_first_model_does() -> None:
    """By which `search.mbr` chooses."""
    codecs = make_codecs("word")
    model = make_model(MODELS["luong"], codecs)
    counts = EvaluateConfig(tokenize="char")
    members = [Translator(model, codecs, SEARCH, evaluate=each) for each in (counts, None)]
    request = EnsembleTranslator(members, "linear").request(SearchOptions(), with_alignments=False)
    assert request.evaluate == counts != EvaluateConfig()


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_itself_is_that_model(kind: Combination) -> None:
    [alone] = make_translators("luong")
    expected = list(alone.translate(LINES, with_alignments=False))
    found = list(EnsembleTranslator([alone, alone], kind).translate(LINES, with_alignments=False))
    assert texts(found) == texts(expected)
    assert [one.log_prob for one in found] == pytest.approx([one.log_prob for one in expected], abs=1e-4)


def test_log_probabilities_and_alignments_are_means_of_forced_decoding() -> None:
    members = make_translators("bahdanau", "luong", "plain")
    lines = [line for line in LINES if line.strip()]
    for translation in EnsembleTranslator(members, "linear").translate(lines, nbest=3):
        for hypothesis in translation.hypotheses:
            ids = members[0].codecs.target.vocabulary.ids_of(hypothesis.pieces)
            source = members[0].codecs.source.encode(translation.source)
            each = [forced(member.model, source, ids) for member in members]
            expected = torch.stack([log_probs for log_probs, _ in each]).exp().mean(0).log()
            torch.testing.assert_close(torch.tensor(hypothesis.token_log_probs), expected, atol=1e-5, rtol=1e-5)
            assert hypothesis.alignment is not None
            weights = (each[0][1] + each[1][1]) / 2  # `plain` has none
            torch.testing.assert_close(hypothesis.alignment.weights, weights, atol=1e-5, rtol=0)


def test_without_any_attention_there_are_no_alignments() -> None:
    ensemble = EnsembleTranslator(make_translators("plain", "plain"), "linear")
    assert next(ensemble.stream(["das Haus"])).alignment is None
    with pytest.raises(ConfigError, match=r"alignments: expected a model with attention, got plain \+ plain"):
        ensemble.translate(LINES, with_alignments=True)


@pytest.mark.parametrize("side", ["source", "target"])
def test_other_vocabularies_are_refused(side: str) -> None:
    [first, second] = make_translators("bahdanau", "luong")
    longer = make_codecs("char")
    second.codecs = second.codecs._replace(**{side: getattr(longer, side)})
    message = rf"luong: expected the {side} vocabulary of bahdanau, .* \(\d+ tokens\), got \d+ tokens"
    with pytest.raises(ConfigError, match=message):
        EnsembleTranslator([first, second], "linear")


def test_the_first_token_that_differs_is_named() -> None:
    [first, second] = make_translators("bahdanau", "luong")
    codec, vocabulary = second.codecs.target, second.codecs.target.vocabulary
    other = type(vocabulary)([*vocabulary.tokens[:-1], "zebra"])
    second.codecs = Codecs(second.codecs.source, type(codec)(codec.kind, codec.tokenizer, other))
    token = vocabulary.tokens[-1]
    with pytest.raises(ConfigError, match=rf"luong: expected the target .* \(token \d+: '{token}'\), got 'zebra'"):
        EnsembleTranslator([first, second], "linear")


def test_another_tokenizer_of_the_same_tokens_is_refused() -> None:
    [first, second] = make_translators("bahdanau", "luong")
    codec = second.codecs.source
    lowercase = type(codec.tokenizer)(TextOptions(lowercase=True))
    second.codecs = Codecs(type(codec)(codec.kind, lowercase, codec.vocabulary), second.codecs.target)
    with pytest.raises(ConfigError, match=r"luong: expected the source vocabulary of bahdanau, .* another tokenizer"):
        EnsembleTranslator([first, second], "linear")
