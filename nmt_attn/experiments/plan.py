"""Plans: which runs a sweep consists of. Read from a file like this; every key but `config` may be left out.

config: demo                      # a configuration file, or the name of a shipped one
name: widths                      # folder of the sweep in run.dir; by default the file's name
set: {training.epochs: 5}         # keys of all runs
grid:                             # every combination of these values; a list of grids is tried one after the other
  model.attention.score: [additive, general]
  model.decoder.hidden: [64, 128]
random:                           # in place of grid: values drawn at random
  samples: 20
  seed: 1
  keys:
    training.learning_rate: {from: 1e-4, to: 1e-2, scale: log}
    model.decoder.hidden: {from: 64, to: 256, step: 64}
    model.attention.score: [additive, general]
seeds: 3                          # run.seed and the two numbers after it; or a list of seeds
baseline: {model.attention.score: additive}    # what the others are compared with; by default the first
part: valid                       # what the best models translate to be compared: valid or test
halving: {after_epochs: [2, 6], factor: 3}     # after 2 and 6 epochs only the best third goes on
"""

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from nmt_attn.bounds import LARGEST, LARGEST_SEED, told
from nmt_attn.config.base import Count, Section, Seed, ValidationMetric
from nmt_attn.config.extends import find_config
from nmt_attn.config.file import load_config
from nmt_attn.config.messages import join_words, show
from nmt_attn.config.schema import NAME_PATTERN, Config
from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.data.corpus import cache_folder
from nmt_attn.errors import ConfigError
from nmt_attn.text_io import read_text

DIGITS = 4
"""Significant digits of a number that is drawn."""

MOST_RUNS = 10_000
"""A plan names each run and checks its configuration before the first one starts."""

Values = tuple[Any, ...]
Setting = dict[str, Any]
"""The value of each key that the sweep varies."""


class Span(Section):
    """Numbers to draw from; whole ones if both ends are."""

    low: int | float = Field(alias="from", ge=-LARGEST, le=LARGEST, description="smallest")
    high: int | float = Field(alias="to", ge=-LARGEST, le=LARGEST, description="largest")
    scale: Literal["linear", "log"] = Field("linear", description="what is drawn evenly: the number or its logarithm")
    step: int | float | None = Field(None, gt=0, description="distance of two values, from the smallest on")


class RandomSearch(Section):
    """Values drawn at random."""

    samples: Annotated[int, Field(ge=1, le=MOST_RUNS)] = Field(description="settings to draw")
    seed: Seed = Field(1, description="of the draws")
    keys: dict[str, Span | Annotated[Values, Field(min_length=1)]] = Field(min_length=1, description="what to draw")


class Halving(Section):
    """Successive halving (Jamieson and Talwalkar 2016): settings that are behind are given up early."""

    after_epochs: tuple[Count, ...] = Field(min_length=1, description="when to choose")
    factor: int = Field(3, ge=2, le=LARGEST, description="one setting in N goes on")
    metric: ValidationMetric = Field("loss", description="validation value that decides")


Grid = dict[str, Annotated[Values, Field(min_length=1)]]


class SweepFile(Section):
    """A sweep as its file says it."""

    config: str = Field(description="configuration of every run")
    name: str | None = Field(None, pattern=NAME_PATTERN, description="folder of the sweep")
    set: dict[str, Any] = Field({}, description="keys of all runs")
    grid: Grid | tuple[Grid, ...] = Field({}, description="values of which every combination is tried")
    random: RandomSearch | None = Field(None, description="values to draw in place of a grid")
    seeds: Count | Annotated[tuple[int, ...], Field(min_length=1)] = Field(1, description="how many, or which")
    baseline: Setting | None = Field(None, description="setting that the others are compared with")
    part: Literal["valid", "test"] = Field("valid", description="corpus that is translated")
    halving: Halving | None = Field(None, description="give up settings that are behind")


class Trial(NamedTuple):
    """One setting with one seed."""

    setting: int  # its place in the plan
    seed: int
    config: Config  # run.name is not settled yet


class Plan(NamedTuple):
    """All runs of a sweep."""

    name: str
    folder: Path
    settings: tuple[Setting, ...]
    baseline: int  # its place in `settings`
    seeds: tuple[int, ...]
    trials: tuple[Trial, ...]
    part: Literal["valid", "test"]
    halving: Halving | None

    def label(self, setting: int) -> str:
        """`model.attention.score=general`, or `all runs` where nothing is varied."""
        return label(self.settings[setting])


