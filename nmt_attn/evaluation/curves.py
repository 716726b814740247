"""Curves over test sentences: a metric by source length (Bahdanau et al. 2015, fig. 2), entropy by target position.

One figure each, for picture files and for the HTML page. Training curves: nmt_attn/evaluation/training_curves.py.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nmt_attn.evaluation.attention_statistics import AttentionStatistics
from nmt_attn.evaluation.fonts import missing_note
from nmt_attn.evaluation.lengths import SMALL_BUCKET_SENTENCES, Estimate, GroupRow
from nmt_attn.evaluation.pictures import GRID_COLOUR, drawing, save_figure, system_style
from nmt_attn.evaluation.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_INCHES = (7.5, 3.4)
MOST_STEPS = 5
"""Between the ends of an axis."""
CUT_FROM = 50
"""If all values lie above, the axis starts below the lowest one instead of at 0, so that differences are seen."""
SHORTEST = 5
"""Of a cut axis."""


class LengthCurve(NamedTuple):
    """One system's metric by source length."""

    system: str
    rows: Sequence[GroupRow]


class LengthChart(NamedTuple):
    """The curves of all systems under one metric; their buckets are the same."""

    metric: str
    curves: Sequence[LengthCurve]
    ticks: tuple[float, ...]  # of the metric's axis
    unit: str = "words"  # of the sources' lengths


def length_chart(summaries: Sequence[Summary], *, is_cumulative: bool) -> LengthChart:
    """The first metric of each summary. The cumulative chart has the axis of the other one: the two are compared."""
    metric = summaries[0].estimates[0].result.name
    tables = [rows for summary in summaries for rows in (summary.by_length, summary.up_to_length)]
    curves = [
        LengthCurve(summary.system, summary.up_to_length if is_cumulative else summary.by_length)
        for summary in summaries
    ]
    return LengthChart(metric, curves, metric_ticks(tables, metric), summaries[0].length_unit)


def draw_lengths(chart: LengthChart, path: Path, notes: Sequence[str] = ()) -> str | None:
    """Writes a metric by length bucket with its 95% intervals, one line a system. Returns a note on missing fonts.

    Buckets without sentences stay empty; hollow markers are small buckets. `notes` are lines below the picture. Raises
    DataError for another ending than pictures.FORMATS.
    """
    with drawing("".join([*(curve.system for curve in chart.curves), *notes]), path) as fonts:
        figure = length_figure(chart, (7.5, 4.5))
        axes = figure.axes[0]
        axes.set_xlabel(f"source {chart.unit}; below: sentences (hollow: fewer than {SMALL_BUCKET_SENTENCES})")
        axes.set_ylabel(f"{chart.metric}, 95% interval")
        axes.legend(frameon=False, loc="best")
        figure.text(0.01, -0.01, "\n".join(notes), fontsize=7, color="#666666", va="top")
        save_figure(figure, path)
    return missing_note(fonts)


def length_figure(
    chart: LengthChart, inches: tuple[float, float] = PAGE_INCHES, *, has_titles: bool = False
) -> "Figure":
    """The curves without a legend. `has_titles`: the id of each point says what it is, for `html_page.inline_svg`."""
    figure, axes = _plot(inches)
    curves = chart.curves
    for number, curve in enumerate(curves):
        shift = min(0.12, 0.6 / len(curves)) * (number - (len(curves) - 1) / 2)
        _draw_lengths(axes, curve, chart, shift, number, has_titles=has_titles)
    rows = curves[0].rows
    axes.set_xticks(range(len(rows)), [f"{row.bucket.name}\n{row.sentences:,}" for row in rows])
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.set_xlabel(f"source {chart.unit}; below: sentences")
    _set_ticks(axes, chart.ticks)
    return figure


def entropy_figure(systems: Sequence[tuple[int, AttentionStatistics]]) -> "Figure":
    """Entropy of attention by target position, one line a system; each comes with its number among all systems.

    Dotted from the position on that only fewer than SMALL_BUCKET_SENTENCES sentences reach.
    """
    figure, axes = _plot(PAGE_INCHES)
    highest = 0.5
    for number, found in systems:
        places = [each.position for each in found.entropy_by_position]
        entropies = [each.entropy for each in found.entropy_by_position]
        sure = sum(each.words >= SMALL_BUCKET_SENTENCES for each in found.entropy_by_position)
        colour = system_style(number)["color"]
        axes.plot(places[:sure], entropies[:sure], color=colour)
        axes.plot(places[max(0, sure - 1) :], entropies[max(0, sure - 1) :], color=colour, linestyle=":", linewidth=1)
        highest = max(highest, *entropies)
    _set_ticks(axes, round_ticks(0, highest))
    axes.set_xlabel("target position")
    return figure


def metric_ticks(tables: Sequence[Sequence[GroupRow]], metric: str) -> tuple[float, ...]:
    """Ticks for values of 0-100 by length and their intervals: from 0, or from below them if all are high."""
    found = [each for rows in tables for row in rows for each in row.estimates if each.result.name == metric]
    high = max([10.0, *(max(each.result.value, each.interval.high) for each in found)])
    low = min([high, *(min(each.result.value, each.interval.low) for each in found)])
    return round_ticks(min(low, high - SHORTEST) if low > CUT_FROM else 0, high)


def round_ticks(low: float, high: float) -> tuple[float, ...]:
    """Multiples of 1, 2, 2.5 or 5 and powers of ten, from below `low` to above the greater `high`."""
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(nbins=MOST_STEPS, steps=[1, 2, 2.5, 5, 10])
    # rounded: BLEU of a perfect output is 100.00000000000004
    return tuple(float(tick) for tick in locator.tick_values(low, round(high, 6)))


def _plot(inches: tuple[float, float]) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y", color=GRID_COLOUR)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _set_ticks(axes: "Axes", ticks: tuple[float, ...]) -> None:
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(ticks[0], ticks[-1] + 0.02 * (ticks[-1] - ticks[0]))  # room for half a marker


def _draw_lengths(
    axes: "Axes", curve: LengthCurve, chart: LengthChart, shift: float, number: int, *, has_titles: bool
) -> None:
    style = system_style(number)
    # a bucket without sentences leaves a gap in the line
    values = [_find(row, chart.metric).result.value if row.sentences else np.nan for row in curve.rows]
    places = np.arange(len(values)) + shift
    axes.plot(places, values, linewidth=1.5, label=curve.system, **style)
    for place, row in zip(places, curve.rows, strict=True):
        if row.sentences:
            estimate = _find(row, chart.metric)
            face = "white" if row.is_small else style["color"]
            bar = axes.errorbar(
                place, estimate.result.value, yerr=_reach(estimate), mfc=face, capsize=3, clip_on=False, **style
            )
            if has_titles:
                low, high = estimate.interval.low, estimate.interval.high
                place_name = f"{curve.system}, {row.bucket.name} {chart.unit}"
                bar[0].set_gid(f"{place_name}: {estimate.result.value:.2f} [{low:.1f}, {high:.1f}]")


def _reach(estimate: Estimate) -> list[list[float]]:
    """How far the interval reaches below and above; with very few sentences it can lie beside the value."""
    low, high = estimate.interval.low, estimate.interval.high
    return [[max(estimate.result.value - low, 0)], [max(high - estimate.result.value, 0)]]


def _find(row: GroupRow, metric: str) -> Estimate:
    return next(estimate for estimate in row.estimates if estimate.result.name == metric)
