"""Options: keys that only some parts read, such as `model.attention.sigma`, which only the window local-p reads.

A part says which keys of its section it reads (nmt_attn/registry.py: `options`). A key that some part could read, but
none of the chosen ones does, must be at its default or a neutral value.
"""

from collections.abc import Iterator

from nmt_attn.config.key_paths import asks_for_nothing, value_at
from nmt_attn.config.messages import complain_idle, join_words, show, with_value
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SIDES
from nmt_attn.registries import (
    COVERAGES,
    DECODERS,
    INITIAL_CELL_STATES,
    INITIAL_STATES,
    INITIALISATIONS,
    OPTIMIZERS,
    RANKINGS,
    READOUTS,
    RISKS,
    SCHEDULES,
    SCORES,
    TOKENIZERS,
    TRANSITIONS,
    WINDOWS,
)

Readers = dict[str, tuple[str, ...]]
"""For each key that names a part, the names whose parts read an option: `model.attention.window` -> (local-p,)."""

_READING = (
    TOKENIZERS,
    SCORES,
    WINDOWS,
    TRANSITIONS,
    COVERAGES,
    DECODERS,
    INITIAL_STATES,
    INITIAL_CELL_STATES,
    READOUTS,
    INITIALISATIONS,
    OPTIMIZERS,
    SCHEDULES,
    RISKS,
    RANKINGS,
)
_NAMING_KEYS = {key: registry for registry in _READING for key in registry.config_keys}
_TOKENIZERS = {f"tokenizer.{side}.kind": side for side in SIDES}
SECTIONS = tuple(dict.fromkeys(key.rpartition(".")[0] for key in _NAMING_KEYS))


def unread_options(config: Config) -> Iterator[tuple[str, str]]:
    """Each key that is set although no chosen part reads it, and the message about it."""
    for section in SECTIONS:
        for name in type(value_at(config, section)).model_fields:
            key = f"{section}.{name}"
            if asks_for_nothing(config, key):
                continue
            readers = readers_of(section, name)
            if readers and not any(_chosen(config, owner) & set(names) for owner, names in readers.items()):
                reason = _choice(config, next(iter(readers)))
                yield key, complain_idle(config, key, reason, describe_readers(readers))


def _chosen(config: Config, owner: str) -> set[str]:
    """The names that the key chooses; of a side's tokenizer the common one if it has none of its own."""
    if owner == "tokenizer.kind":
        return set(config.tokenizer.kinds)
    if owner in _TOKENIZERS:
        return {config.tokenizer.kinds[SIDES.index(_TOKENIZERS[owner])]}
    return {value_at(config, owner)}


def _choice(config: Config, owner: str) -> str:
    """`model.attention.score 'dot'`: the key that chooses, with its value."""
    is_common = owner in _TOKENIZERS and value_at(config, owner) is None
    return with_value(config, "tokenizer.kind" if is_common else owner)


def readers_of(section: str, option: str) -> Readers:
    """Which parts read the option; empty if it is not one, so that it has an effect with all of them."""
    owners = {key: registry for key, registry in _NAMING_KEYS.items() if key.rpartition(".")[0] == section}
    readers = {key: registry.readers(option) for key, registry in owners.items()}
    return {key: names for key, names in readers.items() if names}


def describe_readers(readers: Readers) -> str:
    """`it is for 'additive' or 'concat' and for model.attention.window 'local-p'`."""
    first, *others = readers
    also = (f" and for {key} {join_words(map(show, readers[key]))}" for key in others)
    return f"it is for {join_words(map(show, readers[first]))}{''.join(also)}"
