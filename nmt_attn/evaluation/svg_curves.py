"""Curves as SVG inside a page: letters and lines in the page's own colours, light or dark."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from nmt_attn.evaluation.attention_statistics import AttentionStatistics
from nmt_attn.evaluation.axes import Axis, metric_axis, round_axis
from nmt_attn.evaluation.lengths import LengthRow
from nmt_attn.evaluation.pictures import LengthCurve

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 56
"""Margins around the plot, in the units of WIDTH and HEIGHT."""
COLOURS = 8
"""Classes `system-0` to `system-7`."""


def draw_curves(curves: Sequence[LengthCurve], metric: str, title: str) -> Markup:
    """One line a system with 95% intervals, as `pictures.draw_lengths` draws them. `metric` is that of every row."""
    axis = metric_axis([curve.rows for curve in curves], metric)
    rows = curves[0].rows
    parts = [*_axis(axis), *_buckets(rows)]
    for number, curve in enumerate(curves):
        parts.extend(_curve(curve, number, len(curves), axis))
    label = Markup("{}: {} of {}").format(title, metric, ", ".join(curve.system for curve in curves))
    return Markup('<svg class="curves" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, label, Markup("").join(parts)
    )


def draw_entropies(systems: Sequence[tuple[int, AttentionStatistics]]) -> Markup:
    """Entropy of attention by target position, one line a system; each comes with its number among all systems."""
    points = [each for _, found in systems for each in found.entropy_by_position]
    axis = round_axis(0, max(0.5, *(each.entropy for each in points)))
    last = max(each.position for each in points)
    parts = list(_axis(axis))
    for number, found in systems:
        places = " ".join(
            f"{LEFT + (each.position - 0.5) * (WIDTH - LEFT - RIGHT) / last:.1f},{_y(each.entropy, axis):.1f}"
            for each in found.entropy_by_position
        )
        parts.append(Markup('<g class="system-{}"><polyline points="{}"/></g>').format(number % COLOURS, places))
    for position in sorted({1, *range(10, last + 1, 10)}):
        parts.append(
            Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                LEFT + (position - 0.5) * (WIDTH - LEFT - RIGHT) / last, HEIGHT - BOTTOM + 18, position
            )
        )
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">target position</text>').format(
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8
        )
    )
    label = "entropy of attention in nats, by target position"
    return Markup('<svg class="curves" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, label, Markup("").join(parts)
    )


def _axis(axis: Axis) -> Iterator[Markup]:
    for value in axis.ticks:
        y = _y(value, axis)
        yield Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(LEFT, WIDTH - RIGHT, y, y)
        yield Markup('<text x="{}" y="{:.1f}" text-anchor="end">{:g}</text>').format(LEFT - 6, y + 4, value)


def _buckets(rows: Sequence[LengthRow]) -> Iterator[Markup]:
    for place, row in enumerate(rows):
        x = _x(place, len(rows))
        for line, text in enumerate((row.bucket.name, f"{row.sentences:,}")):
            yield Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                x, HEIGHT - BOTTOM + 18 + 16 * line, text
            )
    yield Markup('<text x="{}" y="{}" text-anchor="middle">source words; below: sentences</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4
    )


def _curve(curve: LengthCurve, number: int, curves: int, axis: Axis) -> Iterator[Markup]:
    shift = min(7, 50 / curves) * (number - (curves - 1) / 2)
    yield Markup('<g class="system-{}">').format(number % COLOURS)
    before: tuple[float, float] | None = None
    for place, row in enumerate(curve.rows):
        if not row.estimates:  # a bucket without sentences leaves a gap
            before = None
            continue
        estimate = row.estimates[0]
        here = (_x(place, len(curve.rows)) + shift, _y(estimate.value, axis))
        if before is not None:
            yield Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(*before, *here)
        low, high = (_y(value, axis) for value in estimate.interval[:2])
        yield Markup('<line class="reach" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>').format(
            here[0], low, high
        )
        told = f"{curve.system}, {row.bucket.name} words: {estimate.value:.2f} [{estimate.interval.low:.1f}, "
        yield Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}{:.1f}]</title></circle>').format(
            "small" if row.is_small else "large", *here, told, estimate.interval.high
        )
        before = here
    yield Markup("</g>")


def _x(place: int, places: int) -> float:
    return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / places


def _y(value: float, axis: Axis) -> float:
    return TOP + (1 - axis.share(value)) * (HEIGHT - TOP - BOTTOM)
