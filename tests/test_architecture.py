"""The floors of the house, and what it stands on."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nmt_attn"
FLOORS = [
    ("errors", "types", "version", "bounds", "threads", "text_formats", "screen", "interruption"),
    ("registry",),
    ("registries",),
    ("files", "memory", "memory_lack", "runtime", "processes"),
    ("text_io", "tensor_files", "options", "option_parsing"),
    ("alignment",),
    ("config", "demo"),
    ("data", "model"),
    ("fast", "foreign"),
    ("training", "search"),
    ("evaluation",),
    ("experiments", "lab"),
    ("show",),
    ("commands",),
    ("__init__",),
    ("cli",),
    ("__main__",),
]
"""From the ground up. What stands on one floor may import from its own package and from the floors below it."""
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


LONGEST_FILE, LONGEST_FUNCTION = 335, 58
"""Lines."""


def package_of(module: str) -> str:
    """`nmt_attn.search.beam` -> `search`; the package itself is `__init__`."""
    return [*module.split("."), "__init__"][1]


def name_of(path: Path) -> str:
    """`search/beam.py` -> `nmt_attn.search.beam`."""
    parts = ("nmt_attn", *path.with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, inside functions too; of this package, the very modules and not their names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            inner = [f"{module}.{alias.name}" for alias in node.names]
            known = [name for name in inner if name in NAMES]
            yield from known or [module]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


NAMES = {name_of(path) for path in MODULES}
GRAPH = {name_of(path): {name for name in imports(PACKAGE / path) if name in NAMES} for path in MODULES}


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_a_floor_imports_only_floors_below_it(module: str) -> None:
    own = package_of(module)
    assert own in FLOOR_OF, f"{own}: give it a floor"
    for imported in GRAPH[module]:
        other = package_of(imported)
        assert other == own or FLOOR_OF[other] < FLOOR_OF[own], f"{module} imports {imported}, which is no floor below"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Inside a package too, and counting imports that wait until a function is called."""
    try:
        order = list(TopologicalSorter(GRAPH).static_order())
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from error
    assert set(order) == NAMES


@pytest.mark.parametrize("module", [path for path in MODULES if path.name == "__init__.py"], ids=str)
def test_init_files_of_floors_are_empty(module: Path) -> None:
    if module.parent != Path():
        assert (PACKAGE / module).read_text() == ""


def test_no_file_is_longer_than_335_lines_and_no_function_longer_than_58() -> None:
    for path in MODULES:
        text = (PACKAGE / path).read_text(encoding="utf-8")
        assert text.count("\n") <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *optional["tensorboard"], *optional["gpu"], *optional["serve"]]
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
