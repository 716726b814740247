"""`nmt-attn config`: checks a configuration file, and shows what it means."""

from collections.abc import Sequence
from pathlib import Path

import typer

from nmt_attn.config_file import dump_config, json_schema, load_config, parse_config
from nmt_attn.config_reference import reference_yaml


def show_config(file: Path | None, overrides: Sequence[str]) -> None:
    """Prints every key of `file` with `overrides` on top; without either, the reference.

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


def show_reference() -> None:
    """Prints every key with its default and a comment."""
    typer.echo(reference_yaml(), nl=False)


def show_schema() -> None:
    """Prints the JSON schema of a configuration file."""
    typer.echo(json_schema(), nl=False)
