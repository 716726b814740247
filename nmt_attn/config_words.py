"""Keys and values of the configuration in plain words, for messages and for comments."""

import difflib
import json
import types
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from nmt_attn.config import NAME_PATTERN, Config, Section

Keys = tuple[str, ...]
"""The names on the way to a key: ("model", "attention", "score")."""

_PATTERN_WORDS = {NAME_PATTERN: "a name of letters, digits, '_', '-' and '.' (the last two not first)"}
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


def choices_of(annotation: Any) -> list[Any]:
    """The values that an annotation spells out with Literal, anywhere inside it."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in choices_of(part)]


def kinds_of(annotation: Any) -> set[Any]:
    """The types that an annotation accepts beside those choices: bool, int, float, str, tuple, NoneType."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kinds_of(parts[0])
    if origin in (Union, types.UnionType):
        return set().union(*(kinds_of(part) for part in parts))
    return set() if origin is Literal else {origin or annotation}


def describe(field: FieldInfo) -> str:
    """What the field accepts: `a whole number of at least 1 or null`."""
    return _describe(field.annotation, field.metadata)


def _describe(annotation: Any, limits: list[Any]) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = [limit for part in parts[1:] for limit in getattr(part, "metadata", [part])]
        return _describe(parts[0], limits + inner)
    if origin is Literal:
        return ("one of " if len(parts) > 1 else "") + ", ".join(show(choice) for choice in parts)
    if origin in (Union, types.UnionType):
        words = [["true", "false"] if part is bool else [_describe(part, limits)] for part in parts]
        return join_words(word for alternative in words for word in alternative)
    if origin is tuple:
        size = "list" if parts[-1] is Ellipsis else f"list of {len(parts)}"
        return f"a {size}, each {_describe(parts[0], [])}"
    return _describe_plain(annotation, limits)


def _describe_plain(kind: Any, limits: list[Any]) -> str:
    if kind is str:
        patterns = [limit.pattern for limit in limits if getattr(limit, "pattern", None)]
        return _PATTERN_WORDS[patterns[0]] if patterns else "text"
    names = {bool: "true or false", types.NoneType: "null", int: "a whole number", float: "a number"}
    ranges = [words for limit in limits if kind in (int, float) and (words := _describe_limit(limit))]
    return f"{names[kind]} {' and '.join(ranges)}".rstrip()


def _describe_limit(limit: Any) -> str:
    match limit:
        case annotated_types.Ge(ge=low):
            return f"of at least {low}"
        case annotated_types.Gt(gt=low):
            return f"above {low}"
        case annotated_types.Le(le=high):
            return f"up to {high}"
        case annotated_types.Lt(lt=high):
            return f"below {high}"
    return ""
