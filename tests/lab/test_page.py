"""The lab's page in a real browser without a window: every panel, keyboard alone, a phone, dark, a saved file.

Skipped by name where playwright or a system Chromium is missing; no browser is downloaded.
"""

import json
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from browsers import needs_browser, violations

from nmt_attn.lab.examples import shipped_examples, shipped_index, shipped_models
from nmt_attn.lab.freeze import freeze
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.service import Lab

pytest_plugins = ["lab_browser"]
pytestmark = [pytest.mark.slow, needs_browser]
LIGHTS = "#s=Turn+off+the+lights&a=bahdanau&b=luong&k=3"
LONG = "#s=Do+not+watch+my+small+cows+in+the+school+and+open+the+red+door+of+the+big+house&k=2"


@pytest.fixture(scope="module")
def lab() -> Lab:
    with shipped_models() as folders:
        models = {folder.name: LabModel.load(folder) for folder in folders}
    return Lab(models, shipped_examples(), {"bahdanau": cache(partial(shipped_index, models["bahdanau"]))})


Open = Callable[..., Any]
NO_CLIPBOARD = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('closed')); }"


def translation(page: Any, side: str, line: int = -1) -> str:
    """What the matrix panel shows as a side's translation."""
    texts = page.locator(f"#matrix [data-side={side}] .translations dd").all_inner_texts()
    return " ".join(texts[line].split())


def shown(page: Any, side: str) -> list[bool]:
    """Of scores, weights, context, whether the drawing shows them."""
    marks = page.locator(f"#machine-{side} [data-stage]")
    stages = marks.evaluate_all("all => all.map(x => [Number(x.dataset.stage), !x.classList.contains('to-come')])")
    return [all(on for stage, on in stages if stage == number) for number in range(6)]


def test_both_papers_are_stepped_through_in_their_own_order(open_page: Open) -> None:
    page = open_page(LIGHTS + "&t=0&m=0")
    assert page.locator("#machine [data-side=a] .stages").inner_text().split() == [
        "query", "scores", "weights", "context", "state", "word",
    ]  # fmt: skip
    assert page.locator("#machine [data-side=b] .stages button").first.inner_text() == "state"
    for step in range(6):
        for side in "ab":
            assert shown(page, side) == [stage <= step for stage in range(6)]
        page.keyboard.press("Space")
    assert "m=0" in page.url
    assert "t=1" in page.url
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert "t=0" in page.url


def test_both_models_translate_the_sentence(open_page: Open) -> None:
    page = open_page()
    assert translation(page, "a") == translation(page, "b") == "लाइट बंद करो"
    assert page.locator("#matrix [data-side=a] .cell.gold").count() == 3
    status = page.locator("#status")
    assert status.get_attribute("aria-live") == "polite"
    assert "लाइट looks at lights" in status.inner_text()


def test_a_changed_look_changes_the_translation_and_can_be_taken_back(open_page: Open) -> None:
    page = open_page()
    cell = page.locator("#matrix [data-side=a] [data-t='0'][data-j='0']")
    cell.focus()
    page.keyboard.press("Enter")  # only here
    page.wait_for_selector("#matrix [data-side=a] mark")
    assert translation(page, "a") != "लाइट बंद करो"
    assert translation(page, "a", 0) == "लाइट बंद करो"
    assert translation(page, "b") == "लाइट बंद करो"
    page.locator("#matrix [data-side=a]").get_by_role("button", name="undo").click()
    page.wait_for_selector("#matrix [data-side=a] mark", state="detached")
    assert translation(page, "a") == "लाइट बंद करो"


def test_a_cell_is_dragged(open_page: Open) -> None:
    page = open_page()
    cell = page.locator("#matrix [data-side=a] [data-t='0'][data-j='1']")
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 10, box["y"] - 50, steps=4)  # half of 120 pixels
    page.mouse.up()
    page.wait_for_selector("#matrix [data-side=a] .cell.changed")
    assert cell.inner_text() == "0.50"
    sums = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('ga')")
    assert sum(json.loads(sums)["0"]) == pytest.approx(1, abs=1e-3)


def test_a_word_is_forced_and_freed(open_page: Open) -> None:
    page = open_page(LIGHTS + "&t=0")
    page.locator("#words [data-side=b] button").nth(1).click()
    page.wait_for_selector("#words [data-side=b] .forced")
    forced = page.locator("#words [data-side=b] .forced b").inner_text()
    assert translation(page, "b").startswith(forced)
    assert translation(page, "a") == "लाइट बंद करो"
    page.locator("#words [data-side=b] .forced button").click()
    page.wait_for_selector("#words [data-side=b] .forced", state="detached")
    assert translation(page, "b") == "लाइट बंद करो"


