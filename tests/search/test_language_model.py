"""Shallow fusion: n-grams with backoff by hand, the file's faults, and search against every translation there is."""

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_runs import numbers, run_reference
from search_tables import BY_LOG_PROB, VOCABULARY, A, B, TableSteps
from tiny_models import accepted
from tiny_translators import make_translator

from nmt_attn.config.schema import SearchConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.model.build import build_model
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.language_model import DecoderLanguageModel, Fusion, LanguageModel
from nmt_attn.search.ngrams import IMPOSSIBLE, LN_10, NGrams, read_arpa
from nmt_attn.search.shortlist import AlignmentCounts
from nmt_attn.types import BOS, EOS, UNK, Batch

TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "a", "b")
ARPA = r"""
\data\
ngram 1=5
ngram 2=4
ngram 3=1

\1-grams:
-2.0	<unk>
-99	<s>	-0.5
-0.7	</s>
-0.4	a	-0.3
-0.6	b	-0.2
-0.9	elsewhere	-0.1

\2-grams:
-0.2	<s> a	-0.05
-0.3	a b	-0.15
-0.8	b a
-0.1	b elsewhere

\3-grams:
-0.1	<s> a b

\end\
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "lm.arpa"
    path.write_text(ARPA, encoding="utf-8")
    return path


def read(path: Path) -> NGrams:
    return read_arpa(path, TOKENS, path.stat().st_mtime)


@pytest.mark.parametrize(
    ("context", "word", "expected"),
    [
        ((), A, -0.4),
        ((BOS,), A, -0.2),  # listed
        ((BOS,), B, -0.5 - 0.6),  # backoff of <s>, then b
        ((BOS, A), B, -0.1),  # listed
        ((BOS, A), A, -0.05 - 0.3 - 0.4),  # backoffs of <s> a and of a
        ((BOS, A), EOS, -0.05 - 0.3 - 0.7),
        ((A, B), A, -0.15 - 0.8),  # backoff of a b, then b a
        ((B, A), B, -0.3),  # b a has no backoff: a b
        ((B, A, BOS, A), B, -0.1),  # no more than two words count
        ((UNK,), A, -0.4),  # a context that the file does not know
        ((A,), UNK, -0.3 - 2.0),
    ],
)
def test_log_probabilities_by_hand(context: tuple[int, ...], word: int, expected: float, path: Path) -> None:
    ngrams = read(path)
    assert ngrams.order == 3
    for _ in range(2):  # computed, then kept
        assert ngrams.log_probs(context)[word].item() == pytest.approx(expected * LN_10)


def test_without_unknown_words_in_the_file_they_are_impossible(path: Path) -> None:
    path.write_text(ARPA.replace("-2.0\t<unk>\n", ""), encoding="utf-8")
    assert read_arpa(path, TOKENS, 0.0).log_probs(())[UNK].item() == IMPOSSIBLE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\end\\", "", "expected an n-gram model in the ARPA format"),
        ("-0.4\ta", "x\ta", r":11: expected a logarithm, got 'x'"),
        ("a b\t", "a\t", r":17: expected log p, 2 words and perhaps a backoff"),
    ],
)
def test_what_is_no_arpa_file_is_refused(old: str, new: str, message: str, path: Path) -> None:
    path.write_text(ARPA.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_arpa(path, TOKENS, 1.0)


def test_a_file_without_any_of_the_tokens_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"expected n-grams of the target's tokens, such as 'y', got none"):
        read_arpa(path, ("<pad>", "<unk>", "<s>", "</s>", "x", "y"), 2.0)


def decoder_and_reference() -> tuple[DecoderLanguageModel, Callable[[tuple[int, ...]], np.ndarray]]:
    """A decoder without source, and log p after given words by the NumPy reference."""
    keys = {"encoder.layers": 0, "attention.score": "none", "decoder.cell": "lstm", "decoder.init": "learned"}
    config = accepted(keys | {"decoder.layers": 2, "decoder.style": "luong"}).model
    model = build_model(config, VOCABULARY, VOCABULARY, 1).double().eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.8, generator=generator)
    named = numbers(model)

    def log_probs(words: tuple[int, ...]) -> np.ndarray:
        batch = Batch(
            torch.tensor([[EOS]]), torch.tensor([1]), *[torch.tensor([words])] * 2, torch.tensor([len(words)])
        )
        logits: np.ndarray = run_reference(named, config, batch)[0].steps[-1].logits
        return logits - np.log(np.exp(logits).sum())

    return DecoderLanguageModel(model), log_probs


@torch.no_grad()
@pytest.mark.parametrize("kind", ["ngrams", "decoder"])
@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_a_wide_search_finds_the_best_sum_of_all(weight: float, kind: str, path: Path) -> None:
    """Every sequence of up to three words, scored by hand; two sentences at once."""
    torch.manual_seed(5)
    tables = torch.randn(2, 4, VOCABULARY, VOCABULARY, dtype=torch.float64).log_softmax(3)
    model: LanguageModel = read(path)
    log_probs: Callable[[tuple[int, ...]], Any] = read(path).log_probs
    if kind == "decoder":
        model, log_probs = decoder_and_reference()
    longest = 3
    options = BeamOptions(beam=20, wanted=3, ranking=BY_LOG_PROB, with_weights=False)
    limits = Limits(torch.zeros(2, dtype=torch.int64), torch.full((2,), longest))
    found = beam_search(Fusion(model, weight).fuse(TableSteps(tables)), limits, options)
    for row, hypotheses in enumerate(found):
        totals = {}
        for length in range(longest + 1):
            for words in product((UNK, A, B), repeat=length):
                ids = [BOS, *words, EOS]
                parts = [
                    float(tables[row, t, ids[t], ids[t + 1]] + weight * log_probs(tuple(ids[: t + 1]))[ids[t + 1]])
                    for t in range(length + 1)
                ]
                totals[words] = sum(parts)
        best = sorted(totals, key=lambda words: -totals[words])[:3]
        assert [each.ids for each in hypotheses] == best
        assert [each.log_prob for each in hypotheses] == pytest.approx([totals[words] for words in best])


def test_a_translator_takes_it_by_its_keys(tmp_path: Path) -> None:
    """search.language_model and its weight: "house" everywhere, the more the greater the weight."""
    path = tmp_path / "house.arpa"
    words = ["<unk>", "</s>", "the", "dog", "house"]
    rows = [f"{-0.01 if word == 'house' else -3}\t{word}" for word in words]
    path.write_text("\\1-grams:\n" + "\n".join(rows) + "\n\\end\\\n", encoding="utf-8")
    counts = []
    for weight in (None, 0.2, 5.0):
        keys = {} if weight is None else {"language_model": str(path), "language_model_weight": weight}
        for model in ("bahdanau", "monotonic"):
            search = SearchConfig(max_length_factor=1.5, **keys)
            translations = make_translator(model, search=search).translate(["die Katze", "das Haus nicht"])
            counts.append(sum(translation.text.split().count("house") for translation in translations))
    assert counts[4] > counts[0]
    assert counts[5] > counts[1]
    with pytest.raises(DataError, match="no-such-file"):
        make_translator(search=SearchConfig(language_model="no-such-file")).translate(["das Haus"])


def test_a_shortlist_goes_with_no_language_model(path: Path) -> None:
    search = SearchConfig(language_model=str(path))
    translator = make_translator(search=search)
    sizes = translator.codecs.source.size, translator.codecs.target.size
    path.write_text(ARPA.replace("\ta", "\tthe"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"shortlist: expected none with search.language_model"):
        translator.translate(["das Haus"], shortlist=AlignmentCounts(*sizes).shortlist(1, 1))
    assert math.isfinite(translator.translate(["das Haus"])[0].log_prob)
