"""Takes the pictures of docs/lab.md and the README: python scripts/lab_pictures.py. Needs playwright and Chromium."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import sync_playwright

from nmt_attn.lab.examples import shipped_examples, shipped_models
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.server import make_app
from nmt_attn.lab.service import Lab

FOLDER = Path(__file__).parents[1] / "docs" / "lab"
LIGHTS = "#s=Turn+off+the+lights&a=bahdanau&b=luong&k=3"
PICTURES = {
    "machine": (LIGHTS + "&t=0&m=3", "#machine"),
    "changed": (LIGHTS + "&t=0&m=5&ga=%7B%220%22%3A%5B0%2C1%2C0%2C0%2C0%5D%7D", "#matrix"),
    "compare": (LIGHTS + "&t=2", "#compare"),
}
"""Of each picture the address and the part of the page; NAME.png is light, NAME-dark.png dark."""
WAIT_MS = 500


def main() -> None:
    """Serves the models of the package for a moment and takes the pictures."""
    with shipped_models() as folders:
        lab = Lab({folder.name: LabModel.load(folder) for folder in folders}, shipped_examples())
    server = uvicorn.Server(uvicorn.Config(make_app(lab), port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (state, place) in PICTURES.items():
            _take(browser, "light", address + state, place, FOLDER / f"{name}.png")
            _take(browser, "dark", address + state, place, FOLDER / f"{name}-dark.png")
        browser.close()
    server.should_exit = True


def _take(browser: Any, scheme: str, address: str, place: str, path: Path) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(WAIT_MS)
    page.locator(place).screenshot(path=path)
    page.close()


if __name__ == "__main__":
    main()
