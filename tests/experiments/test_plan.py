"""Plans of sweeps: which settings and seeds a file stands for, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.bootstrap import paired_bootstrap
from nmt_attn.evaluation.metrics import measure
from nmt_attn.evaluation.seeds import compare
from nmt_attn.experiments.plan import Plan, make_plan
from nmt_attn.experiments.sweep import members_of

SCORE, BEAM = "model.attention.score", "search.beam"


def plan(**keys: object) -> Plan:
    return make_plan({"config": "demo", **keys}, "s.yaml", "s")


def test_a_grid_has_every_combination_with_every_seed() -> None:
    found = plan(grid={SCORE: ["additive", "general"], BEAM: [1, 3]}, seeds=2, baseline={BEAM: 3})
    assert found.settings == tuple({SCORE: s, BEAM: b} for s in ("additive", "general") for b in (1, 3))
    assert [(trial.setting, trial.seed) for trial in found.trials] == [(i, s) for i in range(4) for s in (1, 2)]
    last = found.trials[-1].config
    assert (last.model.attention.score, last.search.beam, last.run.seed) == ("general", 3, 2)
    assert (found.baseline, found.folder) == (1, Path("runs/s"))


def test_a_random_search_follows_from_its_seed() -> None:
    keys = {"training.learning_rate": {"from": 1e-4, "to": 1e-2, "scale": "log"}, BEAM: {"from": 1, "to": 9, "step": 2}}
    first, again, other = (plan(random={"samples": 9, "seed": s, "keys": keys}).settings for s in (1, 1, 2))
    assert first == again != other
    assert all(1e-4 <= each["training.learning_rate"] <= 1e-2 and each[BEAM] in (1, 3, 5, 7, 9) for each in first)


def test_settings_that_differ_in_their_search_alone_share_a_run(tmp_path: Path) -> None:
    keys = {"run.dir": str(tmp_path), "data.train": {"builtin": "demo", "split": "train", "limit": 5}}
    members = members_of(plan(grid={BEAM: [1, 3]}, seeds=[4, 7], set=keys))
    assert [members[0].run, members[1].run] == [members[2].run, members[3].run]
    assert len({member.output for member in members}) == 4


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"grid": {SCORE: ["dott"]}}, f"s.yaml: {SCORE}=dott: .*did you mean 'dot'"),
        (
            {"halving": {"after_epochs": [1], "metric": "wer"}},
            "s.yaml: halving.metric: expected 'loss', 'bleu' or 'chrf', the validation values of all runs, got 'wer'",
        ),
        ({"grids": {}}, "s.yaml: grids: expected a key of a sweep"),
        ({"grid": {"run.seed": [1]}}, "s.yaml: run.seed: expected another key"),
        ({"grid": {"evaluate.lowercase": [True]}}, "evaluate.lowercase: expected one way to evaluate"),
        ({"seeds": [1, 1]}, r"seeds: expected different numbers from 0 to 2\^64 - 1, got \[1, 1\]"),
        ({"seeds": [2**64]}, r"seeds: expected different numbers from 0 to 2\^64 - 1, got"),
        ({"seeds": 10**12}, "s.yaml: expected at most 10,000 runs, got 1000000000000"),
        (
            {"grid": {f"a{key}": [*range(9)] for key in range(9999)}},
            r"s.yaml: expected at most 10,000 runs, got 2\^31696 or more",
        ),
        ({"seeds": 5001, "grid": {BEAM: [1, 2]}}, r"s.yaml: expected at most 10,000 runs, got 10002"),
        ({"random": {"samples": 10**9, "keys": {BEAM: [1]}}}, r"random.samples: expected less than or equal to 10000"),
        (
            {"random": {"samples": 1, "keys": {BEAM: {"from": 1, "to": 10**12, "step": 1e-300}}}},
            r"expected two ends, the first smaller .*; at most 10\^12 steps",
        ),
        ({"grid": {BEAM: [1]}, "baseline": {BEAM: 2}}, "baseline: expected values of one setting"),
    ],
)
def test_mistakes_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**keys)


def test_with_one_seed_the_bootstrap_is_the_paired_one() -> None:
    words = np.random.default_rng(1).integers(0, 5, (30, 6))
    lines = [" ".join(f"w{word}" for word in row) for row in words]
    base, system = (
        measure("chrf", [line.replace(f"w{i}", "x") for line in lines], lines, EvaluateConfig()) for i in (1, 2)
    )
    expected = paired_bootstrap(base, system)
    assert compare([base], [system]) == pytest.approx((expected.difference, expected.p_value))
    assert compare([base, system], [base, system])[0] == 0
