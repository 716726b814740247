"""Groups: lines by tag and by frequency, each figure that of its lines alone; sources with several targets joined."""

from collections import Counter

import pytest

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.detail_tables import format_details
from nmt_attn.evaluation.groups import by_frequency, by_tag
from nmt_attn.evaluation.lengths import units_of
from nmt_attn.evaluation.metrics import measure, measure_system
from nmt_attn.evaluation.references import join_sources
from nmt_attn.evaluation.summary import Details, summarise

EXACT = EvaluateConfig(metrics=("exact",), length_buckets=(4,))
SOURCES = ["hablar ⟦V⟧ ⟦PST⟧", "ver ⟦V⟧", "sol ⟦N⟧", "y"]
GOLD = ["habló", "ve", "soles", "e"]
GUESSES = ["habló", "vee", "soles", "e"]


def test_units_are_characters_where_each_source_is_one_word() -> None:
    assert units_of(SOURCES) == ("characters", [list("hablar"), list("ver"), list("sol"), ["y"]])
    assert units_of(["a b", "cd"]) == ("words", [["a", "b"], ["cd"]])
    assert units_of(["", "⟦V⟧"]) == ("words", [[], []])


def test_a_line_counts_for_each_of_its_tags() -> None:
    rows = by_tag(SOURCES, measure_system(GUESSES, GOLD, EXACT))
    found = [(row.bucket.name, row.sentences, row.estimates[0].result.value) for row in rows]
    assert found == [("⟦V⟧", 2, 50.0), ("⟦N⟧", 1, 100.0), ("⟦PST⟧", 1, 100.0), ("none", 1, 100.0)]
    assert by_tag(["a b"], measure_system(["a"], ["a"], EXACT)) == []


def test_a_line_is_where_its_rarest_unit_is() -> None:
    units = units_of(SOURCES).lines
    training = Counter(dict.fromkeys("hablrsoe", 12) | {"v": 1})  # no y
    rows = by_frequency(units, training, measure_system(GUESSES, GOLD, EXACT))
    found = {row.bucket.name: row.estimates[0].result.value for row in rows if row.sentences}
    assert found == {"0": 100.0, "1": 0.0, "10-99": 100.0}
    assert sum(row.sentences for row in rows) == 4


def test_sources_are_joined_with_all_their_targets() -> None:
    found = join_sources(["a", "b ", "a", " b", "c", "a"], [["1", "2", "3", "2", "4", "5"]])
    assert found.sources == ["a", "b ", "c"] and found.lines == [0, 1, 4]
    assert found.first == ["1", "2", "4"]
    assert found.further == [["3", "2", "4"], ["5", "2", "4"]]


@pytest.mark.parametrize("name", ["exact", "wer", "per", "bleu", "chrf", "ter", "cer", "ned"])
def test_a_reference_twice_changes_no_metric(name: str) -> None:
    once = measure(name, GUESSES, GOLD, EXACT)
    assert measure(name, GUESSES, GOLD, EXACT, [GOLD]).result().value == pytest.approx(once.result().value)


def test_tables_of_one_system_and_of_two() -> None:
    measures = measure_system(GUESSES, GOLD, EXACT)
    rows = tuple(by_tag(SOURCES, measures))
    one = summarise("a", SOURCES, measures, EXACT)._replace(details=Details(by_tag=rows))
    [table] = [block for block in format_details([one]) if block]
    assert table.splitlines()[1].split() == ["⟦V⟧", "2*", "50.00", "[0.0,", "100.0]", "1.000"]
    [both] = [block for block in format_details([one, one._replace(system="b")]) if block]
    assert both.splitlines()[0] == "exact by tag, 95% intervals"
    assert both.splitlines()[2].split() == ["⟦V⟧", "2*", *["50.00", "[0.0,", "100.0]"] * 2]
