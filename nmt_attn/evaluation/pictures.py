"""Pictures: alignment matrices (Bahdanau et al. 2015, fig. 3) and BLEU by length (fig. 2), as PNG, SVG or PDF.

Drawn without a display. Matplotlib is imported when a picture is drawn, not before.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.links import Links
from nmt_attn.errors import DataError
from nmt_attn.evaluation.axes import metric_axis
from nmt_attn.evaluation.fonts import FontChoice, choose_fonts, missing_note, needs_glyph
from nmt_attn.evaluation.lengths import Estimate, LengthRow
from nmt_attn.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".pdf", ".png", ".svg")
DOTS_PER_INCH = 150
CELL_INCHES = 0.3
LARGEST_INCHES = 60.0
"""A picture's side at most, without its words; cells shrink beyond (200 words of 0.3 inches)."""
LONGEST_WORD = 30
"""Characters of a word that are drawn; the rest becomes an ellipsis."""
SYSTEM_COLOURS = ("#2458a8", "#c2571a", "#2f7d4f", "#7a4fa3", "#8c6d1f", "#555555", "#0f8b8d", "#b8336a")
SYSTEM_MARKERS = "osD^vPX*"


class Alignment(NamedTuple):
    """One sentence and its translation, with the weights between their words."""

    source_words: Sequence[str]
    target_words: Sequence[str]
    weights: NDArray[np.floating]  # [target words, source words], 0-1
    title: str = ""
    gold: Links = frozenset()  # drawn as frames


class LengthCurve(NamedTuple):
    """One system's figures by source length."""

    system: str
    rows: Sequence[LengthRow]
    signature: str


def draw_alignment(alignment: Alignment, path: Path) -> str | None:
    """Writes the matrix, target words down the rows, source words along the top; the darker, the more weight.

    Gives a line for the reader if a word could not be drawn. Raises DataError for another ending than FORMATS.
    """
    shape = (len(alignment.target_words), len(alignment.source_words))
    assert alignment.weights.shape == shape, f"weights {alignment.weights.shape} for words {shape}"
    words = [*alignment.source_words, *alignment.target_words]
    with drawing("".join([*words, alignment.title]), path) as fonts:
        save_figure(_alignment_figure(alignment, fonts, is_svg=path.suffix == ".svg"), path)
    return missing_note(fonts)


def alignment_pixels(alignment: Alignment) -> NDArray[np.floating]:
    """What `draw_alignment` would write to a .png: [height, width, 3], from 0 to 1."""
    from matplotlib.image import imread

    words = [*alignment.source_words, *alignment.target_words]
    with drawing("".join([*words, alignment.title]), Path("alignment.png")) as fonts, BytesIO() as stream:
        figure = _alignment_figure(alignment, fonts, is_svg=False)
        figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight")
        stream.seek(0)
        pixels: NDArray[np.floating] = imread(stream, format="png")
    return pixels[:, :, :3]  # without transparency


def draw_lengths(curves: Sequence[LengthCurve], path: Path, metric: str = "BLEU") -> str | None:
    """Writes a metric by length bucket with its 95% intervals, one line a system; notes as `draw_alignment`.

    All curves have the same buckets. Buckets without sentences stay empty; hollow markers are small buckets.
    """
    text = "".join([*(curve.system for curve in curves), *(curve.signature for curve in curves)])
    with drawing(text, path) as fonts:
        save_figure(_length_figure(curves, metric), path)
    return missing_note(fonts)


@contextmanager
def drawing(text: str, path: Path) -> Iterator[FontChoice]:
    """Settings under which a figure for `path` is made and saved, with fonts for `text`."""
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: expected a name that ends in {', '.join(FORMATS)}, got {path.suffix!r}")
    import matplotlib

    fonts = choose_fonts(text)
    quiet = warnings.catch_warnings()
    style = matplotlib.rc_context(
        {
            "font.family": list(fonts.families),
            "text.parse_math": False,  # a word may hold dollar signs
            # letters become shapes, so that the picture is the same everywhere; unless only a browser can draw them
            "svg.fonttype": "none" if fonts.missing else "path",
            "svg.hashsalt": "nmt-attn",  # the same picture gives the same bytes
        }
    )
    with style, quiet:
        # characters without a glyph are dealt with in `_label`
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        yield fonts


def save_figure(figure: "Figure", path: Path) -> None:
    """Writes a figure, whole or not at all, without a date in it."""
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    with replacing(path) as temporary:
        figure.savefig(
            temporary,
            format=path.suffix[1:],
            dpi=DOTS_PER_INCH,
            bbox_inches="tight",
            metadata=undated.get(path.suffix),
        )


