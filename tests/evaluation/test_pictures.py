"""Pictures: what is drawn where, in every format, whatever the words."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from nmt_attn.alignment.links import Link
from nmt_attn.alignment.weights import WeightMatrix
from nmt_attn.errors import DataError
from nmt_attn.evaluation import pictures
from nmt_attn.evaluation.fonts import FontChoice
from nmt_attn.evaluation.pictures import CELL_INCHES, DOTS_PER_INCH, FORMATS, alignment_pixels, draw_alignment

CELL_PIXELS = CELL_INCHES * DOTS_PER_INCH
WEIGHTS = np.array([[0.0, 0.1, 0.9], [0.8, 0.2, 0.0]], np.float32)
MATRIX = WeightMatrix(["close", "the", "door"], ["tür", "zu"], WEIGHTS)
SVG = "{http://www.w3.org/2000/svg}"
TITLE = "an example"
GOLD = frozenset({Link(2, 0)})


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(pictures, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    draw_alignment(MATRIX, tmp_path / "a.png", TITLE)
    pixels = alignment_pixels(MATRIX, TITLE)
    assert pixels.shape[2] == 3 and pixels.min() >= 0 and pixels.max() == 1
    np.testing.assert_array_equal(pixels, imread(tmp_path / "a.png")[:, :, :3])


def zeros(source: list[str], target: list[str]) -> WeightMatrix:
    return WeightMatrix(source, target, np.zeros((len(target), len(source)), np.float32))


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_picture_gives_the_same_bytes_and_no_other_file(ending: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    assert draw_alignment(MATRIX, first, TITLE, GOLD) is None
    assert draw_alignment(MATRIX, second, TITLE, GOLD) is None
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]


def test_a_png_shows_each_weight_in_its_cell(tmp_path: Path) -> None:
    """The darker a cell, the greater its weight: found by the brightness of the three cells of each row."""
    draw_alignment(MATRIX, tmp_path / "a.png")
    pixels = imread(tmp_path / "a.png")[:, :, :3]
    height, width, _ = pixels.shape
    # words above and to the left, the colour bar to the right
    assert height > 2 * CELL_PIXELS and width > 4 * CELL_PIXELS
    expected = colormaps["Blues"](WEIGHTS)[:, :, :3]
    top, left = corner_of(pixels, expected[0, 2], row=0, column=2)
    for row in range(2):
        for column in range(3):
            centre = pixels[round(top + (row + 0.5) * CELL_PIXELS), round(left + (column + 0.5) * CELL_PIXELS)]
            assert centre == pytest.approx(expected[row, column], abs=0.01), (row, column)


def corner_of(pixels: NDArray[np.floating], colour: NDArray[np.floating], row: int, column: int) -> tuple[float, float]:
    """Top and left of the matrix, from the one cell that is drawn in `colour`, 0.3 inches wide."""
    here = np.argwhere(np.abs(pixels - colour).max(axis=2) < 0.004)
    here = here[here[:, 1] < here[:, 1].min() + CELL_PIXELS]  # not the colour bar
    assert np.ptp(here[:, 1]) == pytest.approx(CELL_PIXELS, abs=6)  # less the lines between cells
    return here[:, 0].min() - row * CELL_PIXELS, here[:, 1].min() - column * CELL_PIXELS


def test_an_svg_has_its_words_as_text(tmp_path: Path) -> None:
    draw_alignment(MATRIX, tmp_path / "a.svg", TITLE, GOLD)
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert {*MATRIX.source, *MATRIX.target, TITLE} <= {text.text for text in root.iter(f"{SVG}text")}
    assert len(list(root.iter(f"{SVG}image"))) >= 1


def test_a_pdf_has_one_page_of_the_pictures_size(tmp_path: Path) -> None:
    draw_alignment(MATRIX, tmp_path / "a.pdf", TITLE)
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
    [box] = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", content)
    width, height = (float(side) for side in box)  # points of 1/72 inch
    pixels = alignment_pixels(MATRIX, TITLE)
    assert (width, height) == pytest.approx((pixels.shape[1] * 72 / 150, pixels.shape[0] * 72 / 150), abs=2)


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpeg: expected a name that ends in .pdf, .png, .svg, got '.jpeg'"):
        draw_alignment(MATRIX, tmp_path / "a.jpeg")
    assert list(tmp_path.iterdir()) == []


def test_target_words_go_down_and_source_words_along_the_top(drawn: list[Figure]) -> None:
    draw_alignment(MATRIX, Path("a.png"))
    axes = drawn[0].axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), WEIGHTS)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["close", "the", "door"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["tür", "zu"]
    assert axes.xaxis.get_ticks_position() == "top"
    assert axes.get_ylim() == (1.5, -0.5)  # the first target word is at the top


def test_gold_links_are_framed_in_their_cells(drawn: list[Figure]) -> None:
    draw_alignment(MATRIX, Path("a.png"), gold=GOLD)
    (frame,) = drawn[0].axes[0].patches
    box = frame.get_extents().transformed(drawn[0].axes[0].transData.inverted())
    assert ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) == pytest.approx((2, 0))


def test_sixty_words_have_room(drawn: list[Figure]) -> None:
    words = [f"w{i}" for i in range(60)]
    draw_alignment(zeros(words, words[:47]), Path("a.png"))
    axes = drawn[0].axes[0]
    cell_points = 72 * drawn[0].get_figwidth() / 60
    assert all(label.get_fontsize() >= 8 for label in axes.get_xticklabels())
    assert all(label.get_fontsize() < cell_points for label in axes.get_xticklabels())


def test_very_long_sentences_stay_within_a_page(drawn: list[Figure]) -> None:
    draw_alignment(zeros(["w"] * 500, ["w"] * 3), Path("a.png"))
    assert drawn[0].get_figwidth() == pytest.approx(60)


def test_odd_words_are_drawn_as_they_are(drawn: list[Figure]) -> None:
    words = ["$x$", "a_b^c", "\\frac", "soft\u00adhyphen", "", "x" * 31]
    draw_alignment(zeros(words, ["one"]), Path("a.png"))
    labels = [label.get_text() for label in drawn[0].axes[0].get_xticklabels()]
    assert labels == ["$x$", "a_b^c", "\\frac", "softhyphen", "", "x" * 29 + "…"]
    assert not any(label.get_parse_math() for label in drawn[0].axes[0].get_xticklabels())


def test_words_without_a_font_are_numbered_and_told(drawn: list[Figure], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "choose_fonts", lambda text: FontChoice(("DejaVu Sans",), frozenset("日")))
    note = draw_alignment(zeros(["a", "日"], ["b"]), Path("a.png"))
    assert note is not None and "no installed font has CJK" in note
    assert [label.get_text() for label in drawn[0].axes[0].get_xticklabels()] == ["a", "#2"]


def test_an_svg_keeps_words_for_the_browsers_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "choose_fonts", lambda text: FontChoice(("DejaVu Sans",), frozenset("日")))
    assert draw_alignment(zeros(["a", "日"], ["b"]), tmp_path / "a.svg") is None  # nothing is missing
    assert ">日</text>" in (tmp_path / "a.svg").read_text(encoding="utf-8")
