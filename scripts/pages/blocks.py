"""Blocks of a chapter that the program writes: source of the package, and numbers of its trained models."""

import ast
import textwrap
from collections.abc import Callable
from html import escape
from pathlib import Path

from nmt_attn.lab.lab_model import SentenceTrace
from pages.pictures import LENGTHS, LONG, SENTENCE, by_length, model, trace

PACKAGE = Path(__file__).parents[2] / "nmt_attn"


def block(kind: str, argument: str) -> str:
    """The text of a block, `code` or `made`."""
    if kind == "made":
        return MADE[argument]() + "\n"
    file, _, names = argument.partition(" ")
    parts = "\n\n\n".join(source(file, name.strip()) for name in names.split(","))
    return f"In `nmt_attn/{file}`:\n\n```python\n{parts}\n```\n"


def source(file: str, name: str) -> str:
    """The lines of a class, a function or a method of the package, as they stand there; `Class:` is its head alone."""
    text = (PACKAGE / file).read_text(encoding="utf-8")
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        inner = [each for each in ast.iter_child_nodes(node) if getattr(each, "name", None) == part]
        assert len(inner) == 1, f"{file}: expected one {part}, got {len(inner)}"
        node = inner[0]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return textwrap.dedent("\n".join(text.split("\n")[first - 1 : node.end_lineno]))


def lengths() -> str:
    """BLEU by length, with and without attention."""
    values = by_length()
    rows = [
        f"| {label} | {' | '.join(f'{value:.1f}' for value in values[name])} |"
        for label, name in (("without attention", "plain"), ("Bahdanau", "bahdanau"), ("Luong, dot", "dot"))
    ]
    return "\n".join([f"| words in the source | {' | '.join(LENGTHS)} |", f"|---|{'---|' * len(LENGTHS)}", *rows])


def one_step() -> str:
    """Scores and weights of both models at the third step, where they differ most."""
    sides = [trace(name) for name in ("bahdanau", "luong")]
    looks = [_look(side, 2) for side in sides]
    rows = [
        f"| {escape(word)} | " + " | ".join(f"{scores[j]:.2f} | {weights[j]:.3f}" for scores, weights in looks) + " |"
        for j, word in enumerate(sides[0].source)
    ]
    head = "| source word | Bahdanau: score | weight | Luong: score | weight |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])


def next_words() -> str:
    """The likeliest words of the third step."""
    sides = [trace(name).steps[2].top[:3] for name in ("bahdanau", "luong")]
    rows = [
        f"| {place} | {one[0]} | {one[1]:.4f} | {two[0]} | {two[1]:.4f} |"
        for place, (one, two) in enumerate(zip(*sides, strict=True), 1)
    ]
    return "\n".join(["| place | Bahdanau | p | Luong | p |", "|---|---|---|---|---|", *rows])


def looks_in_words() -> str:
    """For each step, where each model looks most."""
    rows = []
    sides = [trace(name) for name in ("bahdanau", "luong")]
    for t, step in enumerate(sides[0].steps):
        found = [_most(side, t) for side in sides]
        rows.append(f"| {t + 1} | {escape(step.word)} | {found[0]} | {found[1]} |")
    return "\n".join(["| step | word written | Bahdanau looks at | Luong looks at |", "|---|---|---|---|", *rows])


def changed_looks() -> str:
    """What becomes of the sentence when the first look is forced elsewhere."""
    words = trace("bahdanau").source
    rows = []
    for j, word in enumerate(words):
        given = {0: [float(place == j) for place in range(len(words))]}
        texts = [model(name).trace(SENTENCE, given=given).text for name in ("bahdanau", "luong")]
        rows.append(f"| {escape(word)} | {texts[0]} | {texts[1]} |")
    return "\n".join(["| first look only at | Bahdanau writes | Luong writes |", "|---|---|---|", *rows])


def candidates() -> str:
    """The first two steps of the beam: the three best candidates each."""
    tree = model("bahdanau").tree(SENTENCE, beam=3)
    rows = [
        f"| {node.step + 1} | {' '.join(tree.words[each.number] for each in tree.path(node))} | {node.log_prob:.2f} "
        f"| {node.total:.2f} | {node.fate} |"
        for node in tree.nodes
        if node.step < 2 and node.place <= 4
    ]
    return "\n".join(["| step | words so far | log p of the last | log p of all | what became of it |", "|---|---|---|---|---|", *rows])  # fmt: skip  # noqa: E501


def centres() -> str:
    """p_t and the strongest source word of each step of the long sentence."""
    steps = trace("luong-local", LONG)
    rows = []
    for t, step in enumerate(steps.steps):
        look = step.look
        assert look is not None and look.centre is not None
        rows.append(f"| {t + 1} | {escape(step.word)} | {float(look.centre[0]):.1f} | {_most(steps, t)} |")
    return "\n".join(["| step | word written | centre $p_t$ | looks at |", "|---|---|---|---|", *rows])


def _look(side: SentenceTrace, t: int) -> tuple[list[float], list[float]]:
    look = side.steps[t].look
    assert look is not None, "the model has attention"
    return look.scores[0].tolist(), look.weights[0].tolist()


def _most(side: SentenceTrace, t: int) -> str:
    weights = side.weights[t].tolist()
    order = sorted(range(len(weights)), key=lambda j: -weights[j])
    return ", ".join(f"*{escape(side.source[j])}* {weights[j]:.2f}" for j in order if weights[j] >= 0.1)


MADE: dict[str, Callable[[], str]] = {
    "lengths": lengths,
    "one step": one_step,
    "next words": next_words,
    "looks": looks_in_words,
    "changed looks": changed_looks,
    "candidates": candidates,
    "centres": centres,
}
