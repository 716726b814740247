"""Formulas: LaTeX between dollars becomes MathML, which browsers draw by themselves: no script, no font, no request."""

import re
from collections.abc import Callable

from latex2mathml.converter import convert

FENCE = re.compile(r"(^[ >]*(```|~~~).*?^[ >]*\2[ ]*$|(?<!`)`[^`\n]+`(?!`))", re.MULTILINE | re.DOTALL)
"""Blocks and spans of code: what stands in them is left as it is."""
DISPLAY = re.compile(r"^\$\$\s*(.+?)\s*\$\$$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<![\\$\w])\$([^\s$](?:[^$\n]*[^\s$\\])?)\$(?![\w$])")
MARKDOWN = str.maketrans({"*": "&#42;", "_": "&#95;", "[": "&#91;", "]": "&#93;", "|": "&#124;", "~": "&#126;"})
"""Letters that Markdown would read, as the entities that HTML reads."""


def with_formulas(text: str) -> str:
    """Markdown whose formulas are MathML: `$x$` in a line, `$$x$$` alone on its lines."""
    return outside_code(text, lambda part: INLINE.sub(_inline, DISPLAY.sub(_display, part)))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The Markdown with everything but its code changed."""
    parts = FENCE.split(text)  # text, code, mark of the fence, text, ...
    for place in range(0, len(parts), 3):
        parts[place] = change(parts[place])
    return "".join(part for place, part in enumerate(parts) if place % 3 != 2)


def _inline(found: re.Match[str]) -> str:
    # To Markdown <math> at the start of a line is a block, which would end the paragraph; <span> is none.
    return f"<span>{convert(found[1]).translate(MARKDOWN)}</span>"


def _display(found: re.Match[str]) -> str:
    formula = convert(" ".join(found[1].split()), display="block").translate(MARKDOWN)
    return f'<div class="formula" tabindex="0" role="group" aria-label="formula">{formula}</div>'
