"""The page's files, and the page as one file that needs no server."""

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

SHARED = "elements.js"
"""The module that is the report's too, among whose files it is."""
MODULES = (
    SHARED,
    "basics.js",
    "state.js",
    "api.js",
    "copy.js",
    "formula.js",
    "machine.js",
    "numbers.js",
    "matrix.js",
    "words.js",
    "tree.js",
    "compare.js",
    "neighbours.js",
    "training.js",
    "main.js",
)
"""In the order in which they need each other: each imports only from those before it."""
MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript", "woff2": "font/woff2"}
ANSWERS = "/*ANSWERS*/null"
"""Where the answers of a frozen page go."""


def _read(name: str) -> bytes:
    folder = files("nmt_attn.evaluation") / "templates" if name == SHARED else files("nmt_attn.lab") / "page"
    return (folder / name).read_bytes()


PAGE_FILES = {
    name: (_read(name), f"{MEDIA[name.rpartition('.')[2]]}; charset=utf-8")
    for name in ("index.html", "lab.css", *MODULES)
}
"""Content and media type by name."""


@cache
def frozen_template() -> str:
    """The page as one file, its modules joined; `ANSWERS` in it stands for what the server would have answered."""
    script = "\n".join(_joined(name) for name in MODULES)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:"
    page = _read("index.html").decode()
    page = page.replace('<link rel="stylesheet" href="/static/lab.css">', f"<style>{_read('lab.css').decode()}</style>")
    page = page.replace("<head>", f'<head>\n<meta http-equiv="Content-Security-Policy" content="{policy}">')
    data = f'<script type="application/json" id="answers">{ANSWERS}</script>'
    module = '<script type="module" src="/static/main.js"></script>'
    return page.replace(module, f'{data}\n<script type="module">{script}</script>')


def frozen_page(answers: dict[str, Any]) -> str:
    """The page with its answers, by the key of each request (`request_key`)."""
    text = json.dumps(answers, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return frozen_template().replace(ANSWERS, text.replace("<", "\\u003c"), 1)


def request_key(path: str, body: dict[str, Any] | None = None) -> str:
    """What the page calls a request; keys in order, no spaces, as basics.js writes it."""
    return (
        path
        if body is None
        else f"{path} {json.dumps(body, ensure_ascii=False, separators=(',', ':'), sort_keys=True)}"
    )


def _joined(name: str) -> str:
    """A module as a function that gives back what it exports: no name of one meets another's."""
    text = _read(name).decode()
    exported = ", ".join(re.findall(r"^export (?:async )?(?:const|function) (\w+)", text, flags=re.MULTILINE))
    text = re.sub(r'^import (\{[^}]*\}) from "\./([a-z]+)\.js";$', r"const \1 = module_\2;", text, flags=re.MULTILINE)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    return f"const module_{name.removesuffix('.js')} = (() => {{\n{text}\nreturn {{ {exported} }};\n}})();"
