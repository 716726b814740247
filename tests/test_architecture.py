"""The floors of the house, the README's picture of it, and what it stands on."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nmt_attn"
FLOORS = {
    **dict.fromkeys(("errors", "types", "files", "memory", "runtime", "processes", "config"), 1),
    **dict.fromkeys(("data", "model"), 2),
    **dict.fromkeys(("training", "search", "evaluation"), 3),
    **dict.fromkeys(("commands", "cli_options"), 4),
    "cli": 5,
    **dict.fromkeys(("__main__", "__init__"), 6),
}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def floor_of(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imported_modules(path: Path) -> Iterator[tuple[str, ...]]:
    return (tuple(name.split(".")[1:]) for name in imports(path) if name.startswith("nmt_attn."))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_floor_imports_only_floors_below_it(module: Path) -> None:
    own = floor_of(module.parts)
    assert own in FLOORS, f"{own}: give it a floor"
    for imported in imported_modules(PACKAGE / module):
        other = floor_of(imported)
        assert other == own or FLOORS[other] < FLOORS[own] or {FLOORS[other], FLOORS[own]} == {1}, (
            f"{module} imports {'.'.join(imported)}"
        )


@pytest.mark.parametrize("module", [path for path in MODULES if path.name == "__init__.py"], ids=str)
def test_init_files_of_floors_are_empty(module: Path) -> None:
    if module.parent != Path():
        assert (PACKAGE / module).read_text() == ""


def test_the_readmes_tree_is_the_real_one() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"```\nnmt_attn/\n(.*?)```", readme, re.DOTALL)
    assert tree is not None, "README.md shows the package's tree"
    told = set(re.findall(r"[a-z_0-9]+(?:\.py|/)", tree[1]))
    real = {f"{path.name}/" for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__"}
    real |= {path.name for path in MODULES if path.name not in ("__init__.py", "__main__.py")}
    assert told == real, f"missing: {sorted(real - told)}; not there: {sorted(told - real)}"


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *optional["tensorboard"], *optional["gpu"]]
    declared = {re.split(r"[<>=]", line)[0].replace("_", "-") for line in lines}
    used = {name.partition(".")[0] for module in MODULES for name in imports(PACKAGE / module)}
    providers = packages_distributions()
    for name in used - set(sys.stdlib_module_names) - {"nmt_attn"}:
        found = {provider.lower().replace("_", "-") for provider in providers.get(name, [name])}
        assert found & declared, f"{name}: pyproject.toml names none of {sorted(found)}"


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports each by its bare name and collects nothing at all where two are the same."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py")]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})
