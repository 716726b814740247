"""YAML as configurations use it: the core schema of YAML 1.2, each key once.

Beside YAML 1.1, which PyYAML reads by default: `1e-3` is a number; `no`, `on`, `12:30` and `2024-01-01` are text.
What is written is read alike by both versions, because text that either would take for something else is quoted.
"""

import json
import re
from typing import Any, ClassVar

import yaml

from nmt_attn.errors import ConfigError
from nmt_attn.files import shown

_TAG = "tag:yaml.org,2002:"
_PLAIN_VALUES = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
MOST_LETTERS, MOST_VALUES, DEEPEST = 250_000, 10_000, 100
"""Of a text, with its comments; values in it, those behind an alias counted each time; and values inside values."""
_LINE_BREAKS = "\n\r\x85\u2028\u2029"
_MOST_DIGITS = 300
_LARGEST_COUNT = 1e15  # beyond it a float no longer holds every whole number


class _Loader(yaml.SafeLoader):
    """Reads scalars, lists and mappings; collects repeated keys."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]
    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        tag: maker
        for tag, maker in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(_TAG) in ("null", "bool", "int", "float", "str", "seq", "map")
    }

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where
        self.repeated: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As PyYAML's, which keeps the last of two equal keys in silence."""
        first_lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value in first_lines:
                self.repeated.append(
                    f"{self.where}:{line}: expected each key once, got {shown(key.value)} again "
                    f"(first in line {first_lines[key.value]})"
                )
            elif isinstance(key, yaml.ScalarNode):
                first_lines[key.value] = line
        return super().construct_mapping(node, deep=deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        """`010` is ten."""
        text = str(self.construct_scalar(node)).replace("_", "")
        if len(text) > _MOST_DIGITS:
            raise yaml.constructor.ConstructorError(None, None, f"a number of {len(text)} digits", node.start_mark)
        return int(text)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """`1e-3` is a float; `1e5` counts as a whole number."""
        text = str(self.construct_scalar(node)).replace("_", "").lower()
        number = float(text.replace(".inf", "inf").replace(".nan", "nan"))
        is_count = "." not in text and number.is_integer() and abs(number) < _LARGEST_COUNT
        return int(number) if is_count else number


class _Dumper(yaml.SafeDumper):
    """Lists on one line; no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """A value that occurs twice is written twice."""
        return True

    def represent_text(self, text: str) -> yaml.Node:
        """In double quotes where it holds a line break, so that the break is escaped."""
        style = '"' if any(letter in text for letter in _LINE_BREAKS) else None
        return self.represent_scalar(_TAG + "str", text, style=style)

    def represent_items(self, items: list[Any]) -> yaml.Node:
        """On one line."""
        return self.represent_sequence(_TAG + "seq", items, flow_style=True)


for _name, (_pattern, _first) in _PLAIN_VALUES.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor(_TAG + "int", _Loader.construct_decimal)
_Loader.add_constructor(_TAG + "float", _Loader.construct_number)
_Dumper.add_representer(list, _Dumper.represent_items)
_Dumper.add_representer(str, _Dumper.represent_text)


def parse_yaml(text: str, where: str) -> tuple[Any, list[str]]:
    """The value of one YAML document, and a message for each key that it gives twice.

    Raises ConfigError with `where` and the line if it is malformed, and for more than a configuration can be.
    """
    if len(text) > MOST_LETTERS:
        raise ConfigError(f"{where}: expected at most {MOST_LETTERS:,} letters, got {len(text):,}")
    try:
        loader = _Loader(text, where)
        value = loader.get_single_data()
        _check_size(value, where)
        return json.loads(json.dumps(value)), loader.repeated  # every key becomes text
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: expected YAML, got values inside themselves or nested too deeply") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise ConfigError(f"{where}:{line}: expected YAML, got the character U+{int(error.character):04X}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{where}:{line}: expected YAML, got this: {error.problem}") from error


def _check_size(value: object, where: str) -> None:
    """Raises ConfigError for too many values, which aliases make of a few letters; RecursionError if too deep."""
    waiting, count = [(value, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > DEEPEST:
            raise RecursionError
        if count > MOST_VALUES:
            raise ConfigError(f"{where}: expected at most {MOST_VALUES:,} values, got more (aliases count each time)")
        if isinstance(node, dict | list):
            waiting.extend((each, depth + 1) for each in (node.values() if isinstance(node, dict) else node))


def format_yaml(value: object) -> str:
    """`value` as YAML, keys in their order, lists on one line."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=120)
