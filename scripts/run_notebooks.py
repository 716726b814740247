"""Runs the notebooks: python scripts/run_notebooks.py [NAME ...] (`make notebooks`).

Each is run from its first cell in a new kernel; the asserts in it must hold. With --write its outputs are stored in it,
else what a cell printed and showed must be as stored, in cells without the tag `varies`: those hold figures of a fresh
training, of which only the kind of output is compared.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
LONGEST_SECONDS = 900
"""For a cell, on a machine that does other work too; each notebook takes less than two minutes of a free core."""


def main() -> None:
    """Runs the named ones, or all; the exit code is 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="such as 1-equations-by-hand; all by default")
    parser.add_argument("--write", action="store_true", help="store the outputs")
    options = parser.parse_args()
    faults = []
    for name in options.names or sorted(path.stem for path in FOLDER.glob("*.ipynb")):
        begin = time.monotonic()
        faults += [f"{name}: {fault}" for fault in run(FOLDER / f"{name}.ipynb", is_stored=options.write)]
        sys.stderr.write(f"{name}: {time.monotonic() - begin:.0f} s\n")
    sys.exit("\n".join(faults) or 0)


def run(path: Path, *, is_stored: bool) -> list[str]:
    """Runs one; the cells whose outputs are not as stored. Raises CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    before = [outputs_of(cell) for cell in notebook.cells]
    client = NotebookClient(notebook, timeout=LONGEST_SECONDS, resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    after = [outputs_of(cell) for cell in notebook.cells]
    if is_stored:
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when it ran
        nbformat.write(notebook, path)
        return []
    pairs = enumerate(zip(before, after, strict=True))
    return [f"cell {place}: expected {one}, got {two}" for place, (one, two) in pairs if one != two]


def outputs_of(cell: Any) -> list[Any]:
    """What a cell printed and showed; of one that varies only the kinds."""
    shown: list[Any] = []
    is_fixed = "varies" not in cell.metadata.get("tags", [])
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        kind = output.get("name") or ", ".join(sorted(data))
        text = (output.get("text") or data.get("text/html") or data.get("text/plain")) if is_fixed else ""
        if shown and "name" in output and shown[-1][0] == kind:  # a stream may come in pieces
            text = shown.pop()[1] + text
        shown.append((kind, text))
    return shown


if __name__ == "__main__":
    main()
