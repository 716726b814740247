"""The chapters of the site: what they take from the program is what it gives today, commands and keys exist."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest
import yaml

from nmt_attn import cli
from nmt_attn.config.extends import shipped_names
from nmt_attn.config.file import load_config
from nmt_attn.config.key_paths import locate
from nmt_attn.config.schema import Config

ROOT = Path(__file__).parents[2]
CHAPTERS = [ROOT / "docs" / "index.md", *sorted((ROOT / "docs" / "learn").glob("*.md"))]
RECORDS = {
    each.name: get_type_hints(function)["options"]
    for each in cli.app.registered_commands
    for function in vars(cli).values()
    if each.callback is not None and getattr(function, "__doc__", "") == each.callback.__doc__
}


@pytest.fixture(scope="module")
def pages() -> Iterator[ModuleType]:
    """scripts/learn_pages.py as a module."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import learn_pages

    yield learn_pages
    sys.path.remove(str(ROOT / "scripts"))


def commands(page: Path) -> list[list[str]]:
    """The words of every nmt-attn command in the code blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").split("\n"):
            for command in re.findall(r"nmt-attn ([^|;<>#]+)", line):
                found.append(shlex.split(command.strip()))
    return [words for words in found if words[0] in RECORDS]


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_code_and_numbers_are_those_of_the_program(pages: ModuleType, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert pages.refreshed(text) == text, "run scripts/learn_pages.py"


def test_the_drawings_are_those_of_the_script(pages: ModuleType) -> None:
    folder = ROOT / "docs" / "pictures"
    drawings = pages.pictures()
    assert {path.name for path in folder.iterdir()} == set(drawings)
    for name, drawing in drawings.items():
        assert (folder / name).read_text(encoding="utf-8") == drawing, f"{name}: run scripts/learn_pages.py"


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_commands_have_their_options_and_keys(page: Path) -> None:
    for name, *words in commands(page):
        known = {f"--{field.name.replace('_', '-')}" for field in fields(RECORDS[name])}
        for word in words:
            if word.startswith("--"):
                assert word in known, f"{name} {word}"
        if name == "train" and words[0] in shipped_names():
            values = [value for option, value in pairwise(words) if option == "--set"]
            load_config(Path(words[0]), values)


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_keys_that_are_named_exist(page: Path) -> None:
    sections = "|".join(Config.model_fields)
    for key in re.findall(rf"`((?:{sections})\.[a-z_.]+)[`:=]", page.read_text(encoding="utf-8")):
        assert locate(tuple(key.split("."))).rest == (), key


def test_every_chapter_of_the_path_has_exercises_with_answers() -> None:
    others = [ROOT / "docs" / f"{name}.md" for name in ("worked-example", "transduction", "scaling")]
    for page in [*CHAPTERS, *others]:
        text = page.read_text(encoding="utf-8")
        if page.stem not in ("index", "troubleshooting"):
            exercises = text[text.index("## Exercises") :]
            numbered = re.findall(r"^\d\. ", exercises, flags=re.MULTILINE)
            assert len(numbered) >= 2, page.stem
            assert exercises.count("<summary>Answer</summary>") == len(numbered), page.stem


def test_the_house_has_the_floors_that_the_tests_hold(pages: ModuleType) -> None:
    from pages.pictures import HOUSE, MODULES
    from test_architecture import FLOOR_OF

    floors = [[name for title, _ in rooms for name in title.split(", ")] for rooms in HOUSE]
    for above, below in pairwise(floors):
        assert min(FLOOR_OF[name] for name in above) >= max(FLOOR_OF[name] for name in below), (above, below)
    packages = {path.parent.name for path in (ROOT / "nmt_attn").glob("*/__init__.py")}
    assert packages <= {name for names in floors for name in names}
    for file in MODULES.values():
        assert (ROOT / "nmt_attn" / file).exists(), file


def test_the_hooks_before_a_commit_are_those_of_make_check() -> None:
    [repo] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    assert check is not None
    commands = [line.strip().replace("$(RUN)", ".venv/bin") for line in check[1].strip().split("\n")]
    assert [hook["entry"] for hook in repo["hooks"]] == commands


def test_make_help_names_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert targets is not None
    assert [line.split()[0] for line in done.stdout.strip().split("\n")] == targets[1].split()


def test_a_block_that_names_nothing_is_refused(pages: ModuleType) -> None:
    from pages.blocks import source

    assert source("model/scores.py", "General.forward").startswith("def forward(self, query")
    with pytest.raises(AssertionError, match="expected one Generel, got 0"):
        source("model/scores.py", "Generel")


def said_by_the_program() -> str:
    """The text of every string of the package, a gap (NUL) where a value is put in."""
    found = []
    for path in (ROOT / "nmt_attn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_every_message_of_the_troubleshooting_page_is_one_of_the_program() -> None:
    page = (ROOT / "docs" / "learn" / "troubleshooting.md").read_text(encoding="utf-8")
    table = page[page.index("## Other messages") : page.index("## It runs")]
    messages = re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)
    messages += re.findall(r'"([^"]+)"', page[page.index("## Other messages") : page.index("## Questions")])
    said = said_by_the_program()
    assert len(messages) > 20
    assert [each for each in messages if each not in said] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in CHAPTERS if "```console" in page.read_text()], ids=lambda p: p.stem)
def test_commands_print_what_the_page_shows(pages: ModuleType, page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert pages.with_outputs(text, tmp_path) == text, "run scripts/learn_pages.py --commands"
