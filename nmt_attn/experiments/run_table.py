"""The list of runs as a table for the screen, as CSV and as JSON."""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from nmt_attn.config.key_paths import short_name
from nmt_attn.experiments.run_filter import COLUMNS
from nmt_attn.experiments.run_list import RunRecord
from nmt_attn.screen import Column, cells, fold, format_table, shortened

LEAST_NAME, NAME_SHARE = 24, 0.4
"""Columns of the terminal that a run's name may take: at least this number, and this share of the width."""
MOST_KEYS, LONGEST_VALUE = 8, 24
"""Of a table for a terminal: columns of keys, and characters of a value."""
DIGITS = r"-[0-9a-f]{16}$"
"""Of a run's key, at the end of its name in a sweep."""
ELSEWHERE = "--csv FILE has them"


def format_runs(runs: Sequence[RunRecord], keys: Sequence[str], width: int | None) -> str:
    """A line a run, with a column for each of `keys`; in a terminal for as many as fit."""
    shown = keys if width is None else keys[:MOST_KEYS]
    metrics = {run.metric for run in runs}
    columns = [Column("run"), Column("state"), Column(f"best {metrics.pop()}" if len(metrics) == 1 else "best")]
    columns += [Column("updates", 3), Column("epoch", 5), Column("time", 2), Column("parameters", 4)]
    columns += [Column(short_name(key, COLUMNS), 1 if place < 2 else 4 + place) for place, key in enumerate(shown)]
    has_metric = columns[2].title == "best"
    rows = [
        [*_cells(run, width, has_metric=has_metric), *(_value(run.keys[key], width) for key in shown)] for run in runs
    ]
    lines = [format_table(columns, rows, width, f" ({ELSEWHERE})")]
    lines += [f"{run.name}: {run.state}, {run.message}" for run in runs if run.message]
    if len(shown) < len(keys):
        lines.append(f"{len(keys) - len(shown)} more keys differ ({ELSEWHERE}; --where leaves runs out)")
    return "\n".join([lines[0], *(fold(line, width) for line in lines[1:])])


def _cells(run: RunRecord, width: int | None, *, has_metric: bool) -> list[str]:
    name = run.name if width is None else _short_name(run.name, max(LEAST_NAME, int(width * NAME_SHARE)))
    best = "-" if run.best is None else f"{run.best:.4g}{f' {run.metric}' * has_metric}"
    parameters = "-" if run.parameters is None else f"{run.parameters:,}"
    return [name, run.state, best, f"{run.updates:,}", str(run.epoch), tqdm.format_interval(run.seconds), parameters]


def _short_name(name: str, room: int) -> str:
    """The name without a sweep's digits at its end, and without its middle, where it is too long."""
    if cells(name) <= room:
        return name
    name = re.sub(DIGITS, "", name)
    if cells(name) <= room:
        return name
    tail = next(name[start:] for start in range(len(name)) if cells(name[start:]) <= room // 2)
    return shortened(name[: -len(tail)], room - cells(tail)) + tail


def _value(value: Any, width: int | None) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if width is None else shortened(text, LONGEST_VALUE)


def runs_as_csv(runs: Sequence[RunRecord], keys: Sequence[str]) -> str:
    """A row a run, with the whole of every value and of every key's name."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    fields = list(_fields(runs[0])) if runs else ["run"]
    writer.writerow([*fields, *keys])
    for run in runs:
        writer.writerow([*_fields(run).values(), *(_value(run.keys[key], None) for key in keys)])
    return stream.getvalue()


def runs_as_json(runs: Sequence[RunRecord], keys: Sequence[str]) -> str:
    """A list with a record a run."""
    records = [{**_fields(run), "keys": {key: run.keys[key] for key in keys}} for run in runs]
    return json.dumps(records, indent=2, ensure_ascii=False) + "\n"


def _fields(run: RunRecord) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "state": run.state,
        "message": run.message,
        "updates": run.updates,
        "epoch": run.epoch,
        "metric": run.metric,
        "best": run.best,
        "seconds": run.seconds,
        "parameters": run.parameters,
    }
