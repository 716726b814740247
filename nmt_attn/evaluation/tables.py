"""Tables: an evaluation as plain text for a terminal; `width` is the terminal's, None for a file or a pipe.

Where there is no room, columns that matter less are left out and named; the files of an evaluation have all of them.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from nmt_attn.evaluation import help_lines
from nmt_attn.evaluation.attention_statistics import DIAGONAL_WORDS
from nmt_attn.evaluation.bootstrap import Interval, MetricComparison, SystemComparison
from nmt_attn.evaluation.lengths import SMALL_BUCKET_SENTENCES, GroupRow
from nmt_attn.evaluation.link_scores import LinkScores
from nmt_attn.evaluation.seeds import SeedGroup
from nmt_attn.evaluation.summary import Summary
from nmt_attn.screen import Column, fold, format_table, widest

SMALL_MARK = "*"
ELSEWHERE = " (a wider terminal or --json has them)"
LINKS_HELP = help_lines.one_line(help_lines.LINKS, "precision", "recall", "AER", "95% interval")


def format_summary(summary: Summary, width: int | None = None) -> str:
    """Corpus metrics with their signatures, then the table by length."""
    lengths = format_groups(f"source {summary.length_unit}", summary.by_length, width)
    return f"{format_metrics(summary, width)}\n\n{lengths}"


def format_metrics(summary: Summary, width: int | None = None) -> str:
    """One line a metric (value, 95% interval, signature) and one about what BLEU is made of."""
    names = max((len(each.result.name) for each in summary.estimates), default=0)
    lines = [
        f"{each.result.name:<{names}}  {each.result.value:6.2f}  {interval(each.interval)}  {each.result.signature}"
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
    return fold("\n".join(lines), width)


def format_systems(
    summaries: Sequence[Summary], comparisons: Sequence[SystemComparison], width: int | None = None
) -> str:
    """One line a system: each metric with its interval, and against the first system; then the signatures."""
    against = {comparison.system: comparison.metrics for comparison in comparisons}
    parts = []
    for place, first in enumerate(summaries[0].estimates):
        rows = []
        for summary in summaries:
            estimate = summary.estimates[place]
            metric = against[summary.system][place] if summary.system in against else None
            rows.append([f"{estimate.result.value:.2f}", interval(estimate.interval), *_difference(metric)])
        parts.append(_Part(_metric_columns(first.result.name), rows))
    if any(summary.perplexity is not None for summary in summaries):
        values = ["-" if summary.perplexity is None else f"{summary.perplexity:.3f}" for summary in summaries]
        parts.append(_Part([Column("perplexity")], [[value] for value in values]))
    table = _beside_or_below([Column("system")], [[summary.system] for summary in summaries], parts, width)
    signatures = [fold(f"{each.result.name}  {each.result.signature}", width) for each in summaries[0].estimates]
    note = f"difference from {summaries[0].system}, p by paired bootstrap" if len(summaries) > 1 else ""
    return "\n".join([table, *signatures, *([note] if note else [])])


def format_seeds(groups: Sequence[SeedGroup], width: int | None = None) -> str:
    """One line a group: means over its seeds, against the first group; then the first metric of every system."""
    parts = []
    for place, first in enumerate(groups[0].metrics):
        value, *others = _metric_columns(first.name)
        rows = []
        for metric in (group.metrics[place] for group in groups):
            deviation = "-" if metric.deviation is None else f"{metric.deviation:.2f}"
            row = [f"{metric.mean:.2f}", deviation, interval(metric.interval)]
            row += ["-", "-"] if metric.difference is None else [f"{metric.difference:+.2f}", f"{metric.p_value:.3f}"]
            rows.append(row)
        parts.append(_Part([value, Column("sd"), *others], rows))
    names = [[group.name, str(len(group.systems))] for group in groups]
    table = _beside_or_below([Column("system"), Column("seeds", 1)], names, parts, width)
    lines = ["means over the seeds, with standard deviations (sd); intervals by bootstrap over sentences and seeds"]
    lines += [f"difference from {groups[0].name}, p by the same bootstrap"] if len(groups) > 1 else []
    for group in groups:
        values = zip(group.systems, group.metrics[0].values, strict=True)
        listed = ", ".join(f"{system} {value:.2f}" for system, value in values)
        lines += [f"{group.metrics[0].name}: {listed}"] if len(group.systems) > 1 else []
    lines += [f"{each.result.name}  {each.result.signature}" for each in groups[0].summary.estimates]
    return "\n".join([table, *(fold(line, width) for line in lines)])


class _Part(NamedTuple):
    """Columns of a table that belong together, with their cells in each row."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]


def _beside_or_below(
    labels: Sequence[Column], names: Sequence[Sequence[str]], parts: Sequence[_Part], width: int | None
) -> str:
    """Rows that begin with `names`: one table where there is room for all parts, else a table for each."""
    columns = [*labels, *chain(*(part.columns for part in parts))]
    lines = zip(names, *(part.rows for part in parts), strict=True)
    whole = format_table(columns, [[*chain(*cells)] for cells in lines])
    if width is None or widest(whole) <= width:
        return whole
    return "\n\n".join(
        format_table(
            [*labels, *part.columns],
            [[*name, *row] for name, row in zip(names, part.rows, strict=True)],
            width,
            ELSEWHERE,
        )
        for part in parts
    )


