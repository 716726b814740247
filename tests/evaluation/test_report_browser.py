"""The HTML page in a real browser, without a window: it is driven by a script of ours and tells what it then shows."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from report_pages import REFERENCES, SOURCES, TOLD_WEIGHT, make_report

from nmt_attn.evaluation.html_page import render_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
]
DRIVER = Path(__file__).parents[1] / "report_driver.js"


def dump(page: Path, profile: Path) -> str:
    """The page's elements after its scripts have run; the test is skipped by name where no browser is installed."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser of {', '.join(BROWSERS)} is installed")
    command = [browser, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page shows while DRIVER uses it."""
    folder = tmp_path_factory.mktemp("page")
    page = render_report(make_report()).replace("</body>", f"<script>{DRIVER.read_text()}</script></body>")
    (folder / "page.html").write_text(page, encoding="utf-8")
    shown = dump(folder / "page.html", folder / "profile")
    text = shown.partition('<pre id="told">')[2].partition("</pre>")[0]
    for entity, character in [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]:
        text = text.replace(entity, character)
    read: dict[str, Any] = json.loads(text)
    assert "error" not in read
    return read


pytestmark = pytest.mark.slow


def test_texts_are_shown_as_they_are_and_none_runs(told: dict[str, Any]) -> None:
    assert told["title"] == "a & b <on> test"
    assert told["texts"][:2] == [SOURCES[1], REFERENCES[1]]


def test_sentences_are_ordered_and_searched(told: dict[str, Any]) -> None:
    # first system: 100, 20, 60, 5; second: 50, 100, 1, 100
    assert told["orders"] == {
        "as in the test set": [0, 1, 2, 3],
        "worst first": [3, 1, 2, 0],
        "best first": [0, 2, 1, 3],
        "longest first": [2, 0, 1, 3],
        "biggest difference first": [3, 1, 2, 0],
    }
    assert told["found"] == [0]
    assert told["sorted"] == told["orders"]["longest first"]


def test_a_target_word_lights_up_what_it_looks_at(told: dict[str, Any]) -> None:
    assert told["lit"] == [0, 0, 0, TOLD_WEIGHT, 0]
    assert told["status"] == f"लाइट looks at lights {TOLD_WEIGHT:.2f}"


def test_the_keyboard_reaches_words_and_sentences(told: dict[str, Any]) -> None:
    assert told["focused"] == "chosen"
    assert told["after"] == "बंद"
    assert told["next"] == "Sentence 2"
    assert told["unnamed"] == 0


def test_gold_links_are_framed_on_the_reference(told: dict[str, Any]) -> None:
    assert told["goldHidden"] is True  # a translation has none
    assert told["gold"] == [f"लाइट – lights: {TOLD_WEIGHT:.2f}", "बंद – off: 0.00"]
    assert told["cells"] == 4 * 5
    assert (told["lines"], told["goldLines"]) == (4, 0)  # switched off


def test_a_system_without_attention_says_so(told: dict[str, Any]) -> None:
    assert told["none"] == "This system shows no attention here."


def test_light_and_dark(told: dict[str, Any]) -> None:
    assert (told["light"], told["dark"]) == ("rgb(255, 255, 255)", "rgb(21, 24, 29)")


def test_the_letters_that_the_page_brings_are_taken(told: dict[str, Any]) -> None:
    assert '"page letters"' in told["letters"]
