"""The report's page in a real browser: searched, sorted, by keyboard alone, on a phone, in the dark and on paper."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browsers import launched, needs_browser, violations, watch
from report_pages import BREAKOUT, REFERENCES, SOURCES, TOLD_WEIGHT, long_report, make_report

from nmt_attn.evaluation.attention_statistics import AttentionStatistics, PositionEntropy
from nmt_attn.evaluation.html_page import render_report
from nmt_attn.evaluation.html_payload import Report

pytestmark = [pytest.mark.slow, needs_browser]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two systems with every section; one explained sentence; a sentence of sixty words."""
    folder, report = tmp_path_factory.mktemp("pages"), make_report()
    statistics = AttentionStatistics(
        7, 0.5, 0.25, 0.125, 0.5, (PositionEntropy(1, 4, 0.5), PositionEntropy(2, 3, 1.25))
    )
    attending = report.summaries[0]._replace(attention=statistics, perplexity=1.5)
    explained = report.sentences[0]._replace(reference=None, gold=None, outputs=report.sentences[0].outputs[:1])
    reports = {
        "two": report._replace(summaries=[attending, report.summaries[1]]),
        "one": Report("one", ("first",), [explained], ""),
        "long": long_report(),
    }
    for name, each in reports.items():
        (folder / f"{name}.html").write_text(render_report(each), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in reports}


