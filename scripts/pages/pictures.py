"""The pictures of the chapters, drawn from the package's tiny trained models and from docs/study.md."""

import re
from functools import cache
from pathlib import Path

from nmt_attn import show
from nmt_attn.lab.lab_model import LabModel, SentenceTrace
from pages.hand_pictures import hand_pictures
from pages.svg import Drawing

ROOT = Path(__file__).parents[2]
SENTENCE = "Turn off the lights"
LONG = "Turn off the red lights and open the door of the big house"
COLUMNS = (90.0, 200.0, 310.0, 420.0)
"""Of the four words in the drawn machine."""


@cache
def model(name: str) -> LabModel:
    """One of the package's models, loaded once."""
    return show.load(name)


@cache
def trace(name: str, text: str = SENTENCE) -> SentenceTrace:
    """Its greedy translation, step by step."""
    return model(name).trace(text)


def pictures() -> dict[str, str]:
    """Every picture: name of the file -> SVG."""
    return {
        "bahdanau.svg": bahdanau(),
        "luong.svg": luong(),
        "plain.svg": plain(),
        "lights.svg": matrices([("bahdanau", SENTENCE), ("luong", SENTENCE)]),
        "long.svg": matrices([("bahdanau", LONG)]),
        "bleu-by-length.svg": bleu_by_length(),
        "beam-tree.svg": beam_tree(),
        "local.svg": local_window(),
        "house.svg": house(),
        "way.svg": way(),
        **hand_pictures(),
    }


def _look(drawing: Drawing, name: str) -> None:
    """Encoder states, scores, weights and context of the first step, with the trained model's weights."""
    first = trace(name).steps[0].look
    assert first is not None
    words = [*trace(name).source[:-1]]
    for j, (x, word) in enumerate(zip(COLUMNS, words, strict=True)):
        weight = float(first.weights[0, j])
        drawing.text(x, 392, word)
        drawing.box(x, 345, f"h{'₁₂₃₄'[j]}", "h")
        drawing.arrow([(x, 328), (x, 283)], "h")
        drawing.circle(x, 265, "e", "e")
        drawing.arrow([(x, 248), (x, 222)], "e")
        drawing.block(x - 30, 168, 60, 50, "fill", "a")
        drawing.block(x - 30, 218 - 50 * weight, 60, 50 * weight, "a", "a", opacity=0.45)
        drawing.text(x, 182, f"{weight:.2f}", "ink", 13, bold=True)
        drawing.line([(x, 168), (255, 122)], "a", 1 + 3 * weight)
        if j:
            drawing.line([(COLUMNS[j - 1] + 42, 345), (x - 42, 345)], "h")
    drawing.circle(255, 105, "c", "c", 19)
    drawing.text(20, 265, "score", "e", 12, "start")
    drawing.text(20, 150, "softmax", "a", 12, "start")
    drawing.text(20, 316, "encoder", "h", 12, "start")


def bahdanau() -> str:
    """Look, then move: the query is s_{t-1}."""
    drawing = Drawing(720, 410)
    _look(drawing, "bahdanau")
    drawing.box(600, 265, "s₀", "s")
    drawing.box(600, 105, "s₁", "s")
    drawing.text(660, 265, "the state", "soft", 12, "start")
    drawing.text(660, 280, "it has", "soft", 12, "start")
    drawing.arrow([(558, 265), (440, 265)], "s", 2, dashed=True)
    drawing.text(497, 252, "asks", "s", 13)
    drawing.arrow([(600, 248), (600, 124)], "s")
    drawing.arrow([(275, 105), (556, 105)], "c", 2.5)
    drawing.arrow([(650, 190), (618, 124)], "line")
    drawing.text(660, 190, "y₀ = <s>", "soft", 13, "start")
    drawing.arrow([(600, 88), (600, 48)], "s")
    drawing.text(600, 32, f"y₁ = {trace('bahdanau').steps[0].word}", "ink", 16, bold=True)
    for place, (x, y) in enumerate([(497, 283), (460, 222), (330, 130), (540, 130), (630, 60)], 1):
        drawing.number(x, y, str(place))
    return drawing.svg()


