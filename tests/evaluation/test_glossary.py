"""Glossary: docs/learn/report.md has an entry for every number that `eval`, `aer` and training show."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nmt_attn.alignment.links import AlignmentScores
from nmt_attn.evaluation import help_lines
from nmt_attn.evaluation.attention_statistics import AttentionStatistics, PositionEntropy
from nmt_attn.evaluation.bootstrap import MetricComparison
from nmt_attn.evaluation.confusions import Confusion
from nmt_attn.evaluation.metrics import BleuParts, MetricResult
from nmt_attn.evaluation.seeds import SeedMetric

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "learn" / "report.md").read_text(encoding="utf-8")
RECORDS = (AlignmentScores, AttentionStatistics, BleuParts, Confusion, MetricComparison, MetricResult, PositionEntropy,
           SeedMetric)  # fmt: skip
"""Records that eval.json has field by field."""
LABELS = {"attention", "system", "seeds", "sentences"}
"""Titles of columns that hold names, or what their name says."""


def calls(tree: ast.AST, name: str) -> Iterator[list[ast.expr]]:
    """The arguments of every call of `name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
            yield node.args


def first_text(node: ast.expr) -> str:
    """The text, or what a text with values in it begins with; empty if it is neither."""
    part = node.values[0] if isinstance(node, ast.JoinedStr) else node
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""


def modules() -> Iterator[ast.AST]:
    for path in (ROOT / "nmt_attn" / "evaluation").glob("*.py"):
        yield ast.parse(path.read_text(encoding="utf-8"))


def has_entry(name: str) -> bool:
    """Whether the page has the name in bold; an interval stands there as an example."""
    name = name.replace("95% interval", "[95.1, 96.8]")
    return any(name.strip() in each.replace("`", "") for each in re.findall(r"\*\*(.+?)\*\*", PAGE))


@pytest.mark.parametrize("lines", ["METRICS", "COMPARISON", "ATTENTION", "LINKS"])
def test_every_name_with_a_line_of_help_has_an_entry(lines: str) -> None:
    assert [name for name in getattr(help_lines, lines) if not has_entry(name)] == []


def test_every_column_of_a_table_has_an_entry() -> None:
    titles = {first_text(arguments[0]) for tree in modules() for arguments in calls(tree, "Column")} - LABELS
    titles = {title.removesuffix(" (nats)") for title in titles}
    assert "argmax is gold" in titles
    assert [title for title in sorted(titles) if not has_entry(title)] == []


def test_every_number_of_the_progress_bar_has_an_entry() -> None:
    tree = ast.parse((ROOT / "nmt_attn" / "training" / "display.py").read_text(encoding="utf-8"))
    texts = [ast.unparse(arguments[1]) for arguments in calls(tree, "Segment")]
    names = {word for text in texts for word in re.findall(r"(?<=['\" ])([a-z]{4,}) ?(?=[{'\"])", text)}
    assert {"loss", "perplexity", "elapsed", "left", "patience", "padding"} <= names
    assert [name for name in sorted(names) if not has_entry(name)] == []


def test_every_key_of_eval_json_has_an_entry() -> None:
    keys = {field for record in RECORDS for field in record._fields}
    for tree in modules():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name.endswith("as_json"):
                dicts = [node for node in ast.walk(function) if isinstance(node, ast.Dict)]
                keys |= {first_text(key) for each in dicts for key in each.keys if key is not None}
    assert {"test_set", "by_length", "better_first"} <= keys
    assert [key for key in sorted(keys - {""}) if f"`{key}`" not in PAGE] == []
