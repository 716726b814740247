"""`nmt-attn config` prints the resolved file, the reference or the schema, and nothing else."""

import json
from pathlib import Path

import pytest

from nmt_attn.commands.config import show_config, show_reference, show_schema
from nmt_attn.config import Config
from nmt_attn.config_file import parse_config
from nmt_attn.errors import ConfigError


def test_a_file_is_shown_resolved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("search: {beam: 3}\n", encoding="utf-8")
    show_config(file, ["training.epochs=2"])
    printed = capsys.readouterr()
    config = parse_config(printed.out, [], "printed")
    assert (config.search.beam, config.training.epochs) == (3, 2)
    assert len(printed.out.split("\n")) > 90
    assert printed.err == ""


def test_overrides_alone_are_shown_on_top_of_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    show_config(None, ["search.beam=3"])
    assert parse_config(capsys.readouterr().out, ["search.beam=5"], "printed") == Config()


def test_without_a_file_the_reference_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_config(None, [])
    without = capsys.readouterr().out
    show_reference()
    assert without == capsys.readouterr().out
    assert parse_config(without, [], "printed") == Config()


def test_the_schema_is_json_that_refuses_unknown_keys(capsys: pytest.CaptureFixture[str]) -> None:
    show_schema()
    schema = json.loads(capsys.readouterr().out)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Config.model_fields)


def test_a_wrong_file_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("search: {beem: 3}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"search\.beem: expected a key of search, got 'beem'"):
        show_config(file, [])
    assert capsys.readouterr().out == ""