def luong() -> str:
    """Move, then look: the query is s_t, and the context meets it in h~."""
    drawing = Drawing(720, 410)
    _look(drawing, "luong")
    drawing.box(600, 345, "s₀", "s")
    drawing.box(600, 265, "s₁", "s")
    drawing.box(600, 105, "h̃₁", "c")
    drawing.arrow([(600, 328), (600, 284)], "s")
    drawing.arrow([(662, 318), (630, 284)], "line")
    drawing.text(654, 326, "y₀, h̃₀", "soft", 13, "start")
    drawing.arrow([(558, 265), (440, 265)], "s", 2, dashed=True)
    drawing.text(497, 252, "asks", "s", 13)
    drawing.arrow([(600, 248), (600, 124)], "s")
    drawing.arrow([(275, 105), (556, 105)], "c", 2.5)
    drawing.arrow([(600, 88), (600, 48)], "c")
    drawing.text(600, 32, f"y₁ = {trace('luong').steps[0].word}", "ink", 16, bold=True)
    for place, (x, y) in enumerate([(570, 306), (497, 283), (460, 222), (330, 130), (540, 130), (630, 60)], 1):
        drawing.number(x, y, str(place))
    return drawing.svg()


def plain() -> str:
    """Without attention: one vector has to hold the whole sentence."""
    drawing = Drawing(720, 170)
    for j, (x, word) in enumerate(zip((60, 150, 240, 330), SENTENCE.split(), strict=True)):
        drawing.text(x, 140, word)
        drawing.box(x, 90, f"h{'₁₂₃₄'[j]}", "h", 60)
        drawing.arrow([(x, 128), (x, 109)], "line")
        if j:
            drawing.arrow([(x - 60, 90), (x - 31, 90)], "h")
    drawing.arrow([(360, 90), (392, 90)], "c", 3)
    drawing.circle(415, 90, "c", "c", 20)
    drawing.text(415, 55, "all that is left", "c", 12)
    drawing.arrow([(437, 90), (468, 90)], "c", 3)
    for t, (x, word) in enumerate(zip((500, 585, 670), trace("bahdanau").target, strict=True), 1):
        drawing.box(x, 90, f"s{'₁₂₃'[t - 1]}", "s", 60)
        drawing.arrow([(x, 72), (x, 46)], "s")
        drawing.text(x, 30, word, "ink", 15)
        if t > 1:
            drawing.arrow([(x - 55, 90), (x - 31, 90)], "s")
    return drawing.svg()


def matrices(sides: list[tuple[str, str]]) -> str:
    """Alignments beside each other: a row a target word, a column a source word."""
    cell, left = 46, 84
    traces = [trace(name, text) for name, text in sides]
    widths = [left + cell * len(each.source) + 24 for each in traces]
    drawing = Drawing(sum(widths), 90 + 30 * max(len(each.steps) for each in traces))
    start = 0.0
    for each, width in zip(traces, widths, strict=True):
        drawing.text(start + left, 14, each.model, "ink", 14, "start", bold=True)
        for j, word in enumerate(each.source):
            drawing.text(
                start + left + cell * (j + 0.5), 44 + 14 * (j % 2 if len(each.source) > 6 else 0), word, "soft", 12
            )
        for t, step in enumerate(each.steps):
            drawing.text(start + left - 8, 82 + 30 * t, step.word, "ink", 14, "end")
            for j, weight in enumerate(each.weights[t].tolist()):
                x, y = start + left + cell * j, 67 + 30 * t
                drawing.block(x, y, cell, 30, "blue", "line", opacity=0.55 * weight)
                if weight >= 0.05:
                    drawing.text(x + cell / 2, y + 15, f"{weight:.2f}", "ink", 12)
        start += width
    return drawing.svg()


def by_length() -> dict[str, list[float]]:
    """BLEU of each system of docs/study.md by source length, the shortest first."""
    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    table = page[page.index("## Quality, by source words") : page.index("![BLEU by length]")]
    rows = re.findall(r"^\| ([a-z-]+) \| [\d.]+ \| [^|]+ \|((?: [\d.]+ \|){7})", table, flags=re.MULTILINE)
    return {name: [float(value) for value in values.replace("|", " ").split()] for name, values in rows}


