"""Tables: an evaluation as plain text for a terminal, no line wider than it must be."""

from collections.abc import Sequence

from nmt_attn.evaluation.attention_statistics import DIAGONAL_WORDS
from nmt_attn.evaluation.bootstrap import Interval, MetricComparison, SystemComparison
from nmt_attn.evaluation.lengths import SMALL_BUCKET_SENTENCES, LengthRow
from nmt_attn.evaluation.summary import Summary

SMALL_MARK = "*"


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart, the first left-aligned, the others right-aligned; no trailing blanks."""
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
    """Corpus metrics with their signatures, then the table by length."""
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
    if summary.perplexity is not None:
        lines.append(f"perplexity of the references {summary.perplexity:.3f} per target token")
    return "\n".join(lines)


def format_systems(summaries: Sequence[Summary], comparisons: Sequence[SystemComparison]) -> str:
    """One line a system: each metric with its interval, and against the first system; then the signatures."""
    names = [each.result.name for each in summaries[0].estimates]
    header = ["system", *(title for name in names for title in (name, "95% interval", "difference", "p"))]
    has_perplexity = any(summary.perplexity is not None for summary in summaries)
    against = {comparison.system: comparison.metrics for comparison in comparisons}
    rows = []
    for summary in summaries:
        metrics = against.get(summary.system, (None,) * len(names))
        cells = [summary.system]
        for estimate, metric in zip(summary.estimates, metrics, strict=True):
            cells += [f"{estimate.result.value:.2f}", _interval(estimate.interval), *_difference(metric)]
        perplexity = "-" if summary.perplexity is None else f"{summary.perplexity:.3f}"
        rows.append([*cells, *([perplexity] if has_perplexity else [])])
    table = format_table([*header, *(["perplexity"] if has_perplexity else [])], rows)
    signatures = [f"{each.result.name}  {each.result.signature}" for each in summaries[0].estimates]
    note = f"difference from {summaries[0].system}, p by paired bootstrap" if len(summaries) > 1 else ""
    return "\n".join([table, *signatures, *([note] if note else [])])


def format_lengths_of_systems(summaries: Sequence[Summary], *, is_cumulative: bool) -> str:
    """The first metric by source length, a column a system, with 95% intervals."""
    tables = [summary.up_to_length if is_cumulative else summary.by_length for summary in summaries]
    name = summaries[0].estimates[0].result.name
    rows = [
        [*_length_cells(lines[0], [])[:2], *(_value_cell(row) for row in lines)] for lines in zip(*tables, strict=True)
    ]
    title = f"{name} up to a length, 95% intervals" if is_cumulative else f"{name} by length, 95% intervals"
    table = format_table(["source words", "sentences", *(summary.system for summary in summaries)], rows)
    return "\n".join([title, table, *_small_note(tables[0])])


def format_alignments(summaries: Sequence[Summary]) -> str:
    """Precision, recall, F1 and error rate of every system's links; empty where no system has any."""
    rows = [
        [summary.system, links, *(f"{value:.4f}" for value in scores)]
        for summary in summaries
        for links, scores in summary.alignments.items()
    ]
    return format_table(["system", "links", "precision", "recall", "F1", "AER"], rows) if rows else ""


def format_attention(summaries: Sequence[Summary]) -> str:
    """Statistics of attention on the references, one line a system; empty where no system attends."""
    rows = [
        [
            summary.system,
            f"{found.words:,}",
            f"{found.entropy:.3f}",
            f"{found.end_share:.3f}",
            f"{found.diagonal_share:.3f}",
            "-" if found.gold_share is None else f"{found.gold_share:.3f}",
        ]
        for summary in summaries
        if (found := summary.attention) is not None
    ]
    header = [
        "attention",
        "target words",
        "entropy (nats)",
        "on </s>",
        f"within {DIAGONAL_WORDS} of diagonal",
        "argmax is gold",
    ]
    return format_table(header, rows) if rows else ""


def format_lengths(rows: Sequence[LengthRow]) -> str:
    """The table by source length; a bucket without sentences has dashes, small ones are marked and explained."""
    metrics = list(dict.fromkeys(each.result.name for row in rows for each in row.estimates))
    header = ["source words", "sentences"]
    for metric in metrics:
        header += [metric, "95% interval"]
    table = format_table([*header, "length ratio"], [_length_cells(row, metrics) for row in rows])
    return "\n".join([table, *_small_note(rows)])


def _small_note(rows: Sequence[LengthRow]) -> list[str]:
    if not any(row.sentences and row.is_small for row in rows):
        return []
    return [f"{SMALL_MARK} fewer than {SMALL_BUCKET_SENTENCES} sentences: too few to say much"]


def _value_cell(row: LengthRow) -> str:
    if not row.estimates:
        return "-"
    return f"{row.estimates[0].result.value:.2f} {_interval(row.estimates[0].interval)}"


def _difference(metric: MetricComparison | None) -> list[str]:
    return ["-", "-"] if metric is None else [f"{metric.difference:+.2f}", f"{metric.p_value:.3f}"]


def _length_cells(row: LengthRow, metrics: Sequence[str]) -> list[str]:
    mark = SMALL_MARK if row.sentences and row.is_small else " "
    cells = [row.bucket.name, f"{row.sentences:,}{mark}"]
    for metric in metrics:
        found = [each for each in row.estimates if each.result.name == metric]
        cells += [f"{found[0].result.value:.2f}", _interval(found[0].interval)] if found else ["-", "-"]
    return [*cells, "-" if row.length_ratio is None else f"{row.length_ratio:.3f}"]


def _interval(interval: Interval) -> str:
    return f"[{interval.low:.1f}, {interval.high:.1f}]"
