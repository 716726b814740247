"""`nmt-attn config`: checks a configuration file, shows what it means and what each part of its model costs."""

import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from nmt_attn.config.file import dump_config, json_schema, load_config, load_resolved, parse_config
from nmt_attn.config.key_paths import value_at, value_keys
from nmt_attn.config.messages import show
from nmt_attn.config.reference import reference_yaml
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SIDES
from nmt_attn.options.training import ConfigOptions
from nmt_attn.screen import fold, format_table, widest, width_of

_PIPE_WIDTH = 120
"""Columns where no terminal says how many it has."""
_LEAST_ROOM, _INDENT = 30, 4
"""Columns for the names of a part's tensors beside their number; where there are fewer, they stand below it."""
_OF_A_RUN = "config.yaml"


def show_config(options: ConfigOptions) -> None:
    """Prints every key of the file and what each part of its model costs; without one the reference, or the schema.

    With `diff`: only the keys that differ from that file or run, with both values.

    Raises ConfigError with all mistakes.
    """
    if options.schema:
        typer.echo(json_schema(), nl=False)
        return
    if options.diff is not None:
        typer.echo(_difference(options, options.diff))
        return
    if options.config is None and not options.set:
        typer.echo(reference_yaml(), nl=False)
        return
    config = _load(options.config, options.set)
    typer.echo(dump_config(config), nl=False)
    typer.echo("\n" + "\n".join(f"# {line}" for line in _cost(config, width_of(sys.stdout) or _PIPE_WIDTH)))


def _load(path: Path | None, overrides: Sequence[str]) -> Config:
    """The configuration of a file or a run; without one, the defaults."""
    if path is None:
        return parse_config("", overrides, "--set")
    return load_resolved(path / _OF_A_RUN, overrides) if path.is_dir() else load_config(path, overrides)


def _difference(options: ConfigOptions, before: Path) -> str:
    """A table of the keys whose values differ; a line if none does."""
    first, second = (_values(config) for config in (_load(before, ()), _load(options.config, options.set)))
    rows = [[key, show(first[key]), show(second[key])] for key in first if first[key] != second[key]]
    other = "the defaults" if options.config is None else str(options.config)
    if not rows:
        return f"no key differs between {before} and {other}"
    width = width_of(sys.stdout)
    table = format_table(["key", str(before), other], rows)
    if width is None or widest(table) <= width:
        return table
    folded = (f"{key}\n  {mine}\n  {others}" for key, mine, others in [["key", str(before), other], *rows])
    return "\n".join(folded)


def _values(config: Config) -> dict[str, object]:
    """Every key by its path, such as `model.attention.score`."""
    return {key: value_at(config, key) for key in value_keys()}


def _cost(config: Config, width: int) -> Iterator[str]:
    """Parameters by part, a row each: comments, so that what is printed stays a configuration file."""
    from nmt_attn.model.count import count_from_config

    sizes = [config.tokenizer.side(side).vocab_size for side in SIDES]
    parts = count_from_config(config, *sizes)
    total = sum(part.parameters for part in parts)
    words, digits = max(len(part.part) for part in parts), len(f"{total:,}")
    room = width - len("# ")
    size = " and ".join(dict.fromkeys(f"{size:,}" for size in sizes))
    title = f"Parameters by part, if each vocabulary has all of its {size} tokens (tokenizer.vocab_size):"
    yield from fold(title, room).split("\n")
    for part in parts:
        row = f"{part.part:{words}}  {part.parameters:{digits},}  {part.parameters / total:6.1%}  "
        is_beside = len(row) + _LEAST_ROOM <= room
        margin = len(row) if is_beside else _INDENT
        tensors = textwrap.wrap(part.tensors or "none", room - margin, break_long_words=False)
        yield row + tensors.pop(0) if is_beside else row.rstrip()
        yield from (" " * margin + line for line in tensors)
    yield f"{'total':{words}}  {total:{digits},}"
