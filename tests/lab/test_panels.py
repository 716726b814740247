"""The panels that need more than a sentence: an index, a run that trains, a local window; and scripts of all kinds."""

import json
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from browsers import needs_browser
from tiny_runs import make_run
from tiny_translators import MODELS, make_translator

from nmt_attn.config.schema import Config
from nmt_attn.demo.corpus import demo_corpus
from nmt_attn.lab.examples import shipped_examples, shipped_models
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.neighbours import StateIndex
from nmt_attn.lab.service import Lab
from nmt_attn.lab.training_log import TrainingLog
from nmt_attn.types import SentencePair

pytest_plugins = ["lab_browser"]
pytestmark = [pytest.mark.slow, needs_browser]
LIGHTS = "#s=Turn+off+the+lights&a=bahdanau&b=luong&k=3"
LONG = "Turn off the red lights and open the door of the big house"

Open = Callable[..., Any]


def update(number: int, loss: float) -> str:
    """A line of a run's log."""
    return json.dumps({"kind": "update", "update": number, "epoch": 1, "loss": loss, "learning_rate": 0.1}) + "\n"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run that has made 40 updates."""
    path = make_run(tmp_path_factory.mktemp("watched")) / "log.jsonl"
    path.write_text("".join(update(number, 9 - number / 10) for number in range(1, 41)))
    return path


@pytest.fixture(scope="module")
def lab(log: Path) -> Lab:
    with shipped_models() as folders:
        models = {folder.name: LabModel.load(folder) for folder in folders}
    pairs = [SentencePair(pair.source, pair.target) for pair in demo_corpus("train", 40)]
    short = [pair for pair in pairs if len(pair.source.split()) < 8]
    index = cache(partial(StateIndex.build, models["bahdanau"].translator, short))
    for name in ("covered", "monotonic", "copying"):
        models[name] = LabModel(name, make_translator(name), Config.model_validate({"model": MODELS[name]}))
    return Lab(models, shipped_examples(), {"bahdanau": index}, TrainingLog(log.parent, "un gato"))


def row(page: Any, t: int) -> list[float]:
    """The weights of A's step t as they stand in the matrix."""
    texts = page.locator(f"#matrix [data-side=a] [data-t='{t}']").all_inner_texts()
    return [float(text or 0) for text in texts]


def test_gold_and_even_looks_are_given_and_taken_back(open_page: Open) -> None:
    page = open_page()
    free = row(page, 0)
    page.locator("#matrix [data-side=a] [data-t='0'][data-j='0']").focus()
    page.keyboard.press("e")
    page.locator("#matrix [data-side=a] .cell.changed").nth(4).wait_for()
    assert row(page, 0) == [0.2] * 5
    page.locator("#matrix [data-side=a]").get_by_role("button", name="gold", exact=True).click()
    page.locator("#matrix [data-side=a] [data-t='0'][data-j='3']", has_text="1.00").wait_for()
    assert row(page, 0) == [0, 0, 0, 1, 0]
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.wait_for_selector("#matrix [data-side=a] .cell.changed", state="detached")
    assert row(page, 0) == free


def test_the_predicted_place_and_its_gaussian_move(open_page: Open, lab: Lab) -> None:
    centres = []
    looks = [step.look for step in lab.models["luong-local"].trace(LONG).steps]
    for t in (0, 4):
        page = open_page(f"#s={LONG.replace(' ', '+')}&a=luong-local&b=luong&k=1&t={t}&m=5")
        line = page.locator("#machine-a .window .centre")
        centres.append(float(line.get_attribute("x1")))
        look = looks[t]
        assert look is not None and look.centre is not None
        assert page.locator("#machine-a .window .digits").text_content() == f"pt = {float(look.centre[0]):.2f}"
        points = page.locator("#machine-a .gaussian").get_attribute("points").split()
        top = min(points, key=lambda point: float(point.split(",")[1]))
        assert float(top.split(",")[0]) == pytest.approx(centres[-1], abs=5)
        assert page.locator("#machine-b .window").count() == 0
    assert abs(centres[0] - centres[1]) > 20


