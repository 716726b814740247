"""Drawings: SVG whose colours are variables, so that a page's own scheme, light or dark, paints them.

As a file of its own a drawing brings both schemes along and follows the reader's.
"""

from collections.abc import Sequence
from html import escape

SCHEMES = """<style>
svg { --ink: #1b2029; --soft: #545d6c; --line: #8a93a3; --paper: #ffffff; --fill: #f1f4f8; --blue: #2458a8;
  --h: #1d6b3f; --s: #2458a8; --e: #8a4b00; --a: #b3261e; --c: #6b2fa0; --r: #00696b; background: var(--paper); }
@media (prefers-color-scheme: dark) { svg { --ink: #e6e9ef; --soft: #a9b2c0; --line: #7d8798; --paper: #1e2129;
  --fill: #2a2e38; --blue: #8db8ff; --h: #7fd6a2; --s: #8db8ff; --e: #f0b36a; --a: #ff9c93; --c: #cfa6f5;
  --r: #6fd3d0; } }
</style>"""
"""Colours by what they mean: h encoder states, s decoder states, e scores, a weights, c context, r what a word is
read from."""


class Drawing:
    """Parts of a picture; places are of centres, in pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        words: str,
        colour: str = "ink",
        size: int = 14,
        anchor: str = "middle",
        *,
        bold: bool = False,
        name: str = "",
    ) -> None:
        """Words whose middle line is at y; `name` is that of a number on a page."""
        weight = ' font-weight="600"' if bold else ""
        weight += f' data-q="{name}"' if name else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y + size * 0.35:.1f}" fill="var(--{colour})" font-size="{size}" '
            f'text-anchor="{anchor}"{weight}>{escape(words)}</text>'
        )

    def box(self, x: float, y: float, words: str, colour: str = "ink", width: int = 84, height: int = 34) -> None:
        """A rounded box with words in it."""
        self.block(x - width / 2, y - height / 2, width, height, "fill", colour, radius=6)
        self.text(x, y, words, colour)

    def block(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        fill: str,
        stroke: str = "line",
        *,
        radius: int = 0,
        opacity: float = 1.0,
        dashed: bool = False,
    ) -> None:
        """A rectangle; `opacity` is that of its fill."""
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius}" '
            f'fill="var(--{fill})" fill-opacity="{opacity:.2f}" stroke="var(--{stroke})"{dashes}/>'
        )

    def circle(self, x: float, y: float, words: str, colour: str = "ink", radius: int = 17) -> None:
        """A circle with words in it."""
        self._parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="var(--fill)" stroke="var(--{colour})" '
            'stroke-width="1.5"/>'
        )
        self.text(x, y, words, colour)

    def dot(self, x: float, y: float, colour: str, radius: int) -> None:
        """A filled point."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="var(--{colour})"/>')

    def area(self, points: Sequence[tuple[float, float]], colour: str, opacity: float) -> None:
        """What lies between the points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polygon points="{path}" fill="var(--{colour})" fill-opacity="{opacity:.2f}" stroke="var(--{colour})"/>'
        )

    def number(self, x: float, y: float, words: str) -> None:
        """A small filled circle: a step of the way."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="var(--ink)"/>')
        self.text(x, y, words, "paper", 12, bold=True)

    def arrow(
        self, points: Sequence[tuple[float, float]], colour: str = "line", width: float = 1.5, *, dashed: bool = False
    ) -> None:
        """A line through the points with a head at its end."""
        self.line(points, colour, width, dashed=dashed)
        (x0, y0), (x1, y1) = points[-2:]
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
        dx, dy = (x1 - x0) / length * 8, (y1 - y0) / length * 8
        corners = [(x1, y1), (x1 - dx - dy / 2, y1 - dy + dx / 2), (x1 - dx + dy / 2, y1 - dy - dx / 2)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        self._parts.append(f'<polygon points="{path}" fill="var(--{colour})"/>')

    def line(
        self, points: Sequence[tuple[float, float]], colour: str = "line", width: float = 1.5, *, dashed: bool = False
    ) -> None:
        """A line through the points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="var(--{colour})" stroke-width="{width:.1f}"{dashes}/>'
        )

    def svg(self) -> str:
        """The file."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        font = "font-family=\"system-ui, 'Noto Sans', 'Noto Sans Devanagari', sans-serif\""
        return "\n".join(
            [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>', SCHEMES, *self._parts, "</svg>", ""]
        )
