"""Curves: what is drawn of metrics by length and entropy by position, round ticks, and the same as SVG of the page."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread

from nmt_attn.errors import DataError
from nmt_attn.evaluation import curves as module
from nmt_attn.evaluation.attention_statistics import AttentionStatistics, PositionEntropy
from nmt_attn.evaluation.bootstrap import Interval
from nmt_attn.evaluation.curves import (
    MOST_STEPS,
    LengthChart,
    LengthCurve,
    draw_lengths,
    entropy_figure,
    length_chart,
    length_figure,
    metric_ticks,
    round_ticks,
)
from nmt_attn.evaluation.html_page import inline_svg
from nmt_attn.evaluation.lengths import Bucket, Estimate, GroupRow, make_buckets
from nmt_attn.evaluation.metrics import BleuParts, MetricResult
from nmt_attn.evaluation.pictures import FORMATS, SYSTEM_COLOURS
from nmt_attn.evaluation.summary import Summary

PARTS = BleuParts((70.0, 50.0, 40.0, 30.0), 0.95, 0.95, 20, 21)
SIGNATURE = "nrefs:1|case:mixed"


def row(number: int, sentences: int, value: float) -> GroupRow:
    """A bucket's row: the value, 3 below and 2 above it."""
    estimates = (Estimate(MetricResult("BLEU", value, ""), Interval(value - 3, value + 2, value)),) if sentences else ()
    return GroupRow(make_buckets((10, 20))[number], sentences, estimates, 1.0 if sentences else None)


CURVES = [
    LengthCurve("attention", [row(0, 70, 40.0), row(1, 49, 39.0), row(2, 60, 38.0)]),
    LengthCurve("plain", [row(0, 70, 35.0), row(1, 0, 0.0), row(2, 60, 5.0)]),
]
CHART = LengthChart("BLEU", CURVES, (0, 10, 20, 30, 40, 50))


