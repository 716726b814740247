"""The result of a sweep as a table on the screen, as CSV, as JSON and as a picture.

table.csv            a row a setting
table.json           the same, with every run
table.png, .svg      the first metric: a dot a run, a bar of one standard deviation around each mean
"""

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmt_attn.config.key_paths import short_name
from nmt_attn.evaluation.fonts import missing_note
from nmt_attn.evaluation.pictures import GRID_COLOUR, SYSTEM_COLOURS, drawing, save_figure
from nmt_attn.evaluation.seeds import SeedMetric, seed_metric_as_json
from nmt_attn.experiments.plan import Plan
from nmt_attn.experiments.results import SettingRow, TrialResult
from nmt_attn.files import write_text
from nmt_attn.screen import Column, fold, format_table

TABLE = "table"
ROW_INCHES, WIDTH_INCHES = 0.35, 7.5


def sorted_rows(rows: Sequence[SettingRow], results: Sequence[TrialResult]) -> list[SettingRow]:
    """The best setting first, by the first metric; those without one last; else in the plan's order."""
    sign = next((1 if each.measures[0].is_error else -1 for each in results if each.measures), -1)
    return sorted(rows, key=lambda row: (not row.metrics, sign * row.metrics[0].mean if row.metrics else 0, row.number))


def format_rows(plan: Plan, rows: Sequence[SettingRow], width: int | None) -> str:
    """The table as text, with a column a key that is varied."""
    keys = list(dict.fromkeys(key for row in rows for key in row.setting))
    metrics = next((row.metrics for row in rows if row.metrics), ())
    columns = [Column(short_name(key)) for key in keys] or [Column("runs")]
    columns.append(Column("seeds", 1))
    for metric in metrics:
        columns += [Column(metric.name), Column("sd"), Column("difference"), Column("p", 1)]
    names = {row.validation_metric for row in rows}
    columns += [Column(f"validation {names.pop() if len(names) == 1 else 'value'}", 2), Column("seconds", 3)]
    has_status = any(row.status != "done" for row in rows)
    columns += [Column("status")] if has_status else []
    lines = [_cells(row, keys, metrics, has_status=has_status) for row in rows]
    table = format_table(columns, lines, width, f" ({plan.folder / TABLE}.csv has them)")
    return "\n".join([table, *(fold(line, width) for line in _help(plan, rows))])


def _cells(row: SettingRow, keys: Sequence[str], metrics: Sequence[SeedMetric], *, has_status: bool) -> list[str]:
    cells = [_plain(row.setting[key]) if key in row.setting else "-" for key in keys] or ["all"]
    cells.append(str(len(row.seeds)))
    for place in range(len(metrics)):
        cells += _metric_cells(row.metrics[place], is_baseline=row.is_baseline) if row.metrics else ["-"] * 4
    cells += [_number(row.validation, ".4g"), _number(row.seconds, ",.0f")]
    return [*cells, *([row.status] if has_status else [])]


def _metric_cells(metric: SeedMetric, *, is_baseline: bool) -> list[str]:
    difference = "baseline" if is_baseline else _number(metric.difference, "+.2f")
    return [f"{metric.mean:.2f}", _number(metric.deviation, ".2f"), difference, _number(metric.p_value, ".3f")]


def _help(plan: Plan, rows: Sequence[SettingRow]) -> list[str]:
    if not any(row.metrics for row in rows):
        return []
    lines = [f"means over the seeds, on data.{plan.part}; sd: standard deviation over the seeds"]
    if len(rows) > 1:
        lines.append("p: of such a difference from the baseline by chance, by bootstrap over sentences and seeds")
    return lines


def write_outputs(plan: Plan, rows: Sequence[SettingRow], results: Sequence[TrialResult]) -> list[Path]:
    """Writes all files; gives back where they are. Raises DataError."""
    stem = plan.folder / TABLE
    paths = [stem.with_suffix(ending) for ending in (".csv", ".json")]
    write_text(paths[0], _csv(plan, rows))
    write_text(paths[1], json.dumps(_json(plan, rows, results), indent=2, ensure_ascii=False) + "\n")
    if any(row.metrics for row in rows):
        for ending in (".png", ".svg"):
            paths.append(stem.with_suffix(ending))
            draw_rows(rows, paths[-1])
    return paths


def _csv(plan: Plan, rows: Sequence[SettingRow]) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row.setting))
    names = [metric.name for metric in next((row.metrics for row in rows if row.metrics), ())]
    parts = ("mean", "sd", "difference", "p")
    header = [*keys, "baseline", "status", "seeds", *(f"{name} {part}" for name in names for part in parts)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*header, "validation metric", "validation", "seconds"])
    for row in rows:
        cells: list[Any] = [_plain(row.setting[key]) if key in row.setting else "" for key in keys]
        cells += ["yes" if row.is_baseline else "no", row.status, len(row.seeds)]
        for place in range(len(names)):
            cells += _parts(row.metrics[place]) if row.metrics else [None] * len(parts)
        writer.writerow([*cells, row.validation_metric, _finite(row.validation), _finite(row.seconds)])
    return stream.getvalue()


def _parts(metric: SeedMetric) -> list[float | None]:
    return [metric.mean, metric.deviation, metric.difference, metric.p_value]


def _json(plan: Plan, rows: Sequence[SettingRow], results: Sequence[TrialResult]) -> dict[str, Any]:
    return {
        "name": plan.name,
        "part": plan.part,
        "seeds": list(plan.seeds),
        "settings": [
            {
                "setting": row.setting,
                "baseline": row.is_baseline,
                "status": row.status,
                "seeds": list(row.seeds),
                "metrics": [seed_metric_as_json(metric) for metric in row.metrics],
                "validation": {"metric": row.validation_metric, "mean": _finite(row.validation)},
                "seconds": _finite(row.seconds),
            }
            for row in rows
        ],
        "runs": [
            {
                "run": str(each.member.run),
                "setting": plan.settings[each.member.trial.setting],
                "seed": each.member.trial.seed,
                "status": each.status,
                "message": each.message,
                "metrics": {measure.name: measure.result().value for measure in each.measures},
                "signatures": {measure.name: measure.signature for measure in each.measures},
                "validation": _finite(each.validation),
                "seconds": _finite(each.seconds),
            }
            for each in results
        ],
    }


def draw_rows(rows: Sequence[SettingRow], path: Path) -> str | None:
    """The first metric of each setting that has one, the first at the top. Returns a note on missing fonts."""
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.metrics][::-1]
    name = shown[0].metrics[0].name
    with drawing("".join([name, *(row.label for row in shown)]), path) as fonts:
        figure = Figure(figsize=(WIDTH_INCHES, 1 + ROW_INCHES * len(shown)))
        axes = figure.add_subplot()
        for place, row in enumerate(shown):
            metric = row.metrics[0]
            colour = SYSTEM_COLOURS[1 if row.is_baseline else 0]
            axes.errorbar(
                metric.mean, place, xerr=metric.deviation or 0, fmt="|", color=colour, markersize=11, capsize=3
            )
            axes.plot(metric.values, [place] * len(metric.values), "o", color=colour, alpha=0.5, markersize=4)
        axes.set_yticks(
            range(len(shown)), [f"{row.label}{' (baseline)' * row.is_baseline}" for row in shown], fontsize=8
        )
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.grid(axis="x", color=GRID_COLOUR)
        axes.set_axisbelow(True)
        axes.set_xlabel(f"{name}: each run, mean and standard deviation over the seeds")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        save_figure(figure, path)
    return missing_note(fonts)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:{form}}"


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
