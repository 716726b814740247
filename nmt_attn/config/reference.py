"""configs/reference.yaml: every key with its default, what it means and what it accepts."""

import re
import textwrap
from itertools import zip_longest

from pydantic.fields import FieldInfo

from nmt_attn.config.accepted_values import abridge, choices_of
from nmt_attn.config.base import Section
from nmt_attn.config.key_paths import section_of
from nmt_attn.config.schema import Config
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
