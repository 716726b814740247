"""Stage: the pages of docs/ as the site's generator reads them: links that hold there, formulas, pictures inside.

The committed pages are plain Markdown that reads well without the site too. What the site needs beyond them is made
here: a link to a file of the repository leads to the page that shows it, or is left out where none does.
"""

import os
import re
import shutil
from collections.abc import Mapping
from html import escape
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pages.formulas import MARKDOWN, outside_code, with_formulas

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ROOT_PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "SECURITY.md": "security.md",
}
"""Pages of the repository's root, and their places in the site."""
SHOWN_ELSEWHERE = {"README.md": "index.md", "configs": "reference/configurations.md",
                   "configs/reference.yaml": "reference/configuration.md"}  # fmt: skip
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^()\s]+\.svg)\)")
SHOT = re.compile(r"!\[([^\]]*)\]\(([^()\s]+)\.png\)")
MODULE = re.compile(r"(?<![\[`\w])`((?:nmt_attn/)?[\w/]+\.py)`(?![`\]])")
CODE = re.compile(r"`([^`\n]+)`")
BAR = "\\|"
"""In a table's code a bar of its own, whose backslash the site's Markdown would show."""

Places = dict[Path, str]
"""Files of the repository -> where the site shows them."""


class Page(NamedTuple):
    """A page of the repository, on its way to the site."""

    source: Path
    place: str
    places: Places

    def staged(self, text: str) -> str:
        """Its Markdown as the site's generator takes it."""
        text = MODULE.sub(self._module, CODE.sub(_with_bars, text))
        text = outside_code(text, self._pictures_and_links)
        return with_formulas(text.replace("<details>", '<details markdown="1">'))

    def _pictures_and_links(self, text: str) -> str:
        return LINK.sub(self._link, PICTURE.sub(self._picture, SHOT.sub(self._shot, text)))

    def _link(self, found: re.Match[str]) -> str:
        text, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, mark, anchor = target.partition("#")
        file = Path(os.path.normpath(self.source.parent / path))
        if place := self.places.get(file):
            return f"[{text}]({relative(self.place, place + mark + anchor)})"
        return text if file.exists() else found[0]  # which ends the build

    def _module(self, found: re.Match[str]) -> str:
        place = self.places.get(ROOT / found[1]) or self.places.get(ROOT / "nmt_attn" / found[1])
        return f"[{found[0]}]({relative(self.place, place)})" if place else found[0]

    def _picture(self, found: re.Match[str]) -> str:
        """The drawing itself in place of a link to it, so that it takes the colours of the page."""
        drawing = (self.source.parent / found[2]).read_text(encoding="utf-8")
        drawing = re.sub(r"<style>.*?</style>", "", drawing, flags=re.DOTALL)
        width = int(re.findall(r'width="(\d+)"', drawing)[0])
        widths = f"max-width:{width}px;min-width:{min(width, 540)}px"
        head = f'<svg role="img" aria-label="{escape(found[1])}" style="{widths}" '
        drawing = drawing.replace("<svg ", head, 1).replace("\n", "")
        return f'<figure class="drawing">{drawing}</figure>'

    def _shot(self, found: re.Match[str]) -> str:
        """A screenshot that has a dark one beside it, NAME-dark.png: each in its own scheme of the page."""
        text, name = found.groups()
        if not (self.source.parent / f"{name}-dark.png").exists():
            return found[0]
        return f"![{text}]({name}.png#only-light)![{text}]({name}-dark.png#only-dark)"


def stage(target: Path, made: Mapping[str, str], modules: Mapping[str, str]) -> None:
    """Writes every page to `target`.

    `made` are pages made by the program itself (place -> Markdown), `modules` says on which of them a file of the
    package is described.
    """
    places = places_of({ROOT / name: place for name, place in modules.items()})
    shutil.rmtree(target, ignore_errors=True)
    for source, place in places.items():
        if source.suffix == ".md" and "#" not in place and source.name != "README.md":
            text = Page(source, place, places).staged(source.read_text(encoding="utf-8"))
            _write(target / place, text.encode())
        elif DOCS in source.parents and source.is_file():
            _write(target / place, source.read_bytes())
    for place, text in made.items():
        _write(target / place, text.encode())


def _with_bars(found: re.Match[str]) -> str:
    if BAR not in found[1]:
        return found[0]
    code = escape(found[1].replace(BAR, "|")).translate(MARKDOWN)
    return f"<code>{code}</code>"


def places_of(modules: Places) -> Places:
    """Where each file of docs/, each page of the root and each shipped configuration is shown."""
    places = {path: path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*")) if path.is_file()}
    places |= {ROOT / name: place for name, place in ROOT_PAGES.items() if (ROOT / name).exists()}
    for path in (ROOT / "configs").glob("*.yaml"):
        places[path] = f"reference/configurations.md#{path.stem}"
    return places | {ROOT / name: place for name, place in SHOWN_ELSEWHERE.items()} | modules


def relative(place: str, other: str) -> str:
    """The link from one page of the site to another."""
    path, mark, anchor = other.partition("#")
    return os.path.relpath(path, PurePosixPath(place).parent.as_posix() or ".") + mark + anchor


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
