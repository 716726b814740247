"""Pictures: what is drawn where, in every format, whatever the words."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from nmt_attn.alignment.links import Link
from nmt_attn.errors import DataError
from nmt_attn.evaluation import pictures
from nmt_attn.evaluation.bootstrap import Interval
from nmt_attn.evaluation.fonts import FontChoice
from nmt_attn.evaluation.lengths import Estimate, LengthRow, make_buckets
from nmt_attn.evaluation.pictures import FORMATS, Alignment, LengthCurve, alignment_pixels, draw_alignment, draw_lengths

FIRST_BYTES = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
WEIGHTS = np.array([[0.0, 0.1, 0.9], [0.8, 0.2, 0.0]])
ALIGNMENT = Alignment(["close", "the", "door"], ["tür", "zu"], WEIGHTS, "an example", frozenset({Link(2, 0)}))
SIGNATURE = "nrefs:1|case:mixed"


def row(number: int, sentences: int, value: float) -> LengthRow:
    """A bucket's row: the value, 3 below and 2 above it."""
    estimates = (Estimate("BLEU", value, Interval(value - 3, value + 2, value)),) if sentences else ()
    return LengthRow(make_buckets((10, 20))[number], sentences, estimates, 1.0 if sentences else None)


CURVES = [
    LengthCurve("attention", [row(0, 70, 40.0), row(1, 49, 39.0), row(2, 60, 38.0)], SIGNATURE),
    LengthCurve("plain", [row(0, 70, 35.0), row(1, 0, 0.0), row(2, 60, 5.0)], SIGNATURE),
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(pictures, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    draw_alignment(ALIGNMENT, tmp_path / "a.png")
    pixels = alignment_pixels(ALIGNMENT)
    assert pixels.shape[2] == 3 and pixels.min() >= 0 and pixels.max() == 1
    np.testing.assert_array_equal(pixels, imread(tmp_path / "a.png")[:, :, :3])


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_written_alike_twice(ending: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    assert draw_alignment(ALIGNMENT, first) is None
    assert draw_alignment(ALIGNMENT, second) is None
    assert first.read_bytes().startswith(FIRST_BYTES[ending])
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]


@pytest.mark.parametrize("draw", [draw_alignment, draw_lengths])
def test_another_format_is_refused(draw: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpeg: expected a name that ends in .pdf, .png, .svg, got '.jpeg'"):
        draw(ALIGNMENT if draw is draw_alignment else CURVES, tmp_path / "a.jpeg")  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


def test_target_words_go_down_and_source_words_along_the_top(drawn: list[Figure]) -> None:
    draw_alignment(ALIGNMENT, Path("a.png"))
    axes = drawn[0].axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), WEIGHTS)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["close", "the", "door"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["tür", "zu"]
    assert axes.xaxis.get_ticks_position() == "top"
    assert axes.get_ylim() == (1.5, -0.5)  # the first target word is at the top


def test_gold_links_are_framed_in_their_cells(drawn: list[Figure]) -> None:
    draw_alignment(ALIGNMENT, Path("a.png"))
    (frame,) = drawn[0].axes[0].patches
    box = frame.get_extents().transformed(drawn[0].axes[0].transData.inverted())
    assert ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) == pytest.approx((2, 0))


def test_sixty_words_have_room(drawn: list[Figure]) -> None:
    words = [f"w{i}" for i in range(60)]
    draw_alignment(Alignment(words, words[:47], np.zeros((47, 60))), Path("a.png"))
    axes = drawn[0].axes[0]
    cell_points = 72 * drawn[0].get_figwidth() / 60
    assert all(label.get_fontsize() >= 8 for label in axes.get_xticklabels())
    assert all(label.get_fontsize() < cell_points for label in axes.get_xticklabels())


def test_very_long_sentences_stay_within_a_page(drawn: list[Figure]) -> None:
    draw_alignment(Alignment(["w"] * 500, ["w"] * 3, np.zeros((3, 500))), Path("a.png"))
    assert drawn[0].get_figwidth() == pytest.approx(60)


def test_odd_words_are_drawn_as_they_are(drawn: list[Figure]) -> None:
    words = ["$x$", "a_b^c", "\\frac", "soft\u00adhyphen", "", "x" * 31]
    draw_alignment(Alignment(words, ["one"], np.zeros((1, 6))), Path("a.png"))
    labels = [label.get_text() for label in drawn[0].axes[0].get_xticklabels()]
    assert labels == ["$x$", "a_b^c", "\\frac", "softhyphen", "", "x" * 29 + "…"]
    assert not any(label.get_parse_math() for label in drawn[0].axes[0].get_xticklabels())


def test_words_without_a_font_are_numbered_and_told(drawn: list[Figure], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "choose_fonts", lambda text: FontChoice(("DejaVu Sans",), frozenset("日")))
    alignment = Alignment(["a", "日"], ["b"], np.zeros((1, 2)))
    note = draw_alignment(alignment, Path("a.png"))
    assert note is not None and "no installed font has CJK" in note
    assert [label.get_text() for label in drawn[0].axes[0].get_xticklabels()] == ["a", "#2"]


def test_an_svg_keeps_words_for_the_browsers_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "choose_fonts", lambda text: FontChoice(("DejaVu Sans",), frozenset("日")))
    draw_alignment(Alignment(["a", "日"], ["b"], np.zeros((1, 2))), tmp_path / "a.svg")
    assert ">日</text>" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_curves_have_gaps_where_no_sentences_are(drawn: list[Figure]) -> None:
    draw_lengths(CURVES, Path("a.png"))
    axes = drawn[0].axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["attention"], [40, 39, 38])
    np.testing.assert_array_equal(lines["plain"], [35, np.nan, 5])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1-10\n70", "11-20\n49", ">20\n60"]
    assert f"BLEU|{SIGNATURE}" in [text.get_text() for text in drawn[0].texts]


def test_error_bars_span_the_interval_and_small_buckets_are_hollow(drawn: list[Figure]) -> None:
    draw_lengths(CURVES[:1], Path("a.png"))
    bars = drawn[0].axes[0].containers
    (spans,) = zip(*(bar[2] for bar in bars), strict=True)
    assert [sorted(span.get_segments()[0][:, 1]) for span in spans] == [[37, 42], [36, 41], [35, 40]]
    assert [bar[0].get_markerfacecolor() == "white" for bar in bars] == [False, True, False]


@pytest.mark.parametrize("ending", FORMATS)
def test_lengths_are_written_in_every_format(ending: str, tmp_path: Path) -> None:
    assert draw_lengths(CURVES, tmp_path / f"a{ending}") is None
    assert (tmp_path / f"a{ending}").read_bytes().startswith(FIRST_BYTES[ending])