def label(setting: Setting) -> str:
    """`model.attention.score=general training.epochs=3`."""
    return " ".join(f"{key}={_plain(value)}" for key, value in setting.items()) or "all runs"


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises ConfigError with everything that is wrong in one setting, DataError."""
    value, messages = parse_yaml(read_text(path), str(path))
    if messages:
        raise ConfigError("\n".join(messages))
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected the keys of a sweep, such as config and grid, got {show(value)}")
    beside = path.parent / str(value.get("config"))
    return make_plan(value, str(path), path.stem, beside if beside.is_file() else None)


def make_plan(value: Mapping[str, Any], where: str, name: str, config: Path | None = None) -> Plan:
    """The plan that the keys of a sweep describe; errors call it `where`. `config` is the file, if it is known."""
    try:
        file = SweepFile.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(where, error))) from error
    if file.random is not None and file.grid:
        raise ConfigError(f"{where}: random: expected no grid beside it, got {show(value['grid'])}")
    settings = _settings(file, where)
    path = config or find_config(Path(file.config))
    _check_keys(file, settings, where)
    configs = [_config(path, file, setting, where) for setting in settings]
    _check_halving(file, settings, configs, where)
    first = configs[0]
    _check_runs(len(settings) * (file.seeds if isinstance(file.seeds, int) else len(file.seeds)), where)
    seeds = tuple(range(first.run.seed, first.run.seed + file.seeds)) if isinstance(file.seeds, int) else file.seeds
    if len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) > LARGEST_SEED:
        raise ConfigError(f"{where}: seeds: expected different numbers from 0 to 2^64 - 1, got {show(list(seeds))}")
    name = file.name or name
    folder = Path(first.run.dir) / name
    trials = tuple(
        Trial(number, seed, _with_run(each, folder, seed)) for number, each in enumerate(configs) for seed in seeds
    )
    return Plan(name, folder, settings, _baseline(file, settings, where), seeds, trials, file.part, file.halving)


def _settings(file: SweepFile, where: str) -> tuple[Setting, ...]:
    """Each different setting once, in order."""
    if file.random is not None:
        draws = random.Random(file.random.seed)
        found = [_draw(file.random.keys, draws, where) for _ in range(file.random.samples)]
    else:
        grids = [file.grid] if isinstance(file.grid, dict) else list(file.grid)
        _check_runs(sum(math.prod(map(len, grid.values())) for grid in grids), where)
        found = [dict(zip(grid, values, strict=True)) for grid in grids for values in product(*grid.values())]
    return tuple({json.dumps(setting): setting for setting in found}.values())


def _check_runs(count: int, where: str) -> None:
    """Raises ConfigError for more runs than a plan may have."""
    if count > MOST_RUNS:
        raise ConfigError(f"{where}: expected at most {MOST_RUNS:,} runs, got {told(count)}")


def _draw(keys: Mapping[str, Span | Values], draws: random.Random, where: str) -> Setting:
    return {
        key: _number(key, span, draws, where) if isinstance(span, Span) else draws.choice(span)
        for key, span in keys.items()
    }


def _number(key: str, span: Span, draws: random.Random, where: str) -> int | float:
    low, high = span.low, span.high
    is_countable = span.step is None or (high - low) / span.step <= LARGEST
    if not low < high or not is_countable or (span.scale == "log" and (low <= 0 or span.step is not None)):
        expected = "two ends, the first smaller (with scale log above 0, and no step; at most 10^12 steps)"
        raise ConfigError(
            f"{where}: random.keys.{key}: expected {expected}, got {show(span.model_dump(by_alias=True))}"
        )
    if span.step is not None:
        return low + span.step * draws.randrange(int((high - low) / span.step) + 1)
    is_log = span.scale == "log"
    number = math.exp(draws.uniform(math.log(low), math.log(high))) if is_log else draws.uniform(low, high)
    if isinstance(low, int) and isinstance(high, int):
        return min(max(round(number), low), high)
    return min(max(float(f"{number:.{DIGITS}g}"), low), high)


def _check_keys(file: SweepFile, settings: Sequence[Setting], where: str) -> None:
    """Refuses axes that a sweep sets itself, or that would make its values incomparable."""
    for key in dict.fromkeys(key for setting in settings for key in setting):
        if key in file.set:
            raise ConfigError(f"{where}: set.{key}: expected it once, got it in the grid or in random too")
        if key in ("run.seed", "run.name", "run.dir"):
            raise ConfigError(f"{where}: {key}: expected another key, as a sweep sets it (seeds, name), got it varied")
        if key.startswith("evaluate"):
            raise ConfigError(f"{where}: {key}: expected one way to evaluate all runs (set), got it varied")
        if key.startswith("tokenizer") and file.halving is not None and file.halving.metric == "loss":
            raise ConfigError(
                f"{where}: halving.metric: expected a metric of the text, such as 'bleu', where {key} is varied, as "
                "losses of other tokens do not compare, got 'loss'"
            )


def _check_halving(file: SweepFile, settings: Sequence[Setting], configs: Sequence[Config], where: str) -> None:
    """Refuses a metric by which some run is not validated."""
    metric = "loss" if file.halving is None else file.halving.metric
    for setting, config in zip(settings, configs, strict=True):
        if metric not in ("loss", *config.validation_metrics):
            known = join_words(map(show, ("loss", *config.validation_metrics)))
            raise ConfigError(
                f"{where}: halving.metric: expected {known}, the validation values of {label(setting)}, "
                f"got {show(metric)}"
            )


def _config(path: Path, file: SweepFile, setting: Setting, where: str) -> Config:
    overrides = [f"{key}={json.dumps(value)}" for key, value in {**file.set, **setting}.items()]
    try:
        return load_config(path, overrides)
    except ConfigError as error:
        raise ConfigError("\n".join(f"{where}: {label(setting)}: {line}" for line in str(error).split("\n"))) from error


def _with_run(config: Config, folder: Path, seed: int) -> Config:
    run = config.run.model_copy(update={"dir": str(folder), "seed": seed})
    data = config.data.model_copy(update={"cache": str(cache_folder(config))})
    return config.model_copy(update={"run": run, "data": data})


def _baseline(file: SweepFile, settings: Sequence[Setting], where: str) -> int:
    if file.baseline is None:
        return 0
    fitting = [i for i, setting in enumerate(settings) if file.baseline.items() <= setting.items()]
    if not fitting:
        raise ConfigError(f"{where}: baseline: expected values of one setting, got {show(file.baseline)}")
    return fitting[0]


def _explain(where: str, error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in detail["loc"])
        yield f"{where}: {place}: expected {_expected(detail['msg'])}, got {show(detail['input'])}"


def _expected(message: str) -> str:
    """What pydantic wants, in the form of our messages."""
    if message.startswith("Extra inputs"):
        return f"a key of a sweep ({', '.join(SweepFile.model_fields)})"
    return message.removeprefix("Input should be ")[:1].lower() + message.removeprefix("Input should be ")[1:]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
