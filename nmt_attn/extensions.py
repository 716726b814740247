"""Extensions: installed packages that register names of their own (nmt_attn/registry.py).

A package names a module in its pyproject.toml; the command line imports it when a command starts:

    [project.entry-points."nmt_attn.extensions"]
    cosine = "my_package.cosine"

From Python, importing such a module is enough. Nothing in a model's folder can name a module.
"""

from importlib.metadata import EntryPoint, entry_points

GROUP = "nmt_attn.extensions"


def load_extensions() -> list[str]:
    """Imports every installed extension. Gives one line for each that cannot be imported."""
    return [line for entry in entry_points(group=GROUP) if (line := _load(entry)) is not None]


def _load(entry: EntryPoint) -> str | None:
    try:
        entry.load()
    except Exception as error:  # whatever its module raises
        found = f"{type(error).__name__}: {error}".split("\n")[0]
        return f"extension {entry.name!r}: expected to import {entry.value}, got {found}"
    return None
