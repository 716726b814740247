"""The documentation site: references say what the program says, links hold, nothing is asked of another host."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest
import yaml

from nmt_attn import cli
from nmt_attn.config.key_paths import all_keys, locate
from nmt_attn.options.translation import TranslateOptions

ROOT = Path(__file__).parents[2]
BROWSER = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), "")
EXTERNAL = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//[^\"'> ]+")


@pytest.fixture(scope="module")
def scripts() -> Iterator[ModuleType]:
    """scripts/build_site.py as a module; its packages stand beside it."""
    pytest.importorskip("zensical", reason="the extra `docs` is not installed")
    sys.path.insert(0, str(ROOT / "scripts"))
    import build_site

    yield build_site
    sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def site(scripts: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning of the generator ends the build."""
    folder: Path = tmp_path_factory.mktemp("made") / "site"
    scripts.build(folder)
    return folder


def test_the_page_of_commands_has_every_option(scripts: ModuleType) -> None:
    page = scripts.cli_page()
    sections = dict(zip(*[iter(re.split(r"^## (\S+)$", page, flags=re.MULTILINE)[1:])] * 2, strict=True))
    records = {
        each.name: get_type_hints(function)["options"]
        for each in cli.app.registered_commands
        for function in vars(cli).values()
        if each.callback is not None and getattr(function, "__doc__", "") == each.callback.__doc__
    }
    assert set(sections) == set(records)
    assert TranslateOptions in records.values()
    for name, record in records.items():
        for field in fields(record):
            shown = (f"`--{field.name.replace('_', '-')}`", f"`{field.name.upper()}`")
            assert any(each in sections[name] for each in shown), f"{name}: {field.name}"
    assert "| `--beam` | whole number from 1 to 10000 | " in sections["translate"]
    assert "nmt-attn translate --beam 5" in sections["translate"]
    assert (
        "<code>line &#124;&#124;&#124; text" in sections["translate"]
    )  # entities are read in HTML, not in Markdown's code


def test_the_page_of_keys_has_every_key_with_its_range(scripts: ModuleType) -> None:
    page = scripts.config_page()
    for keys in all_keys():
        place = locate(keys)
        if place.section is None:
            section = page[page.index(f" {'.'.join(keys[:-1])}\n") :]
            assert f"| `{keys[-1]}` | `" in section, keys
        else:
            assert re.search(rf"^#+ {re.escape('.'.join(keys))}$", page, flags=re.MULTILINE), keys
    assert "| `dropout` | `" in page
    assert "<unk>" not in page  # HTML would hide it


def test_the_python_pages_have_the_public_names(scripts: ModuleType) -> None:
    reference = scripts.python_reference()
    top, model = reference.pages["reference/python/nmt_attn.md"], reference.pages["reference/python/model.md"]
    for name in ("Translator.translate", "attention", "compare", "beam", "load"):
        assert f"`{name}` {{ #" in top
    for name in ("Additive", "General", "LocalP", "LuongDecoder", "BahdanauDecoder"):
        assert f"`{name}` {{ #" in model
    for page in reference.pages.values():  # as two of the same name could not be told apart in the contents
        headings = re.findall(r"^### (\S+)", page, flags=re.MULTILINE)
        assert len(headings) == len(set(headings))
    assert reference.modules["nmt_attn/model/windows.py"] == "reference/python/model.md#nmt_attn-model-windows"


def test_formulas_become_mathml_and_code_stays(scripts: ModuleType) -> None:
    from pages.formulas import with_formulas

    text = with_formulas("so $a_t$ is\n\n$$\nx = \\tanh(y)\n$$\n\n`$b$` costs $5 or $6\n\n```\n$c$\n```\n")
    assert text.count("<math") == 2
    assert 'display="block"' in text
    for kept in ("`$b$`", "$5 or $6", "\n$c$\n"):
        assert kept in text


def test_a_formula_at_the_start_of_a_line_stays_in_its_paragraph(scripts: ModuleType) -> None:
    from markdown import markdown
    from pages.formulas import with_formulas

    html = markdown(with_formulas("$c$ has as many numbers,\n$d$ too\n\n- $a_t$ and\n"), extensions=["md_in_html"])
    assert html.count("<p>") == 1
    assert html.startswith("<p><span><math")
    assert "<li><span><math" in html


