"""Seed runs: runs that differ in their seed alone, NAME-seed-1, NAME-seed-2, ...; those of a sweep end in its digits.

`nmt-attn train NAME --seeds N` makes them, `nmt-attn sweep` too. A run's seed is a part of its name, so that the runs
that belong together are found without reading one.
"""

import re
from pathlib import Path
from typing import NamedTuple

import typer

from nmt_attn.errors import CheckpointError
from nmt_attn.model.store import BEST, WEIGHTS, find_model

_ENDING = r"seed-(\d+)(?:-[0-9a-f]{16})?"


def seed_name(name: str, seed: int) -> str:
    """The name of the run with this seed."""
    return f"{name}-seed-{seed}"


def name_without_seed(name: str) -> str:
    """`demo` of `demo` and of `demo-seed-3`."""
    return re.sub(f"(^|-){_ENDING}$", "", name)


class SeedRuns(NamedTuple):
    """The runs of NAME."""

    stem: Path  # runs/NAME, which need not be there
    runs: list[Path]


def find_seed_runs(model: Path | None, count: int) -> SeedRuns:
    """The first `count` runs, by their seeds, that belong to `model`: NAME, or one of them. None: to the newest run.

    NAME may be the folder of a sweep that varies nothing, too. Raises CheckpointError if there are fewer, or several of
    one seed.
    """
    given = find_model(None).parent if model is None else model
    name = name_without_seed(given.name)
    stem = given.with_name(name) if name else given.parent
    runs = _by_seed(stem)
    if len(runs) < count:
        found = ", ".join(str(run) for run in runs.values()) or "none"
        raise CheckpointError(
            f"{given}: expected {count} trained runs {seed_name(str(stem), 1)}, ..., got {found} (train them: nmt-attn "
            f"train CONFIG --name {name or stem.name} --seeds {count})"
        )
    if len(runs) > count:
        typer.echo(f"note: {stem} has {len(runs)} seeds, of which the first {count} are taken", err=True)
    return SeedRuns(stem, list(runs.values())[:count])


def _by_seed(stem: Path) -> dict[int, Path]:
    """The runs with a model beside `stem`, whose names begin with its name, or in it; in order of their seeds."""
    found: dict[int, Path] = {}
    for folder, beginning in ((stem.parent, f"{re.escape(stem.name)}-"), (stem, "")):
        for run in sorted(folder.glob("*")):
            match = re.fullmatch(beginning + _ENDING, run.name)
            if match is None or not (run / BEST / WEIGHTS).is_file():
                continue
            seed = int(match[1])
            if seed in found:
                both = f"{found[seed]} and {run}"
                raise CheckpointError(f"{stem}: expected one run of each seed, got {both} (name runs by --model)")
            found[seed] = run
    return dict(sorted(found.items()))
