"""The study in a tiny setting: two systems, a handful of sentences; and once more without training again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = [
    "data.train.limit=40",
    "data.valid.limit=5",
    "data.test.limit=8",
    "model.encoder.hidden=5",
    "model.encoder.embedding=7",
    "model.decoder.hidden=11",
    "model.decoder.embedding=3",
    "training.epochs=1",
    "training.batch_tokens=400",
    "search.beam=2",
    "search.max_length_factor=0.5",
]


def study(folder: Path) -> subprocess.CompletedProcess[str]:
    keys = [part for key in TINY for part in ("--set", key)]
    places = ["--runs", str(folder / "runs"), "--output", str(folder / "study.md"), "--remark", "Made today."]
    return subprocess.run(
        [
            sys.executable,
            ROOT / "scripts" / "study.py",
            "--seeds",
            "3",
            "--systems",
            "plain",
            "general",
            *places,
            *keys,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_study_writes_its_tables_and_goes_on_where_it_was(tmp_path: Path) -> None:
    first = study(tmp_path)
    assert first.returncode == 0, first.stderr
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    figures = json.loads((tmp_path / "runs" / "general-3" / "eval" / "eval.json").read_text(encoding="utf-8"))
    assert f"| general | {figures['metrics'][0]['value']:.2f} |" in text
    assert f"| {figures['alignments'][0]['error_rate']:.3f} |" in text
    assert "| plain | " in text
    assert "\n\nMade today.\n\n" in text
    assert "![BLEU by length](study/bleu-by-length.png)" in text
    assert (tmp_path / "study" / "bleu-by-length.png").is_file()
    assert "![general](study/alignment.general.png)" in text
    assert (tmp_path / "study" / "alignment.general.png").is_file()
    assert "![plain]" not in text
    # no claim that needs a system which was left out
    assert "concat does not work" not in text
    second = study(tmp_path)
    assert second.returncode == 0, second.stderr
    assert "$ nmt-attn" not in second.stderr
    assert (tmp_path / "study.md").read_text(encoding="utf-8") == text
