"""scripts/attention_cost.py: what it counts, what it fits, and that a local window costs the same at every length."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from matplotlib.image import imread

from nmt_attn.model.scores import SCORES
from nmt_attn.model.windows import WINDOWS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "attention_cost.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("attention_cost", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bytes_of_a_step(script: ModuleType, score: str, window: str, length: int) -> int:
    _, look = script._step(score, window, size=16, length=length, positions=400)
    with torch.no_grad():
        return int(script.cost(look, repeats=1).bytes)


def test_new_tensors_are_counted_and_views_are_not(script: ModuleType) -> None:
    x = torch.zeros(3, 5)
    cost = script.cost(lambda: x.T + 1, repeats=1)
    assert cost.bytes == 3 * 5 * 4  # the sum, in float32; the transposed view is free


def test_growth_is_the_power_of_a_power_law(script: ModuleType) -> None:
    xs = [10, 20, 40, 80]
    assert script.growth(xs, [7 * x**1.5 for x in xs]) == pytest.approx(1.5)
    assert script.growth(xs, [1000, 3, 3, 3]) == pytest.approx(0)  # the large end alone


@pytest.mark.parametrize("score", sorted(SCORES))
@pytest.mark.parametrize("window", ["local-m", "local-p"])
def test_a_step_of_a_local_window_takes_the_same_memory_at_every_length(
    script: ModuleType, score: str, window: str
) -> None:
    assert bytes_of_a_step(script, score, window, 100) == bytes_of_a_step(script, score, window, 400)


@pytest.mark.parametrize("score", sorted(SCORES))
def test_a_step_over_the_whole_source_takes_more_for_longer_sentences(script: ModuleType, score: str) -> None:
    assert bytes_of_a_step(script, score, "global", 400) > 1.5 * bytes_of_a_step(script, score, "global", 100)


def test_the_shipped_page_has_every_score_in_every_window() -> None:
    page = (ROOT / "docs" / "attention-cost.md").read_text(encoding="utf-8")
    rows = [line for line in page.split("\n") if line.startswith(tuple(f"| {window} |" for window in WINDOWS))]
    assert [tuple(row.split(" | ")[:2]) for row in rows] == [(f"| {w}", s) for w in WINDOWS for s in SCORES]
    assert (ROOT / "docs" / "attention-cost.png").is_file()


@pytest.mark.slow
def test_the_page_has_every_score_in_every_window(script: ModuleType, tmp_path: Path) -> None:
    plan = script.Plan((10, 20, 30), (4, 5, 6), length=10, size=4, repeats=1)
    with torch.no_grad():
        curves = [script.measure(score, window, plan) for window in WINDOWS for score in SCORES]
    page = script.page(curves, plan, "cost.png")
    for window in WINDOWS:
        for score in SCORES:
            assert f"| {window} | {score} |" in page
    assert "{" not in page
    script.draw(curves, plan, tmp_path / "cost.png")
    pixels = (imread(tmp_path / "cost.png")[:, :, :3] * 255).round().astype(int)
    for colour in script.FAMILIES:
        rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (pixels == rgb).all(axis=2).sum() > 50, f"no curve of the colour {colour}"
