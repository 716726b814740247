"""Choices for a corpus: tokenizer, metrics, shares to hold out and the maximum length, from what inspection has found.

What each rule is for stands beside it as the comment that goes into the YAML. Batch size and number of epochs follow
from the tokens when training starts: nmt_attn/training/from_corpus.py.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from nmt_attn.config.tokenizer_section import FactorsConfig
from nmt_attn.config.yaml_io import format_yaml
from nmt_attn.data.factors import FactorFormat
from nmt_attn.data.inspect_text import TextProfile

WHOLE_VOCABULARY = 4000
"""Word types of both sides, in a sample, up to which tokenised text keeps its words."""
FEWEST_OCCURRENCES = 10
"""How often a word occurs on average, at least, where text keeps its words."""


_OF_FACTORS = "the names of the factors are free"


class Choice(NamedTuple):
    """A section of the YAML, and why."""

    section: str
    values: Mapping[str, Any]
    reason: str


class Recipe(NamedTuple):
    """A shipped configuration for texts of this kind, and why."""

    name: str
    reason: str


def choose_recipe(source: TextProfile, target: TextProfile, *, has_tags: bool) -> Recipe | None:
    """The recipe that a configuration for single words extends; None for other texts. See docs/transduction.md."""
    if source.kind != "letters":
        return None
    if has_tags:
        return Recipe("inflection", "words with tags to words, letter by letter")
    if target.kind == "symbols":
        return Recipe("g2p", "words to phones: letters to symbols between blanks")
    return Recipe("transliteration", "words to words, letter by letter") if target.kind == "letters" else None


def choose_for_recipe(source: TextProfile, target: TextProfile, *, has_variants: bool) -> list[Choice]:
    """What a configuration says beside its recipe; `has_variants`: some source has several targets."""
    length = _choose_length(max(source.longest_letters, target.longest_letters))
    variants = Choice("evaluate", {"join_sources": True}, "of a word with several lines, each target is right")
    factors = [Choice("tokenizer", _factors(source.factors), _OF_FACTORS)] if source.factors else []
    return [*factors, *length, *([variants] if has_variants else [])]


def choose(source: TextProfile, target: TextProfile, pairs: int) -> list[Choice]:
    """The sections that follow from the text."""
    tokenizer = choose_tokenizer(source, target, pairs)
    if source.factors is not None:
        values = {key: value for key, value in tokenizer.values.items() if key != "shared"}
        values |= _factors(source.factors)
        tokenizer = Choice("tokenizer", values, f"{tokenizer.reason}; {_OF_FACTORS}")
    length = _choose_length(_longest(source, target, str(tokenizer.values["kind"])))
    return [tokenizer, *length, _choose_evaluation(source, target)]


def choose_tokenizer(source: TextProfile, target: TextProfile, pairs: int) -> Choice:
    """The key `tokenizer` for both sides."""
    kinds = {source.kind, target.kind}
    if "letters" in kinds:
        return Choice("tokenizer", {"kind": "char"}, "letter by letter, for single words")
    if kinds <= {"symbols", "pieces"}:
        return Choice("tokenizer", {"kind": "word"}, "the blanks already divide the text into tokens")
    is_tokenised = all(side.is_tokenised or side.kind in ("symbols", "pieces") for side in (source, target))
    types, tokens = source.types + target.types, source.tokens + target.tokens
    is_small = types <= WHOLE_VOCABULARY and tokens >= FEWEST_OCCURRENCES * types
    if is_tokenised and "unspaced" not in kinds and is_small:
        return Choice("tokenizer", {"kind": "word"}, "few different words: no need to cut them")
    size = 2000 if pairs < 10_000 else 4000 if pairs < 30_000 else 8000
    values = {"kind": "sentencepiece", "vocab_size": size, "shared": source.script == target.script}
    return Choice("tokenizer", values, "subwords; a larger vocab_size suits more text")


def _factors(form: FactorFormat) -> dict[str, Any]:
    """Keys of `tokenizer` for a source whose words carry factors; no vocabulary is shared then."""
    separator = {} if form.separator == FactorsConfig().separator else {"separator": form.separator}
    return {"factors": {"names": list(form.names), **separator}}


def held_out_share(pairs: int) -> float:
    """The share of a corpus of this size for validation, and as much for testing."""
    if pairs < 5000:
        return 0.1
    return 0.05 if pairs < 40_000 else max(round(2000 / pairs, 4), 0.0001)


def yaml_text(comment: str, sections: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """Sections, and `extends`, on a line each, with the reason after them; `data` has a line for each of its keys."""
    lines = [f"# {line}" for line in comment.splitlines()]
    for name, values in sections.items():
        reason = f"  # {reasons[name]}" if name in reasons else ""
        if name == "data":
            lines += [f"{name}:{reason}"]
            lines += [f"  {key}: {flow(value)}{_remark(f'{name}.{key}', reasons)}" for key, value in values.items()]
        else:
            lines.append(f"{name}: {flow(values)}{reason}")
    return "".join(f"{line}\n" for line in lines)


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, str) and set(value) & set("{}[],#&*!|>'\"%@`\n"):
        return json.dumps(value, ensure_ascii=False)
    return format_yaml(value).removesuffix("...\n").strip()


def _remark(key: str, reasons: Mapping[str, str]) -> str:
    return f"  # {reasons[key]}" if key in reasons else ""


def _longest(source: TextProfile, target: TextProfile, kind: str) -> int:
    """Tokens of the longest line; subwords are about 1.5 to a word."""
    if kind == "char":
        return max(source.longest_letters, target.longest_letters)
    words = max(source.longest_words, target.longest_words)
    return words if kind == "word" else words * 3 // 2


def _choose_length(longest: int) -> list[Choice]:
    """The maximum length, where the longest line has more tokens than its default: rounded up to tens, at most 200."""
    if longest <= 100:
        return []
    length = min(-(-longest // 10) * 10, 200)
    return [Choice("data", {"max_length": length}, "tokens a side; longer training pairs are left out")]


def _choose_evaluation(source: TextProfile, target: TextProfile) -> Choice:
    if "letters" in (source.kind, target.kind) or target.kind == "symbols":
        values: dict[str, Any] = {"metrics": ["exact", "cer"], "tokenize": "none"}
        return Choice("evaluate", values, "exact: right in whole; cer: edits per character")
    if target.kind == "unspaced":
        return Choice("evaluate", {"tokenize": "char"}, "BLEU over characters, as no blanks divide the words")
    if target.is_tokenised or target.kind == "pieces":
        return Choice("evaluate", {"tokenize": "none"}, "the text is tokenised already")
    return Choice("evaluate", {"tokenize": "13a"}, "BLEU divides the text itself")