def test_neighbours_are_found_in_the_training_set(open_page: Open) -> None:
    page = open_page()
    panel = page.locator("#neighbours [data-side=a]")
    for name in ("encoder state of", "decoder state of", "context of"):
        panel.get_by_role("button", name=name).click()
        panel.locator("li").nth(9).wait_for()
        cosines = [float(text) for text in panel.locator("li .p").all_inner_texts()]
        assert cosines == sorted(cosines, reverse=True)
        assert 0.5 < cosines[0] <= 1.01
        assert panel.locator("li mark").count() == 10  # the word whose state it is
        assert re.search(r"The nearest of \d+ .+ of \d+ training pairs", panel.inner_text())
    assert "nmt-attn index" in page.locator("#neighbours [data-side=b]").inner_text()


def test_a_training_run_grows_on_the_page(open_page: Open, log: Path) -> None:
    page = open_page()
    page.locator("#training-body", has_text="update 40").wait_for()
    assert page.locator("#training-body .matrix tbody tr").count() > 0
    with log.open("a") as stream:
        stream.write(update(41, 1.25))
    page.locator("#training-body", has_text="training loss: 1.25").wait_for()
    assert page.locator("#training-body p").first.inner_text().endswith("update 41, epoch 1")


def test_the_comparison_has_differences_entropies_and_gold_frames(open_page: Open) -> None:
    page = open_page(LIGHTS + "&t=2")
    cells = page.locator("#compare .difference")
    assert cells.count() == 4 * 5
    assert page.locator("#compare .difference.gold").count() == 3
    assert page.locator("#compare .entropy rect").count() == 2 * 4
    one, other = (page.locator(f"#matrix [data-side={side}] [data-t='2'][data-j='0']").inner_text() for side in "ab")
    shown = cells.nth(2 * 5).inner_text()
    assert float(shown.replace("−", "-")) == pytest.approx(float(one) - float(other), abs=0.011)


def test_a_node_says_where_it_looks_when_it_is_pointed_at(open_page: Open) -> None:
    page = open_page()
    page.locator("#tree-a .node.pruned").first.hover()
    told = page.locator("#tree [data-side=a] .told").inner_text()
    assert "pruned" in told
    assert "Looks at" in told
    ended = page.locator("#tree-a .node.ended").first.get_attribute("aria-label")
    assert "rank" in ended


