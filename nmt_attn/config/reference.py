"""What each key accepts, in words for messages and in symbols for comments; configs/reference.yaml made from it."""

import re
import textwrap
import types
from collections.abc import Iterable
from itertools import zip_longest
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from nmt_attn.config.base import NameOf, Section
from nmt_attn.config.key_paths import section_of
from nmt_attn.config.messages import join_words, show
from nmt_attn.config.schema import DEVICE_PATTERN, NAME_PATTERN, Config
from nmt_attn.config.tokenizer_section import DIVIDER_PATTERN, FACTOR_PATTERN
from nmt_attn.config.yaml_io import format_yaml

_WIDTH = 120
_OBVIOUS = ("text", "true | false")
_HEAD = """\
# Every key with its default, what it means and [in brackets] what it accepts.
# A file names only the keys that it changes; `--set section.key=value` changes more of them.
# Made by `nmt-attn config`.
"""


def reference_yaml() -> str:
    """The text of configs/reference.yaml; it loads to the defaults."""
    sections = []
    for name, field in Config.model_fields.items():
        section = section_of(field)
        assert section is not None, "the root holds sections alone"
        sections.append(f"{name}:  # {field.description}\n{_section(section, getattr(Config(), name), '  ')}")
    return "\n".join([_HEAD, *sections])


def _section(kind: type[Section], defaults: Section, indent: str) -> str:
    """The keys of one section, their comments in one column; sections inside it below their names."""
    fields = kind.model_fields
    inner = {name: section for name, field in fields.items() if (section := section_of(field))}
    values = defaults.model_dump(mode="json", exclude=set(inner))
    entries = {name: indent + format_yaml({name: value}).rstrip("\n") for name, value in values.items()}
    column = max((len(entry) for entry in entries.values()), default=0) + 2
    lines = []
    for name, field in fields.items():
        if name in inner:
            lines.append(f"{indent}{name}:  # {field.description}\n")
            lines.append(_section(inner[name], getattr(defaults, name), indent + "  "))
        else:
            lines.append(_with_comment(entries[name], field, column))
    return "".join(lines)


def _accepts(field: FieldInfo) -> str:
    """`[what the field accepts]`, or nothing where its description or its default shows that."""
    choices = choices_of(field)
    if choices and all(re.search(rf"\b{re.escape(str(choice))}\b", field.description or "") for choice in choices):
        return ""
    accepts = abridge(field)
    return "" if accepts in _OBVIOUS else f"[{accepts}]"


def _with_comment(entry: str, field: FieldInfo, column: int) -> str:
    """`entry`, and its comment from `column` on, on as many lines as it needs; brackets stay whole if they can."""
    room = _WIDTH - column - len("# ")
    lines, accepts = textwrap.wrap(field.description or "", room, break_on_hyphens=False), _accepts(field)
    if len(f"{lines[-1]} {accepts}") <= room:
        lines[-1] = f"{lines[-1]} {accepts}".rstrip()
    else:
        lines += textwrap.wrap(accepts, room, break_on_hyphens=False)
    return "".join(f"{start:{column}}# {line}\n" for start, line in zip_longest([entry], lines, fillvalue=""))


FAR = 10_000
"""Upper bounds from here on go without saying where a value is inside; the JSON schema has them all."""
_PATTERN_WORDS = {
    NAME_PATTERN: "a name of letters, digits, '_', '-' and '.' (the last two not first)",
    DEVICE_PATTERN: "'auto', 'cpu', 'cuda' or one GPU, such as 'cuda:1'",
    FACTOR_PATTERN: "a name of small letters, digits and '_', a letter first",
    DIVIDER_PATTERN: "text without white space",
}
_PATTERN_SYMBOLS = {
    NAME_PATTERN: "letters, digits, _ - .",
    DEVICE_PATTERN: "auto | cpu | cuda | cuda:N",
    FACTOR_PATTERN: "small letters, digits, _",
    DIVIDER_PATTERN: "text without white space",
}
_TYPE_WORDS = {bool: "true or false", types.NoneType: "null", int: "a whole number", float: "a number"}
_TYPE_SYMBOLS = {bool: "true | false", types.NoneType: "null", int: "whole number", float: "number"}
_LIMIT_WORDS = {">=": "of at least", ">": "above", "<=": "up to", "<": "below"}


class Kind(NamedTuple):
    """One kind of value; a key may accept several."""

    type: Any  # bool, int, float, str, NoneType, tuple, a section in a list, or Literal
    is_registered: bool = False  # Literal: the values are names of a registry, to which an extension may add
    choices: tuple[Any, ...] = ()  # Literal: the values spelled out
    limits: tuple[tuple[str, Any], ...] = ()  # of a number, such as (">=", 1)
    pattern: str | None = None  # of text
    items: tuple["Kind", ...] = ()  # tuple: the kinds that each item accepts
    size: int | None = None  # tuple: how many items, if that is fixed


