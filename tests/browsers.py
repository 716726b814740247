"""The system's browser without a window, for tests of pages; skipped by name where it or playwright is missing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), "")
needs_browser = pytest.mark.skipif(not BROWSER, reason=f"no browser of {', '.join(NAMES)} is installed")


@contextmanager
def launched() -> Iterator[Any]:
    """A block with the browser; no other is downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def watch(page: Any, faults: list[str]) -> None:
    """Notes errors of scripts and of the content security policy; a server that was stopped on purpose is none."""
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: _note(message, faults))


def violations(page: Any) -> list[Any]:
    """What axe finds: rules and the first elements that break them."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found]


def _note(message: Any, faults: list[str]) -> None:
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        faults.append(message.text)
