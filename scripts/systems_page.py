"""Writes docs/systems.md from scripts/systems.yaml: which keys make which system, and what the keys do not express.

python scripts/systems_page.py
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "scripts" / "systems.yaml", ROOT / "docs" / "systems.md"

HEAD = r"""
# Which keys make which system

<!-- made by scripts/systems_page.py from scripts/systems.yaml -->

Each row is a model that this package builds; a test builds and runs it. The keys are below `model`, on top of the
defaults. Sizes, dropout and everything else that a row does not name can be chosen freely, as in

    nmt-attn train configs/reference.yaml --set run.name=try \
        --set model.decoder.style=luong --set model.attention.score=general
"""

FOOT = """
What no keys can express: the attention of GNMT in tensorflow/nmt (`gnmt`, `gnmt_v2`), which queries with the bottom
layer and feeds the context to every layer (its encoder can be expressed: `encoder.bidirectional=bottom`,
`encoder.residual=true`); sparsemax, coverage, several heads, and copying.
"""


class System(NamedTuple):
    """A model of a paper or toolkit."""

    name: str
    keys: tuple[str, ...]  # `decoder.style=luong`, below `model`, without those of the group
    config: str | None = None  # the shipped configuration of this system
    differs: str = ""  # what the keys do not express


class Group(NamedTuple):
    """Systems with keys in common."""

    title: str
    note: str
    common: tuple[str, ...]
    systems: tuple[System, ...]


def read_groups() -> list[Group]:
    """The groups in scripts/systems.yaml."""
    groups = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return [
        Group(
            group["title"],
            group.get("note", ""),
            tuple(group["common"]),
            tuple(System(**{**system, "keys": tuple(system["keys"])}) for system in group["systems"]),
        )
        for group in groups
    ]


def page(groups: Iterable[Group]) -> str:
    """docs/systems.md."""
    return HEAD.lstrip() + "".join(_section(group) for group in groups) + FOOT


def _section(group: Group) -> str:
    common = f"Keys of every row: {_keys(group.common)}.\n\n" if group.common else ""
    note = f"{group.note}\n\n" if group.note else ""
    rows = [f"| {_name(system)} | {_keys(system.keys)} | {system.differs} |\n" for system in group.systems]
    table = "| system | keys | differs, beside its keys |\n|---|---|---|\n" + "".join(rows)
    return f"\n## {group.title}\n\n{note}{common}{table}"


def _name(system: System) -> str:
    return f"{system.name}, [{system.config}](../{system.config})" if system.config else system.name


def _keys(keys: Sequence[str]) -> str:
    return " ".join(f"`{key}`" for key in keys)


if __name__ == "__main__":
    PAGE.write_text(page(read_groups()), encoding="utf-8")
