"""A file and overrides become a Config, or one error that names every mistake."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.config.file import dump_config, json_schema, load_config, load_resolved, parse_config, save_config
from nmt_attn.config.schema import NAME_PATTERN, Config, CorpusConfig, DataConfig, RunConfig, TrainingConfig
from nmt_attn.errors import ConfigError


def mistakes(text: str, *overrides: str) -> list[str]:
    """The lines of the error that `text` and `overrides` raise."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, overrides, "f.yaml")
    return str(caught.value).split("\n")


@pytest.mark.parametrize("text", ["", "# nothing\n", "training:\n", "model: {encoder: }", "{}"])
def test_what_is_left_out_has_its_default(text: str) -> None:
    assert parse_config(text, [], "f.yaml") == Config()


def test_overrides_lie_on_top_of_the_file_and_the_last_one_counts() -> None:
    config = parse_config(
        "search: {beam: 3, batch_sentences: 7}",
        ["search.beam=11", "search.beam=2", "training.learning_rate=1e-3", "evaluate.metrics=[chrf]", "data.root="],
        "f.yaml",
    )
    assert config.search.beam == 2
    assert config.search.batch_sentences == 7
    assert config.training.learning_rate == 0.001
    assert config.evaluate.metrics == ("chrf",)
    assert config.data.root is None


def test_an_override_may_hold_a_whole_section() -> None:
    config = parse_config("", ["data.train={builtin: demo, split: valid, limit: 7}"], "f.yaml")
    assert config.data.train == CorpusConfig(builtin="demo", split="valid", limit=7)


def test_a_corpus_that_names_its_place_takes_nothing_from_the_default() -> None:
    corpora = "{train: {source: a, target: b}, valid: {source: c, target: d}, test: {source: e, target: f}}"
    assert parse_config(f"data: {corpora}", [], "f.yaml").data.train == CorpusConfig(source="a", target="b")


def test_a_corpus_that_names_no_place_keeps_the_default_one() -> None:
    config = parse_config("", ["data.train.limit=13"], "f.yaml")
    assert config.data.train == CorpusConfig(builtin="demo", split="train", limit=13)


