"""`Translator` from Python: what is refused at the call, and translators that are copied or sent elsewhere."""

import copy
import math
import multiprocessing
import pickle
from typing import Any

import pytest
from tiny_translators import LINES, MODELS, make_translator, texts

from nmt_attn.errors import ConfigError
from nmt_attn.search.ensemble import EnsembleTranslator
from nmt_attn.search.translator import Translator


def test_translations_are_a_list() -> None:
    found = make_translator().translate(iter(LINES))
    assert len(found) == len(LINES)
    assert [each.source for each in found] == LINES
    assert found[-1].source == LINES[-1]
    assert texts(list(make_translator().stream(iter(LINES), window_lines=2))) == texts(found)


BAD_LINES = [
    (None, r"lines: expected several texts, got None"),
    (5, r"lines: expected several texts, got 5"),
    (b"das Haus", r"lines: expected several texts, got bytes"),
    ({"das": "Haus"}, r"lines: expected several texts, got dict"),
    (["Haus", None], r"lines\[1\]: expected text, got None"),
    (["Haus", "Haus", b"Haus"], r"lines\[2\]: expected text, got bytes"),
    ([math.nan], r"lines\[0\]: expected text, got nan"),
    (["Haus", 5], r"lines\[1\]: expected text, got 5"),
    (["a\udc80"], r"lines\[0\]: expected Unicode text, got half a surrogate pair"),
]


@pytest.mark.parametrize(("lines", "message"), BAD_LINES, ids=lambda value: ascii(value)[:30])
def test_lines_of_another_type_are_refused_with_their_index(lines: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_translator().translate(lines)
    with pytest.raises(ConfigError, match=message):
        list(make_translator().stream(lines))


BAD_KEYWORDS: list[tuple[dict[str, Any], str]] = [
    ({"beam": 2.5}, r"beam: expected a whole number, got 2.5"),
    ({"beam": math.nan}, r"beam: expected a whole number, got nan"),
    ({"beam": True}, r"beam: expected a whole number, got True"),
    ({"beam": "5"}, r"beam: expected a whole number, got '5'"),
    ({"nbest": 1.0}, r"nbest: expected a whole number, got 1.0"),
    ({"batch_size": b"4"}, r"batch_size: expected a whole number, got b'4'"),
    ({"window_lines": 0}, r"window_lines: expected at least 1, got 0"),
    ({"window_lines": 1.5}, r"window_lines: expected a whole number, got 1.5"),
    ({"sample": True, "seed": 1.5}, r"seed: expected a whole number, got 1.5"),
    ({"sample": True, "top_k": "3"}, r"top_k: expected a whole number, got '3'"),
    ({"sample": True, "temperature": math.nan}, r"temperature: expected a number, got nan"),
    ({"sample": True, "top_p": "0.5"}, r"top_p: expected a number, got '0.5'"),
    ({"with_alignments": "yes"}, r"with_alignments: expected a truth value, got 'yes'"),
    ({"prefixes": 5}, r"prefixes: expected several texts, got 5"),
    ({"prefixes": ["the", None]}, r"prefixes\[1\]: expected text, got None"),
    ({"constraints": ["the", []]}, r"constraints\[0\]: expected several, as in \['the'\], got one string"),
    ({"constraints": [[], ["the", 5]]}, r"constraints\[1\]\[1\]: expected text, got 5"),
    ({"constraints": [[], None]}, r"constraints\[1\]: expected several texts, got None"),
    ({"dictionary": ["das"]}, r"dictionary: expected a mapping of words, got list"),
    ({"shortlist": "words"}, r"shortlist: expected a Shortlist, got str"),
]


@pytest.mark.parametrize(("keywords", "message"), BAD_KEYWORDS, ids=lambda value: str(value)[:30])
def test_keywords_of_another_type_are_refused_at_the_call(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_translator().translate(["das Haus", "Haus"], **keywords)


@pytest.mark.parametrize("tokenizer", ["word", "char"])
@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_used_translator_can_be_copied(model: str, tokenizer: str) -> None:
    translator = make_translator(model, tokenizer)
    expected = texts(translator.translate(LINES))
    for other in (pickle.loads(pickle.dumps(translator)), copy.deepcopy(translator)):
        assert texts(other.translate(LINES)) == expected
    assert texts(translator.translate(LINES)) == expected


def test_a_used_ensemble_can_be_copied() -> None:
    members = [make_translator("bahdanau"), make_translator("luong")]
    translator = EnsembleTranslator(members, "linear")
    expected = texts(translator.translate(LINES))
    assert texts(copy.deepcopy(translator).translate(LINES)) == expected


def translate_there(translator: Translator) -> list[str]:
    """In the other process."""
    return texts(translator.translate(LINES))


def test_a_used_translator_can_be_sent_to_another_process() -> None:
    translator = make_translator()
    expected = texts(translator.translate(LINES))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(translate_there, (translator,)) == expected