def kinds_of(field: FieldInfo) -> list[Kind]:
    """The kinds of value that the field accepts, in the order of its type."""
    return _kinds(field.annotation, field.metadata)


def choices_of(field: FieldInfo) -> list[Any]:
    """The values that the field's type spells out, for itself or for the items of its list."""
    kinds = [kind for outer in kinds_of(field) for kind in (outer, *outer.items)]
    return [choice for kind in kinds for choice in kind.choices]


def describe(field: FieldInfo, found: object = None) -> str:
    """What the field accepts, in words: `a whole number of at least 1 or null`.

    A bound that hardly anyone meets is said only where `found` is beyond it.
    """
    return _words([_without_far_bounds(kind, found) for kind in kinds_of(field)])


def abridge(field: FieldInfo) -> str:
    """What the field accepts, in symbols: `whole number >= 1 | null`."""
    return _symbols([_without_far_bounds(kind, None) for kind in kinds_of(field)])


def _without_far_bounds(kind: Kind, found: object) -> Kind:
    """The kind without an upper bound that is far away, unless a number of `found` is beyond it."""
    numbers = [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, int | float)]
    limits = [
        (symbol, bound)
        for symbol, bound in kind.limits
        if symbol != "<=" or bound < FAR or any(number > bound for number in numbers)
    ]
    return kind._replace(limits=tuple(limits), items=tuple(_without_far_bounds(item, found) for item in kind.items))


def _kinds(annotation: Any, limits: Iterable[Any]) -> list[Kind]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = [limit for part in parts[1:] for limit in getattr(part, "metadata", [part])]
        return _kinds(parts[0], [*limits, *inner])
    if origin in (Union, types.UnionType):
        return [kind for part in parts for kind in _kinds(part, limits)]
    if origin is Literal:
        return [Kind(Literal, choices=parts)]
    if origin is tuple:
        size = None if parts[-1] is Ellipsis else len(parts)
        return [Kind(tuple, items=tuple(_kinds(parts[0], [])), size=size)]
    for name in (limit for limit in limits if isinstance(limit, NameOf)):
        return [Kind(Literal, is_registered=True, choices=name.choices)]
    patterns = [limit.pattern for limit in limits if annotation is str and getattr(limit, "pattern", None)]
    ranges = [pair for limit in limits if annotation in (int, float) for pair in _limit(limit)]
    return [Kind(annotation, limits=tuple(ranges), pattern=patterns[0] if patterns else None)]


def _limit(limit: Any) -> list[tuple[str, Any]]:
    match limit:
        case annotated_types.Ge(ge=bound):
            return [(">=", bound)]
        case annotated_types.Gt(gt=bound):
            return [(">", bound)]
        case annotated_types.Le(le=bound):
            return [("<=", bound)]
        case annotated_types.Lt(lt=bound):
            return [("<", bound)]
    return []


def _words(kinds: list[Kind]) -> str:
    if len(kinds) > 1 and kinds[0].type is bool:
        return join_words(["true", "false", *(_words([kind]) for kind in kinds[1:])])
    return join_words(_words_of_one(kind) for kind in kinds)


def _words_of_one(kind: Kind) -> str:
    if kind.type is Literal:
        return ("one of " if len(kind.choices) > 1 else "") + ", ".join(map(show, kind.choices))
    if kind.type is tuple:
        size = "list" if kind.size is None else f"list of {kind.size}"
        return f"a {size}, each {_words(list(kind.items))}"
    if issubclass(kind.type, Section):
        return f"a section of {_section_keys(kind.type)}"
    if kind.type is str:
        return _PATTERN_WORDS[kind.pattern] if kind.pattern else "text"
    ranges = " and ".join(f"{_LIMIT_WORDS[symbol]} {bound}" for symbol, bound in kind.limits)
    return f"{_TYPE_WORDS[kind.type]} {ranges}".rstrip()


def _symbols(kinds: list[Kind]) -> str:
    return " | ".join(_symbols_of_one(kind) for kind in kinds)


def _symbols_of_one(kind: Kind) -> str:
    if kind.type is Literal:
        return " | ".join(map(str, kind.choices))
    if kind.type is tuple:
        size = "list" if kind.size is None else f"list of {kind.size}"
        return f"{size}: {_symbols(list(kind.items))}"
    if issubclass(kind.type, Section):
        return f"{{{_section_keys(kind.type)}}}"
    if kind.type is str:
        return _PATTERN_SYMBOLS[kind.pattern] if kind.pattern else "text"
    ranges = ", ".join(f"{symbol} {bound}" for symbol, bound in kind.limits)
    return f"{_TYPE_SYMBOLS[kind.type]} {ranges}".rstrip()


def _section_keys(section: type[Section]) -> str:
    return ", ".join(field.alias or name for name, field in section.model_fields.items())
