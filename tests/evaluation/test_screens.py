"""Screens: what one sees at 60, 80 and 140 columns, as pictures in text (screens/*.txt) that a change must renew.

Renewed, to be looked at and committed, by `python tests/evaluation/test_screens.py`.
"""

import io
from collections import Counter
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pytest

from nmt_attn.alignment.links import AlignmentScores
from nmt_attn.alignment.weights import WeightMatrix
from nmt_attn.commands import aer, config
from nmt_attn.evaluation.attention_statistics import AttentionStatistics
from nmt_attn.evaluation.bootstrap import Interval, MetricComparison, SystemComparison
from nmt_attn.evaluation.confusions import Confusion, Confusions
from nmt_attn.evaluation.detail_tables import format_errors, format_ngrams
from nmt_attn.evaluation.lengths import Bucket, Estimate, GroupRow
from nmt_attn.evaluation.link_scores import LinkScores
from nmt_attn.evaluation.metrics import BleuParts, MetricResult
from nmt_attn.evaluation.predictions import Prediction
from nmt_attn.evaluation.seeds import SeedGroup, SeedMetric
from nmt_attn.evaluation.summary import Summary
from nmt_attn.evaluation.tables import (
    format_alignments,
    format_attention,
    format_lengths_of_systems,
    format_seeds,
    format_summary,
    format_systems,
)
from nmt_attn.evaluation.terminal import format_alignment
from nmt_attn.evaluation.words import NgramComparison, NgramDifference
from nmt_attn.options.evaluation import AerOptions
from nmt_attn.options.training import ConfigOptions
from nmt_attn.screen import cells

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (60, 80, 140)


def _row(name: str, low: int, high: int | None, sentences: int, bleu: float) -> GroupRow:
    estimates = (
        Estimate(MetricResult("BLEU", bleu, ""), Interval(bleu - 2, bleu + 2, bleu)),
        Estimate(MetricResult("chrF2", bleu + 20, ""), Interval(bleu + 18, bleu + 22, bleu + 20)),
    )
    return GroupRow(Bucket(name, low, high), sentences, estimates if sentences else (), 0.987 if sentences else None)


def _summary(system: str, bleu: float) -> Summary:
    rows = (_row("1", 1, 1, 7, bleu), _row("2-10", 2, 10, 1234, bleu - 1), _row("11-20", 11, 20, 0, 0.0))
    signature = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
    metrics = (
        Estimate(MetricResult("BLEU", bleu, signature), Interval(bleu - 1, bleu + 1, bleu)),
        Estimate(MetricResult("chrF2", bleu + 20, "nrefs:1|nc:6"), Interval(bleu + 19, bleu + 21, bleu)),
    )
    parts = BleuParts((70.0, 50.04, 40.0, 30.0), 0.9512, 0.9524, 20, 21)
    links = {"threshold 0.3": LinkScores(AlignmentScores(0.5, 0.25, 1 / 3, 0.6), Interval(0.55, 0.65, 0.6))}
    statistics = AttentionStatistics(12345, 0.5, 0.25, 0.125, 0.875, ())
    return Summary(system, 1241, metrics, parts, rows, rows, 1.5, links, statistics)


def _sentence(words: int) -> WeightMatrix:
    """Each target word looks at its own place, and a little to both sides."""
    names = ["Turn", "off", "the", "lights", "please", "international", "now", "in", "every", "room"]
    source = [names[i % len(names)] for i in range(words)] + ["</s>"]
    target = [("बत्ती", "बंद", "करो", "हर", "कमरे", "में")[i % 6] for i in range(min(words, 12))] + ["</s>"]
    places = np.linspace(0, words, len(target))[:, None]
    weights = np.exp(-np.abs(np.arange(words + 1) - places))
    return WeightMatrix(source, target, (weights / weights.sum(1, keepdims=True)).astype(np.float32))


def _seeds(name: str, mean: float, difference: float | None) -> SeedGroup:
    interval = Interval(mean - 1, mean + 1, mean)
    against = (None, None) if difference is None else (difference, 0.031)
    metrics = tuple(
        SeedMetric(metric, (mean - 0.5, mean + 0.5), mean, 0.71, interval, *against) for metric in ("BLEU", "chrF2")
    )
    return SeedGroup(name, (f"{name}-seed-1", f"{name}-seed-2"), metrics, _summary(name, mean))


def _details(width: int) -> list[str]:
    """Errors of words to phones, and the n-grams of two systems."""
    line = Prediction("afgreiða", "a v k r e iː ð a", "a f k r e iː ð a", False, ((("v", "f"),)), -0.7)
    wrong = [Confusion("v", "f", 12, 480, (line,)), Confusion("", "ː", 3, 0, (line,))]
    ngrams = (NgramDifference("turn off the", 12, 3), NgramDifference("lights", 1234, 1200))
    return [
        format_errors("errors", Confusions(Counter(), tuple(wrong)), width),
        format_ngrams(NgramComparison(("demo", "luong-general"), ngrams, ()), width),
    ]


def _printed(module: ModuleType, width: int, command: Callable[[], None]) -> str:
    """What a command says on a terminal of that width."""
    with patch.object(module, "width_of", lambda stream: width), redirect_stdout(io.StringIO()) as out:
        command()
    return out.getvalue().rstrip("\n")


def _aer(width: int) -> str:
    with TemporaryDirectory() as folder, chdir(folder):
        gold, found = Path("gold"), Path("found.pharaoh")
        gold.write_text("0-2 1-1 3-0\n0-0 1?1\n", encoding="utf-8")
        found.write_text("1-1 3-0\n0-0 1-1\n", encoding="utf-8")
        return _printed(aer, width, lambda: aer.aer(AerOptions((found,), gold)))


def _config(width: int) -> list[str]:
    """What differs between two configurations, and what the parts of one cost."""
    demo, general = Path("demo"), ("model.attention.score=general", "run.dir=runs/of/experiments/that/have/a/long/name")
    both = _printed(config, width, lambda: config.show_config(ConfigOptions(demo, general, diff=demo)))
    cost = _printed(config, width, lambda: config.show_config(ConfigOptions(demo)))
    return [both, cost[cost.index("# Parameters") :]]


def screen(width: int) -> str:
    """Every table of an evaluation, a short and a long sentence explained, error rates and configurations."""
    first, second = _summary("demo", 40.5), _summary("luong-general", 42.0)
    differences = (MetricComparison("BLEU", 1.5, 0.0123), MetricComparison("chrF2", 1.5, 0.5))
    both = [first, second]
    blocks = [
        format_summary(first, width),
        format_systems(both, [SystemComparison("luong-general", "demo", differences)], width),
        format_seeds([_seeds("demo", 40.5, None), _seeds("luong-general", 42.0, 1.5)], width),
        format_lengths_of_systems(both, is_cumulative=False, width=width),
        *_details(width),
        format_alignments(both, width),
        format_attention(both, width),
        *(format_alignment(_sentence(words), width, use_colour=False) for words in (5, 40)),
        _aer(width),
        *_config(width),
    ]
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("width", WIDTHS)
def test_screens_are_as_they_were_looked_at(width: int) -> None:
    shown = screen(width)
    assert max(cells(line) for line in shown.split("\n") if "nrefs" not in line) <= width
    assert shown == (SCREENS / f"{width}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for width in WIDTHS:
        (SCREENS / f"{width}.txt").write_text(screen(width), encoding="utf-8")
