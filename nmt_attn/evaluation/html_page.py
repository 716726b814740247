"""HTML page: a report as one HTML file that needs nothing else, opened from the disk in any browser.

jinja2 escapes all texts; the sentences are JSON in the page and become text nodes, never markup. The curves are
matplotlib's, as SVG with the page's own fonts and its colours, light or dark.
"""

import re
from collections.abc import Callable
from importlib.resources import files
from io import StringIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nmt_attn.evaluation import help_lines
from nmt_attn.evaluation.attention_statistics import DIAGONAL_WORDS
from nmt_attn.evaluation.curves import entropy_figure, length_chart, length_figure
from nmt_attn.evaluation.detail_tables import MOST_ERRORS
from nmt_attn.evaluation.edits import shown
from nmt_attn.evaluation.fonts import embedded_font
from nmt_attn.evaluation.html_payload import WEIGHT_CHARACTERS, Report, pack_report
from nmt_attn.evaluation.lengths import SMALL_BUCKET_SENTENCES
from nmt_attn.evaluation.pictures import GRID_COLOUR, SYSTEM_COLOURS
from nmt_attn.evaluation.summary import has_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = "templates"
SCRIPTS = ("elements.js", "sentences.js", "alignment.js", "report.js")
EXPORT = re.compile("^export ", re.MULTILINE)
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
METADATA = ("Date", "Creator", "Format", "Type")
FONT_FAMILY = re.compile(r"\s*font-family: [^;]*;?")
MATPLOTLIB_ID = re.compile(r"[\w.]+")
PAGE_COLOURS = {
    **{colour: f"var(--s{number})" for number, colour in enumerate(SYSTEM_COLOURS)},
    GRID_COLOUR: "var(--rule)",
    "#000000": "currentColor",
    "#ffffff": "var(--paper)",
}
"""The page's name for each colour of the figures, which templates/report.css sets for light and dark."""


def render_report(report: Report, weight_characters: int = WEIGHT_CHARACTERS) -> str:
    """The whole page; its matrices take at most `weight_characters`."""
    environment = Environment(
        loader=PackageLoader("nmt_attn.evaluation", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    packed = pack_report(report, weight_characters)
    return environment.get_template("report.html.j2").render(
        report=report,
        packed=packed,
        data=Markup(packed.json),
        style=_part("tokens.css") + _part("report.css"),
        font=Markup(embedded_font("".join([report.title, *report.systems, packed.json]))),
        script=_script(),
        help_lines=_help(report),
        attending=[summary for summary in report.summaries if summary.attention is not None],
        letters=help_lines.LETTERS,
        metric=report.summaries[0].estimates[0].result.name if report.summaries else "",
        by_length=_curves(report, is_cumulative=False),
        up_to_length=_curves(report, is_cumulative=True),
        entropies=_entropies(report),
        colours=len(SYSTEM_COLOURS),
        small=SMALL_BUCKET_SENTENCES,
        diagonal=DIAGONAL_WORDS,
        has_details=report.ngrams is not None or any(has_tables(each.details) for each in report.summaries),
        most_errors=MOST_ERRORS,
        shown=shown,
    )


def page_part(name: str) -> str:
    """One of our own files; the lab shares elements.js."""
    return (files("nmt_attn.evaluation") / TEMPLATES / name).read_text(encoding="utf-8")


def _part(name: str) -> Markup:
    """The same, inserted unescaped."""
    return Markup(page_part(name))


def _script() -> Markup:
    """The page's scripts as one, in which each sees the names of those before it."""
    text = "\n".join(page_part(name) for name in SCRIPTS)
    return Markup(f'"use strict";\n{EXPORT.sub("", text)}')


def _help(report: Report) -> dict[str, dict[str, str]]:
    """What the numbers of each table mean."""
    names = [each.result.name for each in report.summaries[0].estimates] if report.summaries else []
    metrics = {name: help_lines.METRICS[name] for name in names if name in help_lines.METRICS}
    comparison = help_lines.COMPARISON if report.comparisons else {}
    return {
        "summary": {**metrics, **comparison, **help_lines.SUMMARY},
        "parts": help_lines.BLEU_PARTS,
        "attention": help_lines.ATTENTION,
        "links": help_lines.LINKS,
    }


def _curves(report: Report, *, is_cumulative: bool) -> Markup:
    if not report.summaries:
        return Markup()
    chart = length_chart(report.summaries, is_cumulative=is_cumulative)
    title = "up to a source length" if is_cumulative else "by source length"
    label = f"{chart.metric} {title} of {', '.join(report.systems)}"
    return inline_svg(lambda: length_figure(chart, has_titles=True), label)


def _entropies(report: Report) -> Markup:
    systems = [
        (number, summary.attention) for number, summary in enumerate(report.summaries) if summary.attention is not None
    ]
    if not systems:
        return Markup()
    return inline_svg(lambda: entropy_figure(systems), "entropy of attention in nats, by target position")


def inline_svg(draw: Callable[[], "Figure"], label: str) -> Markup:
    """The figure as an element of the page. A group whose id is not matplotlib's own gets it as its title."""
    import matplotlib

    with StringIO() as stream:
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
            draw().savefig(stream, format="svg", transparent=True, metadata=dict.fromkeys(METADATA))
        root = ElementTree.fromstring(stream.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{SVG}metadata", f"{SVG}style"):  # its style would be the whole page's
                parent.remove(child)
    for element in root.iter():
        _adapt(element)
    root.attrib |= {"class": "curves", "role": "img", "aria-label": label}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _adapt(element: ElementTree.Element) -> None:
    """Removes what is matplotlib's: namespaces, ids of groups, fonts, colours."""
    element.tag = element.tag.removeprefix(SVG)
    if "style" in element.attrib:
        style = FONT_FAMILY.sub("", element.attrib["style"])
        for colour, variable in PAGE_COLOURS.items():
            style = style.replace(colour, variable)
        element.set("style", style)
    if XLINK in element.attrib:
        element.set("href", element.attrib.pop(XLINK))
    if element.tag == "g" and "id" in element.attrib:
        text = element.attrib.pop("id")
        if not MATPLOTLIB_ID.fullmatch(text):
            title = ElementTree.Element("title")
            title.text = text
            element.insert(0, title)