def test_the_projector_makes_letters_half_as_large_again(open_page: Open) -> None:
    page = open_page()
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    before = page.evaluate(size)
    page.locator("#projector").click()
    assert page.evaluate(size) == pytest.approx(1.5 * before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize(
    ("text", "direction"),
    [("שלום עולם", "rtl"), ("کتاب خوب", "rtl"), ("दरवाज़ा खोलो", "ltr"), ("cafe\u0301 nai\u0308f", "ltr")],
)
def test_scripts_keep_their_direction_and_their_marks(open_page: Open, text: str, direction: str) -> None:
    page = open_page(f"#s={text.replace(' ', '+')}&a=bahdanau&b=&k=1")
    heads = page.locator("#matrix [data-side=a] thead th")
    assert heads.all_inner_texts()[:2] == text.split()  # a word stays one run of text, so that it is shaped
    word = heads.first.locator("bdi")
    assert word.evaluate("each => getComputedStyle(each).direction") == direction


def test_reduced_motion_is_respected(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    moving = page.locator("#machine-a [data-stage]").first.evaluate("each => getComputedStyle(each).transitionDuration")
    assert set(moving.split(", ")) == {"0s"}


def test_words_are_never_stretched_and_long_ones_are_cut_after_a_letter(open_page: Open) -> None:
    page = open_page("#s=Turn+off+the+lights&a=luong&b=&k=5")
    texts = page.locator("#machine-a text, #tree-a text").evaluate_all(FITTED_AND_NATURAL)
    assert "कुर्सियाँ" in [text for text, _, _ in texts]  # nine code points, which are four letters
    assert all(fitted == pytest.approx(natural, abs=1) for _, fitted, natural in texts)
    boxes = page.locator("#tree-a .node").evaluate_all(WORD_AND_DIGITS)
    assert all(end <= start for end, start in boxes)
    page.evaluate("location.hash = '#s=Turn+off+the+incomprehensibilities&a=luong&b=&k=1'")
    page.locator("#machine-a title", has_text="incomprehensibilities").wait_for(state="attached")
    texts = page.locator("#machine-a text").evaluate_all(FITTED_AND_NATURAL)
    [(text, fitted, natural)] = [each for each in texts if each[1] < each[2] - 1]
    assert re.fullmatch("inc[a-z]{1,8}…", text)
    assert fitted > 0.65 * natural


def test_coverage_is_drawn_and_has_its_formula(open_page: Open) -> None:
    page = open_page("#s=die+Katze+sieht+das+Haus+nicht&a=covered&b=bahdanau&k=2&t=1&m=1")
    assert page.locator("#machine-a .coverage").count() == 7
    assert page.locator("#machine-b .coverage").count() == 0
    assert "Ct−1,j" in page.locator("#machine [data-side=a] .stage-line").inner_text()
    assert "linguistic" in page.locator("#machine [data-side=a] h3").inner_text()
    panel = page.locator("#numbers [data-side=a]")
    assert [text.strip() for text in panel.locator("thead th").all_inner_texts()][2] == "Ct−1,j"
    assert panel.locator(".scroll").evaluate("each => each.scrollWidth <= each.clientWidth")
    panel.get_by_role("button", name="coverage of Katze").click()
    page.locator("#formula-a", has_text="after this step").wait_for()


def test_the_share_that_is_copied_stands_above_the_next_words(open_page: Open, lab: Lab) -> None:
    page = open_page("#s=die+Katze+sieht+das+Haus+nicht&a=copying&b=bahdanau&k=2&t=1&m=0")
    copied = lab.models["copying"].trace("die Katze sieht das Haus nicht", beam=2).steps[1].copied
    assert copied is not None
    hint = page.locator("#words [data-side=a] .hint").inner_text()
    assert f"with probability {copied:.2f}, taken from the vocabulary with {1 - copied:.2f} (p" in hint
    assert page.locator("#words [data-side=b] .hint").count() == 0
    assert "pointer-generator" in page.locator("#machine [data-side=a] h3").inner_text()


def test_hard_attention_is_stepped_through_in_its_own_order(open_page: Open) -> None:
    page = open_page("#s=die+Katze+sieht+das+Haus+nicht&a=monotonic&b=&k=2&t=0&m=0")
    names = page.locator("#machine [data-side=a] .stages button").all_inner_texts()
    assert names == ["state", "scores", "weights", "positions", "words", "word"]
    for _ in range(6):
        page.keyboard.press("Space")
    assert "t=1&m=0" in page.url
    assert page.locator("#numbers [data-side=a] tfoot").count() == 0  # it has no context
    page.locator("#numbers [data-side=a]").get_by_role("button", name="weight of Katze").click()
    page.locator("#formula-a", has_text="p(at = j | at−1 = i)").wait_for()
    page.locator("#matrix [data-side=a] [data-t='1'][data-j='3']").focus()
    page.keyboard.press("Enter")
    page.locator("#matrix [data-side=a] .cell.changed").nth(6).wait_for()
    assert row(page, 1) == [0, 0, 0, 1, 0, 0, 0]


FITTED_AND_NATURAL = """all => all.map(text => {
  const fitted = text.getComputedTextLength(), free = text.cloneNode(true);
  free.removeAttribute("textLength");
  text.after(free);
  const shown = [...free.childNodes].find(each => each.nodeType === 3)?.data ?? "";
  const found = [shown, fitted, free.getComputedTextLength()];
  free.remove();
  return found;
})"""
WORD_AND_DIGITS = """all => all.map(node => {
  const [word, digits] = [...node.querySelectorAll("text")].map(text => text.getBoundingClientRect());
  return [word.right, digits.left];
})"""