@pytest.fixture
def open_page(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page without a network; any fault in its scripts fails the test."""
    faults: list[str] = []
    contexts = []

    def opened(name: str = "two", fragment: str = "", width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        watch(page, faults)
        page.goto(pages[name].as_uri() + fragment)
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def rows(page: Any) -> list[int]:
    """The sentences of the list, from 0, in its order."""
    found: list[int] = page.locator("#list tbody tr").evaluate_all("all => all.map(row => +row.dataset.number)")
    return found


def chosen_row(page: Any) -> Any:
    """The text whose look is shown."""
    return page.locator("#texts tr[aria-current=true]")


def focused(page: Any) -> str:
    """The text of what has the focus, or its name."""
    text: str = page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
    return text


def test_texts_are_shown_as_they_are_and_none_runs(open_page: Open) -> None:
    page = open_page(fragment="#2")
    assert page.title() == "a & b <on> test"
    texts = page.locator("#texts td.text").all_inner_texts()
    assert texts[0].split() == [*SOURCES[1].split(), "</s>"]
    assert texts[1] == REFERENCES[1]
    assert BREAKOUT in page.locator("#list tbody").inner_text()


def test_sentences_are_ordered_and_searched(open_page: Open) -> None:
    page = open_page()
    # first system: 100, 20, 60, 5; second: 50, 100, 1, 100
    for order, expected in {
        "as in the test set": [0, 1, 2, 3],
        "worst first": [3, 1, 2, 0],
        "best first": [0, 2, 1, 3],
        "longest first": [2, 0, 1, 3],
        "biggest difference first": [3, 1, 2, 0],
    }.items():
        page.select_option("#order", order)
        assert rows(page) == expected
    page.fill("#search", "LIGHTS turn")
    assert rows(page) == [0]
    hits = page.locator("#list tbody mark.hit").all_inner_texts()
    assert hits == ["Turn", "lights"]
    assert page.locator("#texts tbody tr").first.locator("mark.hit").all_inner_texts() == hits


def test_a_search_shows_its_first_hit_and_without_one_no_sentence(open_page: Open) -> None:
    page = open_page()
    page.fill("#search", "them")
    assert page.locator("#chosen").inner_text() == "Sentence 3"
    page.fill("#search", "nowhere")
    assert page.locator("#alignment").is_hidden()
    assert page.locator("#count").inner_text() == "0 of 4 sentences: none has all of the words"
    page.fill("#search", "")
    assert page.locator("#alignment").is_visible()


def test_a_heading_that_sorts_keeps_the_focus_and_says_how(open_page: Open) -> None:
    page = open_page()
    heading = page.get_by_role("button", name="words", exact=True)
    heading.focus()
    page.keyboard.press("Enter")
    assert (rows(page), focused(page)) == ([2, 0, 1, 3], "words")
    sorted_by = page.locator("#list th[aria-sort]")
    assert (sorted_by.inner_text(), sorted_by.get_attribute("aria-sort")) == ("words", "descending")
    page.keyboard.press("Enter")
    assert (rows(page), focused(page)) == ([1, 3, 0, 2] if rows(page)[0] == 1 else [3, 0, 1, 2], "words")
    assert page.locator("#list th[aria-sort]").get_attribute("aria-sort") == "ascending"


def test_the_address_is_the_sentence_and_goes_back(open_page: Open) -> None:
    page = open_page()
    page.locator("#list tbody tr").nth(2).click()
    assert page.url.endswith("#3")
    assert page.evaluate("document.activeElement.id") == "chosen"
    page.locator("#next").click()
    page.get_by_role("radio", name="2nd best").check()
    assert page.url.endswith("#4.1.2")
    again = open_page(fragment="#4.1.2")
    assert again.locator("#chosen").inner_text() == "Sentence 4"
    assert "2nd best" in chosen_row(again).inner_text()
    page.go_back()
    assert page.locator("#chosen").inner_text() == "Sentence 3"
    assert open_page(fragment="#99").locator("#chosen").inner_text() == "Sentence 1"


def test_a_target_word_lights_up_what_it_looks_at(open_page: Open) -> None:
    page = open_page()
    chosen_row(page).locator(".word").first.focus()
    assert page.locator("#told").inner_text() == f"लाइट looks at lights {TOLD_WEIGHT:.2f}"
    weights = page.locator("#texts .word[data-side=source]").evaluate_all(
        "all => all.map(w => +w.style.getPropertyValue('--weight'))"
    )
    assert weights == [0, 0, 0, TOLD_WEIGHT, 0]
    page.keyboard.press("ArrowRight")
    assert focused(page) == "बंद"


def test_a_further_translation_stands_beside_its_own_words(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("radio", name="2nd best").check()
    row = chosen_row(page)
    assert row.locator(".word").all_inner_texts() == ["लाइट", "चालू", "करो", "</s>"]
    assert row.locator(".word.changed").all_inner_texts() == ["चालू"]  # the best one has another
    assert "−1.500" in row.inner_text()
    assert page.locator("#picture .matrix tbody th").all_inner_texts() == ["लाइट", "चालू", "करो", "</s>"]
    row.locator(".word").nth(1).focus()  # of a model that copies
    assert page.locator("#told").inner_text() == f"चालू looks at the {TOLD_WEIGHT:.2f}; copied with probability 0.49"


def test_words_that_the_reference_lacks_are_marked(open_page: Open) -> None:
    page = open_page(fragment="#3")
    assert page.locator("#texts [data-view='0'] .changed").all_inner_texts() == ["sehr"]  # twice in the output
    assert page.locator("#texts tbody tr").last.locator(".changed").all_inner_texts() == ["kurz"]


def test_gold_links_are_framed_on_the_reference(open_page: Open) -> None:
    page = open_page()
    assert page.locator("#gold-switch").is_hidden()  # a translation has none
    page.get_by_role("radio", name="reference").check()
    page.locator("[name=kind][value=both]").check()
    names = page.locator("#picture td.gold").evaluate_all("all => all.map(cell => cell.getAttribute('aria-label'))")
    assert names == [f"लाइट, lights: {TOLD_WEIGHT:.2f}, gold link", "बंद, off: 0.00, gold link"]
    assert page.locator("#picture td.cell").count() == 4 * 5
    assert page.locator(".lines path:not(.gold)").count() == 4
    assert page.locator(".lines path.gold").count() == 2
    page.locator("#gold").uncheck()
    assert page.locator("#picture .gold").count() == 0


def test_a_system_without_attention_has_nothing_to_choose(open_page: Open) -> None:
    page = open_page()
    last = page.locator("#texts tbody tr").last
    assert last.locator("input").count() == 0
    assert "लाइट करो" in last.inner_text()


def test_the_matrix_is_reached_and_walked_by_the_keyboard(open_page: Open) -> None:
    page = open_page()
    page.locator("#search").focus()
    stops = 0
    while stops < 40 and not page.evaluate("document.activeElement.matches('td.cell')"):
        page.keyboard.press("Tab")
        stops += 1
    assert stops < 22
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "बंद, off: 0.00"
    assert page.locator("#told").inner_text().startswith("off: 0.00. बंद looks at the 0.87")
    assert page.locator("#picture th.chosen").all_inner_texts() == ["off", "बंद"]
    assert page.locator("#picture td.crossed").count() == 5 + 4 - 1


def test_the_list_is_one_tab_stop_and_walked_by_arrows(open_page: Open) -> None:
    page = open_page()
    assert page.locator("#list tbody button[tabindex='0']").count() == 1
    page.locator("#list tbody button").first.focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == "sentence 2"
    page.keyboard.press("Enter")
    assert page.locator("#chosen").inner_text() == "Sentence 2"


@pytest.mark.parametrize("name", ["two", "one", "long"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(open_page: Open, name: str, scheme: str) -> None:
    page = open_page(name, color_scheme=scheme)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.evaluate("light('target', 0)")
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 800, 1280])
@pytest.mark.parametrize("name", ["two", "one", "long"])
def test_nothing_is_wider_than_the_window(open_page: Open, name: str, width: int) -> None:
    page = open_page(name, width=width, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_shows_texts_and_letters_that_can_be_read(open_page: Open) -> None:
    page = open_page(width=360, height=740)
    assert page.locator("#list td.text").first.bounding_box()["width"] > 280
    assert page.locator("#texts td.text").first.bounding_box()["width"] > 280
    heights = page.locator(".curves text").evaluate_all("all => all.map(text => text.getBoundingClientRect().height)")
    assert min(heights) > 10


def test_sixty_words_fit_and_their_titles_and_what_is_said_stay_in_sight(open_page: Open) -> None:
    page = open_page("long")
    box = page.locator("#picture > div")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.locator("#picture").scroll_into_view_if_needed()
    page.locator("td[data-target='59'][data-source='59']").focus()
    for seen in ("th[data-source='59']", "th[data-target='59']", "#told"):
        at = page.locator(seen).first.bounding_box()
        assert at["y"] >= 0 and at["y"] + at["height"] <= 900, seen
    page.locator("#whole").click()
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight")
    page.locator("#larger").click()
    assert box.evaluate("box => box.scrollHeight > box.clientHeight")


def test_the_lines_of_sixty_words_do_not_meet(open_page: Open) -> None:
    page = open_page("long")
    page.locator("[name=kind][value=lines]").check()
    tops = page.locator(".lines text[data-target]").evaluate_all(
        "all => all.map(text => text.getBoundingClientRect().top)"
    )
    assert len(tops) == 61
    assert min(b - a for a, b in pairwise(tops)) >= 12
    page.locator(".lines text[data-target]").nth(7).hover()
    assert page.locator(".lines path:not(.faint)").count() == 1
    assert page.locator("#told").inner_text() == f"t7 looks at s52 {TOLD_WEIGHT:.2f}"


def test_paper_gets_all_of_the_matrix_in_light(open_page: Open) -> None:
    page = open_page("long", width=700, height=1000, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#picture > div").evaluate("box => getComputedStyle(box).overflow") == "visible"
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    page = open_page("long")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_digits_keep_their_contrast_at_every_weight(open_page: Open) -> None:
    page = open_page("one")
    for theme in ("light", "dark"):
        lowest = page.evaluate(CONTRASTS, theme)
        assert lowest >= 4.5, theme


CONTRASTS = """theme => {
  document.documentElement.dataset.theme = theme;
  const cell = document.querySelector("td.cell"), style = getComputedStyle(cell);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = colour => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => linear(v / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  return Math.min(...Array.from({ length: 101 }, (_, i) => {
    cell.style.setProperty("--weight", i / 100);
    cell.className = "cell" + shade(i / 100);
    const [a, b] = [style.color, style.backgroundColor].map(luminance).sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }));
}"""


def test_curves_keep_their_systems_colour_in_every_part(open_page: Open) -> None:
    page = open_page()
    colours = page.evaluate("[0, 1].map(number => getComputedStyle(document.querySelector(`.system-${number}`)).color)")
    drawn = (
        page.locator(".curves")
        .first.locator("path, use")
        .evaluate_all("all => all.map(each => getComputedStyle(each).stroke)")
    )
    assert len(set(colours)) == 2
    for colour in colours:
        assert drawn.count(colour) >= 5  # the line, and of two points the interval and the marker
    assert page.locator(".curves text").count() > 20


def test_light_and_dark(open_page: Open) -> None:
    page = open_page()
    grounds = [page.evaluate("getComputedStyle(document.body).backgroundColor")]
    page.locator("#theme").click()
    grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 23, 28)"]


def test_the_letters_that_the_page_brings_are_taken(open_page: Open) -> None:
    page = open_page()
    assert page.evaluate("document.fonts.check('16px \"page letters\"')")
    assert '"page letters"' in page.evaluate("getComputedStyle(document.body).fontFamily")


def test_every_number_has_its_line_of_help(open_page: Open) -> None:
    page = open_page()
    helped = {name.rstrip(":") for name in page.locator(".help dt").all_inner_texts()}
    heads = set(page.locator(".figures thead th").all_inner_texts())
    told = {"system", "links", "1 word", "2 words", "3 words", "4 words", "output", "reference", "target words"}
    assert {re.sub(r" \(nats\)", "", head) for head in heads if head} - told <= helped | {"n words"}
