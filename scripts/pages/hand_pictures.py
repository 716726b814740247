"""The drawings of docs/worked-example.md: both machines at each word with their numbers, and the states as a map."""

from collections.abc import Callable
from functools import cache

from pages.hand_html import sign
from pages.hand_numbers import STEPS, TARGET, WORDS, Numbers, hand_numbers
from pages.svg import Drawing

WIDTH, HEIGHT = 320, 470
COLUMNS = (42.0, 120.0, 199.0, 278.0)
LEFT, RIGHT, TOP, STATE, CONTEXT = 92.0, 240.0, 34.0, 112.0, 194.0
"""Centres: two columns of vectors above the four words, and the heights of the word, the state and the context."""
BESIDE = {("b", 1): (-16, -6), ("b", 2): (-16, 10), ("b", 3): (-16, 10), ("l", 1): (14, 12), ("l", 2): (-16, 10),
          ("l", 3): (2, -14)}  # fmt: skip
"""Where the name of a context stands beside its point on the map, clear of the arrows."""
BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@cache
def _numbers() -> Numbers:
    return hand_numbers()


def hand_pictures() -> dict[str, str]:
    """Name of the file -> SVG."""
    machines: dict[str, Callable[[int], str]] = {"b": bahdanau_machine, "l": luong_machine}
    drawn = {f"hand-{letter}{t}.svg": draw(t) for letter, draw in machines.items() for t in range(1, STEPS)}
    return drawn | {"hand-b-map.svg": state_map("b"), "hand-l-map.svg": state_map("l")}


def bahdanau_machine(t: int) -> str:
    """Look, then move."""
    drawing = Drawing(WIDTH, HEIGHT)
    _look(drawing, "b", t)
    _vector(drawing, LEFT, STATE, f"s{t - 1}", f"b{t - 1}.s", "s")
    _vector(drawing, RIGHT, STATE, f"s{t}", f"b{t}.s", "s")
    _vector(drawing, LEFT, TOP, f"y{t - 1} = {TARGET[t - 1]}", "y", "ink", t - 1)
    drawing.arrow([(LEFT + 46, STATE), (RIGHT - 47, STATE)], "s", 2)
    drawing.arrow([(LEFT + 46, TOP + 8), (RIGHT - 40, STATE - 21)], "line")
    drawing.arrow([(RIGHT, CONTEXT - 20), (RIGHT, STATE + 22)], "c", 2.5)
    drawing.arrow([(RIGHT, STATE - 20), (RIGHT, TOP + 22)], "r", 2)
    _written(drawing, "b", t)
    for place, (x, y) in enumerate(
        [(81, 222), (159.5, 343), (159.5, 278), (290, 222), (RIGHT - 62, STATE - 12), (254, 76)], 1
    ):
        drawing.number(x, y, str(place))
    return drawing.svg()


def luong_machine(t: int) -> str:
    """Move, then look."""
    drawing = Drawing(WIDTH, HEIGHT)
    _look(drawing, "l", t)
    _vector(drawing, LEFT, TOP, f"s{t - 1}", f"l{t - 1}.s", "s")
    _vector(drawing, LEFT, STATE, f"s{t}", f"l{t}.s", "s")
    _vector(drawing, RIGHT, STATE, f"h̃{t}", f"l{t}.r", "r")
    drawing.arrow([(LEFT, TOP + 20), (LEFT, STATE - 22)], "s", 2)
    drawing.text(4, STATE - 46, f"y{t - 1}, h̃{t - 1}".translate(BELOW), "soft", 12, "start")
    drawing.arrow([(34, STATE - 38), (52, STATE - 22)], "line")
    drawing.arrow([(LEFT + 46, STATE), (RIGHT - 47, STATE)], "s", 2)
    drawing.arrow([(RIGHT, CONTEXT - 20), (RIGHT, STATE + 22)], "c", 2.5)
    drawing.arrow([(RIGHT, STATE - 20), (RIGHT, TOP + 22)], "r", 2)
    _written(drawing, "l", t)
    for place, (x, y) in enumerate(
        [(108, 72), (159.5, 343), (159.5, 278), (290, 222), (RIGHT - 62, STATE - 12), (254, 76)], 1
    ):
        drawing.number(x, y, str(place))
    return drawing.svg()