LENGTHS = ("1-10", "11-20", "21-30", "31-40", "41-50", "51-60", ">60")


def bleu_by_length() -> str:
    """The claim of Bahdanau's figure 2: a fixed vector loses with length, attention does not."""
    drawing = Drawing(720, 330)
    values = by_length()
    places = [90 + 90 * k for k in range(len(LENGTHS))]
    for level in (0, 25, 50, 75, 100):
        y = 280 - 2.4 * level
        drawing.line([(70, y), (650, y)], "fill" if level else "line", 1)
        drawing.text(58, y, str(level), "soft", 12, "end")
    for x, name in zip(places, LENGTHS, strict=True):
        drawing.text(x, 300, name, "soft", 12)
    drawing.text(360, 320, "words in the source", "soft", 12)
    drawing.text(20, 20, "BLEU", "soft", 12, "start")
    for name, colour, dy in (("bahdanau", "s", -14), ("plain", "a", -14)):
        points = [(x, 280 - 2.4 * value) for x, value in zip(places, values[name], strict=True)]
        drawing.line(points, colour, 3)
        for (x, y), value in zip(points, values[name], strict=True):
            drawing.block(x - 3, y - 3, 6, 6, colour, colour)
            drawing.text(x, y + dy, f"{value:.0f}", colour, 12)
        label = "with attention" if name == "bahdanau" else "without attention"
        drawing.text(650, points[-1][1] + 18, label, colour, 14, "end", bold=True)
    return drawing.svg()


def beam_tree() -> str:
    """What a beam of three weighed for the sentence; the translation's path is filled."""
    tree = model("bahdanau").tree(SENTENCE, beam=3)
    nodes = [node for node in tree.nodes if node.step < 5]
    steps, places = max(node.step for node in nodes) + 1, max(node.place for node in nodes)
    drawing = Drawing(150 * steps + 20, 40 * places + 50)
    at = {node.number: (150.0 * node.step + 75, 40.0 * node.place + 20) for node in nodes}
    for step in range(steps):
        drawing.text(150 * step + 75, 20, f"step {step + 1}", "soft", 12)
    for node in nodes:
        x, y = at[node.number]
        if node.parent >= 0:
            px, py = at[node.parent]
            colour, width = ("s", 3.0) if node.is_best else ("line", 1.0)
            drawing.line([(px + 60, py), (x - 60, y)], colour, width)
    for node, word in zip(tree.nodes, tree.words, strict=True):
        if node.number in at:
            x, y = at[node.number]
            gone = node.fate in ("pruned", "open")
            colour = "s" if node.is_best else "soft" if gone else "ink"
            radius = 15 if node.rank is not None else 3
            fill, opacity = ("s", 0.2) if node.is_best else ("fill", 1.0)
            drawing.block(x - 60, y - 15, 120, 30, fill, colour, radius=radius, opacity=opacity, dashed=gone)
            drawing.text(x - 54, y, word, colour, 13, "start")
            drawing.text(x + 54, y, f"{node.total:.1f}", colour, 12, "end")
    return drawing.svg()


def local_window() -> str:
    """local-p at three steps of a long sentence: p_t, its Gaussian, and what is left of the softmax."""
    steps = trace("luong-local", LONG)
    drawing = Drawing(60 + 50 * len(steps.source), 30 + 3 * 130)
    for row, t in enumerate((0, 4, len(steps.steps) - 2)):
        step, top = steps.steps[t], 20.0 + 130 * row
        look = step.look
        assert look is not None and look.gaussian is not None and look.centre is not None
        centre = float(look.centre[0])
        drawing.text(8, top + 8, f"{step.word}: p = {centre:.1f}", "ink", 14, "start", bold=True)
        for j, word in enumerate(steps.source):
            x = 40.0 + 50 * j
            gauss, weight = float(look.gaussian[0, j]), float(look.weights[0, j])
            drawing.block(x - 18, top + 92 - 62 * gauss, 36, 62 * gauss, "e", "e", opacity=0.15)
            drawing.block(x - 10, top + 92 - 62 * weight, 20, 62 * weight, "a", "a", opacity=0.7)
            drawing.text(x, top + 106, word, "soft", 12)
        x = 40 + 50 * (centre - 1)
        drawing.line([(x, top + 22), (x, top + 92)], "s", 2, dashed=True)
    return drawing.svg()


