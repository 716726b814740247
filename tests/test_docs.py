"""Documents: what they name exists, and each numbered equation of the papers is cited where they say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "notebooks/README.md")), *ROOT.glob("docs/**/*.md")]
NAMED = re.compile(r"(?<![\w/.-])(?:nmt_attn|scripts|tests|docs|configs)/[\w./-]*\w")
MADE = re.compile(r"<!-- (\w+): .*?<!-- (?:\1: )?end -->", re.DOTALL)
"""What a script writes and a test compares with the program of today."""
TABLE = re.compile(r"^\|.*\n\|[-|: ]+\n((?:\|.*\n)+)", re.MULTILINE)
DECIMAL = re.compile(r"\d\.\d")
DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b|November 2026")
EQUATIONS = {
    "model/seq2seq.py": ("eq. 2 to 4", "eq. 1, 2 and 6"),
    "model/cells.py": ("eq. 1 and 4", "A.1.1"),
    "model/attention.py": ("eq. 5", "eq. 6", "eq. 7", "eq. 1-3"),
    "model/bahdanau.py": ("eq. 4",),
    "model/readout.py": ("A.2.2",),
    "model/initial_state.py": ("A.2.2",),
    "model/scores.py": ("A.1.2", "eq. 7 and 8", "eq. 8"),
    "model/luong.py": ("eq. 3 (the stack), 5 (h~)", "3.3"),
    "model/windows.py": ("eq. 9, 10",),
    "training/loss.py": ("eq. 4",),
}
"""Where the tables of docs/architecture.md lead, and what the file says of the papers' numbers."""


def test_every_file_that_a_page_names_exists() -> None:
    missing = [
        f"{page.name}: {name}"
        for page in PAGES
        for name in NAMED.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / name).exists() and not list(ROOT.glob(f"{name}*")) and "X" not in name
    ]
    assert missing == []


def test_a_table_of_figures_stands_on_a_page_that_says_when_they_were_measured() -> None:
    undated = set()
    for page in PAGES:
        text = MADE.sub("", page.read_text(encoding="utf-8"))
        bodies = (table[1] for table in TABLE.finditer(text))
        if any(DECIMAL.search(body) for body in bodies) and not DATE.search(text):
            undated.add(page.name)
    # Their numbers are those of equations, bounds, and what a number of a report looks like.
    assert undated == {"architecture.md", "names.md", "bahdanau.md", "luong.md", "report.md"}


@pytest.mark.parametrize("name", EQUATIONS)
def test_an_equation_is_cited_in_its_file(name: str) -> None:
    text = (ROOT / "nmt_attn" / name).read_text(encoding="utf-8")
    for number in EQUATIONS[name]:
        assert number in text, f"{name}: {number}"
    assert f"`{name}`" in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
