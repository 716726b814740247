"""Fonts: what the families found can write, and what is said where they cannot."""

import importlib.util

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from nmt_attn.evaluation.fonts import BUNDLED_FAMILY, FontChoice, choose_fonts, missing_note, needs_glyph, scripts_of

NO_FONT_AT_ALL = "\U00013000"  # an Egyptian hieroglyph in the place of any script that the machine lacks


def test_latin_needs_the_base_family_alone() -> None:
    assert choose_fonts("Turn off the lights, ça va? Привет") == FontChoice(("DejaVu Sans",), frozenset())


@pytest.mark.parametrize("text", ["लाइट बंद करो", "สวัสดี"])
def test_scripts_of_the_bundled_family_are_written_everywhere(text: str) -> None:
    if importlib.util.find_spec("pymupdf_fonts") is None:
        pytest.skip("pymupdf-fonts is absent")
    fonts = choose_fonts(f"lights {text}")
    assert not fonts.missing
    assert BUNDLED_FAMILY in fonts.families


def test_vowel_signs_and_conjuncts_are_shaped() -> None:
    if importlib.util.find_spec("pymupdf_fonts") is None:
        pytest.skip("pymupdf-fonts is absent")
    choose_fonts("क्ष")  # makes the family known

    def width(text: str) -> float:
        return float(TextPath((0, 0), text, prop=FontProperties(family=BUNDLED_FAMILY)).get_extents().width)

    # the conjunct is one narrow sign; unshaped it would be both letters and a virama
    assert width("क्ष") < width("क") + width("ष")


def test_no_family_is_named_twice() -> None:
    families = choose_fonts(f"a{NO_FONT_AT_ALL}").families
    assert len(set(families)) == len(families)


def test_missing_characters_are_told() -> None:
    fonts = FontChoice(("DejaVu Sans",), frozenset("日한𓀀"))
    assert fonts.can_write("plain words")
    assert not fonts.can_write("30日")
    note = missing_note(fonts)
    assert note is not None
    assert "no installed font has CJK, EGYPTIAN, HANGUL" in note
    assert "fonts-noto-cjk fonts-noto-core" in note


def test_nothing_missing_needs_no_note() -> None:
    assert missing_note(choose_fonts("plain")) is None


@pytest.mark.parametrize("character", [" ", "\u00ad", "\u0080", "\u200d", "\ufe0f", "\u3000"])
def test_what_is_not_seen_needs_no_glyph(character: str) -> None:
    assert not needs_glyph(character)
    assert not choose_fonts(character).missing


def test_scripts_are_named_once() -> None:
    assert scripts_of("बंदa") == ["DEVANAGARI", "LATIN"]
