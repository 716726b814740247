"""docs/worked-example.md: made again it is the same, and NumPy finds every number on it from those chosen by hand."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "worked-example.md"
SCRIPT = ROOT / "scripts" / "worked_example.py"
ROUNDING = 0.6e-4  # half of the last decimal shown, and a hair

Blocks = dict[str, list[np.ndarray]]


def blocks_of(page: str) -> Blocks:
    """Every matrix on the page by its title, in the order of the page; a bar is left out."""
    found: Blocks = {}
    for block in re.findall(r"```text\n(.*?)\n```", page, re.DOTALL):
        title, *lines = block.split("\n")
        rows = [[float(text) for text in re.findall(r"-?\d+\.\d+", line)] for line in lines]
        found.setdefault(title, []).append(np.array(rows))
    return found


@pytest.fixture(scope="module")
def blocks() -> Blocks:
    return blocks_of(PAGE.read_text(encoding="utf-8"))


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum()


def only(found: list[np.ndarray]) -> np.ndarray:
    assert len(found) == 1
    return found[0]


def assert_shown(shown: np.ndarray, computed: np.ndarray) -> None:
    np.testing.assert_allclose(shown, computed.reshape(shown.shape), rtol=0, atol=ROUNDING)


def test_the_script_makes_the_page_as_it_is() -> None:
    spec = importlib.util.spec_from_file_location("worked_example", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.page() == PAGE.read_text(encoding="utf-8"), f"run {SCRIPT.name} again"


@pytest.mark.slow
def test_the_script_writes_the_page(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, "--output", tmp_path / "page.md"], check=True)
    assert (tmp_path / "page.md").read_bytes() == PAGE.read_bytes()


def test_shapes_are_those_of_the_story(blocks: Blocks) -> None:
    assert only(blocks["h_j"]).shape == (4, 4)
    assert only(blocks["W_a, the part for s | the part for h"]).shape == (3, 8)
    for step in (0, 1):
        assert only(blocks[f"[s_{step} ; h_j], 4 x 8"]).shape == (4, 8)
        assert only(blocks[f"W_a [s_{step} ; h_j], 4 x 3"]).shape == (4, 3)


@pytest.mark.parametrize(("step", "word"), [(1, 3), (2, 1)])  # lights for लाइट, off for बंद
def test_bahdanaus_steps(blocks: Blocks, step: int, word: int) -> None:
    h, s = only(blocks["h_j"]), only(blocks["s_t"])[step - 1]
    matrix, v = only(blocks["W_a, the part for s | the part for h"]), only(blocks["v_a"])[0]
    joined = np.stack([np.concatenate([s, state]) for state in h])
    assert_shown(only(blocks[f"[s_{step - 1} ; h_j], 4 x 8"]), joined)
    assert_shown(only(blocks[f"W_a [s_{step - 1} ; h_j], 4 x 3"]), joined @ matrix.T)
    assert_shown(blocks["tanh of that, 4 x 3"][step - 1], np.tanh(joined @ matrix.T))
    scores = np.tanh(joined @ matrix.T) @ v
    shown = only(blocks[f"e_{step}j | weight"])
    assert_shown(shown[:, 0], scores)
    assert_shown(shown[:, 1], softmax(scores))
    assert_shown(blocks[f"c_{step}"][0], softmax(scores) @ h)
    assert shown[:, 1].argmax() == word


@pytest.mark.parametrize(("step", "word"), [(1, 3), (2, 1)])
def test_luongs_steps(blocks: Blocks, step: int, word: int) -> None:
    h, s = only(blocks["h_j"]), only(blocks["s_t"])[step]
    matrix = only(blocks["W_c, the part for c | the part for s"])
    shown = only(blocks[f"s_{step} . h_j | weight"])
    weights = softmax(h @ s)
    assert_shown(shown[:, 0], h @ s)
    assert_shown(shown[:, 1], weights)
    context = weights @ h
    assert_shown(blocks[f"c_{step}"][1], context)
    joined = np.concatenate([context, s])
    assert_shown(only(blocks[f"[c_{step} ; s_{step}]"]), joined)
    assert_shown(only(blocks[f"W_c [c_{step} ; s_{step}]"]), matrix @ joined)
    assert_shown(only(blocks[f"h~_{step}, tanh of that"]), np.tanh(matrix @ joined))
    assert shown[:, 1].argmax() == word


def test_every_sum_written_out_comes_to_what_it_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sums = re.findall(r"((?:-?[\d.]+ x -?[\d.]+(?: \+ )?)+) = (-?[\d.]+)\.", page)
    assert len(sums) == 2 * 3 + 2 * 3  # products, score and context; dot, context and h~: two steps of each
    for products, result in sums:
        numbers = [[float(number) for number in product.split(" x ")] for product in products.split(" + ")]
        assert abs(sum(a * b for a, b in numbers) - float(result)) < 3e-4, products  # factors are rounded too
    quotients = re.findall(r"(exp\(-?[\d.]+\)) / \((.*?)\) = ([\d.]+)\.\n", page)
    assert len(quotients) == 4
    for numerator, denominator, result in quotients:
        powers = [np.exp(float(x)) for x in re.findall(r"exp\((-?[\d.]+)\)", f"{numerator} {denominator}")]
        assert abs(powers[0] / sum(powers[1:]) - float(result)) < 1e-4


def test_the_weights_of_a_step_sum_to_one(blocks: Blocks) -> None:
    weights = [matrix[0][:, 1] for title, matrix in blocks.items() if title.endswith("| weight")]
    assert len(weights) == 4
    for column in weights:
        assert abs(column.sum() - 1) < 4 * ROUNDING