def bleu(value: float, low: float, high: float) -> GroupRow:
    """A bucket's BLEU with its interval."""
    return GroupRow(
        Bucket("1-10", 1, 10), 70, (Estimate(MetricResult("BLEU", value, ""), Interval(low, high, value)),), 1.0
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(module, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def test_curves_have_gaps_where_no_sentences_are(drawn: list[Figure]) -> None:
    draw_lengths(CHART, Path("a.png"), [f"BLEU|{SIGNATURE}", "attention: beam 5"])
    axes = drawn[0].axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["attention"], [40, 39, 38])
    np.testing.assert_array_equal(lines["plain"], [35, np.nan, 5])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1-10\n70", "11-20\n49", ">20\n60"]
    assert f"BLEU|{SIGNATURE}\nattention: beam 5" in [text.get_text() for text in drawn[0].texts]
    assert list(axes.get_yticks()) == [0, 10, 20, 30, 40, 50]


def test_error_bars_span_the_interval_and_small_buckets_are_hollow(drawn: list[Figure]) -> None:
    draw_lengths(CHART._replace(curves=CURVES[:1]), Path("a.png"))
    bars = drawn[0].axes[0].containers
    (spans,) = zip(*(bar[2] for bar in bars), strict=True)
    assert [sorted(span.get_segments()[0][:, 1]) for span in spans] == [[37, 42], [36, 41], [35, 40]]
    assert [bar[0].get_markerfacecolor() == "white" for bar in bars] == [False, True, False]


@pytest.mark.parametrize("ending", FORMATS)
def test_lengths_are_written_in_every_format(ending: str, tmp_path: Path) -> None:
    assert draw_lengths(CHART, tmp_path / f"a{ending}", [f"BLEU|{SIGNATURE}"]) is None
    content = (tmp_path / f"a{ending}").read_bytes()
    if ending == ".png":
        pixels = imread(tmp_path / f"a{ending}")[:, :, :3]
        for colour in SYSTEM_COLOURS[:2]:  # both systems' curves, and no third one's
            assert count_pixels(pixels, colour) > 1000
        assert count_pixels(pixels, SYSTEM_COLOURS[2]) == 0
    elif ending == ".svg":
        for word in ("attention", "plain", "11-20", f"BLEU|{SIGNATURE}"):
            assert f">{word}</text>" in content.decode()
    else:
        assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")


def count_pixels(pixels: np.ndarray, colour: str) -> int:
    """How many have this colour, `#rrggbb`."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return int((np.abs(pixels - wanted).max(axis=2) < 0.01).sum())


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpeg: expected a name that ends in .pdf, .png, .svg, got '.jpeg'"):
        draw_lengths(CHART, tmp_path / "a.jpeg")
    assert list(tmp_path.iterdir()) == []


def test_both_charts_of_a_page_have_one_axis() -> None:
    """By length the lowest is 2 with its interval, up to a length 85: both axes reach down to it."""
    result = MetricResult("BLEU", 90, "")
    summary = Summary("a", 9, (Estimate(result, Interval(0, 0, 0)),), PARTS, (bleu(5, 2, 9),), (bleu(90, 85, 95),))
    charts = [length_chart([summary], is_cumulative=each) for each in (False, True)]
    assert charts[0].ticks == charts[1].ticks == (0, 20, 40, 60, 80, 100)
    assert [chart.curves[0].rows[0].estimates[0].result.value for chart in charts] == [5, 90]
    assert [chart.curves[0].system for chart in charts] == ["a", "a"]  # as in the tables


def test_entropies_are_drawn_by_position_in_each_systems_colour() -> None:
    by_position = (PositionEntropy(1, 50, 0.5), PositionEntropy(2, 50, 1.25), PositionEntropy(3, 49, 1.0))
    statistics = AttentionStatistics(149, 0.8, 0.25, 0.5, None, by_position)
    [axes] = entropy_figure([(2, statistics)]).axes
    line, unsure = axes.get_lines()
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([1, 2], [0.5, 1.25])
    assert (list(unsure.get_xdata()), list(unsure.get_ydata())) == ([2, 3], [1.25, 1.0])
    assert (line.get_linestyle(), unsure.get_linestyle()) == ("-", ":")
    assert line.get_color() == unsure.get_color() == SYSTEM_COLOURS[2]
    assert list(axes.get_yticks()) == [0, 0.25, 0.5, 0.75, 1, 1.25]


def test_the_page_has_words_as_text_titles_of_points_and_its_own_colours() -> None:
    text = inline_svg(lambda: length_figure(CHART, has_titles=True), "a <b>")
    root = ElementTree.fromstring(text)
    assert (root.tag, root.get("aria-label")) == ("svg", "a <b>")
    words = {each.text for each in root.iter("text")}
    assert {"1-10", "11-20", ">20", "70", "49", "source words; below: sentences"} <= words
    titles = [each.text for each in root.iter("title")]
    assert titles[:2] == ["attention, 1-10 words: 40.00 [37.0, 42.0]", "attention, 11-20 words: 39.00 [36.0, 41.0]"]
    assert len(titles) == 3 + 2  # `plain` has an empty bucket
    assert "#" not in "".join(each.get("style", "") for each in root.iter())
    assert {"var(--s0)", "var(--s1)", "var(--rule)", "var(--paper)"} <= {
        part for each in root.iter() for part in each.get("style", "").replace(";", "").split()
    }
    # nothing of one picture's can be taken for another's on the same page
    ids = {each.get("id") for each in root.iter() if each.get("id")}
    other = ElementTree.fromstring(inline_svg(lambda: length_figure(CHART), "another"))
    assert not ids & {each.get("id") for each in other.iter()}


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, (0, 20, 40, 60, 80, 100)),
        (0, 100.00000000000001, (0, 20, 40, 60, 80, 100)),  # BLEU of a perfect output
        (85.2, 99.9, (85, 90, 95, 100)),  # 15 in steps of 5; of 2.5 there would be 6
        (0, 2.4, (0, 0.5, 1, 1.5, 2, 2.5)),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1000), st.floats(0.1, 1000))
def test_ticks_surround_the_values_in_a_few_steps(low: float, reach: float) -> None:
    ticks = round_ticks(low, low + reach)
    assert ticks[0] <= low + 1e-6 and ticks[-1] >= low + reach - 1e-6
    assert 2 <= len(ticks) <= MOST_STEPS + 2


def test_a_low_value_anywhere_keeps_the_zero() -> None:
    assert metric_ticks([[bleu(98, 97, 99)], [bleu(49, 48, 50)]], "BLEU")[0] == 0


def test_high_values_have_no_empty_space_below() -> None:
    # from 85.2 to 99.9 with intervals
    assert metric_ticks([[bleu(98, 97, 99.9)], [bleu(90, 85.2, 93)]], "BLEU") == (85, 90, 95, 100)


def test_equal_values_still_have_an_axis() -> None:
    assert metric_ticks([[bleu(100, 100, 100)]], "BLEU") == (95, 96, 97, 98, 99, 100)
    assert metric_ticks([[bleu(0, 0, 0)]], "BLEU") == (0, 2, 4, 6, 8, 10)


def test_buckets_without_sentences_do_not_matter() -> None:
    empty = GroupRow(Bucket(">10", 11, None), 0, (), None)
    assert metric_ticks([[bleu(98, 97, 99), empty]], "BLEU")[0] > 0
    assert metric_ticks([[empty]], "BLEU")[0] == 0