def _look(drawing: Drawing, letter: str, t: int) -> None:
    """From the words below up to the context: encoder states, scores, weights; the query comes down at the left."""
    numbers = _numbers()
    weights = numbers[f"{letter}{t}.a"].tolist()
    drawing.line([(81, STATE + 20), (81, 366), (COLUMNS[-1], 366)], "s", 2, dashed=True)
    for j, (x, name) in enumerate(zip(COLUMNS, WORDS, strict=True)):
        drawing.arrow([(x, 400), (x, 358)], "h")
        if j:
            drawing.arrow([(x - 14, 366), (x - 8, 357)], "s", 2)
        drawing.block(x - 29, 330, 58, 26, "fill", "e", radius=13)
        _put(drawing, x, 343, f"{letter}{t}.e", j, "e")
        drawing.arrow([(x, 330), (x, 308)], "e")
        drawing.block(x - 29, 246, 58, 60, "fill", "a", radius=3)
        drawing.block(x - 29, 306 - 60 * weights[j], 58, 60 * weights[j], "a", "a", radius=3, opacity=0.35)
        _put(drawing, x, 261, f"{letter}{t}.a", j, "ink", bold=True)
        drawing.line([(x, 246), (RIGHT, CONTEXT + 20)], "a", 0.6 + 7 * weights[j])
        drawing.block(x - 37, 400, 74, 40, "fill", "h", radius=6)
        drawing.text(x, 411, f"h{j + 1}".translate(BELOW), "h", 12, bold=True)
        for k in range(2):
            _put(drawing, x - 17 + 34 * k, 428, "h", 2 * j + k, "h", digits=1)
        drawing.text(x, 456, name, "ink", 14)
    _vector(drawing, RIGHT, CONTEXT, f"c{t}", f"{letter}{t}.c", "c")
    for y, label, colour in ((343, f"e{t}ⱼ", "e"), (276, f"α{t}ⱼ", "a")):
        drawing.text(WIDTH - 3, y - 22 if colour == "e" else y - 37, label.translate(BELOW), colour, 12, "end")


def _vector(drawing: Drawing, x: float, y: float, title: str, name: str, colour: str, row: int = 0) -> None:
    """A box with a title and two numbers."""
    drawing.block(x - 46, y - 20, 92, 40, "fill", colour, radius=6)
    drawing.text(x, y - 9, title.translate(BELOW), colour, 12, bold=True)
    for k in range(2):
        _put(drawing, x - 21 + 42 * k, y + 8, name, 2 * row + k, colour)


def _put(
    drawing: Drawing, x: float, y: float, name: str, place: int, colour: str, digits: int = 2, *, bold: bool = False
) -> None:
    """A number with its name."""
    value = _numbers()[name].flatten().tolist()[place]
    origin = "s0" if name in ("b0.s", "l0.s") else name
    digits = 1 if origin in ("s0", "y") else digits
    drawing.text(x, y, sign(value, digits), colour, 13, bold=bold, name=f"{origin}.{place}")


def _written(drawing: Drawing, letter: str, t: int) -> None:
    """The word and its p."""
    drawing.block(RIGHT - 46, TOP - 20, 92, 40, "fill", "ink", radius=6)
    drawing.text(RIGHT, TOP - 9, TARGET[t], "ink", 15, bold=True)
    drawing.text(RIGHT - 18, TOP + 9, "p", "soft", 12)
    _put(drawing, RIGHT + 10, TOP + 9, f"{letter}{t}.p", t, "ink")


def state_map(letter: str) -> str:
    """Encoder states, contexts and the decoder's states as points of a plane."""
    numbers, drawing = _numbers(), Drawing(320, 320)

    def at(point: list[float]) -> tuple[float, float]:
        return 160 + 130 * point[0], 160 - 130 * point[1]

    drawing.line([(14, 160), (306, 160)], "line", 0.7)
    drawing.line([(160, 14), (160, 306)], "line", 0.7)
    for end, spot in (("−1", (30, 172)), ("1", (290, 172)), ("1", (152, 30)), ("−1", (150, 290))):
        drawing.text(*spot, end, "soft", 12)
    points = [at(state) for state in numbers["h"].tolist()]
    drawing.area([points[j] for j in (0, 1, 3, 2)], "h", 0.1)
    states = [numbers[f"{letter}{t}.s"].tolist() for t in range(0 if letter == "b" else 1, STEPS - (letter == "b"))]
    for state in states:
        drawing.arrow([(160, 160), at(state)], "s", 2.5)
    for (x, y), name, dy in zip(points, WORDS, (18, -16, 18, -16), strict=True):
        drawing.dot(x, y, "h", 6)
        drawing.text(x + 6, y + dy, name, "h", 13, bold=True)
    for t in range(1, STEPS):
        x, y = at(numbers[f"{letter}{t}.c"].tolist())
        drawing.dot(x, y, "c", 5)
        dx, dy = BESIDE[letter, t]
        drawing.text(x + dx, y + dy, f"c{t}".translate(BELOW), "c", 14, bold=True)
    for place, state in enumerate(states, 0 if letter == "b" else 1):
        x, y = at([1.09 * part for part in state])
        drawing.text(x, y, f"s{place}".translate(BELOW), "s", 14, bold=True)
    return drawing.svg()
