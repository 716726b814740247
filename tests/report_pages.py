"""A small report with every trap in its texts, for the tests of the HTML page."""

import torch
from torch import Tensor

from nmt_attn.alignment.links import GoldLinks, Link
from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.bootstrap import compare_systems
from nmt_attn.evaluation.html_payload import AlignmentView, Report, ReportSentence, SystemSentence
from nmt_attn.evaluation.metrics import measure_system
from nmt_attn.evaluation.summary import summarise

BREAKOUT = "</script><script>document.title='broken'</script>"
SOURCES = [
    "Turn off the lights",
    f"a <b>b</b> & \u2028 {BREAKOUT}",
    "the long long long sentence of them all",
    "plain\x85",
]
REFERENCES = ["लाइट बंद करो", "x &amp; y", "sehr lang", "schlicht"]
FIRST = ["लाइट बंद करो", f"y {BREAKOUT}", "sehr sehr lang", "eben"]
SECOND_BEST = "लाइट चालू करो"
SECOND = ["लाइट करो", "x &amp; y", "kurz", "schlicht"]
VALUES = {"first": [100.0, 20.0, 60.0, 5.0], "second": [50.0, 100.0, 1.0, 100.0]}
TOLD_WEIGHT = 0.87
"""Of the first sentence's first target word on `lights`."""


def weights_of(source: str, target: str) -> Tensor:
    """Each target word looks at one source word, from the last back."""
    sources, targets = len(source.split()) + 1, len(target.split()) + 1
    weights = torch.zeros(targets, sources)
    for row in range(targets):
        weights[row, (sources - 2 - row) % sources] = TOLD_WEIGHT
    return weights


def view(label: str, source: str, target: str, log_prob: float, *, is_reference: bool = False) -> AlignmentView:
    """A view whose words are those of its texts."""
    alignment = WordAlignment(tuple(source.split()), tuple(target.split()), weights_of(source, target))
    return AlignmentView(label, target, log_prob, alignment, is_reference)


def copying_view(label: str, source: str, target: str, log_prob: float) -> AlignmentView:
    """The same of a model that copies: the first word nearly for certain, the others with a half, a third, ..."""
    made = view(label, source, target, log_prob)
    assert made.alignment is not None
    shares = 1 / torch.arange(1, len(target.split()) + 2)
    return made._replace(alignment=made.alignment._replace(copied=shares - 0.01))


def sentence(number: int) -> ReportSentence:
    """The first system attends, the second is a file."""
    source, reference = SOURCES[number], REFERENCES[number]
    views = (
        view("best", source, FIRST[number], -0.25),
        copying_view("2nd best", source, SECOND_BEST, -1.5),
        view("reference", source, reference, -0.5, is_reference=True),
    )
    gold = frozenset({Link(3, 0), Link(1, 1)}) if number == 0 else frozenset()
    return ReportSentence(
        source,
        reference,
        GoldLinks(gold, gold),
        (
            SystemSentence(FIRST[number], VALUES["first"][number], views),
            SystemSentence(SECOND[number], VALUES["second"][number], ()),
        ),
    )


def long_report() -> Report:
    """One system and one sentence of sixty words, with its reference."""
    source, target = (" ".join(f"{letter}{place}" for place in range(60)) for letter in "st")
    views = (view("best", source, target, -3.0), view("reference", source, target, -3.0, is_reference=True))
    return Report(
        "long", ("one",), [ReportSentence(source, target, None, (SystemSentence(target, 100.0, views),))], "chrF2"
    )


def make_report() -> Report:
    """Two systems, four sentences."""
    config = EvaluateConfig(length_buckets=(4,))
    measured = [
        (name, measure_system(lines, REFERENCES, config))
        for name, lines in [("first", FIRST), (f"<i>second</i> {BREAKOUT}", SECOND)]
    ]
    summaries = [summarise(name, SOURCES, measures, config) for name, measures in measured]
    return Report(
        "a & b <on> test",
        tuple(name for name, _ in measured),
        [sentence(number) for number in range(len(SOURCES))],
        "chrF2",
        summaries,
        compare_systems(measured),
    )
