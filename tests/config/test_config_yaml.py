"""YAML as configurations use it."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.config.yaml_io import format_yaml, parse_yaml
from nmt_attn.errors import ConfigError

PLAIN = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.floats(allow_nan=False) | st.text()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2.5E+1", -25.0),
        (".5", 0.5),
        ("1e5", 100_000),
        ("1_000", 1000),
        ("010", 10),
        ("no", "no"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("", None),
        ("[1, a]", [1, "a"]),
    ],
)
def test_plain_values_are_read_as_they_look(text: str, value: object) -> None:
    parsed = parse_yaml(f"key: {text}", "file")[0]["key"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_every_repeated_key_is_reported_with_both_lines() -> None:
    _, mistakes = parse_yaml("a:\n  b: 1\n  c: 2\n  b: 3\na: 4\n", "f.yaml")
    assert mistakes == [
        "f.yaml:5: expected each key once, got 'a' again (first in line 1)",
        "f.yaml:4: expected each key once, got 'b' again (first in line 2)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1", r"f:2: expected YAML, got this: expected ',' or '\]'"),
        ("a: b: c", "f:1: expected YAML, got this: mapping values"),
        ("a:\n\tb: 1", "f:2: expected YAML, got this: found character '.t'"),
        ("a: 1\nb: \x00", "f:2: expected YAML, got the character U.0000"),
        ("a: !!python/name:os.system ''", "f:1: expected YAML, .*python/name"),
        ("a: 1\n---\nb: 2", "f:2: expected YAML, .*another document"),
        ("a: &x [*x]", "f: expected YAML, got values inside themselves"),
        ("[" * 600, "f: expected YAML, got values .* nested too deeply"),
    ],
)
def test_malformed_text_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_yaml(text, "f")


@given(st.dictionaries(st.text(), PLAIN | st.lists(PLAIN) | st.dictionaries(st.text(), PLAIN)))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_back_equal(value: object) -> None:
    assert parse_yaml(format_yaml(value), "f")[0] == value


@given(st.from_regex(r"[-+0-9.eE_:xonfNOty]{1,6}", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_text_is_text_to_other_readers_too(text: str) -> None:
    assert yaml.safe_load(format_yaml({"key": text})) == {"key": text}
