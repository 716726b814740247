"""scripts/beam_width.py: one row a width, with the figures that `translate` and `eval` give."""

import importlib.util
from pathlib import Path

import pytest
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.evaluation.metrics import bleu
from nmt_attn.search.translator import Translator

SCRIPT = Path(__file__).parents[2] / "scripts" / "beam_width.py"


def test_each_width_has_a_row_with_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("beam_width", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    run = make_run(tmp_path)
    script.main([str(run), "--width", "1", "3"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.split("\n") if line[:3] in ("| 1", "| 3")]
    for row, beam in zip(rows, (1, 3), strict=True):
        found = list(Translator.load(run).translate(SOURCES, beam=beam))
        expected = bleu([one.text for one in found], REFERENCES, tokenize="none", lowercase=False)
        assert row[1] == f"{expected.value:.2f}"
        assert float(row[3]) == pytest.approx(sum(one.log_prob for one in found) / len(found), abs=1e-3)
    assert rows[0][5] == "0"
