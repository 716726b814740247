"""Options are declared once: commands, help and the Python interface follow from the records."""

import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
import typer.main
from tiny_translators import make_translator
from typer.testing import CliRunner

from nmt_attn import commands
from nmt_attn.cli import ClickException, _mistake, app
from nmt_attn.config.file import load_config
from nmt_attn.config.schema import SearchConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.options import evaluation, models, training, translation
from nmt_attn.options.shared import ranges
from nmt_attn.options.training import TrainOptions
from nmt_attn.options.translation import SearchOptions
from nmt_attn.search.request import Request
from nmt_attn.search.translator import Translator
from nmt_attn.version import __version__

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def record_of(name: str) -> type:
    """`demo-corpus` -> DemoCorpusOptions."""
    record = "".join(word.capitalize() for word in name.split("-")) + "Options"
    return next(getattr(part, record) for part in (evaluation, models, training, translation) if hasattr(part, record))


def test_commands_has_one_file_for_each_command_and_nothing_else() -> None:
    files = {path.stem for path in Path(next(iter(commands.__path__))).glob("*.py")} - {"__init__"}
    modules = {name: name.replace("-", "_") for name in COMMANDS} | {"import": "import_model"}  # a word of Python
    assert files == {*modules.values()}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_options_are_the_fields_of_its_record(name: str) -> None:
    parameters = {parameter.name: parameter for parameter in COMMANDS[name].params if parameter.name != "help"}
    assert parameters.keys() == {field.name for field in fields(record_of(name))}
    for field, parameter in parameters.items():
        assert parameter.opts == [field] or parameter.opts == [f"--{field.replace('_', '-')}"]
        assert parameter.help, f"{name} {field}: needs a help text"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_that_takes_a_whole_number_states_its_bounds(name: str) -> None:
    record = record_of(name)
    for field, hint in get_type_hints(record, include_extras=True).items():
        kind, declared = get_args(hint)
        if int in (kind, *get_args(kind)):
            assert None not in (declared.min, declared.max), f"{name} {field}: state min and max"
            assert ranges(record)[field] == (declared.min, declared.max)
            parameter = next(each for each in COMMANDS[name].params if each.name == field)
            assert parameter.min == declared.min


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("translate", "--beam", 10**20),
        ("translate", "--seed", 2**64),
        ("sweep", "--jobs", 0),
        ("index", "--limit", -1),
        ("eval", "--beam", "1_0"),
    ],
)
def test_the_command_line_refuses_what_is_beyond(command: str, option: str, value: int) -> None:
    done = CliRunner().invoke(app, [command, option, str(value), "x"])
    assert isinstance(done.exception, ConfigError)
    assert re.fullmatch(rf"{option}: expected a whole number from [01] to [\d,]+, got '{value}'", str(done.exception))


def test_what_is_no_number_is_refused_with_what_is_expected() -> None:
    done = CliRunner().invoke(app, ["translate", "--temperature", "warm"])
    assert str(done.exception) == "--temperature: expected a number, got 'warm'"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_of_the_command(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"]).stdout
    assert f"Example: nmt-attn {name}" in shown


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from nmt_attn.cli import app; sys.exit(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", f"{code} or 0"], check=False, capture_output=True).stderr == b"[]\n"


def test_the_keywords_of_python_are_the_fields_of_the_record() -> None:
    keywords = inspect.signature(Translator.translate).parameters
    assert {field.name for field in fields(SearchOptions)} < keywords.keys()
    assert list(keywords)[:2] == ["self", "lines"]
    with pytest.raises(TypeError, match="beem"):
        make_translator().translate([], beem=5)  # type: ignore[call-arg]


# ---- records are checked when they are made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"beam": 0}, "beam: expected at least 1, got 0"),
        ({"beam": 10**20}, r"beam: expected at most 10000, got 100000000000000000000"),
        ({"sample": True, "seed": 2**64}, "seed: expected at most 18446744073709551615, got 18446744073709551616"),
        ({"sample": True, "top_k": -(10**5000)}, r"top_k: expected at least 1, got -2\^16609 or more"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"top_p": 0.5}, "--top-p: expected --sample beside it, got 0.5 alone"),
        ({"sample": True, "beam": 2}, "beam: expected none or 1 with sampling"),
    ],
)
def test_numbers_that_no_search_has_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SearchOptions(**given)


def test_a_changed_request_is_checked_again() -> None:
    request = Request(search=SearchConfig(beam=4), nbest=4)
    with pytest.raises(ConfigError, match=r"nbest: expected 1 to the beam's width, 4, got 5"):
        replace(request, nbest=5)
    with pytest.raises(ConfigError, match=r"search\.groups: expected a divisor of the beam's width, 3, got 2"):
        replace(request, nbest=1, search=SearchConfig(beam=4, groups=2).model_copy(update={"beam": 3}))


def test_an_option_given_twice_is_refused_unless_it_may_be_repeated(tmp_path: Path) -> None:
    for arguments in (["--source", "a", "--source", "b"], ["--source=a", "--source", "b"]):
        with pytest.raises(ConfigError, match="--source: expected it once, got it 2 times"):
            CliRunner().invoke(app, ["eval", *arguments], catch_exceptions=False)
    twice = CliRunner().invoke(app, ["config", "--set", "run.name=a", "--set", "run.seed=2"], catch_exceptions=False)
    assert twice.exit_code == 0


