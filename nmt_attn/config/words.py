"""Keys and values of the configuration in messages."""

import difflib
import json
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from nmt_attn.config.base import Section
from nmt_attn.config.schema import Config

Keys = tuple[str, ...]
"""The names on the way to a key: ("model", "attention", "score")."""

_LONGEST_VALUE = 60


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


def value_at(config: Config, key: str) -> Any:
    """The value of `section.key`."""
    return reduce(getattr, key.split("."), config)


def is_default(config: Config, key: str) -> bool:
    """Whether the key has the value it would have if the file did not name it."""
    return bool(value_at(config, key) == value_at(Config(), key))


def complain(config: Config, key: str, expected: str, hint: str = "") -> str:
    """`key: expected ..., got ... (hint)`."""
    return f"{key}: expected {expected}, got {show(value_at(config, key))}" + (f" ({hint})" if hint else "")


def with_value(config: Config, key: str) -> str:
    """`key value`, as a reason."""
    return f"{key} {show(value_at(config, key))}"


def complain_idle(config: Config, key: str, reason: str, hint: str = "") -> str:
    """The message for a key that must be at its default because of `reason`."""
    default = show(value_at(Config(), key))
    return complain(config, key, f"{default}, as any other value has no effect with {reason}", hint)


def did_you_mean(word: str, choices: Iterable[str], likeness: float = 0.7) -> str | None:
    """The one of `choices` that is most like `word`, or None if none is like it (1: equal, 0: no letter shared)."""
    folded = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=likeness)
    return folded[close[0]] if close else None


def show(value: object) -> str:
    """A value as a message shows it: text in single quotes, the rest as YAML on one line, cut to 60 characters."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("Infinity", ".inf").replace("NaN", ".nan") if isinstance(value, float) else text
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def join_words(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
