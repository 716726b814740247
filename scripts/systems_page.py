"""Writes docs/systems.md from scripts/systems.yaml and scripts/parity.yaml: which keys make which system, what the keys
do not express, and how far models of other toolkits differ here from what the toolkits make of them.

python scripts/systems_page.py
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "scripts" / "systems.yaml", ROOT / "docs" / "systems.md"
MEASURED = ROOT / "scripts" / "parity.yaml"

HEAD = r"""
# Which keys make which system

<!-- made by scripts/systems_page.py from scripts/systems.yaml -->

Each row is a model that this package builds; a test builds and runs it. The keys are below `model`, on top of the
defaults. Sizes, dropout and everything else that a row does not name can be chosen freely, as in

    nmt-attn train configs/reference.yaml --set run.name=try \
        --set model.decoder.style=luong --set model.attention.score=general
"""

FOOT = """
## What no keys can express

- Layer normalisation of attention, first state and readout (nematus, Marian); that of their cells can be expressed
  (`gru-layernorm`, `gru-layernorm-joint`, `lstm-layernorm`). As those toolkits have all or none, `import` refuses such
  models.
- nmtpytorch's `dec_inp_activ`, a nonlinearity on the context before the second cell, which is off by default.
- Several heads of attention: alignments, the lab's given weights and its formulas stand on one row of weights for each
  target word, c = Σ α h; a mean over heads would make none of these true.
"""

PARITY = """
## Models of other toolkits, run on both sides

`make parity PEERS=FOLDER` lets each toolkit build and briefly train models of 1, 2 and 4 layers, with GRU and with
LSTM, and run them on a padded batch of 4 sentences. The same weights then run here, in float64. Shown is the largest
difference of any model. log p is that of the toolkit's own output of beam 5, and with Marian of given translations
too. joeynmt and yoyodyne sum it in float32; Marian computes in float32 and prints 6 digits. eole's encoder reads
padding as if it were words: there each sentence runs alone, here in the padded batch; and its bridge works with
encoders of one direction alone. Greedy and beam 5: outputs that are identical, without length penalty. FOLDER has a
virtual environment for each toolkit, named `opennmt`, `joeynmt`, `eole`, `yoyodyne`, `marian` (pymarian, with torch
beside it); one that is not there is skipped by name. yoyodyne is not a kind of `import`: this check alone reads its
weights. The figures are those of 2026-11-28, commit 3f3ffac; Marian's of fc770e0 and eole's of 9dbab5d.

"""
STAGES = ("encoder states", "first states", "weights", "logits", "log p")


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
    return HEAD.lstrip() + "".join(_section(group) for group in groups) + parity() + FOOT


def parity() -> str:
    """The table of scripts/parity.yaml."""
    head = f"| toolkit | variant | models | {' | '.join(STAGES)} | greedy | beam 5 |\n|{'---|' * (5 + len(STAGES))}\n"
    peers = yaml.safe_load(MEASURED.read_text(encoding="utf-8"))
    return PARITY + head + "".join(_parity_row(peer, row) for peer in peers for row in peer["variants"])


def _parity_row(peer: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    sentences, beam = row["sentences"], row["beam"]
    cells = [
        f"{peer['toolkit']} {peer['version']}",
        f"`{row['variant']}`",
        row["models"],
        *(_shown(row["differences"].get(stage)) for stage in STAGES),
        f"{row['greedy']} of {sentences}",
        ", ".join(f"{count} of {sentences}{'' if kind == 'equal' else f' {kind}'}" for kind, count in beam.items()),
    ]
    return f"| {' | '.join(map(str, cells))} |\n"


def _shown(difference: float | None) -> str:
    return "not shown by it" if difference is None else f"{difference:.1e}"


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
