"""Pictures: alignment matrices (Bahdanau et al. 2015, fig. 3), and what all pictures share: formats, fonts, colours.

PNG, SVG or PDF, drawn without a display. Matplotlib is imported when a picture is drawn, not before.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.links import Links
from nmt_attn.alignment.weights import WeightMatrix
from nmt_attn.errors import DataError
from nmt_attn.evaluation.fonts import FontChoice, choose_fonts, missing_note, needs_glyph
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
GRID_COLOUR = "#e5e5e5"


def draw_alignment(matrix: WeightMatrix, path: Path, title: str = "", gold: Links = frozenset()) -> str | None:
    """Writes the matrix, target words down the rows, source words along the top; the darker, the more weight.

    Gold links are drawn as frames. Returns a note if a word could not be drawn. Raises DataError for another ending
    than FORMATS.
    """
    with drawing("".join([*matrix.source, *matrix.target, title]), path) as fonts:
        save_figure(_alignment_figure(matrix, title, gold, fonts), path)
    return missing_note(fonts)


def alignment_pixels(matrix: WeightMatrix, title: str) -> NDArray[np.floating]:
    """What `draw_alignment` writes to a .png: [height, width, 3], from 0 to 1."""
    from matplotlib.image import imread

    with drawing("".join([*matrix.source, *matrix.target, title]), Path("alignment.png")) as fonts, BytesIO() as stream:
        figure = _alignment_figure(matrix, title, frozenset(), fonts)
        figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight")
        stream.seek(0)
        pixels: NDArray[np.floating] = imread(stream, format="png")
    return pixels[:, :, :3]  # without transparency


@contextmanager
def drawing(text: str, path: Path) -> Iterator[FontChoice]:
    """Settings under which a figure for `path` is made and saved, with fonts for `text`."""
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: expected a name that ends in {', '.join(FORMATS)}, got {path.suffix!r}")
    import matplotlib

    fonts = choose_fonts(text)
    if path.suffix == ".svg":  # what shows it finds fonts of its own
        fonts = fonts._replace(missing=frozenset())
    quiet = warnings.catch_warnings()
    style = matplotlib.rc_context(
        {
            "font.family": list(fonts.families),
            "text.parse_math": False,  # a word may hold dollar signs
            "svg.fonttype": "none",  # text that can be found, copied and read out
            "svg.hashsalt": "nmt-attn",  # the same picture gives the same bytes
        }
    )
    with style, quiet:
        # `_label` handles characters without a glyph
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        yield fonts


def system_style(number: int) -> dict[str, Any]:
    """The colour and marker of a system in every plot."""
    return {
        "color": SYSTEM_COLOURS[number % len(SYSTEM_COLOURS)],
        "marker": SYSTEM_MARKERS[number % len(SYSTEM_MARKERS)],
    }


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


def _alignment_figure(matrix: WeightMatrix, title: str, gold: Links, fonts: FontChoice) -> "Figure":
    from matplotlib.figure import Figure

    rows, columns = matrix.weights.shape
    assert (rows, columns) == (len(matrix.target), len(matrix.source)), f"weights {matrix.weights.shape}"
    cell = min(CELL_INCHES, LARGEST_INCHES / max(rows, columns, 1))
    figure = Figure(figsize=(max(columns, 2) * cell, max(rows, 2) * cell))
    axes = figure.add_axes((0, 0, 1, 1))
    image = axes.imshow(matrix.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    font_size = 9 * cell / CELL_INCHES
    sources = [_label(word, number, fonts) for number, word in enumerate(matrix.source, 1)]
    targets = [_label(word, number, fonts) for number, word in enumerate(matrix.target, 1)]
    axes.xaxis.tick_top()
    axes.set_xticks(range(columns), sources, rotation=90, fontsize=font_size)
    axes.set_yticks(range(rows), targets, fontsize=font_size)
    axes.tick_params(length=0)
    _grid(axes, rows, columns)
    for target, source in sorted((link.target, link.source) for link in gold):
        _frame(axes, target, source)
    bar = figure.add_axes((1 + 0.25 / figure.get_figwidth(), 0, 0.1 / figure.get_figwidth(), 1))
    figure.colorbar(image, cax=bar, ticks=[0, 0.5, 1]).ax.tick_params(labelsize=7, length=2)
    if title:
        axes.set_xlabel(title, fontsize=9, loc="left")
    return figure


def _label(word: str, number: int, fonts: FontChoice) -> str:
    """What is drawn for a word: itself without invisible characters, or its number where no font has it."""
    seen = "".join(character for character in word if needs_glyph(character) or character in " \u200c\u200d")
    if not fonts.can_write(seen):
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
