"""The notebooks: every cell runs, its asserts hold, and what it prints and shows is what is stored."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NEEDED = {"nmt_attn", "numpy", "torch", "sacrebleu"} | set(sys.stdlib_module_names)


def sources(path: Path) -> list[str]:
    """The code cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_only_what_the_package_brings_and_asserts_figures(path: Path) -> None:
    trees = [ast.parse(source) for source in sources(path)]
    names = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names <= NEEDED
    assert any(isinstance(node, ast.Assert) for tree in trees for node in ast.walk(tree))
    assert "http" not in "".join(sources(path))


def test_there_are_five_and_the_list_names_them() -> None:
    page = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in NOTEBOOKS if f"`{path.stem}`" in page] == [path.stem for path in NOTEBOOKS]
    assert len(NOTEBOOKS) == 5


TIMED = [pytest.param(path, marks=[] if path is NOTEBOOKS[0] else pytest.mark.slow) for path in NOTEBOOKS]
"""The first takes five seconds, and looks into the package."""


@pytest.mark.parametrize("path", TIMED, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_stored(path: Path) -> None:
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    command = [sys.executable, str(ROOT / "scripts" / "run_notebooks.py"), path.stem]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_another_number_is_told(tmp_path: Path) -> None:
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    text = NOTEBOOKS[0].read_text(encoding="utf-8")
    changed = text.replace("W_a @ s +", "2 * W_a @ s +", 1)
    assert changed != text
    (tmp_path / "changed.ipynb").write_text(changed, encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import run_notebooks;"
        "print(run_notebooks.run(Path(sys.argv[2]), is_stored=False))"
    )
    command = [sys.executable, "-c", code, str(ROOT / "scripts"), str(tmp_path / "changed.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "AssertionError" in done.stderr or "cell 3: expected" in done.stdout
