"""A seeded generator of bad inputs: command lines over every command and option, read from the command line itself.

Each is a good call in which one thing, or several, is replaced by something odd; nothing here knows what is refused.
"""

import inspect
import random
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from ground import DAMAGED, bad_contents
from typer.models import ArgumentInfo

from nmt_attn.cli import app
from nmt_attn.config.key_paths import all_keys

GROUND = "@"
"""Stands for the folder of ground.py in an argument; `OUT` for an empty folder of the call's own."""
OUT = "%OUT"

_TEXTS = ["--source", f"{GROUND}/test.es", "--target", f"{GROUND}/test.en"]
_MINE, _TRAINED = f"{GROUND}/runs/mine", f"{GROUND}/runs/trained"
SMALL = [
    word
    for pair in (
        "training.updates=1",
        "training.validate_translation=false",
        "data.train.limit=20",
        "data.valid.limit=3",
        "model.encoder.hidden=5",
        "model.decoder.hidden=11",
        f"run.dir={OUT}/runs",
    )
    for word in ("--set", pair)
]
"""Of training: whatever else is asked for, it ends soon."""
GOOD: dict[str, list[str]] = {
    "init": ["--tsv", f"{GROUND}/pairs.tsv", "--output", f"{OUT}/new.yaml"],
    "train": [f"{GROUND}/tiny.yaml", *SMALL],
    "sweep": [f"{GROUND}/sweep.yaml", "--dry-run"],
    "translate": ["--model", _MINE, "--input", f"{GROUND}/test.es"],
    "eval": ["--model", _MINE, "--report", f"{OUT}/report"],
    "aer": [f"{GROUND}/gold.pharaoh", "--gold", f"{GROUND}/gold.pharaoh"],
    "align": ["--model", _MINE, *_TEXTS],
    "score": ["--model", _MINE, *_TEXTS],
    "shortlist": ["--model", _MINE, *_TEXTS],
    "explain": ["un gato", "--model", _MINE],
    "serve": ["--model", _MINE, "--save", f"{OUT}/page.html", "--sentence", "un gato"],
    "index": [_MINE],
    "average": [_TRAINED, "--last", "2", "--output", f"{OUT}/averaged"],
    "import": [f"{GROUND}/bad/pickle.pkl", "--output", f"{OUT}/imported"],
    "plot": [_TRAINED, "--output", f"{OUT}/curves.png"],
    "config": [f"{GROUND}/tiny.yaml"],
    "demo-corpus": [f"{OUT}/corpus"],
}
"""Calls that succeed, or (`import`) go as far as they can."""

