"""docs/benchmarks.md: replaces the measured sections between markers and keeps the text around them."""

import datetime
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.machine import processor
from nmt_attn.files import write_text
from nmt_attn.text_io import read_text

_HEAD = """# Benchmarks

Measured by `python scripts/benchmark.py`, and what was tried to make it faster.
"""


def refresh(path: Path, sections: Mapping[str, str]) -> None:
    """Replaces sections by name; new ones are appended."""
    text = read_text(path) if path.exists() else _HEAD
    for name, body in sections.items():
        block = f"<!-- measured: {name} -->\n{body.strip()}\n<!-- end: {name} -->"
        pattern = re.compile(rf"<!-- measured: {re.escape(name)} -->.*?<!-- end: {re.escape(name)} -->", re.DOTALL)
        if pattern.search(text):
            text = pattern.sub(lambda _, block=block: block, text)  # type: ignore[misc]
        else:
            text = text.rstrip("\n") + "\n\n" + block + "\n"
    write_text(path, text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are rounded to three digits."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def percent(share: float) -> str:
    """0.5 as 50 %."""
    return f"{100 * share:.0f} %"


def date_and_machine() -> str:
    """Date, processor and versions."""
    import torch

    return (
        f"{datetime.date.today().isoformat()}: {processor().name}, one thread, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
