"""The Python reference: every public class and function of the package with its docstring, and the model's source.

griffe reads the source without running it (it is what mkdocstrings stands on). A page for each package.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import griffe

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "nmt_attn": "The names that `import nmt_attn` gives, and pictures for notebooks.",
    "model": "The equations of both papers, each once, in plain PyTorch. The source stands below each module.",
    "search": "Beam search over a step function, rankings, the translator.",
    "alignment": "Links and weights between words: formats, symmetrising, error rate.",
    "training": "Loss, optimizers, schedules, the trainer, checkpoints.",
    "evaluation": "Metrics, tables, pictures, the report.",
    "data": "Corpora, tokenizers, vocabularies, batches.",
    "lab": "Traces of every step, for the page, notebooks and tests.",
}
WITH_SOURCE = ("model",)
TOP = ("show", "registries", "registry", "types", "errors")
"""Modules that stand in no package; they are described on the first page."""
LONGEST_SIGNATURE = 110


class Reference(NamedTuple):
    """The pages, and where each module is described."""

    pages: dict[str, str]  # place -> Markdown
    modules: dict[str, str]  # nmt_attn/model/scores.py -> place


def python_reference() -> Reference:
    """Reads the package and writes its pages."""
    package = griffe.load("nmt_attn", search_paths=[str(ROOT)])
    assert isinstance(package, griffe.Module)
    pages, modules = {}, {}
    for name, meaning in PACKAGES.items():
        place = f"reference/python/{name}.md"
        parts = list(_modules(package, name))
        title = "nmt_attn" if name == "nmt_attn" else f"nmt_attn.{name}"
        lines = [f"# {title}", "", meaning, ""]
        for module in parts:
            lines += _module(module, name in WITH_SOURCE)
            path = Path(str(module.filepath)).relative_to(ROOT).as_posix()
            modules[path] = f"{place}#{_anchor(module.path)}"
        pages[place] = _told_apart("\n".join(lines) + "\n")
    return Reference(pages, modules)


def _told_apart(page: str) -> str:
    """The page with the module before a name that two of its modules have, so that no two headings are the same."""
    names = Counter(re.findall(r"^### `(\w+)`", page, flags=re.MULTILINE))

    def heading(found: re.Match[str]) -> str:
        module = found[2].split("-")[-2]
        return f"### `{module}.{found[1]}` {{ #{found[2]} }}" if names[found[1]] > 1 else found[0]

    return re.sub(r"^### `(\w+)` \{ #(\S+) \}", heading, page, flags=re.MULTILINE)


def _modules(package: griffe.Module, name: str) -> Iterator[griffe.Module]:
    if name == "nmt_attn":
        yield from (package.modules[each] for each in TOP)
        yield package.modules["search"].modules["translator"]
    else:
        yield from (module for _, module in sorted(package.modules[name].modules.items()))


def _module(module: griffe.Module, with_source: bool) -> list[str]:
    lines = [f"## {module.path} {{ #{_anchor(module.path)} }}", "", *_text(module)]
    for member in module.members.values():
        if member.is_alias or member.name.startswith("_") or not member.has_docstring:
            continue
        if isinstance(member, griffe.Class):
            lines += _class(member)
        elif isinstance(member, griffe.Function | griffe.Attribute):
            lines += [*_heading(member, 3), *_text(member)]
    if with_source:
        lines += ['<details markdown="1"><summary>Source</summary>', "", '``` python linenums="1"']
        lines += [module.source.rstrip(), "```", "", "</details>", ""]
    return lines


def _class(kind: griffe.Class) -> list[str]:
    lines = [*_heading(kind, 3), *_text(kind)]
    for member in kind.members.values():
        if isinstance(member, griffe.Function) and not member.name.startswith("_") and member.has_docstring:
            lines += [*_heading(member, 4), *_text(member)]
    return lines


def _heading(member: griffe.Object, level: int) -> list[str]:
    owner = f"{member.parent.name}." if isinstance(member.parent, griffe.Class) else ""
    heading = f"{'#' * level} `{owner}{member.name}` {{ #{_anchor(member.path)} }}"
    return [heading, "", "``` python", _signature(member), "```", ""]


def _signature(member: griffe.Object) -> str:
    if isinstance(member, griffe.Attribute):
        kind = f": {member.annotation}" if member.annotation else ""
        return f"{member.name}{kind} = {member.value}"[:LONGEST_SIGNATURE]
    if isinstance(member, griffe.Class):
        bases = ", ".join(str(base) for base in member.bases)
        return f"class {member.name}({bases})" if bases else f"class {member.name}"
    assert isinstance(member, griffe.Function)
    text = f"{member.name}{_parameters(member)}"
    if member.returns is not None:
        text += f" -> {member.returns}"
    return text if len(text) <= LONGEST_SIGNATURE else _folded(text)


def _parameters(function: griffe.Function) -> str:
    shown, starred = [], False
    for parameter in function.parameters:
        if parameter.kind is griffe.ParameterKind.keyword_only and not starred:
            starred = True
            shown.append("*")
        mark = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
        prefix = mark.get(parameter.kind, "") if parameter.kind else ""
        starred = starred or prefix == "*"
        annotation = f": {parameter.annotation}" if parameter.annotation else ""
        default = "" if parameter.default is None or prefix else f" = {parameter.default}"
        shown.append(f"{prefix}{parameter.name}{annotation}{default}")
    return f"({', '.join(shown)})"


def _folded(text: str) -> str:
    """One parameter a line."""
    return re.sub(r", (?=[\w*]+(?::|,|\)))", ",\n    ", text)


def _text(member: griffe.Object) -> list[str]:
    """The docstring: examples and indented lines as code, the rest with no letter read as markup."""
    if member.docstring is None:
        return []
    lines, is_code = [], False
    for line in member.docstring.value.split("\n"):
        begins = line.startswith((">>>", "...", "    "))
        if begins != is_code and (begins or line.strip()):
            lines += ["```"] if is_code else ["", "``` python" if line.startswith(">>>") else "``` text"]
            is_code = begins
        lines.append(line.removeprefix("    ") if is_code else _plain(line))
    return [*lines, *(["```"] if is_code else []), ""]


MARKUP = str.maketrans({letter: f"&#{ord(letter)};" for letter in "\\*_[]<>|~$"})
"""Letters that Markdown or HTML would read."""


def _plain(line: str) -> str:
    parts = line.split("`")
    return "`".join(part.translate(MARKUP) if place % 2 == 0 else part for place, part in enumerate(parts))


def _anchor(path: str) -> str:
    return path.replace(".", "-")
