"""Page fonts: the letters that are needed and no others, with the rules that shape them."""

import base64
import importlib.util
import io
import re
from importlib.resources import files

import pytest
from fontTools.ttLib import TTFont
from report_pages import make_report

from nmt_attn.evaluation import fonts
from nmt_attn.evaluation.fonts import PAGE_FAMILY, embedded_font
from nmt_attn.evaluation.html_page import TEMPLATES, render_report

HINDI = "लाइट बंद करो क्षण"


def read_font(rule: str) -> TTFont:
    """The font of a `@font-face` rule; the test is skipped by name without the package that brings it."""
    if importlib.util.find_spec("pymupdf_fonts") is None:
        pytest.skip("pymupdf-fonts is absent")
    found = re.search(r"url\(data:font/woff;base64,([\w+/=]+)\)", rule)
    assert found is not None
    return TTFont(io.BytesIO(base64.b64decode(found[1])))


def test_latin_greek_and_arabic_bring_no_font() -> None:
    assert embedded_font("Turn off the lights, ça va? Ελλάδα مرحبا") == ""


def test_every_letter_of_hindi_is_in_the_font_and_none_of_latin() -> None:
    letters = read_font(embedded_font(f"lights {HINDI}")).getBestCmap().keys()
    assert {ord(letter) for letter in HINDI} <= letters
    assert not {ord(letter) for letter in "lights"} & letters


def test_conjuncts_are_still_formed_and_marks_placed() -> None:
    font = read_font(embedded_font(HINDI))
    substitutions, places = (
        {record.FeatureTag for record in font[table].table.FeatureList.FeatureRecord} for table in ("GSUB", "GPOS")
    )
    assert {"akhn", "half", "pres"} <= substitutions  # the conjunct of k and sh, half letters, vowel signs that fit
    assert {"abvm", "blwm"} <= places  # marks above and below


def test_copyright_and_licence_stay_in_the_font() -> None:
    names = read_font(embedded_font(HINDI))["name"]
    assert "SIL Open Font License" in names.getDebugName(13)
    assert "FiraGO" in names.getDebugName(0)
    assert names.getDebugName(1) is None


def test_without_the_package_there_is_no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_bundled_font", lambda: None)
    assert embedded_font(HINDI) == ""


def test_the_page_brings_the_font_that_its_style_names() -> None:
    page = render_report(make_report())
    read_font(page)
    assert page.count(f'font-family: "{PAGE_FAMILY}"') == 1
    assert f'"{PAGE_FAMILY}"' in (files("nmt_attn.evaluation") / TEMPLATES / "report.css").read_text(encoding="utf-8")
    assert "font-src data:" in page
