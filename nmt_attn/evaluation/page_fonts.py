"""Page fonts: letters that a page brings along, so that it shows them on a machine that has no font with them.

Only the letters that the page has and that few machines have go into it: FiraGO's (SIL Open Font License 1.1), with
the rules by which they are joined and reordered. Its names are left out, its copyright and licence are kept.
"""

import base64
import io
import logging
from functools import cache

from nmt_attn.evaluation.fonts import BundledFont, find_bundled

PAGE_FAMILY = "page letters"
"""What the page's style calls the font."""
JOINERS = "\u0020\u00a0\u200c\u200d\u25cc"
"""Space, joiners and the dotted circle: shaping needs them beside any letter."""
COPYRIGHT, LICENCE, LICENCE_ADDRESS = 0, 13, 14
"""The names of a font that say who made it and what may be done with it."""


def embedded_font(text: str) -> str:
    """A `@font-face` rule with the letters of `text` that need one, about 50 kB of Devanagari; empty if none does."""
    font = find_bundled(text)
    return "" if font is None else _font_face(font)


@cache
def _font_face(font: BundledFont) -> str:
    content = base64.b64encode(_subset(font)).decode("ascii")
    address = f"data:font/woff;base64,{content}"
    return f'@font-face {{ font-family: "{PAGE_FAMILY}"; src: url({address}) format("woff"); }}'


def _subset(font: BundledFont) -> bytes:
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
    subsetter.populate(text="".join(sorted(font.characters)) + JOINERS)
    content = io.BytesIO()
    with TTFont(font.path) as whole:
        subsetter.subset(whole)
        whole.flavor = "woff"
        whole.save(content)
    return content.getvalue()
