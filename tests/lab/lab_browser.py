"""What the tests of the lab's page share: a server in this process, a browser, and a page that may have no fault."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from browsers import launched, watch

from nmt_attn.lab.server import make_app
from nmt_attn.lab.service import Lab

LIGHTS = "#s=Turn+off+the+lights&a=bahdanau&b=luong&k=3"
READY = "html[data-ready]"


@pytest.fixture(scope="module")
def address(lab: Lab) -> Iterator[str]:
    """Of a server in this process."""
    server = uvicorn.Server(uvicorn.Config(make_app(lab), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Open]:
    """Opens the page at a state; any fault in its scripts fails the test."""
    faults: list[str] = []
    contexts = []

    def opened(state: str = LIGHTS, at: str | None = None, width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        watch(page, faults)
        page.goto((at or address) + state)
        page.wait_for_selector(READY)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []
