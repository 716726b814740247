"""Comparison: every system against the first, metric by metric."""

import pytest

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.bootstrap import compare_systems
from nmt_attn.evaluation.metrics import SystemMeasures, measure_system

CONFIG = EvaluateConfig(metrics=("exact", "cer"))
REFERENCES = ["ab", "cd", "ef"] * 20
OUTPUTS = {"same": REFERENCES, "first": ["ab", "xx", "xx"] * 20, "better": ["ab", "cd", "xx"] * 20}


def named(*names: str) -> list[tuple[str, SystemMeasures]]:
    return [(name, measure_system(OUTPUTS[name], REFERENCES, CONFIG)) for name in names]


def test_each_is_compared_with_the_first_in_the_metrics_order() -> None:
    better, same = compare_systems(named("first", "better", "same"))
    assert (better.system, same.system) == ("better", "same")
    assert {better.baseline, same.baseline} == {"first"}
    assert [each.metric for each in better.metrics] == ["exact", "CER"]
    # a third, then two thirds, then all sentences right; of characters 4 of 6, 2 of 6, none wrong
    assert [each.difference for each in better.metrics] == pytest.approx([100 / 3, -100 / 3])
    assert [each.difference for each in same.metrics] == pytest.approx([200 / 3, -200 / 3])
    assert all(each.p_value < 0.01 for each in better.metrics)


def test_one_system_has_nothing_to_be_compared_with() -> None:
    assert compare_systems(named("first")) == ()


def test_equal_systems_do_not_differ() -> None:
    [found] = compare_systems(named("first", "first"))
    assert [(each.difference, each.p_value) for each in found.metrics] == [(0, 1), (0, 1)]