PLACES = [
    "", " ", ".", "-", "~nosuchuser", "~nosuchuser/a", "a\0b", "\udc80", "x" * 300, "x/" * 3000, "\x1b[31m", "a\nb",
    "x" * 300 + "/a", f"{GROUND}/bad/folder", f"{GROUND}/bad/dangling", f"{GROUND}/bad/loop", f"{GROUND}/bad/loop/a",
    f"{GROUND}/bad/locked", f"{GROUND}/bad/locked/a", f"{GROUND}/bad/locked/new/a", f"{GROUND}/tiny.yaml/below",
    f"{GROUND}/runs/mine/best/vocab",
]  # fmt: skip
"""For every option: what is written there stays in the folder of the call, or in the ground."""
READ_PLACES = [
    "/", "..", "~", "/dev/null", "/dev/full", "/proc/self/mem", "/etc/passwd", "/etc/passwd/below", "/nowhere/at/all",
    "/proc/nowhere/a", "/dev/zero", "//", "/.", f"{GROUND}/runs",
]  # fmt: skip
"""For options that read, and for no other: a command that is run by root would write there."""
WRITES = {"output", "alignments", "details", "report", "json", "plot", "html", "save", "folder"}
"""Options that write."""
WRITING_KEYS = {"run.dir", "run.name", "data.cache"}
"""Keys that say where to write: they get no path that begins with a slash."""
ENDINGS = [".jsonl", ".npz", ".pharaoh", ".png", ".svg", ".pdf", ".gz", ".html", ".yaml"]
NUMBERS = [
    "-1", "0", "1", "2", "-0", "1e3", "1.5", "nan", "inf", "-inf", "1e400", "", " ", "x", "٣", "1_000", "0x10",
    str(2**31), str(2**63), str(2**64), str(10**20), "9" * 5000, "-" + "9" * 5000, "\x1b[31m", "\udc80", "1\0",
]  # fmt: skip
WORDS = ["", " ", "none", "auto", "cuda", "CPU", "\x1b]0;t\x07", "\udc80", "x" * 5000, "a\0b", "a\nb", "\u202e", "-"]
VALUES = [
    "", "null", "~", "true", "[]", "{}", "[[[[", "{a: 1}", "'", "*a", "&a [*a]", "!!python/none x", "x" * 5000, "\0",
    "\x1b[31m", '"\\e[31m"', "\udc80", ".nan", ".inf", "-.inf", "1e400", "-1", "0", "1.5", "1e23", str(2**63),
    str(2**64), str(10**15), "100000000", "9" * 5000, "[" * 3000, "[1, 2", "~nosuchuser", "/dev/zero", '"a\\0b"',
    "/proc/self/mem", "builtin", "demo", "300*a", "1e308", "5e-324", "-1e12", "1000000", "65536",
]  # fmt: skip
LINES = [
    [], ["nosuch"], ["\x1b[31m"], ["\udc80"], [""], ["-"], ["--nosuch"], ["translate", "--nosuch"], ["translate", "a"],
    ["translate", "--input"], ["explain"], ["explain", "-x y"], ["explain", "--", "-x y"], ["aer"],
    ["config", "a", "b"], ["eval", "--source", "a", "--source", "b"], ["plot"], ["average"], ["--version"],
    ["--help"], ["train", "--help"], ["config", "--schema"], ["config"], ["train"],
]  # fmt: skip
"""Command lines that are odd as a whole, or just short."""
OVERRIDES = ["", "=", "a", "a=", ".=1", "a..b=1", "run=1", "run.seed.x=1", "\x1b[31m=1", "\udc80=1", "x" * 5000, "=1"]
SENTENCES = ["", " ", "\t", "\n", "a\nb", "\0", "\udc80", "\x1b[31m gato", "\u2028", "gato " * 400, "g" * 20_000, "-x"]


class Parameter(NamedTuple):
    """An argument or option of a command, and the type of one value."""

    name: str
    kind: Any  # Path, int, float, str, bool or a Literal
    is_argument: bool

    @property
    def option(self) -> str:
        """As it is written on the command line."""
        return f"--{self.name.replace('_', '-')}"


class Case(NamedTuple):
    """A command line with marks for folders, and the name of the file of ground.py on standard input."""

    arguments: list[str]
    stdin: str = "/dev/null"


def generate(seed: int, count: int) -> list[Case]:
    """`count` cases: each kind in its turn, each without an end."""
    rng = random.Random(seed)
    kinds = [_single(rng), _single(rng), _files(rng), _overrides(rng), _configs(rng), _models(rng), _several(rng)]
    cases = [Case(line) for line in LINES]
    return cases + [next(kinds[i % len(kinds)]) for i in range(count - len(cases))]


def parameters() -> dict[str, list[Parameter]]:
    """Every command with its arguments and options."""
    found = {}
    for command in app.registered_commands:
        assert command.callback is not None and command.name is not None
        signature = inspect.signature(command.callback).parameters.values()
        found[command.name] = [_parameter(each) for each in signature]
    return dict(sorted(found.items()))


def _parameter(declared: inspect.Parameter) -> Parameter:
    kind, info = get_args(declared.annotation)[:2]
    while get_origin(kind) not in (None, Literal):  # of `list[Path] | None`, Path
        kind = next(each for each in get_args(kind) if each is not NoneType)
    return Parameter(declared.name, kind, isinstance(info, ArgumentInfo))


def _shuffled(rng: random.Random, items: list[Any]) -> Iterator[Any]:
    """Each once in random order, and again."""
    while True:
        yield from rng.sample(items, len(items))


def _single(rng: random.Random) -> Iterator[Case]:
    """Each option of each command in its turn, with an odd value."""
    for name, parameter in _shuffled(rng, [(name, each) for name, params in parameters().items() for each in params]):
        yield Case([name, *_with(rng, GOOD.get(name, []), parameter)], _stdin(rng))


def _several(rng: random.Random) -> Iterator[Case]:
    """Several options of a command."""
    for name, params in _shuffled(rng, list(parameters().items())):
        arguments = list(GOOD.get(name, []))
        for parameter in rng.sample(params, min(len(params), rng.randint(2, 4))):
            arguments = _with(rng, arguments, parameter)
        yield Case([name, *arguments], _stdin(rng))


