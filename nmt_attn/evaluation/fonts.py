"""Fonts: which families can write a text, so that no picture and no page shows boxes in place of letters.

Matplotlib brings DejaVu Sans (Latin, Greek, Cyrillic, Hebrew, Arabic, ...). The package `pymupdf-fonts` brings FiraGO,
which adds Devanagari and Thai on every machine alike. What both lack is looked for among the fonts installed.
Matplotlib shapes text itself since 3.11 (libraqm): joined letters, reordered vowel signs, conjuncts.
A page embeds those of its letters that few machines have, as a subset of FiraGO (SIL Open Font License 1.1) with the
rules that join and reorder them; copyright and licence stay in the font, its other names are left out.
"""

import base64
import importlib
import io
import logging
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nmt_attn.files import replacing

if TYPE_CHECKING:
    from matplotlib.font_manager import FontEntry

BASE_FAMILY = "DejaVu Sans"
BUNDLED_FAMILY = "FiraGO"
NOT_LETTERS = ("lastresort", "last resort", "adobe blank", "emoji")
"""Parts of the names of fonts that claim characters and draw boxes, nothing, or bitmaps."""
CJK_SCRIPTS = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"})


PAGE_FAMILY = "page letters"
"""What the page's style calls the font."""
JOINERS = "\u0020\u00a0\u200c\u200d\u25cc"
"""Space, joiners and the dotted circle: shaping needs them beside any letter."""
COPYRIGHT, LICENCE, LICENCE_ADDRESS = 0, 13, 14
"""The names of a font that say who made it and what may be done with it."""


class FontChoice(NamedTuple):
    """Families in the order in which they are asked for a character, and the characters that none has."""

    families: tuple[str, ...]
    missing: frozenset[str]

    def can_write(self, text: str) -> bool:
        """Whether every character of `text` has a glyph."""
        return self.missing.isdisjoint(text)


def choose_fonts(text: str) -> FontChoice:
    """The fewest families found that write `text`, `BASE_FAMILY` first."""
    quiet = logging.getLogger("matplotlib.font_manager")
    quiet.setLevel(logging.ERROR)  # its messages about its cache and odd fonts help no user
    left = frozenset(character for character in text if needs_glyph(character))
    families: list[str] = []
    for family, characters in _families(left):
        covered = left & characters
        if covered or not families:
            families.append(family)
            left -= covered
        if not left:
            break
    return FontChoice(tuple(families), left)


def find_bundled(text: str) -> tuple[Path, frozenset[str]] | None:
    """FiraGO's file and those characters of `text` that it has and `BASE_FAMILY` lacks; None if there are none."""
    wanted = frozenset(character for character in text if needs_glyph(character))
    wanted -= _characters(_base_font(), 0, wanted)
    path = _bundled_font() if wanted else None
    found = frozenset[str]() if path is None else _characters(path, 0, wanted)
    return None if path is None or not found else (path, found)


def embedded_font(text: str) -> str:
    """A `@font-face` rule with the letters of `text` that need one, about 50 kB of Devanagari; empty if none does."""
    font = find_bundled(text)
    return "" if font is None else _font_face(*font)


def needs_glyph(character: str) -> bool:
    """Whether a character is seen: not a space, control, format character or variation selector."""
    return unicodedata.category(character)[0] not in "ZC" and not 0xFE00 <= ord(character) <= 0xFE0F


def scripts_of(characters: Iterable[str]) -> list[str]:
    """The scripts of the characters by their Unicode names: CJK, DEVANAGARI, ..."""
    return sorted({unicodedata.name(character, "UNNAMED").split()[0] for character in characters})


def missing_note(choice: FontChoice) -> str | None:
    """One line that says which scripts have no font and what to install; None if none is missing."""
    if not choice.missing:
        return None
    scripts = scripts_of(choice.missing)
    packages = sorted({"fonts-noto-cjk" if name in CJK_SCRIPTS else "fonts-noto-core" for name in scripts})
    return (
        f"no installed font has {', '.join(scripts)}: such words are drawn as their positions "
        f"(install a font, on Debian {' '.join(packages)})"
    )


def _families(wanted: frozenset[str]) -> Iterable[tuple[str, frozenset[str]]]:
    """Each family with those of its characters that are wanted; the costly search comes last."""
    yield BASE_FAMILY, _characters(_base_font(), 0, wanted)
    bundled = _bundled_font()
    if bundled is not None:
        yield BUNDLED_FAMILY, _characters(bundled, 0, wanted)
    found = [(entry.name, _characters(Path(entry.fname), entry.index, wanted)) for entry in _installed_fonts()]
    yield from sorted(found, key=lambda family: -len(family[1]))


def _installed_fonts() -> "list[FontEntry]":
    """Upright fonts of usual weight, names with Noto and Sans first; also those newer than matplotlib's list."""
    from matplotlib import font_manager

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known:
            _add_font(Path(path))
    entries = [
        entry
        for entry in font_manager.fontManager.ttflist
        if entry.style == "normal" and entry.weight in (400, "normal", "regular", "book")
        if not any(part in entry.name.lower() for part in NOT_LETTERS)
    ]
    return sorted(entries, key=lambda entry: ("Noto" not in entry.name, "Sans" not in entry.name, entry.name))


def _base_font() -> Path:
    from matplotlib import get_data_path

    return Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@cache
def _bundled_font() -> Path | None:
    """FiraGO as a file that matplotlib can open, kept beside matplotlib's own cache; None without the package."""
    from matplotlib import get_cachedir

    try:
        package = importlib.import_module("pymupdf_fonts")
    except ImportError:
        return None
    path = Path(get_cachedir(), "FiraGO-Regular.ttf")
    if not path.is_file():
        with replacing(path) as temporary:
            temporary.write_bytes(package.fontbuffers["figo"]())
    _add_font(path)
    return path


def _add_font(path: Path) -> None:
    from matplotlib import font_manager

    try:
        font_manager.fontManager.addfont(path)
    except (RuntimeError, OSError, ValueError):
        return  # a file that FreeType cannot read is no font for us


def _characters(path: Path, index: int, wanted: frozenset[str]) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path, face_index=index)
    except (RuntimeError, OSError, ValueError):
        return frozenset()
    return frozenset(character for character in wanted if font.get_char_index(ord(character)))


@cache
def _font_face(path: Path, characters: frozenset[str]) -> str:
    content = base64.b64encode(_subset(path, characters)).decode("ascii")
    address = f"data:font/woff;base64,{content}"
    return f'@font-face {{ font-family: "{PAGE_FAMILY}"; src: url({address}) format("woff"); }}'


def _subset(path: Path, characters: frozenset[str]) -> bytes:
    """The font as WOFF with no other letters, every rule about these kept."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    logging.getLogger("fontTools").setLevel(logging.ERROR)
    options = subset.Options(
        layout_features=["*"],
        hinting=False,
        name_IDs=[COPYRIGHT, LICENCE, LICENCE_ADDRESS],
        notdef_outline=True,
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(sorted(characters)) + JOINERS)
    content = io.BytesIO()
    with TTFont(path) as whole:
        subsetter.subset(whole)
        whole.flavor = "woff"
        whole.save(content)
    return content.getvalue()
