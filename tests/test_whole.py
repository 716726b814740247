"""The main job through the command line, on the built-in corpus in a small setting: train, translate, eval."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SYSTEMS = {
    "bahdanau": ["model.decoder.readout=maxout", "model.decoder.init=backward-first"],
    "luong": [
        "model.attention.score=general",
        "model.decoder.style=luong",
        "model.decoder.cell=lstm",
        "model.decoder.input_feeding=attentional",
    ],
    "plain": [
        "model.attention.score=none",
        "tokenizer.kind=sentencepiece",
        "tokenizer.vocab_size=200",
        "tokenizer.shared=true",
        "training.validate_translation=false",
    ],
}
SMALL = [
    "data.train.limit=300",
    "data.valid.limit=20",
    "data.test.limit=40",
    "model.encoder.hidden=24",
    "model.encoder.embedding=16",
    "model.decoder.hidden=40",
    "model.decoder.embedding=16",
    "training.epochs=2",
    "training.learning_rate=0.01",
    "evaluate.tokenize=none",
]
LINES = ["Turn off the lights", "", "zzz qqq", " ", "Sleep today " * 60, "A line\u2028separator"]


def nmt_attn(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command, run in `folder`; its standard error comes with a failure."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-m", "nmt_attn", *arguments],
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result


def small(system: str) -> list[str]:
    return [part for setting in [f"run.name={system}", *SMALL, *SYSTEMS[system]] for part in ("--set", setting)]


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_train_translate_eval(system: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("{}\n", encoding="utf-8")
    trained = nmt_attn(tmp_path, "train", str(config), *small(system))
    assert "translate: nmt-attn translate --model" in trained.stderr
    records = [json.loads(line) for line in (tmp_path / "runs" / system / "log.jsonl").read_text().split("\n")[:-1]]
    losses = [record["loss"] for record in records if record["kind"] == "validation"]
    assert losses[-1] < losses[0]

    # As typed in the README: the newest run is taken, lines keep their number and order.
    translated = nmt_attn(tmp_path, "translate", "--beam", "5", stdin="".join(f"{line}\n" for line in LINES))
    outputs = translated.stdout.split("\n")
    assert outputs.pop() == ""
    assert len(outputs) == len(LINES)
    assert (outputs[1], outputs[3]) == ("", "")
    one_by_one = nmt_attn(
        tmp_path, "translate", "--beam", "5", "--batch-size", "1", stdin="".join(f"{line}\n" for line in LINES)
    )
    assert one_by_one.stdout == translated.stdout

    evaluated = nmt_attn(tmp_path, "eval")
    assert "BLEU" in evaluated.stdout
    assert "nrefs:1|case:mixed|eff:no|tok:none" in evaluated.stdout
    folder = tmp_path / "runs" / system / "eval"
    assert (folder / "eval.json").is_file()
    assert (folder / "bleu-by-length.png").is_file()
    assert bool(list(folder.glob("alignment-*.png"))) == (system != "plain")
    assert len((folder / "test.hyp.txt").read_text(encoding="utf-8").split("\n")) == 41