def _metric_columns(name: str) -> list[Column]:
    return [Column(name), Column("95% interval", 2), Column("difference"), Column("p", 1)]


def format_lengths_of_systems(summaries: Sequence[Summary], *, is_cumulative: bool, width: int | None = None) -> str:
    """The first metric by source length, a column a system."""
    tables = [summary.up_to_length if is_cumulative else summary.by_length for summary in summaries]
    title = "up to a length" if is_cumulative else "by length"
    return format_groups_of_systems(title, f"source {summaries[0].length_unit}", tables, summaries, width)


def format_groups_of_systems(
    title: str,
    first_column: str,
    tables: Sequence[Sequence[GroupRow]],
    summaries: Sequence[Summary],
    width: int | None = None,
) -> str:
    """The first metric of the rows of each system, with 95% intervals where there is room for them."""
    title = f"{summaries[0].estimates[0].result.name} {title}"
    systems = [Column(summary.system, rank) for rank, summary in enumerate(summaries)]
    columns = [Column(first_column), Column("sentences", len(systems)), *systems]
    for has_intervals in (True, False):
        rows = [
            [*_length_cells(lines[0], [])[:2], *(_value_cell(row, has_interval=has_intervals) for row in lines)]
            for lines in zip(*tables, strict=True)
            if lines[0].sentences
        ]
        table = format_table(columns, rows, width)
        if width is None or widest(table) <= width:
            title += ", 95% intervals" * has_intervals
            break
    return "\n".join([title, table, *_small_note(tables[0])])


def format_alignments(summaries: Sequence[Summary], width: int | None = None) -> str:
    """Precision, recall, F1 and error rate of every system's links; empty where no system has any."""
    rows = [
        [summary.system, links, *link_cells(found)]
        for summary in summaries
        for links, found in summary.alignments.items()
    ]
    if not rows:
        return ""
    return f"{format_links(['system', 'links'], rows, width)}\n{fold(LINKS_HELP, width)}"


def format_links(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Rows that end in `link_cells`; `LINKS_HELP` says what these are."""
    scores = [Column("precision", 1), Column("recall", 1), Column("F1", 3), Column("AER"), Column("95% interval", 2)]
    return format_table([*map(Column, titles), *scores], rows, width)


def link_cells(found: LinkScores) -> list[str]:
    """Precision, recall, F1, error rate and its interval."""
    return [*(f"{value:.4f}" for value in found.scores), f"[{found.interval.low:.3f}, {found.interval.high:.3f}]"]


def format_attention(summaries: Sequence[Summary], width: int | None = None) -> str:
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
        Column("attention"),
        Column("target words", 1),
        Column("entropy (nats)"),
        Column("on </s>", 1),
        Column(f"within {DIAGONAL_WORDS} of diagonal"),
        Column("argmax is gold"),
    ]
    entropy, end, diagonal, gold = help_lines.ATTENTION
    lines = [help_lines.one_line(help_lines.ATTENTION, *names) for names in ((entropy, end), (diagonal,), (gold,))]
    if any(each.attention is not None and each.attention.unit == "pieces" for each in summaries):
        lines.append(help_lines.LETTERS)
    table = format_table(header, rows, width, ELSEWHERE)
    return "\n".join([table, *(fold(line, width) for line in lines)]) if rows else ""


def format_groups(title: str, rows: Sequence[GroupRow], width: int | None = None) -> str:
    """The table by source length, tag or frequency without empty rows; small ones are marked and explained."""
    rows = [row for row in rows if row.sentences]
    metrics = list(dict.fromkeys(each.result.name for row in rows for each in row.estimates))
    header = [Column(title), Column("sentences")]
    for number, metric in enumerate(metrics):
        header += [Column(metric), Column("95% interval", 1 if number == 0 else 2)]
    columns = [*header, Column("length ratio", 3)]
    table = format_table(columns, [_length_cells(row, metrics) for row in rows], width, ELSEWHERE)
    return "\n".join([table, *_small_note(rows)])


def _small_note(rows: Sequence[GroupRow]) -> list[str]:
    if not any(row.sentences and row.is_small for row in rows):
        return []
    return [f"{SMALL_MARK} fewer than {SMALL_BUCKET_SENTENCES} sentences: too few to say much"]


def _value_cell(row: GroupRow, *, has_interval: bool) -> str:
    if not row.estimates:
        return "-"
    value = f"{row.estimates[0].result.value:.2f}"
    return f"{value} {interval(row.estimates[0].interval)}" if has_interval else value


def _difference(metric: MetricComparison | None) -> list[str]:
    return ["-", "-"] if metric is None else [f"{metric.difference:+.2f}", f"{metric.p_value:.3f}"]


def _length_cells(row: GroupRow, metrics: Sequence[str]) -> list[str]:
    mark = SMALL_MARK if row.sentences and row.is_small else " "
    cells = [row.bucket.name, f"{row.sentences:,}{mark}"]
    for metric in metrics:
        found = [each for each in row.estimates if each.result.name == metric]
        cells += [f"{found[0].result.value:.2f}", interval(found[0].interval)] if found else ["-", "-"]
    return [*cells, "-" if row.length_ratio is None else f"{row.length_ratio:.3f}"]


def interval(found: Interval) -> str:
    """`[40.1, 42.3]`."""
    return f"[{found.low:.1f}, {found.high:.1f}]"
