"""Detail tables: what `evaluate.tables` and `evaluate.top` ask for, as plain text for a terminal."""

from collections.abc import Sequence

from nmt_attn.evaluation.confusions import Confusions
from nmt_attn.evaluation.edits import shown
from nmt_attn.evaluation.lengths import GroupRow
from nmt_attn.evaluation.summary import Details, Summary
from nmt_attn.evaluation.tables import ELSEWHERE, format_groups, format_groups_of_systems, interval
from nmt_attn.evaluation.words import NgramComparison
from nmt_attn.screen import Column, fold, format_table, shortened

MOST_ERRORS = 10
MOST_TAGS = 20
EXAMPLE_WIDTH = 60


def format_details(summaries: Sequence[Summary], width: int | None = None, *, has_errors: bool = True) -> list[str]:
    """One block a table; empty where nothing was asked for. Of many systems the errors are better left out."""
    known = [(summary, summary.details) for summary in summaries if summary.details is not None]
    blocks = [format_top(known, width)]
    blocks += [_groups("tag", known, [each.by_tag for _, each in known], width)]
    blocks += [_groups("in training", known, [each.by_frequency for _, each in known], width)]
    blocks.append(format_words(known, width))
    for summary, details in known:
        if details.confusions is not None and has_errors:
            title = f"errors of {summary.system}" if len(known) > 1 else "errors"
            blocks.append(format_errors(title, details.confusions, width))
    return blocks


def format_top(known: Sequence[tuple[Summary, Details]], width: int | None = None) -> str:
    """The accuracy of n-best lists, one line a system that has them."""
    rows = [(summary.system, details.top) for summary, details in known if details.top]
    if not rows:
        return ""
    columns = [Column("right among"), *(Column(each.result.name, rank) for rank, each in enumerate(rows[0][1]))]
    lines = [[name, *(f"{each.result.value:.2f} {interval(each.interval)}" for each in top)] for name, top in rows]
    return format_table(columns, lines, width, ELSEWHERE)


def _groups(
    title: str, known: Sequence[tuple[Summary, Details]], tables: Sequence[Sequence[GroupRow]], width: int | None
) -> str:
    """By tag or by frequency; a tag's row says how many more there are."""
    if not any(tables):
        return ""
    few = [rows[:MOST_TAGS] for rows in tables]
    if len(known) == 1:
        table = format_groups(title, few[0], width)
    else:
        table = format_groups_of_systems(f"by {title}", title, few, [summary for summary, _ in known], width)
    left = len(tables[0]) - len(few[0])
    notes = [f"{left} rarer ones are in --json"] if left else []
    notes += ["lines by how often the rarest part of their source occurs in training"] if title == "in training" else []
    return "\n".join([table, *(fold(note, width) for note in notes)])


def format_errors(title: str, found: Confusions, width: int | None = None) -> str:
    """The commonest edits: how many, in how many of the gold symbol, and the first line with it."""
    if not found.errors:
        return f"{title}: none"
    rows = []
    for each in found.errors[:MOST_ERRORS]:
        first = each.examples[0]
        share = f"{100 * each.times / each.gold_times:.1f}" if each.gold_times else "-"
        example = shortened(f"{first.source}: {first.gold} → {first.guess}", EXAMPLE_WIDTH)
        rows.append([f"{shown(each.gold)}→{shown(each.guess)}", f"{each.times:,}", share, example])
    columns = [Column(title), Column("count"), Column("% of gold", 1), Column("such as", 2)]
    left = len(found.errors) - len(rows)
    notes = [fold("% of gold: how often the gold symbol comes out like this; ∅ is no symbol", width)]
    notes += [f"{left:,} rarer ones are in --json"] if left else []
    return "\n".join([format_table(columns, rows, width, ELSEWHERE), *notes])


def format_words(known: Sequence[tuple[Summary, Details]], width: int | None = None) -> str:
    """F1 of the references' words by their frequency in training, a column a system."""
    tables = [details.words for _, details in known]
    if not any(tables):
        return ""
    names = list(dict.fromkeys(row.bucket.name for rows in tables for row in rows))
    columns = [Column("in training"), Column("words"), *(Column(f"{summary.system} F1") for summary, _ in known)]
    lines = []
    for name in names:
        found = [next((row for row in rows if row.bucket.name == name), None) for rows in tables]
        values = ["-" if row is None else f"{row.f1.result.value:.2f} {interval(row.f1.interval)}" for row in found]
        lines.append([name, f"{next(row.words for row in found if row is not None):,}", *values])
    note = fold("words of the references by how often they occur in the targets of training", width)
    return "\n".join([format_table(columns, lines, width), note])


def format_ngrams(found: NgramComparison | None, width: int | None = None) -> str:
    """For each system the n-grams that it has right and the other has not, or less often."""
    if found is None:
        return ""
    first, second = found.systems
    blocks = []
    for name, rows in ((first, found.better_first), (second, found.better_second)):
        columns = [Column(f"more often right in {name}"), Column(first), Column(second)]
        lines = [[each.ngram, f"{each.first:,}", f"{each.second:,}"] for each in rows]
        blocks.append(format_table(columns, lines, width) if lines else f"more often right in {name}: none")
    return "\n\n".join(blocks)