def test_whole_numbers_may_be_written_with_an_exponent_and_numbers_without_a_point() -> None:
    config = parse_config("training: {updates: 1e5, learning_rate: 1, minutes: 5}", [], "f.yaml")
    assert (config.training.updates, config.training.learning_rate, config.training.minutes) == (100_000, 1.0, 5.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "run.device=cpv",
            "run.device: expected 'auto', 'cpu', 'cuda' or one GPU, such as 'cuda:1', got 'cpv'",
        ),
        (
            "run.precision=fp33",
            "run.precision: expected one of 'auto', 'fp32', 'tf32', 'bf16', got 'fp33' (did you mean 'fp32'?)",
        ),
        (
            "run.name=a/b",
            "run.name: expected a name of letters, digits, '_', '-' and '.' (the last two not first), got 'a/b'",
        ),
        (
            "tokenizer.kind=bpe",
            "tokenizer.kind: expected one of 'word', 'symbols', 'char', 'sentencepiece' or null, got 'bpe' "
            "(did you mean 'sentencepiece'?)",
        ),
        ("run.dir=2024", "run.dir: expected text, got 2024 (did you mean it in quotes?)"),
        (
            "run.seed='12'",
            "run.seed: expected a whole number of at least 0, got '12' (did you mean 12 without quotes?)",
        ),
        ("search.beam=0", "search.beam: expected a whole number of at least 1, got 0"),
        ("search.beam=2.5", "search.beam: expected a whole number of at least 1, got 2.5"),
        ("search.beam=true", "search.beam: expected a whole number of at least 1, got true"),
        ("search.beam=", "search.beam: expected a whole number of at least 1, got null"),
        ("training.minutes=.inf", "training.minutes: expected a number above 0 or null, got .inf"),
        (
            "training.epochs=none",
            "training.epochs: expected a whole number of at least 1 or null, got 'none' (did you mean null?)",
        ),
        (
            "training.label_smoothing=1",
            "training.label_smoothing: expected a number of at least 0 and below 1 or null, got 1",
        ),
        (
            "training.betas=[0.9]",
            "training.betas: expected a list of 2, each a number of at least 0 and below 1, got [0.9]",
        ),
        (
            "training.metric=[loss]",
            "training.metric: expected one of 'loss', 'bleu', 'chrf', 'ter', 'exact', 'wer', 'per', 'cer', 'ned', "
            'got ["loss"]',
        ),
        (
            "evaluate.metrics=bleu",
            "evaluate.metrics: expected a list, each one of 'bleu', 'chrf', 'ter', 'exact', 'wer', 'per', 'cer', "
            "'ned', got 'bleu' (did you mean [bleu]?)",
        ),
        (
            "model.encoder.bidirectional=yes",
            "model.encoder.bidirectional: expected true, false or one of 'bottom', 'separate', 'alternating', "
            "got 'yes' (did you mean true?)",
        ),
        (
            "model.decoder.input_feeding=null",
            "model.decoder.input_feeding: expected one of 'none', 'attentional', 'context', got null "
            "(did you mean 'none'?)",
        ),
        ("model.encoder=5", "model.encoder: expected a section of keys and values, got 5"),
        (
            "model.attention=general",
            "model.attention: expected a section of keys and values, got 'general' "
            "(did you mean model.attention.score: general?)",
        ),
        (
            "model=luong",
            "model: expected a section of keys and values, got 'luong' (did you mean model.decoder.style: luong?)",
        ),
        ("data.train.source=[a]", 'data.train.source: expected text, a whole number or null, got ["a"]'),
    ],
)
def test_a_wrong_value_is_explained_in_one_line(override: str, message: str) -> None:
    assert mistakes("", override) == [message]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.encoder.layrs=2",
            "model.encoder.layrs: expected a key of model.encoder, got 'layrs' (did you mean 'layers'?)",
        ),
        (
            "model.batch_tokens=2",
            "model.batch_tokens: expected a key of model, got 'batch_tokens' (did you mean training.batch_tokens?)",
        ),
        (
            "search.hidden=2",
            "search.hidden: expected a key of search, got 'hidden' "
            "(did you mean model.encoder.hidden, model.attention.hidden or model.decoder.hidden?)",
        ),
        (
            "search.bach_tokens=2",
            "search.bach_tokens: expected a key of search, got 'bach_tokens' (did you mean training.batch_tokens?)",
        ),
        ("attention.score=dot", "attention: expected a section, got 'attention' (did you mean model.attention?)"),
        ("modell.tie=all", "modell: expected a section, got 'modell' (did you mean 'model'?)"),
        (
            "training.validate_every=3",
            "training.validate_every: expected a key of training, got 'validate_every' (did you mean "
            "'validate_updates' or 'validate_epochs'?)",
        ),
        (
            "training.xyzzy=3",
            "training.xyzzy: expected a key of training, got 'xyzzy' (`nmt-attn config` shows every key)",
        ),
        (
            "run.xyzzy=1",
            "run.xyzzy: expected a key of run, got 'xyzzy' (known: name, dir, seed, device, precision, threads)",
        ),
        ("training.epochs.x=1", "--set training.epochs.x: expected the path of a key, got more after training.epochs"),
        ("search.beam", "--set search.beam: expected section.key=value, got 'search.beam'"),
        ("=3", "--set =3: expected section.key=value, got '=3'"),
        ("search..beam=3", "--set search..beam=3: expected section.key=value, got 'search..beam=3'"),
        (
            "search.beam=[",
            "--set search.beam:1: expected YAML, got this: expected the node content, but found '<stream end>'",
        ),
    ],
)
def test_an_unknown_key_is_explained_with_the_one_that_was_meant(override: str, message: str) -> None:
    assert mistakes("", override) == [message]


def test_all_mistakes_of_file_and_overrides_come_together_in_one_error() -> None:
    text = "search:\n  beam: 0\n  beem: 3\n  beam: 0\nmodel:\n  encoder: 5\n"
    found = mistakes(text, "run.seed", "run.seed=-1", "model.encoder.layers=2")
    assert [line.split(": expected")[0] for line in found] == [
        "f.yaml:4",
        "--set run.seed",
        "run.seed",
        "model.encoder",
        "search.beam",
        "search.beem",
    ]


