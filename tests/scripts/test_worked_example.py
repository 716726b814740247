"""docs/worked-example.md: made again it is the same, and NumPy finds every number on it from those that are given."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

from nmt_attn import show

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "worked-example.md"
SCRIPT = ROOT / "scripts" / "worked_example.py"
PICTURES = [ROOT / "docs" / "pictures" / f"hand-{letter}{t}.svg" for letter in "bl" for t in (1, 2, 3)]
NUMBER = re.compile(r'<(?:b|text)[^>]* data-q="([a-zA-Z\d.]+)\.(\d+)"[^>]*>([^<]*)</')
SQUARES = dict.fromkeys(("W", "U", "C", "F"), (2, 2))
TALL = dict.fromkeys(("h", "y", "Uo", "Vo", "Co", "Wo"), (4, 2))
SHAPES = {**SQUARES, **TALL, "s0": (2,), "Wa": (3, 2), "Ua": (3, 2), "va": (3,), "Wc": (2, 4)}
"""What is given. Rows of y and Wo: `<s>` or `</s>`, then the three words."""
TARGET = ("</s>", "लाइट", "बंद", "करो")

Arrays = dict[str, np.ndarray]


class Shown(NamedTuple):
    """A number somewhere on the page or in a drawing."""

    name: str
    place: int
    text: str

    @property
    def value(self) -> float:
        return float(self.text.replace("−", "-"))

    @property
    def decimals(self) -> int:
        return len(self.text.partition(".")[2])


def shown_in(text: str) -> list[Shown]:
    return [Shown(name, int(place), number) for name, place, number in NUMBER.findall(text)]


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(page: str) -> list[Shown]:
    return shown_in(page)


@pytest.fixture(scope="module")
def given(shown: list[Shown]) -> Arrays:
    """The matrices that the page gives, read from it."""
    found: Arrays = {name: np.full(shape, np.nan) for name, shape in SHAPES.items()}
    for number in shown:
        if number.name in found:
            assert number.decimals == 1, number
            found[number.name].flat[number.place] = number.value
    assert not any(np.isnan(values).any() for values in found.values())
    return found


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum()


def look(scores: np.ndarray, h: np.ndarray) -> Arrays:
    """Scores [4] -> what every look has."""
    weights = softmax(scores)
    return {"e": scores, "exp": np.exp(scores), "a": weights, "ah": weights[:, None] * h, "c": weights @ h}


def bahdanau(g: Arrays) -> Iterator[tuple[int, Arrays]]:
    """Bahdanau et al. 2015, A.1.2 and A.2.2, with a tanh as the cell."""
    s = g["s0"]
    for t in (1, 2, 3):
        y = g["y"][t - 1]
        x = g["Wa"] @ s + g["h"] @ g["Ua"].T
        n = {"Was": g["Wa"] @ s, "x": x, "tanh": np.tanh(x), **look(np.tanh(x) @ g["va"], g["h"])}
        n |= {"Wy": g["W"] @ y, "Us": g["U"] @ s, "Cc": g["C"] @ n["c"]}
        n["sum"] = n["Wy"] + n["Us"] + n["Cc"]
        s = n["s"] = np.tanh(n["sum"])
        n |= {"Uos": g["Uo"] @ s, "Voy": g["Vo"] @ y, "Coc": g["Co"] @ n["c"]}
        n["tt"] = n["Uos"] + n["Voy"] + n["Coc"]
        n["r"] = np.array([max(n["tt"][:2]), max(n["tt"][2:])])
        yield t, n | {"z": g["Wo"] @ n["r"], "p": softmax(g["Wo"] @ n["r"])}


def luong(g: Arrays) -> Iterator[tuple[int, Arrays]]:
    """Luong et al. 2015, eq. 5 to 7 and 3.3, with the dot product and a tanh as the cell."""
    s, fed = g["s0"], np.zeros(2)
    for t in (1, 2, 3):
        n = {"Wy": g["W"] @ g["y"][t - 1], "Us": g["U"] @ s, "Fr": g["F"] @ fed}
        n["sum"] = n["Wy"] + n["Us"] + n["Fr"]
        s = n["s"] = np.tanh(n["sum"])
        n |= look(g["h"] @ s, g["h"])
        n["Wcs"] = g["Wc"] @ np.concatenate([n["c"], s])
        fed = n["r"] = np.tanh(n["Wcs"])
        yield t, n | {"z": g["Wo"] @ fed, "p": softmax(g["Wo"] @ fed)}


@pytest.fixture(scope="module")
def computed(given: Arrays) -> Arrays:
    """Every number of both machines, by the names of the page."""
    found = {"Uah": given["h"] @ given["Ua"].T}
    for letter, steps in (("b", bahdanau(given)), ("l", luong(given))):
        found |= {f"{letter}{t}.{name}": values for t, numbers in steps for name, values in numbers.items()}
    found["ex1.a"] = softmax(2 * given["h"] @ found["l1.s"])
    found["ex2.a"] = softmax(given["h"][[0, 2, 3]] @ found["l3.s"])
    return found


@pytest.fixture(scope="module")
def trained() -> Arrays:
    """The same of the models of the package."""
    found: Arrays = {}
    for letter, name in (("b", "bahdanau"), ("l", "luong")):
        for t, step in enumerate(show.load(name).trace("Turn off the lights").steps, 1):
            assert step.look is not None
            found[f"t{letter}{t}.e"] = step.look.scores[0].numpy()
            found[f"t{letter}{t}.a"] = step.look.weights[0].numpy()
            found[f"t{letter}{t}.c"] = step.look.context[0].numpy()
            found[f"t{letter}{t}.p"] = np.array([p for _, p in step.top])
    return found


def assert_right(number: Shown, arrays: Arrays) -> None:
    expected = float(arrays[number.name].flat[number.place])
    assert abs(number.value - expected) <= 0.5001 * 10**-number.decimals, (number, expected)


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "scripts"))
    import worked_example

    yield worked_example
    sys.path.remove(str(ROOT / "scripts"))


def test_the_script_makes_the_page_as_it_is(script: ModuleType, page: str) -> None:
    assert script.page() == page, f"run {SCRIPT.name} again"


@pytest.mark.slow
def test_the_script_writes_the_page(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, "--output", tmp_path / "page.md"], check=True)
    assert (tmp_path / "page.md").read_bytes() == PAGE.read_bytes()


def test_every_number_of_the_page_is_right(
    shown: list[Shown], given: Arrays, computed: Arrays, trained: Arrays
) -> None:
    known = given | computed | trained | {"l0.r": np.zeros(2)}
    assert len(shown) > 800
    for number in shown:
        assert_right(number, known)


def test_every_number_of_both_machines_is_shown(shown: list[Shown], computed: Arrays) -> None:
    places = {(number.name, number.place) for number in shown}
    missing = [
        (name, place)
        for name, values in computed.items()
        for place in range(values.size)
        if (name, place) not in places
    ]
    assert missing == []


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_every_number_of_a_drawing_is_right(path: Path, given: Arrays, computed: Arrays) -> None:
    numbers = shown_in(path.read_text(encoding="utf-8"))
    letter, step = path.stem[-2:]
    assert {f"{letter}{step}.{name}" for name in "eacsp"} <= {number.name for number in numbers}
    for number in numbers:
        assert_right(number, given | computed)


def test_no_number_stands_on_the_page_without_its_name(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", NUMBER.sub("<", page))
    assert set(re.findall(r"\d+\.\d+", text)) == {"1409.0473", "1508.04025", "3.3"}  # the papers, and a section


def test_sums_and_quotients_come_to_what_they_say(page: str) -> None:
    written = re.findall(r'<p class="sum">((?:(?!</p>).)* = (?:(?!</p>).)*)</p>', page)
    written = [re.sub(r"<[^>]+>", "", text).replace("−", "-") for text in written]
    checked = 0
    for text in written:
        left, _, right = text.rpartition(" = ")
        if re.fullmatch(r"[-\d. ×+/()]+", left):
            value = float(eval(left.replace("×", "*"), {"__builtins__": {}}))
            assert value == pytest.approx(float(right), abs=4e-3), text  # factors are rounded too
            checked += 1
    assert checked == 9


def test_bars_are_as_long_as_their_numbers(page: str) -> None:
    bars = re.findall(r'style="--p:([\d.]+)%"><b[^>]*>([\d.]+)</b>', page)
    assert len(bars) > 60
    for width, number in bars:
        assert float(width) / 100 == pytest.approx(float(number), abs=6e-4)


def test_both_machines_look_and_write_as_the_page_says(page: str, computed: Arrays) -> None:
    for t, source in ((1, "lights"), (2, "off"), (3, "turn")):
        for letter in "bl":
            assert ("turn", "off", "the", "lights")[computed[f"{letter}{t}.a"].argmax()] == source
            assert computed[f"{letter}{t}.p"].argmax() == t
        assert page.count(f"it writes <strong>{TARGET[t]}</strong>") == 2
        assert computed[f"b{t}.a"].sum() == pytest.approx(1)
    share = {letter: computed[f"{letter}3.a"][:2] for letter in "bl"}
    assert all(values.sum() > 0.75 and values.min() > 0.25 for values in share.values())  # the third look is shared


def test_contexts_lie_among_the_encoder_states(given: Arrays, computed: Arrays) -> None:
    corners = given["h"][[0, 1, 3, 2]]  # around the green area of the map, clockwise
    for name, point in computed.items():
        if name.endswith(".c"):
            for one, two in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                (dx, dy), (px, py) = two - one, point - one
                assert dx * py - dy * px < 0, name