# ---- the short options of train


def test_short_options_of_train_are_keys() -> None:
    given = TrainOptions(Path("demo"), ("run.seed=3",), name="12", minutes=0.5, epochs=2, device="cpu", threads=1)
    config = load_config(given.config, given.overrides())
    assert (config.run.name, config.run.seed, config.run.device) == ("12", 3, "cpu")
    assert (config.training.minutes, config.training.epochs) == (0.5, 2)
    assert TrainOptions(Path("demo")).overrides() == ()


def test_a_short_option_is_named_as_it_was_written() -> None:
    given = TrainOptions(Path("demo"), ("run.seed=-1",), name="my run", minutes=0)
    with pytest.raises(ConfigError) as caught:
        load_config(Path("demo"), given.overrides(), given.names())
    assert sorted(line.partition(":")[0] for line in str(caught.value).split("\n")) == [
        "--minutes",
        "--name",
        "run.seed",
    ]


def test_a_key_that_is_given_in_both_ways_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--epochs: expected it once, got --set training\.epochs too"):
        TrainOptions(Path("demo"), ("training.epochs = 3",), epochs=3)


# ---- what asks for no command


def test_the_version_names_what_runs_here() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0
    first, python, torch_line, *_ = shown.stdout.split("\n")
    assert first == f"nmt-attn {__version__}"
    assert python.startswith(f"Python {sys.version_info.major}.{sys.version_info.minor}.")
    assert torch_line.startswith(f"torch {torch.__version__}, ")
    assert {"CPU", "GPU", "auto"} <= {line.partition(":")[0] for line in shown.stdout.split("\n")}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "command: expected one of these, got none (see nmt-attn --help)"),
        (
            ["translate", "hola mundo"],
            "translate: expected options, got more words: 'hola mundo' (see nmt-attn translate --help; text comes from "
            "standard input or --input FILE)",
        ),
        (
            ["init", "words.tsv"],
            "init: expected options, got more words: 'words.tsv' (see nmt-attn init --help; --tsv FILE, or --source "
            "FILE and --target FILE, names the text)",
        ),
        (
            ["config", "demo", "--set", "run.name", "=", "a"],
            "config: expected options, got more words: '= a' (see nmt-attn config --help; --set KEY=VALUE has no "
            "blanks)",
        ),
        (
            ["translate", "-beam", "5"],
            "No such option: -b (see nmt-attn translate --help; did you mean --beam?)",
        ),
        (
            ["--model", "runs/a", "translate"],
            "No such option: --model (Possible options: --help) (see nmt-attn --help; options of a command stand "
            "after it)",
        ),
        (["plot"], "Missing argument 'runs' (see nmt-attn plot --help)"),
    ],
)
def test_what_is_wrong_with_the_words_is_one_line(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["nmt-attn", *words])
    with pytest.raises(ClickException) as caught:
        app(standalone_mode=False, prog_name="nmt-attn")
    assert _mistake(caught.value) == message


def test_the_shell_completes_commands() -> None:
    asked = {"_NMT_ATTN_COMPLETE": "complete_bash", "COMP_WORDS": "nmt-attn tr", "COMP_CWORD": "1"}
    program = "import sys; sys.argv[0] = 'nmt-attn'; from nmt_attn.cli import main; main()"
    code = [sys.executable, "-c", program]
    shown = subprocess.run(code, check=False, capture_output=True, text=True, env={**os.environ, **asked})
    assert shown.stdout.split() == ["train", "translate"]


# ---- paths

BAD_PATHS = {
    "": r"expected a path, got an empty one",
    "\udcff": r"expected a path, got '\\udcff', which is not UTF-8",
    "a" * 300: r"expected a path that can be used, got 'aaa.*: file name too long",
    "~nosuchuser/a": r"expected a path, got '~nosuchuser/a': no such user",
}
PATHS = [
    (name, parameter.name)
    for name, command in COMMANDS.items()
    for parameter in command.params
    if "path" in str(record_of(name).__annotations__.get(parameter.name, "")).lower()
]


@pytest.mark.parametrize(("name", "field"), PATHS, ids=lambda case: case)
@pytest.mark.parametrize("path", BAD_PATHS, ids=["empty", "bytes", "long", "user"])
def test_a_path_that_cannot_be_one_is_refused_by_every_option(
    name: str, field: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments: list[str] = []
    for parameter in COMMANDS[name].params:
        if parameter.required or parameter.name == field:
            value = path if parameter.name == field else "x"
            arguments += [value] if parameter.opts == [parameter.name] else [parameter.opts[0], value]
    with pytest.raises(DataError, match=BAD_PATHS[path]) as caught:
        CliRunner().invoke(app, [name, *arguments], catch_exceptions=False)
    assert "\n" not in str(caught.value)
    str(caught.value).encode("utf-8")
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_no_unicode_is_refused() -> None:
    for arguments in (["explain", "\udcff"], ["config", "--set", "run.name=\udcff"]):
        with pytest.raises(ConfigError, match=r"expected text in UTF-8, got '.*\\udcff'"):
            CliRunner().invoke(app, arguments, catch_exceptions=False)