HOUSE = (
    (("cli", "one line an option"),),
    (("commands", "one file a command"),),
    (
        ("show", "for notebooks"),
        ("lab", "every number of a step"),
        ("experiments", "sweeps"),
        ("evaluation", "metrics, the report"),
    ),
    (("training", "loss, optimizer, trainer"), ("search", "beam, rankings, Translator")),
    (("fast", "the same equations, by hand and for GPUs"), ("foreign", "other toolkits' models")),
    (("data", "corpora, tokenizers, batches"), ("model", "the equations of both papers")),
    (
        ("config", "every key and its rules"),
        ("alignment", "links and weights"),
        ("demo", "the built-in corpus"),
        ("options", "one record a command"),
    ),
    (("registries", "every name"), ("files, text_io, runtime", "files, streams, the machine"), ("errors, types", "")),
)
"""From the roof down; tests/test_architecture.py holds the floors, and a test that this picture is theirs."""


def house() -> str:
    """The packages; each imports only from the floors below it."""
    width, height = 700, 62
    drawing = Drawing(width, height * len(HOUSE) + 10)
    colours = {"model": "s", "data": "h", "training": "a", "search": "e", "evaluation": "c", "lab": "c", "show": "c"}
    for floor, rooms in enumerate(HOUSE):
        room = (width - 20) / len(rooms)
        for place, (name, meaning) in enumerate(rooms):
            x, y = 10 + room * place, 5 + height * floor
            drawing.block(x + 3, y + 3, room - 6, height - 6, "fill", colours.get(name, "line"), radius=6)
            drawing.text(x + room / 2, y + 22, name, colours.get(name, "ink"), 15, bold=True)
            drawing.text(x + room / 2, y + 42, meaning, "soft", 12)
    return drawing.svg()


TRAINING = ("text", "tokens, ids", "batch", "encoder states", "attention", "p(word)", "loss", "update")
TRANSLATING = ("text", "tokens, ids", "batch", "encoder states", "k beginnings", "attention", "p(word)",
               "best hypothesis", "text")  # fmt: skip
MODULES = {
    "text": "text_io.py",
    "tokens, ids": "data/codec.py",
    "batch": "data/batching.py",
    "encoder states": "model/encoder.py",
    "attention": "model/attention.py",
    "p(word)": "model/seq2seq.py",
    "loss": "training/loss.py",
    "update": "training/trainer.py",
    "k beginnings": "search/beam.py",
    "best hypothesis": "search/ranking.py",
}
"""Of each station of a sentence's way, the file where it happens."""


def way() -> str:
    """The way of one sentence through training (left) and translation (right)."""
    drawing = Drawing(700, 30 + 56 * len(TRANSLATING))
    for x, title, stations in ((175, "training", TRAINING), (525, "translation", TRANSLATING)):
        drawing.text(x, 14, title, "ink", 15, bold=True)
        for place, name in enumerate(stations):
            y = 50 + 56 * place
            drawing.block(x - 130, y - 18, 260, 36, "fill", "s" if "model/" in MODULES[name] else "line", radius=6)
            drawing.text(x - 120, y, name, "ink", 14, "start")
            drawing.text(x + 120, y, MODULES[name], "soft", 12, "end")
            if place:
                drawing.arrow([(x, y - 38), (x, y - 19)], "line")
    drawing.line([(395, 50 + 56 * 6), (375, 50 + 56 * 6), (375, 50 + 56 * 4), (393, 50 + 56 * 4)], "e", 2, dashed=True)
    drawing.arrow([(375, 50 + 56 * 4), (395, 50 + 56 * 4)], "e", 2)
    drawing.text(368, 50 + 56 * 5, "each word", "e", 12, "end")
    return drawing.svg()
