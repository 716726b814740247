"""Key paths: which section or value of the configuration a path such as `model.attention.score` names."""

from collections.abc import Collection, Iterator
from functools import cache, reduce
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from nmt_attn.config.base import Section
from nmt_attn.config.schema import Config

Keys = tuple[str, ...]
"""The names on the way to a key: ("model", "attention", "score")."""


class Place(NamedTuple):
    """How far a path of names leads into the configuration."""

    known: Keys
    rest: Keys  # begins with the first unknown name; empty if all are known
    section: type[Section] | None  # at the end of `known`; None if a plain value is there
    field: FieldInfo | None  # likewise; None at the root


def locate(keys: Keys) -> Place:
    """The section or value that `keys` name, or the last known one before they go astray."""
    section: type[Section] | None = Config
    field = None
    for depth, key in enumerate(keys):
        if section is None or key not in section.model_fields:
            return Place(keys[:depth], keys[depth:], section, field)
        field = section.model_fields[key]
        section = section_of(field)
    return Place(keys, (), section, field)


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that the field holds, or None if it holds a plain value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def all_keys(section: type[Section] = Config, above: Keys = ()) -> Iterator[Keys]:
    """Every section and every key in the order of the file, a section before its keys."""
    for name, field in section.model_fields.items():
        yield (*above, name)
        if inner := section_of(field):
            yield from all_keys(inner, (*above, name))


@cache
def value_keys() -> tuple[str, ...]:
    """Every key of a plain value by its path, such as `model.attention.score`."""
    return tuple(".".join(keys) for keys in all_keys() if locate(keys).section is None)


@cache
def defaults() -> Config:
    """The configuration of an empty file."""
    return Config()


def value_at(config: Config, key: str) -> Any:
    """The value of `section.key`."""
    return reduce(getattr, key.split("."), config)


def is_default(config: Config, key: str) -> bool:
    """Whether the key has the value it would have if the file did not name it."""
    return bool(value_at(config, key) == value_at(defaults(), key))


NEUTRAL = {"search.stop": "exact"}
"""Values besides the default that are accepted where nothing reads the key, as what they say holds there anyway."""


def asks_for_nothing(config: Config, key: str) -> bool:
    """Whether the key may stand where nothing reads it: its value is the default, or one of NEUTRAL."""
    return is_default(config, key) or (key in NEUTRAL and bool(value_at(config, key) == NEUTRAL[key]))


def short_name(key: str, taken: Collection[str] = ()) -> str:
    """The shortest end that no other key has and that is not `taken`: `score`, but `encoder.hidden`."""
    return next((end for end in _ends(key) if end not in taken and keys_ending_in(end) == [key]), key)


def keys_ending_in(end: str) -> list[str]:
    """The keys of plain values that `end` may stand for: the one of that name, or all that end in it."""
    return [end] if end in value_keys() else [key for key in value_keys() if end in _ends(key)]


def _ends(key: str) -> Iterator[str]:
    names = key.split(".")
    yield from (".".join(names[-length:]) for length in range(1, len(names) + 1))
