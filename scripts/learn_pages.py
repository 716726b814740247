"""Writes what the chapters take from the program: python scripts/learn_pages.py.

Between `<!-- code: FILE NAME, ... -->` and `<!-- end -->` stands the source of classes or methods, between
`<!-- made: NAME -->` and `<!-- end -->` a table of numbers; docs/pictures/ holds the drawings. A test fails where any
of them is not what the program gives today.
What the commands of a ```console block print is written too with --commands (scripts/pages/console.py).
"""

import argparse
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from pages.blocks import block
from pages.console import with_outputs
from pages.pictures import pictures

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"(<!-- (code|made): ([^>]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def refreshed(text: str) -> str:
    """A page with every block as it should be."""
    return BLOCK.sub(lambda found: f"{found[1]}{block(found[2], found[3])}{found[5]}", text)


def chapters() -> list[Path]:
    """The pages that have blocks."""
    return [DOCS / "index.md", *sorted((DOCS / "learn").glob("*.md"))]


def main() -> None:
    """Writes pages and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", action="store_true", help="run the commands of the console blocks too (minutes)")
    with_commands = parser.parse_args().commands
    for page in chapters():
        text = refreshed(page.read_text(encoding="utf-8"))
        if with_commands:
            with TemporaryDirectory() as folder:
                text = with_outputs(text, Path(folder))
        page.write_text(text, encoding="utf-8")
    for name, drawing in pictures().items():
        (DOCS / "pictures" / name).write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