def test_links_lead_to_pages_of_the_site_or_are_left_out(scripts: ModuleType) -> None:
    from pages.stage import DOCS, Page, places_of

    page = Page(
        DOCS / "learn" / "p.md", "learn/p.md", places_of({ROOT / "nmt_attn/types.py": "reference/python/x.md#t"})
    )
    moved = {
        "[a](../names.md#x)": "[a](../names.md#x)",
        "[b](../../CONTRIBUTING.md)": "[b](../contributing.md)",
        "[c](../../scripts/demo.sh) said": "c said",
        "[d](https://example.org)": "[d](https://example.org)",
        "[e](../../configs/demo.yaml)": "[e](../reference/configurations.md#demo)",
        "[f](../../README.md)": "[f](../index.md)",
        "[g](../nowhere.md)": "[g](../nowhere.md)",  # so that the build fails
        "`nmt_attn/types.py`": "[`nmt_attn/types.py`](../reference/python/x.md#t)",
        "`[g](names.md)`": "`[g](names.md)`",
        "![h](../attention-cost.png)": "![h](../attention-cost.png)",
        "![h](../lab/machine.png)": "![h](../lab/machine.png#only-light)![h](../lab/machine-dark.png#only-dark)",
        r"| `a [b] \| c` |": "| <code>a &#91;b&#93; &#124; c</code> |",
        r"| `a` | \|b\| | `c` |": r"| `a` | \|b\| | `c` |",
    }
    for given, expected in moved.items():
        assert page.staged(given) == expected


def test_the_order_names_pages_that_are_there_once_each(scripts: ModuleType) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = [place for part in yaml.safe_load(text)["nav"] for place in scripts._places(part)]
    assert len(named) == len(set(named))
    made = {*scripts.made_pages(), *scripts.python_reference().pages, "contributing.md", "changelog.md"}
    for place in named:
        assert place in made or (ROOT / "docs" / place).exists() or place in ("code-of-conduct.md", "security.md"), (
            place
        )
    assert not [place for place in scripts.made_pages() if place not in named]


@pytest.mark.slow
def test_it_is_built_without_a_warning_and_asks_no_other_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert EXTERNAL.findall(text) == [], page.name
        assert "unpkg.com" not in text, page.name
    assert (site / "assets" / "iframe-worker.js").exists()
    assert "Bahdanau" in (site / "search.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_link_that_leads_nowhere_ends_the_build(
    scripts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scripts.made_pages()
    made["reference/commands.md"] += "\n[nowhere](../names.md#no-such-heading)\n"
    monkeypatch.setattr(scripts, "made_pages", lambda: made)
    with pytest.raises(SystemExit, match="expected pages without warnings"):
        scripts.build(tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not BROWSER:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as play:
        launched = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_every_page_opens_from_the_disk_and_axe_finds_no_violation(
    site: Path, browser: Any, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", offline=True
    )
    page = context.new_page()
    faults: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":
            continue
        page.goto(path.as_uri())
        page.wait_for_function("[...document.querySelectorAll('.md-code__nav')].every(bar => bar.ariaLabel)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        found = axe.Axe().run(page).response["violations"]
        shown = [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found]
        assert shown == [], path.name
    assert faults == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


@pytest.mark.slow
def test_search_finds_a_page_from_the_disk(site: Path, browser: Any) -> None:
    page = browser.new_context(offline=True).new_page()
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("maxout")
    page.get_by_text(re.compile(r"^\d+ results$")).wait_for(timeout=10_000)


@pytest.mark.slow
def test_a_number_that_is_pointed_at_is_marked_wherever_it_stands(site: Path, browser: Any) -> None:
    page = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
    page.goto((site / "worked-example.html").as_uri())
    page.locator("b[data-q='b1.s.0']").first.hover()
    marked = page.locator(".lit").evaluate_all("all => all.map(each => each.dataset.q)")
    assert set(marked) == {"b1.s.0"}
    drawn = page.locator("text[data-q='b1.s.0'].lit").count()
    assert drawn == 2  # in the drawing of the word that makes this state, and in that of the word that it asks for
    assert len(marked) > drawn
    page.locator("h1").hover()
    assert page.locator(".lit").count() == 0