@pytest.mark.parametrize("text", ["[1, 2]", "5", "text"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert mistakes(text)[0].startswith("f.yaml: expected sections of keys and values, got ")


def test_malformed_yaml_is_refused_with_file_and_line() -> None:
    assert mistakes("run:\n  name: [x\n")[0].startswith("f.yaml:3: expected YAML, got ")


@pytest.mark.parametrize("text", ["one\n", "a: b: c\n"])
def test_a_text_in_place_of_a_configuration_is_led_to_init(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.de").write_text(text)
    with pytest.raises(ConfigError, match=r"train\.de.*, got .* \(nmt-attn init makes a configuration of a corpus"):
        load_config(tmp_path / "train.de", [])


def test_a_missing_file_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").touch()
    with pytest.raises(ConfigError, match=r"dmo\.yaml: expected a readable file, .*did you mean .*demo\.yaml\?"):
        load_config(tmp_path / "dmo.yaml", [])
    with pytest.raises(ConfigError, match=r"nowhere/f\.yaml: expected a readable file, got no such file"):
        load_config(tmp_path / "nowhere" / "f.yaml", [])


def test_a_saved_configuration_is_loaded_equal(tmp_path: Path) -> None:
    config = parse_config("", ["run.name=x1", "search.beam=3", "training.epsilon=1e-8", "run.dir='no'"], "f.yaml")
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml", []) == config
    assert dump_config(config) == (tmp_path / "config.yaml").read_text(encoding="utf-8")


@given(
    text=st.text(),
    name=st.from_regex(re.compile(NAME_PATTERN, re.ASCII), fullmatch=True),
    rate=st.floats(1e-300, 1e300),
    fraction=st.floats(0, 1, exclude_max=True),
    updates=st.none() | st.integers(1, 10**12),
    column=st.integers(1, 10**6),
)
@settings(max_examples=50, deadline=None)
def test_what_is_dumped_is_read_back_equal(
    text: str, name: str, rate: float, fraction: float, updates: int | None, column: int
) -> None:
    corpus = CorpusConfig(tsv=text, source=column, target=column + 1)
    config = Config(
        run=RunConfig(name=name, dir=text),
        data=DataConfig(root=text, train=corpus, valid=corpus, test=CorpusConfig(jsonl=text, source=text, target=name)),
        training=TrainingConfig(learning_rate=rate, betas=(fraction, 0.5), updates=updates, label_smoothing=fraction),
    )
    assert parse_config(dump_config(config), [], "dumped") == config


def test_the_json_schema_describes_every_section() -> None:
    assert all(f'"{name}": {{' in json_schema() for name in Config.model_fields)


OF_AN_EARLIER_VERSION = """
tokenizer: {kind: word, source: {kind: char}, target: {kind: symbols}}
model: {encoder: {dropout: 0.2, embedding_dropout: 0.1, layer_dropout: 0.1}}
"""


def test_what_a_run_keeps_may_have_defaults_of_an_earlier_version_where_nothing_reads_them(tmp_path: Path) -> None:
    kept = tmp_path / "config.yaml"
    kept.write_text(OF_AN_EARLIER_VERSION, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"tokenizer\.kind: expected null, as any other value has no effect"):
        load_config(kept, [])
    config = load_resolved(kept)
    assert (config.tokenizer.kind, config.tokenizer.kinds) == ("word", ("char", "symbols"))
    assert load_resolved(kept, ["search.beam=7"]).search.beam == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.mbr_samples=5", "search.mbr_samples: expected 32, as any other value has no effect"),
        ("tokenizer.kind=bytes", "tokenizer.kind: expected one of"),
        ("tokenizer.shared=true", "tokenizer.source.kind: expected null beside tokenizer.shared true"),
    ],
)
def test_what_is_said_now_must_have_an_effect_all_the_same(tmp_path: Path, override: str, message: str) -> None:
    kept = tmp_path / "config.yaml"
    kept.write_text(OF_AN_EARLIER_VERSION, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_resolved(kept, [override])
