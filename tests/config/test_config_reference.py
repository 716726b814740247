"""configs/reference.yaml shows every key and loads to the defaults."""

from pathlib import Path

from nmt_attn.config.file import load_config, parse_config
from nmt_attn.config.key_paths import all_keys
from nmt_attn.config.reference import reference_yaml
from nmt_attn.config.schema import Config
from nmt_attn.config.yaml_io import parse_yaml

SHIPPED = Path(__file__).parents[2] / "configs" / "reference.yaml"


def test_the_shipped_file_is_the_one_that_the_command_prints() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == reference_yaml(), (
        "write it anew: nmt-attn config > configs/reference.yaml"
    )


def test_it_loads_to_the_defaults() -> None:
    assert load_config(SHIPPED, []) == Config()
    assert parse_config(reference_yaml(), [], "reference") == Config()


def test_it_names_every_key() -> None:
    tree = parse_yaml(reference_yaml(), "reference")[0]
    for keys in all_keys():
        node = tree
        for key in keys:
            assert key in node
            node = node[key]


def test_its_comments_say_what_a_key_means_and_accepts() -> None:
    lines = reference_yaml().split("\n")
    assert (
        "  beam: 5                     # hypotheses kept at each step; 1 is greedy search [whole number >= 1]" in lines
    )
    assert "model:  # the network" in lines


def test_every_key_has_a_comment_and_no_line_is_over_long() -> None:
    lines = reference_yaml().rstrip("\n").split("\n")
    assert all("# " in line for line in lines if line)
    assert max(map(len, lines)) <= 120
