"""Run filters: `--where KEY=VALUE` and `--sort KEY` of a list of runs.

KEY is a column of the list (run, state, updates, ...) or a key of the configuration, also by its end: `score` stands
for `model.attention.score`.
"""

import math
import operator
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from nmt_attn.config.key_paths import keys_ending_in, value_keys
from nmt_attn.config.messages import did_you_mean, join_words, show
from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.errors import ConfigError
from nmt_attn.evaluation.metrics import is_error
from nmt_attn.experiments.run_list import RunRecord

COLUMNS: dict[str, Callable[[RunRecord], Any]] = {
    "run": lambda run: run.name,
    "state": lambda run: run.state,
    "updates": lambda run: run.updates,
    "epoch": lambda run: run.epoch,
    "best": lambda run: run.best,
    "metric": lambda run: run.metric,
    "seconds": lambda run: run.seconds,
    "parameters": lambda run: run.parameters,
}
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
BEST, NEWEST = "best", "newest"


class Condition(NamedTuple):
    """`KEY=VALUE`, `KEY!=VALUE` or, for numbers, `KEY<VALUE`, `KEY<=VALUE`, `KEY>VALUE`, `KEY>=VALUE`."""

    key: str
    comparison: str
    value: Any

    def holds(self, run: RunRecord) -> bool:
        """Whether the run fulfils it. In text `*`, `?` and `[...]` stand for other text, as in a shell."""
        found = value_of(run, self.key)
        if self.comparison in ORDERS:
            is_number = isinstance(found, int | float) and not isinstance(found, bool)
            return is_number and ORDERS[self.comparison](found, self.value)
        is_equal = found == self.value
        if isinstance(found, str) and not is_equal:
            is_equal = fnmatchcase(found, str(self.value))
        return is_equal == (self.comparison == "=")


def read_condition(text: str) -> Condition:
    """The condition that a user has written. Raises ConfigError."""
    match = re.fullmatch(r"\s*([\w.]+)\s*(!=|<=|>=|=|<|>)(.*)", text, re.DOTALL)
    if match is None:
        raise ConfigError(f"--where: expected KEY=VALUE (or !=, <, <=, >, >=), got {show(text)}")
    name, comparison, word = match.groups()
    key = find_key(name, "--where")
    value = word.strip() if key in ("run", "state", "metric") else parse_yaml(word, f"--where {name}")[0]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if comparison in ORDERS and not is_number:
        raise ConfigError(f"--where: expected a number after {name}{comparison}, got {show(word)}")
    return Condition(key, comparison, value)


def find_key(name: str, option: str, further: Sequence[str] = ()) -> str:
    """The column or configuration key that `name` stands for. Raises ConfigError for none, or several."""
    if name in COLUMNS or name in further:
        return name
    found = keys_ending_in(name)
    if len(found) > 1:
        raise ConfigError(f"{option}: expected one key, got {name}, the end of {join_words(found)}")
    if not found:
        ends = [end for key in value_keys() for end in (key, key.rpartition(".")[2])]
        near = did_you_mean(name, [*COLUMNS, *further, *ends])
        columns = ", ".join((*COLUMNS, *further))
        hint = f"did you mean {near}?" if near else "see nmt-attn config"
        raise ConfigError(f"{option}: expected {columns} or a key of the configuration, got {name} ({hint})")
    return found[0]


def value_of(run: RunRecord, key: str) -> Any:
    """The value of a column or of a configuration key."""
    return COLUMNS[key](run) if key in COLUMNS else run.keys[key]


def sorted_runs(runs: Sequence[RunRecord], name: str) -> list[RunRecord]:
    """The best or the newest first; by anything else from the smallest value on. Equal ones stay in their order.

    Runs without a value come last, and so do, by `best`, those of another metric: values of two do not compare.
    """
    key = find_key(name, "--sort", (NEWEST,))
    if key == NEWEST:
        return sorted(runs, key=lambda run: -run.written)
    if key == BEST:
        metrics = list(dict.fromkeys(run.metric for run in runs))
        signs = {metric: 1 if is_error(metric) else -1 for metric in metrics}
        return sorted(runs, key=lambda run: (metrics.index(run.metric), *_last_if_none(run.best, signs[run.metric])))
    values = [value_of(run, key) for run in runs]
    if all(value is None or isinstance(value, int | float) for value in values):
        return sorted(runs, key=lambda run: _last_if_none(value_of(run, key)))
    return sorted(runs, key=lambda run: str(value_of(run, key)))


def _last_if_none(value: float | None, sign: int = 1) -> tuple[bool, float]:
    return (True, math.inf) if value is None else (False, sign * value)
