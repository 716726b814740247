"""Report page: a report as one HTML file that needs nothing else, opened from the disk in any browser.

Texts are escaped by jinja2; the sentences stand in the page as JSON and become text nodes, never markup.
"""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nmt_attn.evaluation.attention_statistics import DIAGONAL_WORDS
from nmt_attn.evaluation.html_payload import WEIGHT_CHARACTERS, Report, pack_report
from nmt_attn.evaluation.lengths import SMALL_BUCKET_SENTENCES
from nmt_attn.evaluation.page_fonts import embedded_font
from nmt_attn.evaluation.pictures import LengthCurve
from nmt_attn.evaluation.svg_curves import COLOURS, draw_curves, draw_entropies

TEMPLATES = "templates"


def render_report(report: Report, weight_characters: int = WEIGHT_CHARACTERS) -> str:
    """The whole page; its matrices take `weight_characters` at most."""
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
        style=_part("report.css"),
        font=Markup(embedded_font("".join([report.title, *report.systems, packed.json]))),
        script=_part("report.js"),
        attending=[summary for summary in report.summaries if summary.attention is not None],
        metric=report.summaries[0].estimates[0].result.name if report.summaries else "",
        by_length=_curves(report, is_cumulative=False),
        up_to_length=_curves(report, is_cumulative=True),
        entropies=_entropies(report),
        colours=COLOURS,
        small=SMALL_BUCKET_SENTENCES,
        diagonal=DIAGONAL_WORDS,
    )


def _part(name: str) -> Markup:
    """A file of ours, which goes into the page as it is."""
    return Markup((files("nmt_attn.evaluation") / TEMPLATES / name).read_text(encoding="utf-8"))


def _curves(report: Report, *, is_cumulative: bool) -> Markup:
    if not report.summaries:
        return Markup()
    curves = [
        LengthCurve(
            summary.system,
            summary.up_to_length if is_cumulative else summary.by_length,
            summary.estimates[0].result.signature,
        )
        for summary in report.summaries
    ]
    name = report.summaries[0].estimates[0].result.name
    return draw_curves(curves, name, "up to a source length" if is_cumulative else "by source length")


def _entropies(report: Report) -> Markup:
    systems = [
        (number, summary.attention) for number, summary in enumerate(report.summaries) if summary.attention is not None
    ]
    return draw_entropies(systems) if systems else Markup()
