"""Writes docs/names.md, and the table of names in the README, from the registries: `python scripts/names_page.py`."""

from pathlib import Path

from nmt_attn.config.key_paths import locate
from nmt_attn.config.reference import choices_of
from nmt_attn.registries import REGISTRIES
from nmt_attn.registry import Registry, options_of

ROOT = Path(__file__).parents[1]
PAGE, README = ROOT / "docs" / "names.md", ROOT / "README.md"
BEGIN, END = "<!-- names: python scripts/names_page.py -->\n", "<!-- names: end -->\n"
SHORT = ("model.attention.score", "model.attention.window", "model.decoder.style")
"""The keys of the README's table."""

HEAD = """\
# Names

Every name that the configuration accepts for a part, the first line of what is behind it, and the keys of the same
section that only some parts read. Made by `python scripts/names_page.py`.
How to add a name: [CONTRIBUTING.md](../CONTRIBUTING.md).
"""


def page() -> str:
    """The text of docs/names.md."""
    return "\n".join([HEAD, *map(_section, REGISTRIES)])


def readme_table() -> str:
    """The README's table: a row for each key of SHORT, with its accepted values."""
    rows = [f"| `{key}` | {', '.join(f'`{value}`' for value in values_of(key))} |" for key in SHORT]
    return "\n".join(["| key | values |", "|---|---|", *rows, ""])


def readme() -> str:
    """The README with its table as it should be."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + readme_table() + END + rest.partition(END)[2]


def values_of(key: str) -> list[str]:
    """The names that a key accepts."""
    field = locate(tuple(key.split("."))).field
    assert field is not None, key
    return [str(choice) for choice in choices_of(field)]


def _section(registry: Registry[object]) -> str:
    title = ", ".join(f"`{key}`" for key in registry.config_keys)
    rows = [f"| `{name}` | {_first_line(registry[name])} | {_options(registry[name])} |" for name in registry]
    more = [value for value in values_of(registry.config_keys[0]) if value not in registry]
    also = [f"\nBeside these: {', '.join(f'`{value}`' for value in more)}."] if more else []
    return "\n".join([f"## {title}\n", "| name | what it is | reads |", "|---|---|---|", *rows, *also, ""])


def _first_line(part: object) -> str:
    return (part.__doc__ or "").strip().split("\n")[0].replace("|", "\\|")


def _options(part: object) -> str:
    return ", ".join(f"`{option}`" for option in options_of(part))


def main() -> None:
    """Writes both."""
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    main()
