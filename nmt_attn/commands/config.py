"""`nmt-attn config`: checks a configuration file, shows what it means and what each part of its model costs."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from nmt_attn.config.file import dump_config, json_schema, load_config, parse_config
from nmt_attn.config.reference import reference_yaml
from nmt_attn.config.schema import Config

_WIDTH = 120


def show_config(file: Path | None, overrides: Sequence[str]) -> None:
    """Prints every key of `file` with `overrides` on top, and what each part of its model costs; else the reference.

    Raises ConfigError with all mistakes.
    """
    if file is not None:
        config = load_config(file, overrides)
    elif overrides:
        config = parse_config("", overrides, "--set")
    else:
        show_reference()
        return
    typer.echo(dump_config(config), nl=False)
    typer.echo("\n" + "\n".join(f"# {line}" for line in _cost(config)))


def show_reference() -> None:
    """Prints every key with its default and a comment."""
    typer.echo(reference_yaml(), nl=False)


def show_schema() -> None:
    """Prints the JSON schema of a configuration file."""
    typer.echo(json_schema(), nl=False)


def _cost(config: Config) -> Iterator[str]:
    """Parameters by part, one line each: comments, so that what is printed stays a configuration file."""
    from nmt_attn.model.count import count_from_config

    size = config.tokenizer.vocab_size
    parts = count_from_config(config, size, size)
    total = sum(part.parameters for part in parts)
    words, digits = max(len(part.part) for part in parts), len(f"{total:,}")
    yield f"Parameters by part, if each vocabulary has all of its {size:,} tokens (tokenizer.vocab_size):"
    for part in parts:
        row = f"{part.part:{words}}  {part.parameters:{digits},}  {part.parameters / total:6.1%}  "
        lines = textwrap.wrap(part.tensors, _WIDTH - len(row) - 2) or ["none"]
        yield row + lines[0]
        yield from (" " * len(row) + line for line in lines[1:])
    yield f"{'total':{words}}  {total:{digits},}"
