"""Tables: exact text for known figures."""

from nmt_attn.alignment.links import AlignmentScores
from nmt_attn.evaluation.attention_statistics import AttentionStatistics
from nmt_attn.evaluation.bootstrap import Interval, MetricComparison, SystemComparison
from nmt_attn.evaluation.lengths import Bucket, Estimate, GroupRow
from nmt_attn.evaluation.link_scores import LinkScores
from nmt_attn.evaluation.metrics import BleuParts, MetricResult
from nmt_attn.evaluation.summary import Summary
from nmt_attn.evaluation.tables import (
    format_alignments,
    format_attention,
    format_groups,
    format_lengths_of_systems,
    format_metrics,
    format_summary,
    format_systems,
    format_table,
)


def bleu(value: float, interval: Interval) -> Estimate:
    """The BLEU of a bucket."""
    return Estimate(MetricResult("BLEU", value, ""), interval)


ROWS = (
    GroupRow(Bucket("1-10", 1, 10), 1234, (bleu(41.237, Interval(39.04, 43.26, 41.0)),), 0.9876),
    GroupRow(Bucket("11-20", 11, 20), 0, (), None),
    GroupRow(Bucket(">20", 21, None), 7, (bleu(5.0, Interval(1.0, 9.0, 5.0)),), 1.25),
)
BLEU = Estimate(MetricResult("BLEU", 40.5, "nrefs:1|tok:none"), Interval(38.46, 42.44, 40.0))
CHRF = Estimate(MetricResult("chrF2", 100.0, "nrefs:1|nc:6"), Interval(99.0, 100.0, 99.5))
SUMMARY = Summary("mine", 1241, (BLEU, CHRF), BleuParts((70.0, 50.04, 40.0, 30.0), 0.9512, 0.9524, 20, 21), ROWS, ROWS)


def test_columns_stand_under_their_titles() -> None:
    assert format_table(["name", "count"], [["a", "5"], ["longest", "1,000"]]) == (
        "name     count\n"
        "a            5\n"
        "longest  1,000"
    )  # fmt: skip


def test_lengths_mark_small_buckets_and_leave_out_empty_ones() -> None:
    assert format_groups("source words", ROWS) == (
        "source words  sentences   BLEU  95% interval  length ratio\n"
        "1-10             1,234   41.24  [39.0, 43.3]         0.988\n"
        ">20                  7*   5.00    [1.0, 9.0]         1.250\n"
        "* fewer than 50 sentences: too few to say much"
    )


def test_metrics_have_signatures() -> None:
    assert format_metrics(SUMMARY) == (
        "BLEU    40.50  [38.5, 42.4]  nrefs:1|tok:none\n"
        "chrF2  100.00  [99.0, 100.0]  nrefs:1|nc:6\n"
        "n-gram precisions 70.0 / 50.0 / 40.0 / 30.0, brevity penalty 0.951, length ratio 0.952"
    )


OTHER = SUMMARY._replace(
    system="other",
    perplexity=1.5,
    alignments={"argmax": LinkScores(AlignmentScores(0.5, 0.25, 1 / 3, 0.6), Interval(0.55, 0.65, 0.6))},
    attention=AttentionStatistics(1234, 0.5, 0.25, 0.125, None, ()),
)
AGAINST = SystemComparison(
    "other", "mine", (MetricComparison("BLEU", 1.5, 0.0123), MetricComparison("chrF2", -2.0, 0.5))
)


def test_systems_stand_below_each_other_and_against_the_first() -> None:
    assert format_systems([SUMMARY, OTHER], [AGAINST]) == (
        "system   BLEU  95% interval  difference      p   chrF2   95% interval  difference      p  perplexity\n"
        "mine    40.50  [38.5, 42.4]           -      -  100.00  [99.0, 100.0]           -      -           -\n"
        "other   40.50  [38.5, 42.4]       +1.50  0.012  100.00  [99.0, 100.0]       -2.00  0.500       1.500\n"
        "BLEU  nrefs:1|tok:none\n"
        "chrF2  nrefs:1|nc:6\n"
        "difference from mine, p by paired bootstrap"
    )


def test_lengths_of_systems_have_a_column_each() -> None:
    assert format_lengths_of_systems([SUMMARY, OTHER], is_cumulative=False) == (
        "BLEU by length, 95% intervals\n"
        "source words  sentences                mine               other\n"
        "1-10             1,234   41.24 [39.0, 43.3]  41.24 [39.0, 43.3]\n"
        ">20                  7*     5.00 [1.0, 9.0]     5.00 [1.0, 9.0]\n"
        "* fewer than 50 sentences: too few to say much"
    )


def test_alignments_and_attention_are_of_systems_that_have_them() -> None:
    assert format_alignments([SUMMARY, OTHER]) == (
        "system   links  precision  recall      F1     AER    95% interval\n"
        "other   argmax     0.5000  0.2500  0.3333  0.6000  [0.550, 0.650]\n"
        "precision: links found that gold has; recall: sure gold links found; AER: alignment error rate, 0 is perfect; "
        "95% interval: where AER lies for 95% of the test sets drawn anew from these sentences"
    )
    assert format_attention([SUMMARY, OTHER]) == (
        "attention  target words  entropy (nats)  on </s>  within 2 of diagonal  argmax is gold\n"
        "other             1,234           0.500    0.250                 0.125               -\n"
        "entropy: how spread out a word's weights are, 0 is on one source word; "
        "on </s>: weight on the sentence end\n"
        "within 2 of diagonal: weight at most 2 words from the same relative position\n"
        "argmax is gold: share of gold-linked words whose heaviest source word is linked to them"
    )
    assert format_alignments([SUMMARY]) == format_attention([SUMMARY]) == ""


def test_perplexity_is_told_where_it_is_known() -> None:
    assert format_metrics(OTHER).endswith("\nperplexity of the references 1.500 per target token")


def test_no_line_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in format_summary(SUMMARY).split("\n"))
