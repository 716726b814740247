"""References made from the program: the command line from its own commands, the configuration from its schema."""

import inspect
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from typer.models import ArgumentInfo, CommandInfo

from nmt_attn.cli import app
from nmt_attn.config.base import Section
from nmt_attn.config.key_paths import section_of
from nmt_attn.config.reference import abridge
from nmt_attn.config.schema import Config
from nmt_attn.option_parsing import NUMBERS
from pages.stage import CODE

ROOT = Path(__file__).parents[2]
CLI_HEAD = """# Commands

Made from the program's own help when the site is built. `nmt-attn COMMAND --help` says the same in a terminal.
Exit codes: 0 done, 1 an internal fault, 2 a mistake that you can mend (said in one line), 130 interrupted.
"""
CONFIG_HEAD = """# Configuration keys

Made from the schema when the site is built. A file names only the keys that it changes; `--set section.key=value`
changes one for a command. `nmt-attn config FILE` checks a file and shows every key.
"""
SHIPPED_HEAD = """# Shipped configurations

`nmt-attn train NAME` takes any of these by its name, and `extends: NAME` builds on one.
"""


def cli_page() -> str:
    """Every command with its arguments, options, defaults and example."""
    lines = [CLI_HEAD, "| command | what it does |", "|---|---|"]
    lines += [f"| [`{each.name}`](#{each.name}) | {_cell(_help(each))} |" for each in app.registered_commands]
    for each in app.registered_commands:
        assert each.callback is not None
        rows = map(_parameter, inspect.signature(each.callback).parameters.values())
        table = ["| option | takes | default | what it does |", "|---|---|---|---|", *rows]
        examples = (each.epilog or "").removeprefix("Example: ").split("; ")
        lines += ["", f"## {each.name}", "", _help(each), "", *table, "", "```sh", *examples, "```"]
    return "\n".join(lines) + "\n"


def _help(command: CommandInfo) -> str:
    return " ".join((inspect.getdoc(command.callback) or "").split())


def _parameter(parameter: inspect.Parameter) -> str:
    """One row of the table of a command; the parameters are those that cli.py makes of the fields of its record."""
    kind, declared = get_args(parameter.annotation)
    is_argument = isinstance(declared, ArgumentInfo)
    name = parameter.name.upper() if is_argument else f"--{parameter.name.replace('_', '-')}"
    is_needed = parameter.default is inspect.Parameter.empty
    default = "needed" if is_needed else _default(parameter.default)
    return f"| `{name}` | {_cell(_takes(kind, declared))} | {default} | {_cell(declared.help or '')} |"


def _takes(kind: Any, declared: Any) -> str:
    """What a value is, in words."""
    inner = [part for part in get_args(kind) if part is not type(None)]
    if get_origin(kind) is Literal:
        return ", ".join(map(str, inner))
    if get_origin(kind) is list:
        return f"{_takes(inner[0], declared)}; may be repeated"
    if inner:
        return _takes(inner[0], declared)
    words = {bool: "", **NUMBERS, Path: "file or folder", str: "text"}
    bounds = [f"{word} {bound}" for word, bound in (("from", declared.min), ("to", declared.max)) if bound is not None]
    return " ".join([words[kind] if kind in NUMBERS else declared.metavar or words[kind], *bounds])


def _default(value: Any) -> str:
    return "" if value is None or value is False else f"`{value}`"


def config_page() -> str:
    """Every key of the configuration with its default, what it accepts and what it means, a table a section."""
    lines = [CONFIG_HEAD]
    for name, field in Config.model_fields.items():
        section = section_of(field)
        assert section is not None, "the root holds sections alone"
        lines += _section(section, getattr(Config(), name), name, field.description or "", 2)
    return "\n".join(lines) + "\n"


def _section(kind: type[Section], defaults: Section, path: str, meaning: str, level: int) -> list[str]:
    values = defaults.model_dump(mode="json")
    rows, inner = [], []
    for name, field in kind.model_fields.items():
        below = section_of(field)
        if below is not None:
            inner += _section(below, getattr(defaults, name), f"{path}.{name}", field.description or "", level + 1)
            continue
        shown = yaml.safe_dump(values[name], default_flow_style=True).strip().removesuffix("...").strip()
        rows.append(f"| `{name}` | `{shown}` | {_cell(abridge(field))} | {_cell(field.description or '')} |")
    table = ["| key | default | accepts | meaning |", "|---|---|---|---|", *rows, ""] if rows else []
    return [f"{'#' * level} {path}", "", f"{_cell(meaning[:1].upper() + meaning[1:])}.", "", *table, *inner]


def configurations_page() -> str:
    """The YAML of every shipped configuration."""
    lines = [SHIPPED_HEAD]
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        if path.stem != "reference":
            lines += [f"## {path.stem}", "", "```yaml", path.read_text(encoding="utf-8").rstrip(), "```", ""]
    return "\n".join(lines)


MARKUP = str.maketrans({letter: f"&#{ord(letter)};" for letter in "*_[]<>|"})
"""Letters that Markdown or HTML would read."""


def _cell(text: str) -> str:
    """Text inside a table; its code is HTML, as Markdown would show the entities in it."""
    return CODE.sub(r"<code>\1</code>", text.replace("\n", " ").translate(MARKUP))
