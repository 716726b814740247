"""Figures: the files that an evaluation leaves behind, and whether they could be written, asked before the work.

    eval.json                    all figures
    TEST.hyp.txt                 the translations
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
from nmt_attn.evaluation.comparison import SystemComparison
from nmt_attn.evaluation.pictures import Alignment, LengthCurve, draw_alignment, draw_lengths
from nmt_attn.evaluation.summary import Summary, as_json, comparison_as_json
from nmt_attn.evaluation.system_outputs import Example, SystemOutput
from nmt_attn.files import write_text
from nmt_attn.types import EOS, SPECIAL_TOKENS

PICTURE_ENDINGS = (".png", ".svg")


class Places(NamedTuple):
    """Where files go; None nowhere."""

    folder: Path | None
    json: Path | None  # the figures once more
    plot: Path | None  # the plot once more


class Findings(NamedTuple):
    """What an evaluation has found; systems and summaries in one order."""

    test_set: str
    systems: Sequence[SystemOutput]
    summaries: Sequence[Summary]
    comparisons: Sequence[SystemComparison]


def check_writable(path: Path) -> None:
    """Raises DataError if a file could not be written there, before the work that it is for."""
    if path.is_dir():
        raise DataError(f"{path}: expected a file that can be written, got a folder")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        found = "a folder without the right to write" if above.is_dir() else "a file"
        raise DataError(f"{path}: expected a folder that can be written to, got {above}, {found}")


def write_figures(findings: Findings, places: Places, *, is_cumulative: bool) -> None:
    """Writes all of them but the report. Raises DataError."""
    text = json.dumps(_as_json(findings), indent=2, ensure_ascii=False) + "\n"
    if places.folder is not None:
        write(places.folder / "eval.json", text)
        for system in findings.systems:
            name = f"{findings.test_set}{_infix(system, findings)}.hyp.txt"
            write(places.folder / name, "".join(f"{line}\n" for line in system.hypotheses))
    if places.json is not None:
        write(places.json, text)
    _draw_lengths(findings, places, is_cumulative=is_cumulative)
    for system in findings.systems:
        if places.folder is not None and system.example is not None:
            _draw_example(system.example, system, findings, places.folder)


def write(path: Path, text: str) -> None:
    """Writes the file and says so."""
    write_text(path, text)
    typer.echo(f"wrote {path}", err=True)


def label(summary: Summary, system: SystemOutput) -> str:
    """A system's name in a plot."""
    return summary.system if system.decoding is None else f"{summary.system}, beam {system.decoding.beam}"


def _as_json(findings: Findings) -> dict[str, Any]:
    systems = [
        {**_decoding_as_json(system), **as_json(summary)}
        for system, summary in zip(findings.systems, findings.summaries, strict=True)
    ]
    if len(systems) == 1:
        return {"test_set": findings.test_set, **systems[0]}
    comparisons = [comparison_as_json(comparison) for comparison in findings.comparisons]
    return {"test_set": findings.test_set, "systems": systems, "comparisons": comparisons}


def _decoding_as_json(system: SystemOutput) -> dict[str, Any]:
    if system.decoding is None:
        return {}
    return {
        "beam": system.decoding.beam,
        "device": system.decoding.device,
        "decoding_seconds": system.decoding.seconds,
    }


def _draw_lengths(findings: Findings, places: Places, *, is_cumulative: bool) -> None:
    estimate = findings.summaries[0].estimates[0].result
    named = list(zip(findings.summaries, findings.systems, strict=True))
    kinds = {"by": [LengthCurve(label(*pair), pair[0].by_length, estimate.signature) for pair in named]}
    if is_cumulative:
        kinds["up-to"] = [LengthCurve(label(*pair), pair[0].up_to_length, estimate.signature) for pair in named]
    stem = estimate.name.lower()
    for kind, curves in kinds.items():
        plots = [places.folder / f"{stem}-{kind}-length{ending}" for ending in PICTURE_ENDINGS] if places.folder else []
        plots += [places.plot] if places.plot is not None and kind == list(kinds)[-1] else []
        for path in plots:
            _drawn(path, draw_lengths(curves, path, estimate.name))


def _draw_example(example: Example, system: SystemOutput, findings: Findings, folder: Path) -> None:
    source, target, weights = example.alignment
    end, number = SPECIAL_TOKENS[EOS], example.sentence + 1
    title = f"{findings.test_set}, line {number}"
    alignment = Alignment([*source, end], [*target, end], weights.numpy(force=True), title)
    for ending in PICTURE_ENDINGS:
        path = folder / f"alignment-{number}{_infix(system, findings)}{ending}"
        _drawn(path, draw_alignment(alignment, path))


def _infix(system: SystemOutput, findings: Findings) -> str:
    return f".{system.name.replace('/', '_')}" if len(findings.systems) > 1 else ""


def _drawn(path: Path, note: str | None) -> None:
    typer.echo(f"wrote {path}", err=True)
    if note is not None:
        typer.echo(f"{path.name}: {note}", err=True)