def _alignment_figure(alignment: Alignment, fonts: FontChoice, *, is_svg: bool) -> "Figure":
    from matplotlib.figure import Figure

    rows, columns = alignment.weights.shape
    cell = min(CELL_INCHES, LARGEST_INCHES / max(rows, columns, 1))
    figure = Figure(figsize=(max(columns, 2) * cell, max(rows, 2) * cell))
    axes = figure.add_axes((0, 0, 1, 1))
    image = axes.imshow(alignment.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    font_size = 9 * cell / CELL_INCHES
    keep = is_svg  # a browser finds a font of its own
    sources = [_label(word, number, fonts, keep=keep) for number, word in enumerate(alignment.source_words, 1)]
    targets = [_label(word, number, fonts, keep=keep) for number, word in enumerate(alignment.target_words, 1)]
    axes.xaxis.tick_top()
    axes.set_xticks(range(columns), sources, rotation=90, fontsize=font_size)
    axes.set_yticks(range(rows), targets, fontsize=font_size)
    axes.tick_params(length=0)
    _grid(axes, rows, columns)
    for target, source in sorted((link.target, link.source) for link in alignment.gold):
        _frame(axes, target, source)
    bar = figure.add_axes((1 + 0.25 / figure.get_figwidth(), 0, 0.1 / figure.get_figwidth(), 1))
    figure.colorbar(image, cax=bar, ticks=[0, 0.5, 1]).ax.tick_params(labelsize=7, length=2)
    if alignment.title:
        axes.set_xlabel(alignment.title, fontsize=9, loc="left")
    return figure


def _label(word: str, number: int, fonts: FontChoice, *, keep: bool) -> str:
    """What is drawn for a word: itself without invisible characters, or its number where no font has it."""
    seen = "".join(character for character in word if needs_glyph(character) or character in " \u200c\u200d")
    if not (keep or fonts.can_write(seen)):
        return f"#{number}"
    return seen if len(seen) <= LONGEST_WORD else seen[: LONGEST_WORD - 1] + "…"


def _grid(axes: "Axes", rows: int, columns: int) -> None:
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_color("#999999")


def _frame(axes: "Axes", target: int, source: int) -> None:
    """A gold link: a frame inside its cell, seen on dark and light alike."""
    from matplotlib.patches import Rectangle

    corner = (source - 0.42, target - 0.42)
    axes.add_patch(Rectangle(corner, 0.84, 0.84, fill=False, edgecolor="#d9730d", linewidth=1.2))


def _length_figure(curves: Sequence[LengthCurve], metric: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        shift = min(0.12, 0.6 / len(curves)) * (number - (len(curves) - 1) / 2)
        _draw_curve(axes, curve, metric, shift, number)
    rows = curves[0].rows
    names = [f"{row.bucket.name}\n{row.sentences:,}" for row in rows]
    axes.set_xticks(range(len(rows)), names)
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axis = metric_axis([curve.rows for curve in curves], metric)
    axes.set_yticks(axis.ticks)
    axes.set_ylim(axis.bottom, axis.top + 0.02 * (axis.top - axis.bottom))  # room for half a marker
    axes.set_xlabel("source words; below: sentences (hollow: fewer than 50)")
    axes.set_ylabel(f"{metric}, 95% interval")
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, loc="best")
    signatures = "\n".join(dict.fromkeys(f"{metric}|{curve.signature}" for curve in curves))
    figure.text(0.01, -0.01, signatures, fontsize=7, color="#666666", va="top")
    return figure


def _draw_curve(axes: "Axes", curve: LengthCurve, metric: str, shift: float, number: int) -> None:
    colour = SYSTEM_COLOURS[number % len(SYSTEM_COLOURS)]
    marker = SYSTEM_MARKERS[number % len(SYSTEM_MARKERS)]
    # a bucket without sentences leaves a gap in the line
    values = [_find(row, metric).value if row.sentences else np.nan for row in curve.rows]
    places = np.arange(len(values)) + shift
    axes.plot(places, values, color=colour, marker=marker, linewidth=1.5, label=curve.system)
    for place, row in zip(places, curve.rows, strict=True):
        if row.sentences:
            estimate = _find(row, metric)
            face = "white" if row.is_small else colour
            axes.errorbar(
                place, estimate.value, yerr=_reach(estimate), color=colour, marker=marker, mfc=face, capsize=3
            )


def _reach(estimate: Estimate) -> list[list[float]]:
    """How far the interval reaches below and above; with very few sentences it can lie beside the value."""
    low, high = estimate.interval.low, estimate.interval.high
    return [[max(estimate.value - low, 0)], [max(high - estimate.value, 0)]]


def _find(row: LengthRow, metric: str) -> Estimate:
    return next(estimate for estimate in row.estimates if estimate.metric == metric)
