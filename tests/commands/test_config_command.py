"""`nmt-attn config` prints the resolved file with its parameters, the reference or the schema, and nothing else."""

import json
import re
from pathlib import Path

import pytest

from nmt_attn.commands.config import show_config
from nmt_attn.config.file import parse_config
from nmt_attn.config.reference import reference_yaml
from nmt_attn.config.schema import Config
from nmt_attn.errors import ConfigError
from nmt_attn.options.training import ConfigOptions
from nmt_attn.registries import SCORES

ROW = r"^# (\S.*?)  +([\d,]+)"


def test_a_file_is_shown_resolved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("search: {beam: 3}\n", encoding="utf-8")
    show_config(ConfigOptions(file, ("training.epochs=2",)))
    printed = capsys.readouterr()
    config = parse_config(printed.out, [], "printed")
    assert (config.search.beam, config.training.epochs) == (3, 2)
    assert len(printed.out.split("\n")) > 90
    assert printed.err == ""


def test_overrides_alone_are_shown_on_top_of_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    show_config(ConfigOptions(set=("search.beam=3",)))
    assert parse_config(capsys.readouterr().out, ["search.beam=5"], "printed") == Config()


def test_without_a_file_the_reference_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_config(ConfigOptions())
    without = capsys.readouterr().out
    assert without == reference_yaml()
    assert parse_config(without, [], "printed") == Config()


def test_parameters_by_part_follow_as_comments(capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["model.attention.score=dot", "model.encoder.hidden=3", "model.decoder.hidden=6"]
    show_config(ConfigOptions(set=(*overrides, "model.encoder.embedding=4", "tokenizer.vocab_size=1000")))
    comments = [line for line in capsys.readouterr().out.split("\n") if line.startswith("#")]
    assert "1,000 tokens (tokenizer.vocab_size)" in comments[0]
    rows = {name: int(count.replace(",", "")) for name, count in re.findall(ROW, "\n".join(comments), re.M)}
    assert rows["source embedding"] == 1000 * 4
    assert rows["encoder layer 1"] == 2 * (3 * 3 * (4 + 3) + 2 * 3 * 3)  # two directions of W, U and two biases
    assert rows["attention score"] == 0
    assert rows.pop("total") == sum(rows.values())
    assert all(len(line) <= 120 for line in comments)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_parameters_by_part_fit_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nmt_attn.commands.config.width_of", lambda stream: width)
    show_config(ConfigOptions(set=("model.encoder.layers=2",)))
    printed = capsys.readouterr().out
    comments = [line for line in printed.split("\n") if line.startswith("#")]
    assert max(map(len, comments)) <= width
    assert "2 x (input_to_gates" in " ".join(comments)
    assert parse_config(printed, [], "printed").model.encoder.layers == 2


def test_the_schema_is_json_that_refuses_unknown_keys(capsys: pytest.CaptureFixture[str]) -> None:
    show_config(ConfigOptions(schema=True))
    schema = json.loads(capsys.readouterr().out)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {"extends", *Config.model_fields}
    score = schema["$defs"]["AttentionConfig"]["properties"]["score"]
    assert score["enum"] == ["none", *SCORES]


def test_a_wrong_file_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("search: {beem: 3}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"search\.beem: expected a key of search, got 'beem'"):
        show_config(ConfigOptions(file))
    assert capsys.readouterr().out == ""


def test_a_difference_has_only_the_keys_that_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = tmp_path / "run", tmp_path / "b.yaml"
    run.mkdir()
    (run / "config.yaml").write_text("search: {beam: 3}\ntraining: {minutes: 2}\n", encoding="utf-8")
    file.write_text("search: {beam: 7}\n", encoding="utf-8")
    show_config(ConfigOptions(file, ("run.name=b",), diff=run))
    header, *rows = [line.split() for line in capsys.readouterr().out.strip().split("\n")]
    assert header == ["key", str(run), str(file)]
    assert rows == [["run.name", "'run'", "'b'"], ["training.minutes", "2.0", "null"], ["search.beam", "3", "7"]]
    show_config(ConfigOptions(run, diff=run))
    assert capsys.readouterr().out == f"no key differs between {run} and {run}\n"


def test_a_difference_that_is_too_wide_has_a_line_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "b.yaml"
    file.write_text("model: {attention: {score: general}}\n", encoding="utf-8")
    monkeypatch.setattr("nmt_attn.commands.config.width_of", lambda stream: 40)
    show_config(ConfigOptions(diff=file))
    assert capsys.readouterr().out == (
        f"key\n  {file}\n  the defaults\nmodel.attention.score\n  'general'\n  'additive'\n"
    )
