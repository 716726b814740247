"""Command-line options from a record: a parameter for each field, the parser of its values, and what is refused.

A record is a dataclass whose fields are annotated with typer's options or arguments (nmt_attn/options/).
"""

import inspect
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import MISSING, Field, fields
from itertools import takewhile
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.core import TyperCommand
from typer.models import ArgumentInfo

from nmt_attn.bounds import LARGEST
from nmt_attn.errors import ConfigError
from nmt_attn.files import is_unicode, shown, usable_path

NUMBERS = {int: "whole number", float: "number"}


class OnceCommand(TyperCommand):
    """A command that refuses an option given twice, unless it may be repeated: else the last would win unseen."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = Counter(arg.partition("=")[0] for arg in takewhile(lambda arg: arg != "--", args))
        for parameter in self.params:
            is_single = not getattr(parameter, "multiple", True) and not getattr(parameter, "is_flag", True)
            for name in parameter.opts:
                if is_single and given[name] > 1:
                    raise ConfigError(f"{name}: expected it once, got it {given[name]} times")
        return super().parse_args(ctx, args)


def parameters_of(record: type) -> list[inspect.Parameter]:
    """The fields as the parameters of a command; those of the record itself before those that it inherits."""
    hints = get_type_hints(record, include_extras=True)
    own = inspect.get_annotations(record)
    ordered = sorted(fields(record), key=lambda field: field.name not in own)
    return [_parameter(field, hints[field.name]) for field in ordered]


def _parameter(field: Field[Any], hint: Any) -> inspect.Parameter:
    kind, declared = get_args(hint)
    is_required = field.default is MISSING
    declared = copy(declared)
    name = field.name if isinstance(declared, ArgumentInfo) else f"--{field.name.replace('_', '-')}"
    if kind is bool:
        declared.param_decls = (name,)  # without a --no-...
    if Path in (kind, *get_args(kind)):
        declared.parser = _path_parser(name)
    for number in NUMBERS.keys() & {kind, *get_args(kind)}:
        declared.parser = _number_parser(name, number, declared.min, declared.max)
        declared.metavar = f"<{number.__name__}>"
        declared.max = None if declared.max == LARGEST else declared.max  # help says it where it could matter
    if get_origin(kind) is tuple:  # what may be repeated
        several = GenericAlias(list, get_args(kind)[:1])
        kind = several if is_required else several | None
    default = inspect.Parameter.empty if is_required else None if field.default == () else field.default
    annotation = Annotated[kind, declared]  # type: ignore[valid-type]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _path_parser(name: str) -> Callable[[str], Path]:
    """What makes the path of an option; its own name is what help shows."""

    def path(text: str) -> Path:
        return usable_path(text, name)

    return path


def _number_parser(name: str, number: type, least: float | None, most: float | None) -> Callable[[str], float]:
    """What makes the number of an option; `least` and `most` are its range, where there is one."""

    def parse(text: str) -> float:
        with suppress(ValueError):
            value: float = number(text)
            if "_" not in str(text) and (least is None or value >= least) and (most is None or value <= most):
                return value
        bounds = "" if least is None or most is None else f" from {least:,} to {most:,}"
        raise ConfigError(f"{name}: expected a {NUMBERS[number]}{bounds}, got {shown(text)}")

    return parse


def checked(name: str, value: Any) -> Any:
    """The value as a record holds it. Raises ConfigError for bytes of the shell that are no text."""
    if isinstance(value, list):
        return tuple(checked(name, each) for each in value)
    if isinstance(value, str) and not is_unicode(value):
        raise ConfigError(f"{name}: expected text in UTF-8, got {shown(value)}")
    return value
