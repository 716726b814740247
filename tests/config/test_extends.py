"""A file that extends another one says only what differs; mistakes come with the chain of files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nmt_attn.commands.config import show_config
from nmt_attn.config.extends import shipped_names
from nmt_attn.config.file import dump_config, load_config, parse_config
from nmt_attn.config.key_paths import defaults
from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.errors import ConfigError
from nmt_attn.options.training import ConfigOptions

ROOT = Path(__file__).parents[2]
VALUES = json.loads((Path(__file__).parent / "shipped_values.json").read_text(encoding="utf-8"))
"""Of the papers' configurations, every value that is not the default, as it was before the files shared anything."""


def write(folder: Path, **texts: str) -> Path:
    """A file NAME.yaml for each text; gives the path of the last one."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{name}.yaml"


def refusal(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, [])
    return str(caught.value).split("\n")


def differences(config: Config) -> dict[str, object]:
    """The values that are not the defaults, by key."""

    def walk(own: object, default: object, key: str) -> dict[str, object]:
        if isinstance(own, dict) and isinstance(default, dict):
            inner = (walk(own[name], default[name], f"{key}.{name}".lstrip(".")) for name in own)
            return {name: value for each in inner for name, value in each.items()}
        return {} if own == default else {key: own}

    return walk(config.model_dump(mode="json"), defaults().model_dump(mode="json"), "")


@pytest.mark.parametrize("name", sorted(VALUES))
def test_the_papers_configurations_have_the_values_that_they_had(name: str) -> None:
    assert differences(load_config(Path(name), [])) == VALUES[name]


def test_sections_merge_and_values_and_lists_replace(tmp_path: Path) -> None:
    base = "model: {encoder: {hidden: 7, layers: 2}, tie: none}\nevaluate: {length_buckets: [1, 2, 3]}\n"
    own = "extends: base.yaml\nmodel: {encoder: {hidden: 9}}\nevaluate: {length_buckets: [5]}\nsearch:\n"
    config = load_config(write(tmp_path, base=base, own=own), [])
    assert (config.model.encoder.hidden, config.model.encoder.layers) == (9, 2)
    assert config.evaluate.length_buckets == (5,)


def test_an_empty_section_changes_nothing_and_null_is_a_value(tmp_path: Path) -> None:
    base = "training: {clip_norm: 3.0, epochs: 7}\n"
    config = load_config(write(tmp_path, base=base, own="extends: base.yaml\ntraining:\n"), [])
    assert (config.training.clip_norm, config.training.epochs) == (3.0, 7)
    config = load_config(write(tmp_path, base=base, own="extends: base.yaml\ntraining: {clip_norm: null}\n"), [])
    assert (config.training.clip_norm, config.training.epochs) == (None, 7)


def test_a_chain_is_followed_relative_to_each_file(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner", a="search: {beam: 3, alpha: 0.5, length_penalty: gnmt}\n")
    write(tmp_path / "inner", b="extends: a.yaml\nsearch: {beam: 4}\n")
    config = load_config(write(tmp_path, c="extends: inner/b.yaml\nsearch: {alpha: 0.7}\n"), [])
    assert (config.search.beam, config.search.alpha, config.search.length_penalty) == (4, 0.7, "gnmt")


def test_a_shipped_configuration_is_extended_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, own="extends: eutrans-luong\nrun: {name: mine}\n")
    mine, shipped = load_config(path, []), load_config(ROOT / "configs" / "eutrans-luong.yaml", [])
    assert mine.run.name == "mine"
    assert mine.model == shipped.model
    assert mine.data == shipped.data


FILES = {"source": "a", "target": "b"}


@pytest.mark.parametrize(
    ("base", "own", "merged"),
    [
        ("{dataset: wmt, subset: x, source: en, target: de}", "{source: a, target: b}", FILES),
        ("{source: c, target: d, limit: 3}", "{tsv: f}", {"tsv": "f"}),
        ("{tsv: f, source: 2, target: 1}", "{jsonl: g}", {"jsonl": "g"}),
        ("{tsv: f, source: 2, target: 1}", "{limit: 5}", {"tsv": "f", "source": 2, "target": 1, "limit": 5}),
        ("{source: c, target: b}", "{source: a}", FILES),
        ("{dataset: wmt, split: x}", "{split: y}", {"dataset": "wmt", "split": "y"}),
        ("{limit: 5, source: c, target: d}", "{source: a, target: b}", {**FILES, "limit": 5}),
    ],
)
def test_a_corpus_of_another_form_takes_over_nothing(
    tmp_path: Path, base: str, own: str, merged: dict[str, object]
) -> None:
    rest = "valid: {source: v, target: w}, test: {source: v, target: w}"
    below = f"data: {{train: {base}, {rest}}}\n"
    config = load_config(write(tmp_path, below=below, own=f"extends: below.yaml\ndata: {{train: {own}}}\n"), [])
    assert config.data.train == CorpusConfig.model_validate(merged)


def test_set_goes_on_top_of_all_files(tmp_path: Path) -> None:
    path = write(tmp_path, base="search: {beam: 3}\n", own="extends: base.yaml\nsearch: {beam: 4}\n")
    assert load_config(path, ["search.beam=7"]).search.beam == 7


def test_what_a_run_keeps_is_whole_and_extends_nothing(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, own="extends: luong-local-p-small\nrun: {name: x}\n"), [])
    text = dump_config(config)
    assert "extends" not in text
    assert parse_config(text, [], "kept") == config


def test_a_circle_is_refused_with_the_chain(tmp_path: Path) -> None:
    write(tmp_path, a="extends: b.yaml\n", b="extends: c.yaml\n")
    path = write(tmp_path, c="extends: ./a.yaml\n")
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    assert refusal(a) == [
        f"{path}: extends: expected a file that does not extend this one, got './a.yaml' "
        f"(extends: {a} -> {b} -> {path} -> ./a.yaml)"
    ]
    own = write(tmp_path, own="extends: own.yaml\n")
    assert refusal(own)[0].endswith(f"(extends: {own} -> own.yaml)")


def test_a_missing_file_is_refused_with_the_chain_and_the_one_that_was_meant(tmp_path: Path) -> None:
    write(tmp_path, base="")
    middle = write(tmp_path, middle="extends: bas.yaml\n")
    path = write(tmp_path, own="extends: middle.yaml\n")
    assert refusal(path) == [
        f"{tmp_path / 'bas.yaml'}: expected a readable file, got no such file or directory "
        f"(did you mean {tmp_path / 'base.yaml'}?) (extends: {path} -> {middle} -> bas.yaml)"
    ]


def test_a_chain_has_an_end(tmp_path: Path) -> None:
    write(tmp_path, **{f"file{i}": f"extends: file{i + 1}.yaml\n" for i in range(21)}, file21="")
    assert load_config(tmp_path / "file1.yaml", []) == load_config(tmp_path / "file21.yaml", [])
    [told] = refusal(tmp_path / "file0.yaml")
    assert "file20.yaml: extends: expected at most 20 files that extend each other, got more" in told


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("~nosuchuser/a.yaml", "expected a path, got '~nosuchuser/a.yaml': no such user"),
        ('"a\\0b.yaml"', "expected a path, got a NUL character in 'a.x00b.yaml'"),
        ("x" * 300 + ".yaml", "file name too long"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str, message: str) -> None:
    [told] = refusal(write(tmp_path, own=f"extends: {name}\n"))
    assert re.search(f"own.yaml: extends: .*{message}", told)
    assert len(told) < 500 + 3 * len(str(tmp_path))


def test_an_unknown_shipped_name_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    path = write(tmp_path, own="extends: eutrans-luon\n")
    assert refusal(path) == [
        "eutrans-luon: expected a configuration file or the name of a shipped one, got neither "
        f"(did you mean eutrans-luong?) (extends: {path} -> eutrans-luon)"
    ]


@pytest.mark.parametrize("value", ["[a, b]", "3", "", "{a: b}"])
def test_it_must_be_one_name(tmp_path: Path, value: str) -> None:
    assert re.search(r"own\.yaml: extends: expected a file or the name", refusal(write(tmp_path, own=f"extends: {value}\n"))[0])  # fmt: skip  # noqa: E501


def test_a_mistake_comes_with_the_file_that_it_stands_in(tmp_path: Path) -> None:
    base = write(tmp_path, base="search: {beem: 3}\nmodel: {encoder: {layers: x}}\n")
    own = write(tmp_path, own="extends: base.yaml\nrun: {seed: -1}\nsearch: {alphaa: 1}\n")
    found = refusal(own)
    assert f"{base}: search.beem: expected a key of search, got 'beem' (did you mean 'beam'?)" in found
    assert f"{base}: model.encoder.layers: expected a whole number of at least 0 and up to 64, got 'x'" in found
    assert f"{own}: run.seed: expected a whole number of at least 0, got -1" in found
    assert f"{own}: search.alphaa: expected a key of search, got 'alphaa' (did you mean 'alpha'?)" in found
    with pytest.raises(ConfigError) as caught:
        load_config(own, ["search.beem=4", "model.encoder.layers=2"])
    assert "search.beem: expected a key of search, got 'beem' (did you mean 'beam'?)" in str(caught.value).split("\n")


def test_a_bare_name_is_a_shipped_file_unless_there_is_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    show_config(ConfigOptions(Path("demo")))
    assert "name: demo" in capsys.readouterr().out
    Path("demo").mkdir()  # a folder is no configuration
    assert load_config(Path("demo"), []).run.name == "demo"
    Path("demo").rmdir()
    Path("demo").write_text("run: {name: mine}\n", encoding="utf-8")
    assert load_config(Path("demo"), []).run.name == "mine"
    with pytest.raises(
        ConfigError, match=r"^dmo: expected a configuration file or .*, got neither \(did you mean demo\?"
    ):
        load_config(Path("dmo"), [])


def test_every_shipped_file_is_known_by_its_name() -> None:
    assert shipped_names() == sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))


@pytest.mark.slow
def test_the_wheel_brings_the_configurations_and_nothing_beside_the_package(tmp_path: Path) -> None:
    from zipfile import ZipFile

    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = ZipFile(wheel).namelist()
    assert {f"nmt_attn/configs/{name}.yaml" for name in shipped_names()} <= set(names)
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"nmt_attn"}
    assert any(name.endswith("report.html.j2") for name in names)


def test_training_text_of_ones_own_takes_the_place_of_the_built_in_corpora(tmp_path: Path) -> None:
    path = write(tmp_path, own="extends: demo\ndata: {train: {tsv: words.tsv}}\n")
    config = load_config(path, [])
    assert not config.data.valid.is_named
    assert not config.data.test.is_named
    assert config.data.held_out.valid > 0
    assert config.training.batch_tokens == load_config(Path("demo"), []).training.batch_tokens
