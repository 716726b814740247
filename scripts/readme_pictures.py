"""Draws the README's pictures with the small models of the package: python scripts/readme_pictures.py.

docs/readme/attention-{light,dark}.svg: "Turn off the lights" in both papers' models.
docs/readme/explain-{light,dark}.svg: what `nmt-attn explain` prints, as a terminal shows it.
Text is real text, in the fonts of whoever looks.
"""

import subprocess
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from nmt_attn import show
from nmt_attn.lab.examples import shipped_models
from nmt_attn.lab.lab_model import SentenceTrace
from nmt_attn.screen import cells

FOLDER = Path(__file__).parents[1] / "docs" / "readme"
SENTENCE = "Turn off the lights"
TITLES = {"bahdanau": "Bahdanau: looks, then updates", "luong": "Luong: updates, then looks"}
FONT = "system-ui, 'Noto Sans', 'Noto Sans Devanagari', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Devanagari', monospace"


class Palette(NamedTuple):
    """Colours as CSS names them; `ink` is (text on an empty cell, text on a full one), which starts at `full`."""

    name: str
    ground: str
    text: str
    quiet: str
    cell: str
    ink: tuple[str, str]
    full: float


LIGHT = Palette("light", "#ffffff", "#1b2029", "#545d6c", "#2458a8", ("#1b2029", "#ffffff"), 0.55)
DARK = Palette("dark", "#0d1117", "#e6e9ef", "#9aa4b2", "#6ea8fe", ("#e6e9ef", "#0d1117"), 0.65)

CELL_WIDTH, CELL_HEIGHT = 76, 40
LABEL, HEAD, GAP = 64, 62, 36
"""Pixels: the target words, title and source words above a matrix, space between two matrices."""
COLUMN, LINE, MARGIN = 9, 22, 18
"""Pixels of a terminal's character and of its line, and around the text."""


def main() -> None:
    """Writes all four files."""
    FOLDER.mkdir(exist_ok=True)
    traces = {name: show.attention(show.load(name), SENTENCE, beam=5).trace for name in TITLES}
    lines = explained()
    for palette in (LIGHT, DARK):
        (FOLDER / f"attention-{palette.name}.svg").write_text(attention(traces, palette), encoding="utf-8")
        (FOLDER / f"explain-{palette.name}.svg").write_text(terminal(lines, palette), encoding="utf-8")


def attention(traces: dict[str, SentenceTrace], palette: Palette) -> str:
    """A matrix for each model, side by side: source words above, target words to the left, a shade for each weight."""
    sizes = {name: (LABEL + CELL_WIDTH * len(trace.source), len(trace.steps)) for name, trace in traces.items()}
    width = sum(each for each, _ in sizes.values()) + GAP * (len(traces) + 1)
    height = HEAD + CELL_HEIGHT * max(steps for _, steps in sizes.values()) + GAP
    parts, left = [], GAP
    for name, trace in traces.items():
        parts.append(f'<g transform="translate({left},12)">{"".join(_matrix(TITLES[name], trace, palette))}</g>')
        left += sizes[name][0] + GAP
    label = "; ".join(f"{TITLES[name]}: {trace.text}" for name, trace in traces.items())
    return _svg(width, height, f"{SENTENCE}. {label}", FONT, palette, "".join(parts))


def _matrix(title: str, trace: SentenceTrace, palette: Palette) -> Iterator[str]:
    yield f'<text x="{LABEL}" y="16" font-weight="600" fill="{palette.text}">{escape(title)}</text>'
    for s, word in enumerate(trace.source):
        yield _text(LABEL + CELL_WIDTH * (s + 0.5), HEAD - 12, word, palette.quiet)
    for t, step in enumerate(trace.steps):
        top = HEAD + CELL_HEIGHT * t
        yield _text(LABEL - 10, top + CELL_HEIGHT / 2 + 5, step.word, palette.text, anchor="end")
        for s, weight in enumerate(trace.weights[t].tolist()):
            left = LABEL + CELL_WIDTH * s
            yield (
                f'<rect x="{left + 1}" y="{top + 1}" width="{CELL_WIDTH - 2}" height="{CELL_HEIGHT - 2}" rx="4" '
                f'fill="{palette.cell}" fill-opacity="{0.05 + 0.95 * weight:.3f}"/>'
            )
            ink = palette.ink[weight >= palette.full]
            yield _text(left + CELL_WIDTH / 2, top + CELL_HEIGHT / 2 + 5, f"{weight:.2f}", ink, size=13)


def explained() -> list[str]:
    """What `nmt-attn explain` prints with Bahdanau's model of the package."""
    with shipped_models() as folders:
        model = next(folder for folder in folders if folder.name == "bahdanau")
        command = [sys.executable, "-m", "nmt_attn", "explain", "--model", str(model), SENTENCE]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def terminal(lines: list[str], palette: Palette) -> str:
    """Lines as a terminal shows them: each word at its column, whatever the width of its letters."""
    shown = [f'$ nmt-attn explain "{SENTENCE}"', *lines]
    parts = [
        f'<text x="{MARGIN + COLUMN * column}" y="{MARGIN + LINE * number + 14}" '
        f'fill="{palette.quiet if number == 0 else palette.text}" xml:space="preserve">{escape(word)}</text>'
        for number, line in enumerate(shown)
        for column, word in _words(line)
    ]
    width = 2 * MARGIN + COLUMN * max(cells(line) for line in shown)
    return _svg(width, 2 * MARGIN + LINE * len(shown), "\n".join(shown), MONO, palette, "".join(parts))


def _words(line: str) -> Iterator[tuple[int, str]]:
    """Each word with its column; a cell of a matrix is a word."""
    column = 0
    for word in line.split(" "):
        if word:
            yield column, word
        column += cells(word) + 1


def _text(x: float, y: float, text: str, fill: str, *, anchor: str = "middle", size: int = 15) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{escape(text)}</text>'


def _svg(width: float, height: float, label: str, font: str, palette: Palette, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" font-family="{escape(font)}" font-size="15">'
        f"<title>{escape(label)}</title>"
        f'<rect width="100%" height="100%" rx="10" fill="{palette.ground}"/>{inside}</svg>\n'
    )


if __name__ == "__main__":
    main()
