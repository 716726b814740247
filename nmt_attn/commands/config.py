"""`nmt-attn config`: checks a configuration file, shows what it means and what each part of its model costs."""

import textwrap
from collections.abc import Iterator

import typer

from nmt_attn.config.file import dump_config, json_schema, load_config, parse_config
from nmt_attn.config.reference import reference_yaml
from nmt_attn.config.schema import Config
from nmt_attn.options import ConfigOptions

_WIDTH = 120


def show_config(options: ConfigOptions) -> None:
    """Prints every key of the file and what each part of its model costs; without one the reference, or the schema.

    Raises ConfigError with all mistakes.
    """
    if options.schema:
        typer.echo(json_schema(), nl=False)
        return
    if options.config is None and not options.set:
        typer.echo(reference_yaml(), nl=False)
        return
    if options.config is None:
        config = parse_config("", options.set, "--set")
    else:
        config = load_config(options.config, options.set)
    typer.echo(dump_config(config), nl=False)
    typer.echo("\n" + "\n".join(f"# {line}" for line in _cost(config)))


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
