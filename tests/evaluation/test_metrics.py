"""Metrics: BLEU by hand, sacreBLEU's own command, and what is refused."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.metrics import METRICS, bleu, bleu_parts, is_error, measure, measure_system

PLAIN = EvaluateConfig(tokenize="none")
HYPOTHESES = ["the cat sat on the mat", "we saw two"]
REFERENCES = ["the cat sat on a mat", "we saw two dogs"]
# 1-grams: "the cat sat on [the] mat" has 5 of 6 in the reference ("the" only once); "we saw two" 3 of 3   -> 8 / 9
# 2-grams: the-cat, cat-sat, sat-on of 5; we-saw, saw-two of 2                                             -> 5 / 7
# 3-grams: the-cat-sat, cat-sat-on of 4; we-saw-two of 1                                                   -> 3 / 5
# 4-grams: the-cat-sat-on of 3; none of 0                                                                  -> 1 / 3
# 9 tokens against 10: brevity penalty exp(1 - 10/9)
PRECISIONS = (8 / 9, 5 / 7, 3 / 5, 1 / 3)
BREVITY = math.exp(1 - 10 / 9)
BLEU_BY_HAND = 100 * BREVITY * math.prod(PRECISIONS) ** (1 / 4)


def test_bleu_equals_the_product_by_hand() -> None:
    assert measure("bleu", HYPOTHESES, REFERENCES, PLAIN).result().value == pytest.approx(BLEU_BY_HAND, abs=1e-9)


def test_bleu_of_a_corpus_needs_no_more_than_its_options() -> None:
    result = bleu(HYPOTHESES, REFERENCES, tokenize="none", lowercase=False)
    assert result == measure("bleu", HYPOTHESES, REFERENCES, PLAIN).result()


def test_parts_of_bleu_equal_the_counts_by_hand() -> None:
    parts = bleu_parts(measure("bleu", HYPOTHESES, REFERENCES, PLAIN).rows.sum(axis=0))
    assert parts.precisions == pytest.approx([100 * share for share in PRECISIONS])
    assert parts.brevity_penalty == pytest.approx(BREVITY)
    assert (parts.hypothesis_tokens, parts.reference_tokens, parts.length_ratio) == (9, 10, 0.9)


def test_chrf_equals_the_f_score_by_hand() -> None:
    # "ab" against "abb": 1-grams 2 of 2 right, 2 of 3 found; 2-grams 1 of 1 right, 1 of 2 found; longer ones are in
    # neither or one and do not count. P = 1, R = (2/3 + 1/2) / 2 = 7/12, beta = 2: 5 P R / (4 P + R)
    expected = 100 * (5 * 7 / 12) / (4 + 7 / 12)
    assert measure("chrf", ["ab"], ["abb"], PLAIN).result().value == pytest.approx(expected)


def test_ter_counts_edits_per_reference_word() -> None:
    # the -> a in the first, dogs missing in the second: 2 edits, 10 words
    assert measure("ter", HYPOTHESES, REFERENCES, PLAIN).result().value == pytest.approx(20.0)


def test_exact_match_is_of_whole_sentences_white_space_aside() -> None:
    assert measure("exact", ["a  b ", "a c", "A b"], ["a b", "a b", "a b"], PLAIN).result().value == pytest.approx(
        100 / 3
    )


def test_character_errors_are_edits_per_reference_character() -> None:
    # kitten -> sitting: 2 replaced, 1 inserted, of 7; ab -> ab: 0 of 2
    assert measure("cer", ["kitten", "ab"], ["sitting", " ab"], PLAIN).result().value == pytest.approx(100 * 3 / 9)


PHONES = (["k a t", "aː  d ", "tʃ i"], ["k æ t s", "aː d", "tʃ ə iː"])


def test_word_errors_are_lines_that_are_not_right_in_whole() -> None:
    # two of three; white space is no error
    assert measure("wer", *PHONES, PLAIN).result().value == pytest.approx(100 * 2 / 3)
    assert measure("exact", *PHONES, PLAIN).result().value == pytest.approx(100 / 3)


def test_phone_errors_are_edits_of_symbols_per_reference_symbol() -> None:
    # a -> æ and s of 4; none of 2; ə and i -> iː of 3 (tʃ and iː are one symbol each): 4 of 9
    assert measure("per", *PHONES, PLAIN).result().value == pytest.approx(100 * 4 / 9)


def test_symbols_are_what_stands_between_the_separator() -> None:
    config = EvaluateConfig(metrics=("per",), separator="|")
    assert measure("per", ["a b|c", "x"], ["a  b |d||", "y|z"], config).rows.tolist() == [[1, 2], [2, 2]]


def test_normalised_edits_count_each_line_alike() -> None:
    # kitten -> sitting: 3 of 7, the longer; abcd -> ab: 2 of 4, the longer; two empty texts: none
    found = measure("ned", ["kitten", "abcd", ""], ["sitting", " ab", ""], PLAIN).result().value
    assert found == pytest.approx(100 * (3 / 7 + 2 / 4 + 0) / 3)


def test_an_error_rate_may_be_more_than_100() -> None:
    assert measure("per", ["a b c"], ["d"], PLAIN).result().value == pytest.approx(300)


ERRORS = {"ter", "wer", "per", "cer", "ned"}


@pytest.mark.parametrize("name", METRICS)
def test_errors_are_known_as_such(name: str) -> None:
    assert measure(name, HYPOTHESES, REFERENCES, PLAIN).is_error is is_error(name) is (name in ERRORS)


def test_loss_is_an_error_too() -> None:
    assert is_error("loss")


@pytest.mark.parametrize("name", sorted(METRICS))
def test_rows_of_two_parts_sum_to_the_whole(name: str) -> None:
    whole = measure(name, HYPOTHESES, REFERENCES, PLAIN).rows
    parts = [measure(name, HYPOTHESES[i : i + 1], REFERENCES[i : i + 1], PLAIN).rows for i in (0, 1)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("name", METRICS)
def test_the_reference_itself_is_perfect(name: str) -> None:
    perfect = 0 if name in ERRORS else 100
    assert measure(name, HYPOTHESES, HYPOTHESES, PLAIN).result().value == pytest.approx(perfect)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_empty_hypotheses_are_measured(name: str) -> None:
    value = measure(name, ["", ""], REFERENCES, PLAIN).result().value
    assert value == pytest.approx(100.0 if name in ERRORS else 0.0)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_unequal_counts_are_refused_with_both(name: str) -> None:
    with pytest.raises(DataError, match="expected 2 lines, as many as references, got 3"):
        measure(name, ["a", "b", "c"], REFERENCES, PLAIN)


def test_no_sentences_are_refused() -> None:
    with pytest.raises(DataError, match="expected at least 1 sentence, got 0"):
        measure("bleu", [], [], PLAIN)


def test_lowercase_ignores_case_in_bleu_alone() -> None:
    config = EvaluateConfig(lowercase=True)
    upper = [line.upper() for line in REFERENCES]
    assert measure("bleu", upper, REFERENCES, config).result().value == pytest.approx(100)
    assert "case:lc" in measure("bleu", upper, REFERENCES, config).signature
    assert "case:mixed" in measure("chrf", upper, REFERENCES, config).signature


def test_metrics_come_in_the_configured_order() -> None:
    system = measure_system(HYPOTHESES, REFERENCES, EvaluateConfig(metrics=("chrf", "bleu")))
    assert [each.name for each in system.chosen] == ["chrF2", "BLEU"]


def test_bleu_counts_tokens_even_if_it_is_not_asked_for() -> None:
    system = measure_system(HYPOTHESES, REFERENCES, EvaluateConfig(metrics=("chrf",), tokenize="none"))
    assert [each.name for each in system.chosen] == ["chrF2"]
    assert bleu_parts(system.bleu.rows.sum(axis=0)).length_ratio == 0.9


def test_no_metrics_at_all_are_refused() -> None:
    with pytest.raises(
        ConfigError,
        match=r"evaluate.metrics: expected one or more of bleu, cer, chrf, exact, ned, per, ter, wer, got \[\]",
    ):
        measure_system(HYPOTHESES, REFERENCES, EvaluateConfig(metrics=()))


def test_tokenised_text_brings_no_complaint(caplog: pytest.LogCaptureFixture) -> None:
    measure("bleu", ["it is so ."] * 200, ["it is so ."] * 200, PLAIN)
    assert caplog.text == ""


def test_a_tokenizer_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("nmt_attn.evaluation.metrics.BLEU", refuse)
    with pytest.raises(ConfigError, match=r"evaluate.tokenize: .* got 'flores200' \(no network\)"):
        measure("bleu", HYPOTHESES, REFERENCES, EvaluateConfig(tokenize="flores200"))


@pytest.mark.parametrize("tokenize", ["13a", "none", "intl", "char", "zh"])
def test_bleu_is_what_sacrebleus_command_prints(tokenize: str, tmp_path: Path) -> None:
    hypotheses = ["Ah, the cat (black) sat on the mat.", "we saw two,  and 3.5 more", "", "你好 the end ."]
    references = ["Ah, the cat (grey) sat on a mat.", "We saw two, and 3.5 more", "nothing", "你好吗 the end ."]
    for name, lines in [("hyp", hypotheses), ("ref", references)]:
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    options = ["-i", tmp_path / "hyp", "-m", "bleu", "chrf", "-tok", tokenize, "-f", "text", "-w", "9"]
    printed = subprocess.run(
        [sys.executable, "-m", "sacrebleu", tmp_path / "ref", *options], capture_output=True, text=True, check=True
    ).stdout
    system = measure_system(hypotheses, references, EvaluateConfig(tokenize=tokenize))  # type: ignore[arg-type]
    for each in system.chosen:
        assert f"{each.name}|{each.signature} = {each.result().value:.9f}" in printed


def test_every_metric_can_be_configured() -> None:
    assert EvaluateConfig.model_validate({"metrics": sorted(METRICS)}).metrics == tuple(sorted(METRICS))


# Several references

FIRST = ["the cat sat on a mat", "we saw two dogs", "it rains"]
SECOND = ["a cat was on the mat", "we saw two", "rain falls now"]
OUTPUT = ["the cat sat on the mat", "we saw two", "it falls"]


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU(tokenize="none")), ("chrf", CHRF()), ("ter", TER())])
def test_several_references_count_as_sacrebleu_counts_them(name: str, metric: Any) -> None:
    expected = metric.corpus_score(OUTPUT, [FIRST, SECOND])
    found = measure(name, OUTPUT, FIRST, PLAIN, [SECOND])
    assert found.result().value == pytest.approx(expected.score, abs=1e-9)
    assert found.signature == str(metric.get_signature()) and "nrefs:2|" in found.signature
    assert len(found.rows) == 3


def test_other_metrics_take_the_reference_that_suits_each_sentence_best() -> None:
    exact = measure("exact", OUTPUT, FIRST, PLAIN, [SECOND])  # the second sentence, in the second reference
    assert exact.result().value == pytest.approx(100 / 3) and "nrefs:2|" in exact.signature
    cer = measure("cer", ["ab", "kitten"], ["abc", "sitting"], PLAIN, [["xy", "mittens"]])
    # 1 of 3 against 2 of 2; 3 of 7 against 2 of 7
    assert cer.rows.tolist() == [[1, 3], [2, 7]] and "nrefs:2|" in cer.signature


@pytest.mark.parametrize("name", METRICS)
def test_a_reference_given_twice_changes_no_value(name: str) -> None:
    once, twice = (measure(name, OUTPUT, FIRST, PLAIN, further) for further in ((), [FIRST]))
    assert twice.result().value == pytest.approx(once.result().value, abs=1e-9)


def test_a_further_reference_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="hypotheses: expected 2 lines, as many as references, got 3"):
        measure("bleu", OUTPUT, FIRST, PLAIN, [SECOND[:2]])