def _files(rng: random.Random) -> Iterator[Case]:
    """Each bad file, for options that read one."""
    takers = [
        (name, each)
        for name, params in parameters().items()
        for each in params
        if each.kind is Path and each.name not in WRITES
    ]
    takers_in_turn = _shuffled(rng, takers)
    for file in _shuffled(rng, sorted(bad_contents())):
        name, parameter = next(takers_in_turn)
        yield Case([name, *_put(GOOD.get(name, []), parameter, f"{GROUND}/bad/{file}")], _stdin(rng))


def _overrides(rng: random.Random) -> Iterator[Case]:
    """Each key of the configuration with an odd value."""
    for keys in _shuffled(rng, sorted(all_keys())):
        name = rng.choice(["config", "config", "train"])
        pair = _override(rng, ".".join(keys))
        if keys[0] in ("search", "evaluate"):
            name = {"search": "translate", "evaluate": "eval"}[keys[0]]
        yield Case([name, *GOOD[name], "--set", pair])


def _override(rng: random.Random, key: str) -> str:
    values = [value for value in VALUES if key not in WRITING_KEYS or not value.startswith("/")]
    return f"{key}={rng.choice(values)}"


def _configs(rng: random.Random) -> Iterator[Case]:
    names = [file for file in sorted(bad_contents()) if file.startswith(("config-", "sweep-"))]
    for file in _shuffled(rng, names):
        path = f"{GROUND}/bad/{file}"
        if file.startswith("sweep-"):
            yield Case(["sweep", path, "--dry-run"])
        else:
            yield Case([rng.choice(["config", "train"]), path, *SMALL])


def _models(rng: random.Random) -> Iterator[Case]:
    """Each damaged run, for each command that reads one."""
    names = ["translate", "eval", "align", "score", "shortlist", "explain", "average", "plot", "serve", "index"]
    for damage, name in _shuffled(rng, [(damage, name) for damage in DAMAGED for name in names]):
        run = f"{GROUND}/damaged/{damage}"
        arguments = [run if argument in (_MINE, _TRAINED) else argument for argument in GOOD[name]]
        if name == "translate" and damage.startswith("shortlist"):
            arguments.append("--shortlist")
        if name == "average":
            arguments = [run, _MINE, "--output", f"{OUT}/averaged"]
        yield Case([name, *arguments])


def _with(rng: random.Random, arguments: list[str], parameter: Parameter) -> list[str]:
    """The arguments with an odd value of this one."""
    return _put(arguments, parameter, None if parameter.kind is bool else _value(rng, parameter))


def _put(arguments: list[str], parameter: Parameter, value: str | None) -> list[str]:
    """The arguments with this one replaced or added; None is a flag's."""
    if parameter.is_argument:
        return [value or "", *arguments[1:]]
    name, result = parameter.option, list(arguments)
    if value is None:
        return [*result, name]
    while name in result and name != "--set":
        at = result.index(name)
        del result[at : at + 2]
    return [*result, f"{name}={value}"] if value.startswith("-") else [*result, name, value]


def _value(rng: random.Random, parameter: Parameter) -> str:
    if parameter.kind is Path:
        if rng.random() < 0.3:
            return f"{OUT}/{rng.choice(['a', 'x' * 250, 'new/deeper/a'])}{rng.choice(ENDINGS)}"
        return rng.choice(PLACES + READ_PLACES * (parameter.name not in WRITES))
    if parameter.kind in (int, float):
        return rng.choice(NUMBERS)
    if parameter.name == "set":
        key = ".".join(rng.choice(sorted(all_keys())))
        return rng.choice(OVERRIDES) if rng.random() < 0.3 else _override(rng, key)
    return rng.choice(SENTENCES if parameter.name == "sentence" else WORDS)


def _stdin(rng: random.Random) -> str:
    return "/dev/null" if rng.random() < 0.7 else f"{GROUND}/bad/{rng.choice(sorted(bad_contents()))}"


def resolved(case: Case, ground: Path, out: Path) -> Case:
    """The case with the folders in the place of their marks."""

    def place(text: str) -> str:
        return text.replace(OUT, str(out)).replace(f"{GROUND}/", f"{ground}/")

    return Case([place(argument) for argument in case.arguments], place(case.stdin))
