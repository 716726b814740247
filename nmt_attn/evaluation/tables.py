"""Tables: an evaluation as plain text for a terminal, no line wider than it must be."""

from collections.abc import Sequence

from nmt_attn.evaluation.bootstrap import Interval
from nmt_attn.evaluation.lengths import SMALL_BUCKET_SENTENCES, LengthRow
from nmt_attn.evaluation.summary import Summary

SMALL_MARK = "*"


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart, the first to the left, the others to the right; no blanks at line ends."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def format_summary(summary: Summary) -> str:
    """Corpus figures with their signatures, then the table by length."""
    return f"{format_metrics(summary)}\n\n{format_lengths(summary.by_length)}"


def format_metrics(summary: Summary) -> str:
    """One line a metric (value, 95% interval, signature) and one about what BLEU is made of."""
    names = max((len(each.result.name) for each in summary.estimates), default=0)
    lines = [
        f"{each.result.name:<{names}}  {each.result.value:6.2f}  {_interval(each.interval)}  {each.result.signature}"
        for each in summary.estimates
    ]
    parts = summary.parts
    precisions = " / ".join(f"{precision:.1f}" for precision in parts.precisions)
    lines.append(
        f"n-gram precisions {precisions}, brevity penalty {parts.brevity_penalty:.3f}, "
        f"length ratio {parts.length_ratio:.3f}"
    )
    return "\n".join(lines)


def format_lengths(rows: Sequence[LengthRow]) -> str:
    """The table by source length; a bucket without sentences has dashes, small ones are marked and explained."""
    metrics = list(dict.fromkeys(each.metric for row in rows for each in row.estimates))
    header = ["source words", "sentences"]
    for metric in metrics:
        header += [metric, "95% interval"]
    table = format_table([*header, "length ratio"], [_length_cells(row, metrics) for row in rows])
    if any(row.sentences and row.is_small for row in rows):
        table += f"\n{SMALL_MARK} fewer than {SMALL_BUCKET_SENTENCES} sentences: too few to say much"
    return table


def _length_cells(row: LengthRow, metrics: Sequence[str]) -> list[str]:
    mark = SMALL_MARK if row.sentences and row.is_small else " "
    cells = [row.bucket.name, f"{row.sentences:,}{mark}"]
    for metric in metrics:
        found = [each for each in row.estimates if each.metric == metric]
        cells += [f"{found[0].value:.2f}", _interval(found[0].interval)] if found else ["-", "-"]
    return [*cells, "-" if row.length_ratio is None else f"{row.length_ratio:.3f}"]


def _interval(interval: Interval) -> str:
    return f"[{interval.low:.1f}, {interval.high:.1f}]"
