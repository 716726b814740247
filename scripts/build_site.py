"""Builds the documentation site into site/: python scripts/build_site.py (`make docs`).

The pages of docs/ are staged (scripts/pages/stage.py) beside references made from the program itself, then Zensical
makes HTML of them and fails on every link that leads nowhere. Nothing in the site asks another host for anything.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from pages.python_api import python_reference
from pages.references import cli_page, config_page, configurations_page
from pages.stage import DOCS, ROOT, stage

SHIM = "https://unpkg.com/iframe-worker/shim"
"""What the theme would fetch where a page is opened from the disk; docs/assets/iframe-worker.js is the same script."""


def main() -> None:
    """Builds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "site", help="default: site/")
    build(parser.parse_args().output)


def build(output: Path) -> None:
    """Stages and builds into `output`, and raises SystemExit where Zensical has warned."""
    with TemporaryDirectory() as folder:
        work = Path(folder)
        reference = python_reference()
        stage(work / "docs", {**made_pages(), **reference.pages}, reference.modules)
        (work / "mkdocs.yml").write_text(settings(), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(work / "mkdocs.yml")]
        if subprocess.run(command, check=False).returncode:
            sys.exit("make docs: expected pages without warnings, got those above")
        bundle(work / "site")
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(work / "site", output)


def made_pages() -> dict[str, str]:
    """The pages that the program itself makes: place -> Markdown."""
    return {
        "reference/commands.md": cli_page(),
        "reference/configuration.md": config_page(),
        "reference/configurations.md": configurations_page(),
    }


def bundle(site: Path) -> None:
    """Leads every page to the site's own copy of what the theme would fetch; a corner of a table heads nothing."""
    for page in sorted(site.rglob("*.html")):
        up = "../" * (len(page.relative_to(site).parts) - 1)
        text = page.read_text(encoding="utf-8").replace(SHIM, f"{up}assets/iframe-worker.js")
        page.write_text(re.sub(r"<th([^>]*)></th>", r"<td\1></td>", text), encoding="utf-8")


def settings() -> str:
    """mkdocs.yml; pages of docs/ that its order does not name yet come last."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = {place for part in yaml.safe_load(text)["nav"] for place in _places(part)}
    others = [page.relative_to(DOCS).as_posix() for page in sorted(DOCS.rglob("*.md"))]
    unnamed = [place for place in others if place not in named]
    if unnamed:
        sys.stderr.write(f"mkdocs.yml: not in its order, so shown last: {', '.join(unnamed)}\n")
        text += "\n  - More:\n" + "".join(f"      - {place}\n" for place in unnamed)
    return text


def _places(part: object) -> list[str]:
    if isinstance(part, dict):
        return [place for inner in part.values() for place in _places(inner)]
    return [place for inner in part for place in _places(inner)] if isinstance(part, list) else [str(part)]


if __name__ == "__main__":
    main()