def test_the_beam_tree_is_walked_and_continued(open_page: Open) -> None:
    page = open_page()
    assert page.locator("#tree-a .node.best").count() == 4
    assert page.locator("#tree-a .node.pruned").count() > 0
    page.locator("#tree-a .node[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    told = page.locator("#tree [data-side=a] .told").inner_text()
    assert "place 2" in told
    assert "Looks at" in told
    page.keyboard.press("Enter")
    page.wait_for_selector("#words [data-side=a] .forced")
    assert translation(page, "a").startswith(page.locator("#words [data-side=a] .forced b").inner_text())


def test_numbers_open_their_formulas(open_page: Open) -> None:
    page = open_page(LIGHTS + "&t=0")
    for name, expected in [("weight of lights", "exp("), ("score of lights", "tanh(")]:
        page.locator("#numbers [data-side=a]").get_by_role("button", name=name).click()
        page.locator("#formula-a", has_text=expected).wait_for()
    page.locator("#numbers [data-side=a] tfoot button").first.click()
    page.locator("#formula-a", has_text="number 1").wait_for()


def test_the_address_is_the_state(open_page: Open) -> None:
    page = open_page(LIGHTS + "&t=0")
    page.locator("#words [data-side=a] button").nth(2).click()
    page.wait_for_selector("#words [data-side=a] .forced")
    again = open_page(page.url.partition("#")[1] + page.url.partition("#")[2])
    assert translation(again, "a") == translation(page, "a")
    assert again.locator("#where").inner_text() == page.locator("#where").inner_text()


def test_one_model_alone_and_unlike_words(open_page: Open) -> None:
    page = open_page("#s=Sing+xyzzy&a=luong&b=&k=1")
    assert page.locator("#machine [data-side]").count() == 1
    assert page.locator("#compare").is_hidden()
    assert page.locator("#numbers abbr").count() == 1  # not in the vocabulary


def test_a_server_that_has_gone_is_told(open_page: Open) -> None:
    page = open_page()
    page.route("**/api/steps", lambda route: route.abort())
    page.fill("#text", "Sing today")
    page.keyboard.press("Enter")
    page.locator("#status.error", has_text="does not answer").wait_for()


@pytest.mark.parametrize("width", [360, 800, 1280, 1920])
def test_nothing_is_wider_than_the_window(open_page: Open, width: int) -> None:
    page = open_page(LONG, width=width, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 360:
        assert page.locator("#machine .side:visible").count() == 1
        page.locator("#which input[value=b]").check()
        assert page.locator("#machine [data-side=b]").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_violation(open_page: Open, scheme: str, width: int) -> None:
    page = open_page(LIGHTS + "&t=2", width=width, color_scheme=scheme, reduced_motion="reduce")
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert violations(page) == []


def test_the_machine_fits_a_phone_and_what_does_not_shows_an_edge(open_page: Open) -> None:
    frame = "#machine [data-side=a] .scroll"
    page = open_page(width=360, height=740)
    assert page.locator(frame).evaluate("each => each.scrollWidth <= each.clientWidth")
    box = page.locator("#machine-a").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    page = open_page(LONG + "&a=luong-local&b=", width=360, height=740)
    assert page.locator(frame).evaluate("each => each.scrollWidth > each.clientWidth")
    assert "gradient" in page.locator(frame).evaluate("each => getComputedStyle(each).backgroundImage")
    assert page.locator(frame).get_attribute("tabindex") == "0"  # arrow keys scroll it


def test_everything_is_reached_by_the_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    reached = set()
    for _ in range(140):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('section, header, form, nav')?.id || 'other'"))
    assert reached >= {"bar", "steps", "machine", "matrix", "words", "numbers", "compare", "tree"}


def test_figures_are_copied(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    page.evaluate(NO_CLIPBOARD)
    figures = {
        "attention-a: copy as TikZ": "\\begin{tikzpicture}",
        "attention-a: copy as CSV": '"लाइट"',
        "attention-a: copy as SVG": "<text",
        "machine-b: copy as SVG": "lights",
    }
    for name, expected in figures.items():
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        download.value.save_as(tmp_path / "figure")
        assert expected in (tmp_path / "figure").read_text(encoding="utf-8")
    with page.expect_download() as download:
        page.get_by_role("button", name="machine-a: copy as PNG").click()
    download.value.save_as(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_lecture_is_played_through(open_page: Open) -> None:
    text = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    scenes = re.findall(r"\(http://127\.0\.0\.1:8000/(#[^)]+)\) \| (.+) \|$", text, flags=re.MULTILINE)
    assert len(scenes) == 9
    for state, said in scenes:
        page = open_page(state)
        texts = [translation(page, side) for side in "ab"]
        for quoted in re.findall(r'"([^"]*[\u0900-\u097f][^"]*)"', said):
            assert quoted in texts
        page.context.close()


def check_saved(open_page: Open, path: Path) -> None:
    """A saved page opens from the disk without a network, and steps."""
    page = open_page(LIGHTS + "&m=0", at=path.as_uri(), offline=True)
    assert translation(page, "a") == "लाइट बंद करो"
    page.keyboard.press("Space")
    assert shown(page, "a")[:3] == [True, True, False]
    assert page.locator("#tree-b .node").count() > 0


def test_a_session_is_saved_by_the_page(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(tmp_path / "saved.html")
    check_saved(open_page, tmp_path / "saved.html")


def test_a_page_is_saved_by_the_command(open_page: Open, lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "frozen.html"
    path.write_text(freeze(lab, "Turn off the lights"), encoding="utf-8")
    state = LIGHTS.replace("k=3", "k=5")
    page = open_page(state, at=path.as_uri(), offline=True)
    page.locator("#neighbours [data-side=a]").get_by_role("button", name="encoder state of").click()
    assert page.locator("#neighbours [data-side=a] li").count() == 10
    assert "no neighbours" in page.locator("#neighbours [data-side=b]").inner_text()
    page.locator("#matrix [data-side=a] [data-t='0'][data-j='0']").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#matrix [data-side=a] mark")
    page.locator("#words [data-side=b] button").nth(1).click()
    page.wait_for_selector("#words [data-side=b] .forced")
