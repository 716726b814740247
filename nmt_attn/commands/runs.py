"""`nmt-attn runs`: what is under runs/, how far each run is and in which keys the runs differ."""

import sys
from collections import Counter

import typer

from nmt_attn.errors import ConfigError, UserError
from nmt_attn.evaluation.artifacts import check_writable
from nmt_attn.experiments.run_filter import read_condition, sorted_runs
from nmt_attn.experiments.run_list import (
    RunRecord,
    differing_between,
    differing_from_defaults,
    find_runs,
    read_run,
)
from nmt_attn.experiments.run_table import format_runs, runs_as_csv, runs_as_json
from nmt_attn.files import or_standard, writing
from nmt_attn.model.store import RUNS
from nmt_attn.options.training import RunsOptions
from nmt_attn.screen import fold, width_of


def runs(options: RunsOptions) -> None:
    """Prints the runs that are asked for, or writes them to files. Raises UserError."""
    conditions = [read_condition(text) for text in options.where]
    _check_outputs(options)
    found = _read_all(options)
    chosen = [run for run in found if all(condition.holds(run) for condition in conditions)]
    if options.sort is not None:
        chosen = sorted_runs(chosen, options.sort)
        if options.sort == "best" and len({run.metric for run in chosen}) > 1:
            _note("note: values of different metrics do not compare: the runs are sorted metric by metric")
    keys = differing_from_defaults(chosen) if options.against == "defaults" else differing_between(chosen)
    texts = {options.csv: runs_as_csv(chosen, keys), options.json: runs_as_json(chosen, keys)}
    for path, text in texts.items():
        if path is not None:
            with writing(or_standard(path)) as write:
                write(text)
    if chosen and not any(path is not None and or_standard(path) is None for path in texts):
        typer.echo(format_runs(chosen, keys, width_of(sys.stdout)))
    _note(_count(found, chosen))


def _check_outputs(options: RunsOptions) -> None:
    if options.csv is not None and options.csv == options.json:
        raise ConfigError(f"--json: expected another place than --csv, got {options.json}")
    for path in (options.csv, options.json):
        if path is not None and or_standard(path) is not None:
            check_writable(path)


def _read_all(options: RunsOptions) -> list[RunRecord]:
    """Every run that can be read; the others are said."""
    folder = options.folder or RUNS
    records = []
    for path in find_runs(folder):
        try:
            records.append(read_run(path, folder))
        except UserError as error:
            _note(f"left out: {error}")
    return records


def _count(found: list[RunRecord], chosen: list[RunRecord]) -> str:
    states = Counter(run.state for run in chosen)
    kinds = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    whole = f"{len(chosen)} of {len(found)} runs" if len(chosen) < len(found) else f"{len(found)} runs"
    return f"{whole}{f': {kinds}' * bool(kinds)}"


def _note(text: str) -> None:
    typer.echo(fold(text, width_of(sys.stderr)), err=True)
