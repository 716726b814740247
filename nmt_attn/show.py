"""Show: attention, a beam and two models side by side as pictures for notebooks.

    >>> from nmt_attn import show
    >>> model = show.load("runs/demo")
    >>> show.attention(model, "turn off the lights")
    >>> show.attention(model, "turn off the lights", given={0: [1, 0, 0, 0, 0]})  # what if it looked at the first word
    >>> show.beam(model, "turn off the lights", beam=3)
    >>> show.compare(model, show.load("runs/luong"), "turn off the lights")

Each gives an object with `_repr_html_`, which a notebook draws, and with the numbers in its fields. Any text in it is
escaped; there is no script.
"""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from nmt_attn.lab.examples import SHIPPED, shipped_models
from nmt_attn.lab.lab_model import Given, LabModel, SentenceTrace, Tree

BLUE, ORANGE = (36, 88, 168), (179, 71, 15)
BLACK_UNTIL = 0.8
"""The weight from which on white letters are easier to read."""
FATES = {"kept": "#545d6c", "ended": "#1b2029", "cut": "#1b2029", "pruned": "#b8bfca", "open": "#b8bfca"}
WIDTH, HEIGHT = 120, 28
"""Of a node of the beam tree, in pixels."""


class AttentionFigure(NamedTuple):
    """The matrix of one translation."""

    trace: SentenceTrace

    @property
    def weights(self) -> Tensor:
        """[T, S]"""
        return self.trace.weights

    def _repr_html_(self) -> str:
        words = [step.word for step in self.trace.steps]
        return _table(self.trace.source, words, self.weights.tolist(), repr(self))

    def __repr__(self) -> str:
        changed = [t for t, step in enumerate(self.trace.steps) if step.is_given]
        note = f" Given at step {', '.join(str(t + 1) for t in changed)}." if changed else ""
        return f"{self.trace.model}: {self.trace.text} (log p {self.trace.log_prob:.2f}).{note}"


class BeamFigure(NamedTuple):
    """What beam search weighed."""

    tree: Tree

    def _repr_html_(self) -> str:
        return _tree(self.tree, repr(self))

    def __repr__(self) -> str:
        tree = self.tree
        return f"beam {tree.beam}: {tree.text} (log p {tree.log_prob:.2f}, p {math.exp(tree.log_prob):.3f})"


class Comparison(NamedTuple):
    """Two models on one sentence."""

    first: SentenceTrace
    second: SentenceTrace

    @property
    def difference(self) -> Tensor:
        """[T, S], the first model's weights less the second's, over the steps that both have."""
        steps = min(len(self.first.steps), len(self.second.steps))
        return self.first.weights[:steps] - self.second.weights[:steps]

    def _repr_html_(self) -> str:
        tables = [AttentionFigure(trace)._repr_html_() for trace in (self.first, self.second)]
        if self.first.source == self.second.source:
            pairs = zip(self.first.steps, self.second.steps, strict=False)
            rows = [f"{one.word} | {other.word}" for one, other in pairs]
            caption = f"{self.first.model} less {self.second.model}"
            tables.append(_table(self.first.source, rows, self.difference.tolist(), caption))
        return '<div style="display:flex;flex-wrap:wrap;gap:2em">' + "".join(tables) + "</div>"

    def __repr__(self) -> str:
        return "\n".join(repr(AttentionFigure(trace)) for trace in (self.first, self.second))


def load(folder: Path | str | None = None) -> LabModel:
    """The model of a run or a model folder; one of the package's tiny ones by name (bahdanau, luong; None: the first).

    Raises CheckpointError.
    """
    if folder is not None and folder not in SHIPPED:
        return LabModel.load(folder)
    with shipped_models() as folders:
        return LabModel.load(next(path for path in folders if folder in (None, path.name)))


def attention(
    model: LabModel, text: str, *, beam: int = 1, prefix: Sequence[str] = (), given: Given | None = None
) -> AttentionFigure:
    """The matrix of the best translation; arguments and errors are those of `LabModel.trace`."""
    return AttentionFigure(model.trace(text, beam=beam, prefix=prefix, given=given))


def beam(
    model: LabModel, text: str, *, beam: int = 5, prefix: Sequence[str] = (), given: Given | None = None
) -> BeamFigure:
    """The tree of a beam search; arguments and errors are those of `LabModel.tree`."""
    return BeamFigure(model.tree(text, beam=beam, prefix=prefix, given=given))


def compare(first: LabModel, second: LabModel, text: str, *, beam: int = 1) -> Comparison:
    """Both models on one sentence."""
    return Comparison(first.trace(text, beam=beam), second.trace(text, beam=beam))


def _table(columns: Sequence[str], rows: Sequence[str], weights: Sequence[Sequence[float]], caption: str) -> str:
    """A matrix as a table; weights below 0 are orange."""
    head = "".join(f'<th scope="col" style="padding:2px 5px">{escape(word)}</th>' for word in columns)
    body = "".join(
        f'<tr><th scope="row" style="text-align:right;padding:2px 5px">{escape(word)}</th>'
        + "".join(map(_cell, weights[t]))
        + "</tr>"
        for t, word in enumerate(rows)
    )
    style = "border-collapse:collapse;font:13px system-ui,sans-serif"
    return (
        f'<table style="{style}"><caption style="text-align:left">{escape(caption)}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(weight: float) -> str:
    size = min(1.0, abs(weight))
    colour = ",".join(map(str, BLUE if weight >= 0 else ORANGE))
    ink = "#000" if size < BLACK_UNTIL else "#fff"
    shown = f"{weight:.2f}" if size >= 0.005 else ""
    style = (
        f"background:rgba({colour},{size:.3f});color:{ink};border:1px solid #d4d9e1;text-align:center;min-width:38px"
    )
    return f'<td style="{style}">{shown}</td>'


def _tree(tree: Tree, caption: str) -> str:
    """A column a step, the best candidates on top."""
    places = {node.number: (WIDTH * node.step + 8, HEIGHT * node.place) for node in tree.nodes}
    parts = []
    for node, word in zip(tree.nodes, tree.words, strict=True):
        x, y = places[node.number]
        if node.parent >= 0:
            px, py = places[node.parent]
            colour, width = ("#2458a8", 3) if node.is_best else (FATES[node.fate], 1)
            parts.append(f'<line x1="{px + 96}" y1="{py}" x2="{x}" y2="{y}" stroke="{colour}" stroke-width="{width}"/>')
        fill, ink = ("#2458a8", "#fff") if node.is_best else ("#fff", "#1b2029")
        title = f"log p {node.log_prob:.3f}, of the whole {node.total:.3f}, {node.fate}"
        dashes = ' stroke-dasharray="3 3"' if node.fate in ("pruned", "open") else ""
        parts.append(
            f'<g><title>{title}</title><rect x="{x}" y="{y - 11}" width="96" height="22" fill="{fill}" '
            f'rx="{11 if node.rank is not None else 3}" stroke="{FATES[node.fate]}"{dashes}/>'
            f'<text x="{x + 5}" y="{y + 4}" fill="{ink}">{escape(word)}</text>'
            f'<text x="{x + 92}" y="{y + 4}" fill="{ink}" text-anchor="end">{node.total:.1f}</text></g>'
        )
    steps, rows = (1 + max((getattr(node, name) for node in tree.nodes), default=0) for name in ("step", "place"))
    size = f'width="{WIDTH * steps}" height="{HEIGHT * rows}"'
    return (
        f'<p>{escape(caption)}</p><svg {size} style="font:12px system-ui,sans-serif" role="img">{"".join(parts)}</svg>'
    )
