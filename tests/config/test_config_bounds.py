"""Whole numbers of the configuration have bounds, which the schema states."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nmt_attn.bounds import LARGEST_SEED
from nmt_attn.config.file import json_schema, parse_config
from nmt_attn.config.key_paths import all_keys, locate
from nmt_attn.config.reference import Kind, kinds_of
from nmt_attn.errors import ConfigError


def whole_numbers() -> Iterator[tuple[str, Kind]]:
    """Every key that takes a whole number, or a list of them."""
    for keys in all_keys():
        field = locate(keys).field
        for kind in [] if field is None or locate(keys).section else kinds_of(field):
            for each in (kind, *kind.items):
                if each.type is int and ".".join(keys).rpartition(".")[2] not in ("source", "target"):  # a column
                    yield ".".join(keys), each


@pytest.mark.parametrize(("key", "kind"), [*whole_numbers()])
def test_every_whole_number_has_bounds_and_is_refused_beyond_them(key: str, kind: Kind) -> None:
    limits = dict(kind.limits)
    assert limits.keys() == {">=", "<="}, f"{key}: state both bounds"
    for value in (limits["<="] + 1, limits[">="] - 1, 2**64, 10**23):
        with pytest.raises(ConfigError, match=f"{key}: expected .* (at least|up to) .*, got"):
            parse_config("", [f"{key}={[value] if key.endswith('buckets') else value}"], "f.yaml")


def test_the_schema_states_the_bounds() -> None:
    def integers(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if node.get("type") == "integer":
                yield node
            for value in node.values():
                yield from integers(value)
        elif isinstance(node, list):
            for value in node:
                yield from integers(value)

    found = list(integers(json.loads(json_schema())))
    assert found and all("maximum" in node for node in found)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (f"run.seed={2**64}", f"run.seed: expected a whole number of at least 0 and up to {LARGEST_SEED}, got {2**64}"),
        ("search.max_length=1e23", r"max_length: expected a whole number of at least 1 and up to 1000000 or null, got"),
        ("model.encoder.layers=100000000", "layers: expected a whole number of at least 0 and up to 64, got 100000000"),
        ("model.decoder.hidden=0", "hidden: expected a whole number of at least 1, got 0$"),
        ("search.beam=" + "9" * 5000, r"--set search.beam:1: expected YAML, got this: a number of 5000 digits"),
    ],
)
def test_a_bound_that_is_far_is_said_where_it_is_passed(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config("", [override], "f.yaml")


def test_the_largest_seed_is_one() -> None:
    assert parse_config("", [f"run.seed={LARGEST_SEED}"], "f.yaml").run.seed == LARGEST_SEED


ALIASES = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 9)}]" for i in range(20))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ALIASES, r"^f\.yaml: expected at most 10,000 values, got more \(aliases count each time\)$"),
        ("\n".join(f"key{i}: 1" for i in range(10_001)), r"^f\.yaml: expected at most 10,000 values, got more"),
        ("[" * 102 + "]" * 102, r"^f\.yaml: expected YAML, got values inside themselves or nested too deeply$"),
        ("# " + "x" * 250_000, r"^f\.yaml: expected at most 250,000 letters, got 250,002$"),
    ],
)
def test_a_small_text_cannot_make_a_large_configuration(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(text, [], "f.yaml")


def test_of_many_mistakes_the_first_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config("".join(f"key{i}: 1\n" for i in range(2000)), [], "f.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 51
    assert lines[0] == "key0: expected a section, got 'key0' (known: run, data, tokenizer, model, training, search, evaluate)"  # fmt: skip  # noqa: E501
    assert lines[-1] == "and 1,950 mistakes more"


def test_a_long_key_is_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"search: {{{'beam' * 9000}: 1}}", [], "f.yaml")
    assert len(str(caught.value)) < 300
