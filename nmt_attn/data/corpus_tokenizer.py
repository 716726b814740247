"""The tokenizer of a configuration that names none, from the training corpus: as `nmt-attn init` chooses it.

Few pairs teach no subwords: they keep their words, and so do word vectors, factors and the built-in corpus.
What was measured: docs/defaults.md.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from nmt_attn.config.rules import contradictions
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SIDES, Side, TokenizerConfig
from nmt_attn.data.columns import source_columns
from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.inspect_choices import choose_tokenizer
from nmt_attn.data.inspect_corpus import SAMPLE_LINES
from nmt_attn.data.inspect_text import TextProfile, profile

COUNTED_PAIRS = 30_000
"""A larger corpus is no other case."""
FEWEST_PAIRS = 1000
"""Of sentences, to learn subwords from."""


def with_tokenizer(config: Config) -> Config:
    """The configuration with `tokenizer.kind`, `vocab_size` and `shared`, of each side where they differ.

    What the user has set stays; where it does not go with subwords, words are not cut. Raises DataError if the training
    corpus cannot be read.
    """
    tokenizer = config.tokenizer
    own = [side for side in SIDES if getattr(tokenizer, side).kind is not None]
    if tokenizer.kind is not None or tokenizer.like is not None or len(own) == len(SIDES):
        return config
    taken = {*own, *(tokenizer.model_fields_set - {"kind", *SIDES}), *(["shared"] if own else [])}
    chosen = {key: value for key, value in _choice(config).items() if key not in taken}
    for side in set(SIDES) & chosen.keys():
        chosen[side] = getattr(tokenizer, side).model_copy(update={"kind": chosen[side]})
    found = _with(config, chosen)
    return _with(config, {"kind": "word"}) if contradictions(found) else found


def _with(config: Config, values: Mapping[str, Any]) -> Config:
    return config.model_copy(update={"tokenizer": config.tokenizer.model_copy(update=values)})


def chosen_values(before: TokenizerConfig, now: TokenizerConfig) -> list[str]:
    """`tokenizer.kind char` for each value that `with_tokenizer` has chosen."""
    found = [(f"tokenizer.{key}", getattr(before, key), getattr(now, key)) for key in ("kind", "vocab_size", "shared")]
    found += [(f"tokenizer.{side}.kind", getattr(before, side).kind, getattr(now, side).kind) for side in SIDES]
    return [f"{key} {_shown(new)}" for key, old, new in found if old != new]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:,}" if isinstance(value, int) else str(value)


def _choice(config: Config) -> dict[str, Any]:
    """Values of keys of `tokenizer`; under `source` and `target` the kind of that side."""
    data = config.data
    if data.train.builtin is not None or config.tokenizer.factors.names or _has_vectors(config):
        return {"kind": "word"}
    pairs = list(islice(read_part(config, "train", CorpusReport("data.train")), COUNTED_PAIRS))
    if not pairs:
        return {"kind": "word"}
    sample = pairs[:SAMPLE_LINES]
    target = profile([pair.target for pair in sample])
    columns = source_columns(data.columns)
    has_tags = columns is not None and columns.has_tags  # which are no letters
    source = target if has_tags else profile([pair.source for pair in sample])
    if "letters" in (source.kind, target.kind):
        return _by_side({"source": source, "target": target})
    return {"kind": "word"} if len(pairs) < FEWEST_PAIRS else dict(choose_tokenizer(source, target, len(pairs)).values)


def _by_side(profiles: Mapping[Side, TextProfile]) -> dict[str, Any]:
    """Single words letter by letter, the other side, such as phones between blanks, by its blanks."""
    kinds = {side: "char" if found.kind == "letters" else "word" for side, found in profiles.items()}
    if len(set(kinds.values())) == 1:
        return {"kind": kinds["source"]}
    return {"kind": "word", **{side: kind for side, kind in kinds.items() if kind != "word"}}


def _has_vectors(config: Config) -> bool:
    return any(getattr(config.data.vectors, side) is not None for side in SIDES)
