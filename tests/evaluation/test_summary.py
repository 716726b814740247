"""Summary: the same figures in the record, in JSON and in the table."""

import json

import pytest

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import DataError
from nmt_attn.evaluation.metrics import measure, measure_system
from nmt_attn.evaluation.summary import Summary, as_json, summarise

CONFIG = EvaluateConfig(tokenize="none", length_buckets=(4,))
SOURCES = ["un gato negro", "dos perros muy grandes de aqui"]
REFERENCES = ["a black cat", "two very big dogs from here"]
HYPOTHESES = ["a black cat", "two very big cats from here"]


def summary_of(sentences: int = 2) -> Summary:
    measures = measure_system(HYPOTHESES[:sentences], REFERENCES[:sentences], CONFIG)
    return summarise("mine", SOURCES[:sentences], measures, CONFIG)


def test_summary_holds_the_corpus_and_both_length_views() -> None:
    summary = summary_of()
    assert (summary.system, summary.sentences) == ("mine", 2)
    assert [each.result for each in summary.estimates] == [
        measure(name, HYPOTHESES, REFERENCES, CONFIG).result() for name in ("bleu", "chrf")
    ]
    assert [(row.bucket.name, row.sentences) for row in summary.by_length] == [("1-4", 1), (">4", 1)]
    assert [(row.bucket.name, row.sentences) for row in summary.up_to_length] == [("<=4", 1), ("all", 2)]


def test_json_can_be_written_and_says_the_same() -> None:
    summary = summary_of()
    read = json.loads(json.dumps(as_json(summary), allow_nan=False))
    assert read["metrics"][0]["name"] == "BLEU"
    assert read["metrics"][0]["value"] == summary.estimates[0].result.value
    assert read["metrics"][0]["signature"] == summary.estimates[0].result.signature
    assert read["bleu"]["length_ratio"] == 1.0
    assert [row["words"] for row in read["by_length"]] == ["1-4", ">4"]
    # 2-grams of "two very big cats from here": two-very, very-big, from-here of 5; of "a black cat": 2 of 2
    assert read["bleu"]["precisions"][1] == pytest.approx(100 * 5 / 7)


def test_an_empty_bucket_is_null_in_json() -> None:
    read = as_json(summary_of(1))
    assert read["by_length"][1] == {
        "words": ">4",
        "sentences": 0,
        "is_small": True,
        "length_ratio": None,
        "metrics": [],
    }


def test_too_few_hypotheses_are_refused_with_both_counts() -> None:
    with pytest.raises(DataError, match="expected 2 lines, as many as references, got 1"):
        measure_system(HYPOTHESES[:1], REFERENCES, CONFIG)
