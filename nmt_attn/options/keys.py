"""Keys that `--set` and other options set in a model that searches."""

from collections.abc import Sequence
from typing import NamedTuple

from nmt_attn.errors import ConfigError
from nmt_attn.files import shown


class GivenKeys(NamedTuple):
    """What `--set` sets, by section, each as `section.key=value`."""

    evaluate: list[str]
    search: list[str]


def split_keys(given: Sequence[str]) -> GivenKeys:
    """The keys by section. Raises ConfigError for one of another section."""
    keys = GivenKeys([], [])
    for each in given:
        section = each.partition(".")[0]
        if section not in keys._fields:
            raise ConfigError(
                "--set: expected a key of evaluate or search, such as evaluate.tokenize=none or search.mbr=bleu, got "
                f"{shown(each)}"
            )
        getattr(keys, section).append(each)
    return keys


def search_keys(given: Sequence[str], beam: int | None, precision: str | None) -> list[str]:
    """The keys of search that `--set` gives, with those of --beam and --precision, so that all are checked together.

    Raises ConfigError for a key beside its option.
    """
    options = {"beam": beam, "precision": precision}
    for name, value in options.items():
        if value is not None and (twice := [key for key in given if key.startswith(f"search.{name}=")]):
            raise ConfigError(f"--{name}: expected none beside --set {twice[0]}, got {value}")
    return [*given, *(f"search.{name}={value}" for name, value in options.items() if value is not None)]
