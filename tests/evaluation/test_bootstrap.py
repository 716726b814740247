"""Bootstrap: equal to sacreBLEU's own intervals and paired test, whatever the piece size."""

import random

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation import bootstrap
from nmt_attn.evaluation.bootstrap import confidence_interval, middle, paired_bootstrap, resampled_totals
from nmt_attn.evaluation.metrics import measure

WORDS = ["red", "green", "blue", "black", "white", "grey", "brown", "pink"]


def noisy(lines: list[str], share: float, seed: int) -> list[str]:
    """The lines with a share of their words replaced at random."""
    chance = random.Random(seed)
    return [
        " ".join(chance.choice(WORDS) if chance.random() < share else word for word in line.split()) for line in lines
    ]


REFERENCES = noisy(["x " * length for length in range(3, 43)], share=1.0, seed=1)
GOOD, BAD = noisy(REFERENCES, share=0.2, seed=2), noisy(REFERENCES, share=0.4, seed=3)


@pytest.mark.parametrize(("name", "scorer"), [("bleu", BLEU(force=True)), ("chrf", CHRF())])
def test_interval_is_sacrebleus(name: str, scorer: BLEU | CHRF) -> None:
    theirs = scorer.corpus_score(GOOD, [REFERENCES], n_bootstrap=1000)
    ours = confidence_interval(measure(name, GOOD, REFERENCES, EvaluateConfig()))
    assert ours.half_width == pytest.approx(theirs._ci, abs=1e-4)  # sacreBLEU sums in float32
    assert ours.mean == pytest.approx(theirs._mean, abs=1e-4)


def test_value_lies_inside_its_interval() -> None:
    scored = measure("bleu", GOOD, REFERENCES, EvaluateConfig())
    interval = confidence_interval(scored)
    assert interval.low < scored.result().value < interval.high


def test_paired_test_is_sacrebleus() -> None:
    metric = BLEU(force=True)
    _, theirs = PairedTest([("good", GOOD), ("bad", BAD)], {"BLEU": metric}, [REFERENCES], test_type="bs")()
    baseline, system = (measure("bleu", lines, REFERENCES, EvaluateConfig()) for lines in (GOOD, BAD))
    ours = paired_bootstrap(baseline, system)
    assert ours.p_value == pytest.approx(theirs["BLEU"][1].p_value)  # type: ignore[union-attr]
    assert ours.difference < 0


def test_a_system_against_itself_shows_no_difference() -> None:
    scored = measure("bleu", GOOD, REFERENCES, EvaluateConfig())
    assert paired_bootstrap(scored, scored, resamples=199)[1:] == (0.0, 1.0)


def test_resamples_of_equal_rows_are_all_equal() -> None:
    rows = np.tile([2.0, 5.0], (7, 1))
    np.testing.assert_array_equal(resampled_totals(rows, resamples=11, seed=3), np.tile([14.0, 35.0], (11, 1)))


def test_pieces_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(26.0).reshape(13, 2)
    whole = resampled_totals(rows, resamples=17, seed=5)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 3 * 13)
    np.testing.assert_array_equal(resampled_totals(rows, resamples=17, seed=5), whole)


def test_interval_leaves_out_a_fortieth_at_each_end() -> None:
    # 80 values 0..79: 2 left out at each end
    assert middle(np.arange(80.0)[::-1]) == (2.0, 77.0, 39.5)
