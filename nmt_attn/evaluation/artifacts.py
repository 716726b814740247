"""Artifacts: the files that an evaluation writes, and the check, before the work, that they can be written.

    eval.json                    all results
    TEST.hyp.txt                 the translations
    predictions.tsv              each line: source, gold, guess, whether it is right, edits, log-probability
    METRIC-by-length.png, .svg   the first metric by source length
    METRIC-up-to-length.*        the same, cumulative, on request
    alignment-N.png, .svg        the attention of sentence N

With more than one system the names of files that belong to one have its name before the ending.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from nmt_attn.errors import DataError
from nmt_attn.evaluation.bootstrap import SystemComparison
from nmt_attn.evaluation.curves import draw_lengths, length_chart
from nmt_attn.evaluation.pictures import draw_alignment
from nmt_attn.evaluation.predictions import Prediction, as_tsv
from nmt_attn.evaluation.seeds import SeedGroup, seed_group_as_json
from nmt_attn.evaluation.summary import Summary, as_json, comparison_as_json
from nmt_attn.evaluation.system_outputs import SystemOutput
from nmt_attn.evaluation.words import NgramComparison, ngrams_as_json
from nmt_attn.files import write_text

PICTURE_ENDINGS = (".png", ".svg")


class OutputPaths(NamedTuple):
    """Where files are written; None: nowhere."""

    folder: Path | None
    json: Path | None  # the results once more
    plot: Path | None  # the plot once more


class EvaluationResults(NamedTuple):
    """All results of an evaluation; systems and summaries in one order."""

    test_set: str
    systems: Sequence[SystemOutput]
    summaries: Sequence[Summary]
    comparisons: Sequence[SystemComparison]
    groups: Sequence[SeedGroup] = ()  # of --seeds, the systems that differ in their seed as one
    predictions: Sequence[Sequence[Prediction]] = ()  # of each system
    ngrams: NgramComparison | None = None  # of two systems


def check_writable(path: Path) -> None:
    """Raises DataError if no file can be written there; called before the work whose result it gets."""
    if path.is_dir():
        raise DataError(f"{path}: expected a file that can be written, got a folder")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        found = "a folder without the right to write" if above.is_dir() else "a file"
        raise DataError(f"{path}: expected a folder that can be written to, got {above}, {found}")


def write_artifacts(results: EvaluationResults, paths: OutputPaths, *, is_cumulative: bool) -> None:
    """Writes all of them but the HTML report. Raises DataError."""
    text = json.dumps(_as_json(results), indent=2, ensure_ascii=False) + "\n"
    if paths.folder is not None:
        write(paths.folder / "eval.json", text)
        for system in results.systems:
            name = f"{results.test_set}{_infix(system, results)}.hyp.txt"
            write(paths.folder / name, "".join(f"{line}\n" for line in system.hypotheses))
        for system, predictions in zip(results.systems, results.predictions, strict=True):
            write(paths.folder / f"predictions{_infix(system, results)}.tsv", as_tsv(predictions))
    if paths.json is not None:
        write(paths.json, text)
    _draw_lengths(results, paths, is_cumulative=is_cumulative)
    for system in results.systems:
        if paths.folder is not None and system.shown_sentence is not None:
            _draw_alignment(system, results, paths.folder)


def write(path: Path, text: str) -> None:
    """Writes the file and says so."""
    write_text(path, text)
    typer.echo(f"wrote {path}", err=True)


def _as_json(results: EvaluationResults) -> dict[str, Any]:
    systems = [
        {**_decoding_as_json(system), **as_json(summary)}
        for system, summary in zip(results.systems, results.summaries, strict=True)
    ]
    if len(systems) == 1 and not results.groups:
        return {"test_set": results.test_set, **systems[0]}
    comparisons = [comparison_as_json(comparison) for comparison in results.comparisons]
    groups = {"seeds": [seed_group_as_json(group) for group in results.groups]} if results.groups else {}
    ngrams = {} if results.ngrams is None else {"ngrams": ngrams_as_json(results.ngrams)}
    return {"test_set": results.test_set, **groups, "systems": systems, "comparisons": comparisons, **ngrams}


def _decoding_as_json(system: SystemOutput) -> dict[str, Any]:
    if system.decoding is None:
        return {}
    return {
        "beam": system.decoding.beam,
        **({"search": list(system.decoding.keys)} if system.decoding.keys else {}),
        "device": system.decoding.device,
        "decoding_seconds": system.decoding.seconds,
    }


def _draw_lengths(results: EvaluationResults, paths: OutputPaths, *, is_cumulative: bool) -> None:
    kinds = {"by": False, **({"up-to": True} if is_cumulative else {})}
    for kind, up_to in kinds.items():
        chart = length_chart([group.summary for group in results.groups] or results.summaries, is_cumulative=up_to)
        stem = f"{chart.metric.lower()}-{kind}-length"
        plots = [paths.folder / f"{stem}{ending}" for ending in PICTURE_ENDINGS] if paths.folder else []
        plots += [paths.plot] if paths.plot is not None and kind == list(kinds)[-1] else []
        for path in plots:
            _report_drawn(path, draw_lengths(chart, path, _chart_notes(results)))


def _chart_notes(results: EvaluationResults) -> list[str]:
    """Lines below a chart: the signatures of its metric, and the beam of each model."""
    metrics = [summary.estimates[0].result for summary in results.summaries]
    beams = [f"{each.name}: {each.decoding.text()}" for each in results.systems if each.decoding is not None]
    return [*dict.fromkeys(f"{each.name}|{each.signature}" for each in metrics), *([", ".join(beams)] if beams else [])]


def _draw_alignment(system: SystemOutput, results: EvaluationResults, folder: Path) -> None:
    assert system.shown_sentence is not None and system.shown_alignment is not None
    number, matrix = system.shown_sentence + 1, system.shown_alignment.matrix()
    for ending in PICTURE_ENDINGS:
        path = folder / f"alignment-{number}{_infix(system, results)}{ending}"
        _report_drawn(path, draw_alignment(matrix, path, f"{results.test_set}, line {number}"))


def _infix(system: SystemOutput, results: EvaluationResults) -> str:
    return f".{system.name.replace('/', '_')}" if len(results.systems) > 1 else ""


def _report_drawn(path: Path, note: str | None) -> None:
    typer.echo(f"wrote {path}", err=True)
    if note is not None:
        typer.echo(f"{path.name}: {note}", err=True)
