"""Forced decoding on tiny random models: it agrees with search, whatever the batch, and shifts by one row."""

import math

import pytest
import torch
from test_translator import LINES, MODELS, make_codecs, make_model, make_translator

from nmt_attn.errors import ConfigError, DataError
from nmt_attn.search.alignment_units import alignment_units
from nmt_attn.search.forced import ForcedPair, force_decode, perplexity
from nmt_attn.search.request import MOST_TOKENS
from nmt_attn.search.translator import Translator
from nmt_attn.types import EOS, UNK

TARGETS = ["the cat", "", "the unknown house", "", "x", "the dog", "the cat " * 9, "house", "the house"]


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_a_translation_found_by_search_keeps_its_log_prob_and_its_alignment(model: str, tokenizer: str) -> None:
    translator = make_translator(model, tokenizer)
    with torch.no_grad():
        translator.model.output.bias[EOS] += 4
        translator.model.output.bias[UNK] -= 9
    found = [
        (translation.source, hypothesis)
        for translation in translator.translate(LINES, nbest=3, with_alignments=True)
        for hypothesis in translation.hypotheses
        if hypothesis.is_finished and translation.source.strip()
        # a text whose pieces are those that were searched
        if tuple(translator.codecs.target.pieces(hypothesis.text)) == hypothesis.pieces
    ]
    assert found
    codec = translator.codecs.source
    for source, hypothesis in found:
        units = alignment_units(codec, [source])
        [pair] = force_decode(translator, [source], [hypothesis.text], with_alignments=True, units=units)
        assert pair.token_log_probs == pytest.approx(hypothesis.token_log_probs, abs=1e-4)
        assert hypothesis.alignment is not None
        alignment = pair.alignment(0)
        assert alignment[:2] == hypothesis.alignment[:2]
        torch.testing.assert_close(alignment.weights, hypothesis.alignment.weights, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_pairs_do_not_depend_on_each_other(model: str) -> None:
    translator = make_translator(model)
    heard: list[int] = []
    together = force_decode(translator, LINES, TARGETS, with_alignments=True, progress=heard.append)
    assert sum(heard) == len(LINES)
    for line, target, pair in zip(LINES, TARGETS, together, strict=True):
        [alone] = force_decode(translator, [line], [target], with_alignments=True)
        assert pair.token_log_probs == pytest.approx(alone.token_log_probs, abs=1e-4)
        assert len(pair.token_log_probs) == (len(target.split()) + 1 if line.strip() else 0)


def test_the_vocabularys_probabilities_sum_to_one() -> None:
    translator = make_translator()
    words = translator.codecs.target.vocabulary.tokens_of(range(4, translator.codecs.target.size))
    firsts = force_decode(translator, ["das Haus"] * len(words), words, with_alignments=False)
    [unknown, end] = force_decode(translator, ["das Haus"] * 2, ["never-seen", ""], with_alignments=False)
    total = sum(math.exp(pair.token_log_probs[0]) for pair in [*firsts, unknown, end])
    # what is left goes to <pad> and <s>, which no text holds
    assert 0.5 < total < 1.0


def test_with_shift_1_a_word_takes_the_row_of_the_next() -> None:
    [pair] = force_decode(make_translator(), ["die Katze"], ["the dog sees"], with_alignments=True)
    predicted, read = pair.alignment(0), pair.alignment(1)
    assert predicted.target == read.target == ("the", "dog", "sees")
    torch.testing.assert_close(read.weights[:3], predicted.weights[1:])
    torch.testing.assert_close(read.weights[3], predicted.weights[3])


def test_a_blank_source_has_no_tokens_and_an_empty_alignment() -> None:
    [pair] = force_decode(make_translator(), [" \t"], ["the cat"], with_alignments=True)
    assert (pair.token_log_probs, pair.log_prob) == ((), 0.0)
    assert pair.alignment(1).weights.shape == (0, 0)


def test_perplexity_counts_tokens_not_sentences() -> None:
    translator = make_translator()
    [pair] = force_decode(translator, ["das Haus"], ["the"], with_alignments=False)
    pairs = [pair._replace(token_log_probs=values) for values in [(math.log(1 / 2),) * 3, (math.log(1 / 8),), ()]]
    # (2 x 2 x 2 x 8) ** (1 / 4)
    assert perplexity(pairs) == pytest.approx(64 ** (1 / 4))
    assert perplexity(pairs[2:]) is None


def test_alignments_of_a_plain_model_are_refused() -> None:
    codecs = make_codecs("word")
    model = make_model({"attention": {"score": "none"}}, codecs)
    translator = Translator(model, codecs, make_translator().search, name="runs/plain")
    [pair] = force_decode(translator, ["das Haus"], ["the house"], with_alignments=False)
    assert isinstance(pair, ForcedPair) and pair.weights is None
    with pytest.raises(ConfigError, match=r"expected a model with attention, got runs/plain"):
        force_decode(translator, ["das Haus"], ["the house"], with_alignments=True)


def test_a_sentence_that_would_take_hours_is_refused_with_its_line() -> None:
    translator, long = make_translator(), "x " * (MOST_TOKENS + 1)
    message = r"line 2: expected a sentence of at most 5,000 tokens, got 5,001"
    with pytest.raises(DataError, match=message):
        force_decode(translator, ["a", "b"], ["c", long], with_alignments=False)
    with pytest.raises(DataError, match=message):
        translator.translate(["a", long])
    with pytest.raises(DataError, match=r"prefix of line 1: expected a sentence of at most 5,000 tokens, got 5,001"):
        translator.translate(["a"], prefixes=[long])
