"""What a language model of the target (`model.encoder.layers: 0`) does not go with: all that is about a source."""

from collections.abc import Iterator

from nmt_attn.config.key_paths import is_default, value_at
from nmt_attn.config.messages import complain, complain_idle, join_words, show, with_value
from nmt_attn.config.model_section import EncoderConfig
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SideTokenizerConfig, TokenizerConfig
from nmt_attn.registries import CELLS, INITIAL_CELL_STATES, INITIAL_STATES

KEY = "model.encoder.layers"

_NEEDED = {
    "model.attention.score": ("none", "as there is nothing to attend to"),
    "model.attention.fixed_context": (False, "as there is no context"),
    "training.risk.method": ("none", "as there are no translations to judge"),
    "training.validate_translation": (False, "as nothing is translated"),
}
_NO_SOURCE = (
    "data.train.source",
    "data.valid.source",
    "data.test.source",
    "data.columns.source",
    "data.vectors.source",
    "tokenizer.factors.names",
    "tokenizer.shared",
    *(f"tokenizer.source.{name}" for name in SideTokenizerConfig.model_fields),
    *(f"model.encoder.{name}" for name in EncoderConfig.model_fields if name != "layers"),
)
"""Keys of the source, which have no effect."""


def without_source(config: Config) -> Iterator[str]:
    """One message for each key that a language model needs to have another value."""
    reason = with_value(config, KEY)
    for key, (needed, why) in _NEEDED.items():
        if value_at(config, key) != needed:
            yield complain(config, key, f"{show(needed)} with {reason}, {why}")
    for key in _NO_SOURCE:
        if not is_default(config, key):
            yield complain_idle(config, key, reason)
    if config.model.tie in ("source-target", "all"):
        yield complain(config, "model.tie", f"'none' or 'target-output' with {reason}, as there is no source embedding")
    yield from _first_states(config, reason)


def _first_states(config: Config, reason: str) -> Iterator[str]:
    decoder, where = config.model.decoder, "model.decoder"
    blind = [name for name in INITIAL_STATES if not INITIAL_STATES[name].sees_source]
    if decoder.init not in blind:
        yield complain(config, f"{where}.init", f"{join_words(map(show, blind))} with {reason}, as no source is seen")
    if not CELLS[decoder.cell].has_cell or decoder.init_cell == "copy":
        return
    if INITIAL_CELL_STATES[decoder.init_cell].sees_source:
        blind = [name for name in INITIAL_CELL_STATES if not INITIAL_CELL_STATES[name].sees_source]
        expected = f"{join_words(map(show, [*blind, 'copy']))} with {reason}, as no source is seen"
        yield complain(config, f"{where}.init_cell", expected)


def like(config: Config) -> Iterator[str]:
    """`tokenizer.like` takes everything from another model, and has no source vocabulary to give."""
    key = "tokenizer.like"
    if config.tokenizer.like is None:
        return
    if config.model.has_source:
        yield complain(config, key, f"null with {with_value(config, KEY)}, as it is for language models")
    for name in (name for name in TokenizerConfig.model_fields if name != "like"):
        for each in _keys(config, f"tokenizer.{name}"):
            if not is_default(config, each):
                yield complain_idle(config, each, with_value(config, key))


def _keys(config: Config, key: str) -> list[str]:
    """The key, or those of the section that it is."""
    value = value_at(config, key)
    inner = getattr(type(value), "model_fields", None)
    return [key] if inner is None else [f"{key}.{name}" for name in inner]
