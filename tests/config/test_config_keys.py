"""Every key of the configuration can be changed, and is refused where that would change nothing."""

import re
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.config.file import parse_config
from nmt_attn.config.key_paths import all_keys, is_default, locate
from nmt_attn.errors import ConfigError

LEAVES = [".".join(keys) for keys in all_keys() if locate(keys).section is None]
NO_DEMO = tuple(f"data.{name}={{source: {name}.a, target: {name}.b}}" for name in ("train", "valid", "test"))
HUB = tuple(f"data.{name}={{dataset: wmt}}" for name in ("train", "valid", "test"))
TABLE = tuple(f"data.{name}={{tsv: f}}" for name in ("train", "valid", "test"))


class Example(NamedTuple):
    """A value other than the default, and settings that give it a meaning. Without them it is refused."""

    value: str
    companions: tuple[str, ...] = ()


def corpus_examples(name: str) -> dict[str, Example]:
    """Of each key of one corpus."""
    where = f"data.{name}"
    return {
        f"{where}.source": Example("2", (*TABLE, f"{where}.target=1")),
        f"{where}.target": Example("b", (*HUB, f"{where}.source=a")),
        f"{where}.tsv": Example("f", () if name == "train" else (*NO_DEMO, f"{where}={{source: 2, target: 1}}")),
        f"{where}.jsonl": Example("f", () if name == "train" else (*NO_DEMO, f"{where}={{source: de, target: en}}")),
        f"{where}.dataset": Example("wmt", () if name == "train" else HUB),
        f"{where}.subset": Example("de-en", HUB),
        f"{where}.revision": Example("v2", HUB),
        f"{where}.builtin": Example("null", (*NO_DEMO, f"{where}={{source: de, target: en}}")),
        f"{where}.split": Example("dev", HUB),
        f"{where}.limit": Example("3"),
    }


def tokenizer_examples(side: str) -> dict[str, Example]:
    """Of each key of the tokenizer of one side."""
    where = f"tokenizer.{side}"
    return {
        f"{where}.kind": Example("char"),
        f"{where}.separator": Example("'|'", (f"{where}.kind=symbols",)),
        f"{where}.units": Example("graphemes", ("tokenizer.kind=char",)),
        f"{where}.algorithm": Example("bpe", (f"{where}.kind=sentencepiece",)),
        f"{where}.vocab_size": Example("8"),
        f"{where}.min_frequency": Example("2"),
        f"{where}.lowercase": Example("true"),
        f"{where}.normalise": Example("NFC"),
    }


NO_SOURCE = (
    "model.encoder.layers=0",
    "model.attention.score=none",
    "model.decoder.init=zero",
    "training.validate_translation=false",
)
RISK = ("training.init_from=somewhere", "training.loss_per=sentence")
EXAMPLES = {
    "run.name": Example("x"),
    "run.dir": Example("x"),
    "run.seed": Example("2"),
    "run.device": Example("cpu"),
    "run.precision": Example("bf16"),
    "run.threads": Example("1"),
    "data.root": Example("x", NO_DEMO),
    **corpus_examples("train"),
    **corpus_examples("valid"),
    **corpus_examples("test"),
    "data.columns.source": Example("[1, {column: 3, as: tags}]", (*TABLE, "data.columns.target=2")),
    "data.columns.target": Example("3", (*TABLE, "data.columns.source=2")),
    "data.held_out.valid": Example("0.1", ("data.train={tsv: f}",)),
    "data.held_out.test": Example("0.1", ("data.train={tsv: f}",)),
    "data.held_out.seed": Example("2", ("data.train={tsv: f}",)),
    "data.alignments": Example("builtin"),
    "data.vectors.source": Example("x.vec"),
    "data.vectors.target": Example("x.vec"),
    "data.vectors.freeze": Example("true", ("data.vectors.target=x.vec",)),
    "data.max_length": Example("7"),
    "data.over_long": Example("error"),
    "data.blank": Example("error"),
    "data.undecodable": Example("replace"),
    "data.cache": Example("x"),
    "tokenizer.kind": Example("char"),
    "tokenizer.algorithm": Example("bpe", ("tokenizer.kind=sentencepiece",)),
    "tokenizer.vocab_size": Example("8"),
    "tokenizer.min_frequency": Example("2"),
    "tokenizer.like": Example("runs/base", NO_SOURCE),
    "tokenizer.shared": Example("true"),
    "tokenizer.lowercase": Example("true"),
    "tokenizer.separator": Example("'|'", ("tokenizer.kind=symbols",)),
    "tokenizer.units": Example("graphemes", ("tokenizer.target.kind=char",)),
    "tokenizer.normalise": Example("NFC"),
    "tokenizer.factors.names": Example("[pos]"),
    "tokenizer.factors.separator": Example("':'", ("tokenizer.factors.names=[pos]",)),
    **tokenizer_examples("source"),
    **tokenizer_examples("target"),
    "model.encoder.cell": Example("lstm"),
    "model.encoder.layers": Example("2"),
    "model.encoder.transition_depth": Example("2"),
    "model.decoder.transition_depth": Example("[2]"),
    "model.encoder.hidden": Example("7"),
    "model.encoder.bidirectional": Example("bottom", ("model.encoder.layers=2",)),
    "model.encoder.embedding": Example("7"),
    "model.encoder.factors": Example("[3]", ("tokenizer.factors.names=[pos]",)),
    "model.encoder.dropout": Example("0"),
    "model.encoder.embedding_dropout": Example("0.1"),
    "model.encoder.layer_dropout": Example("0.1", ("model.encoder.layers=2",)),
    "model.encoder.reverse_source": Example("true"),
    "model.encoder.reads_eos": Example("false", ("model.attention.attend_eos=false",)),
    "model.encoder.residual": Example("true", ("model.encoder.layers=2",)),
    "model.attention.score": Example("general"),
    "model.attention.window": Example("local-m"),
    "model.attention.normalise": Example("sparsemax"),
    "model.decoder.normalise": Example("entmax-1.5"),
    "model.attention.coverage": Example("sum"),
    "model.decoder.copying": Example("pointer-generator"),
    "model.decoder.output_bias": Example("false"),
    "model.attention.coverage_size": Example("7", ("model.attention.coverage=neural",)),
    "model.attention.fertility": Example("3", ("model.attention.coverage=linguistic",)),
    "training.coverage_loss": Example("0.5"),
    "model.attention.hidden": Example("7"),
    "model.attention.bias": Example("true"),
    "model.attention.concat_keys": Example("identity", ("model.attention.score=concat",)),
    "model.attention.project": Example("true", ("model.attention.score=dot",)),
    "model.attention.attend_eos": Example("false"),
    "model.attention.max_positions": Example("7", ("model.attention.score=location",)),
    "model.attention.alignment": Example("monotonic", ("model.decoder.style=luong",)),
    "model.attention.jump": Example(
        "7", ("model.attention.alignment=monotonic-first-order", "model.decoder.style=luong")
    ),
    "model.attention.half_width": Example("7", ("model.attention.window=local-m",)),
    "model.attention.sigma": Example("7", ("model.attention.window=local-p",)),
    "model.attention.renormalise": Example("true", ("model.attention.window=local-p",)),
    "model.attention.position": Example("nmt.matlab", ("model.attention.window=local-p",)),
    "model.attention.fixed_context": Example("true", ("model.attention.score=none",)),
    "model.decoder.style": Example("luong"),
    "model.decoder.cell": Example("lstm"),
    "model.decoder.layers": Example("2"),
    "model.decoder.hidden": Example("7"),
    "model.decoder.embedding": Example("7"),
    "model.decoder.dropout": Example("0"),
    "model.decoder.embedding_dropout": Example("0.1"),
    "model.decoder.layer_dropout": Example("0.1", ("model.decoder.layers=2",)),
    "model.decoder.output_dropout": Example("0.1"),
    "model.decoder.attentional_dropout": Example("0.1", ("model.decoder.style=luong",)),
    "model.decoder.residual": Example("true", ("model.decoder.layers=2",)),
    "model.decoder.init": Example("mean"),
    "model.decoder.init_cell": Example("copy", ("model.decoder.cell=lstm",)),
    "model.decoder.init_activation": Example("relu"),
    "model.decoder.init_reads": Example("all", ("model.encoder.layers=2",)),
    "model.decoder.deep_context": Example("true", ("model.decoder.layers=2",)),
    "model.decoder.init_shared": Example("true", ("model.decoder.layers=2",)),
    "model.decoder.input_feeding": Example("attentional", ("model.decoder.style=luong",)),
    "model.decoder.context_gate": Example("both", ("model.decoder.style=luong",)),
    "model.decoder.attentional_state": Example(
        "false", ("model.decoder.style=luong", "model.decoder.input_feeding=context")
    ),
    "model.decoder.attentional_activation": Example("none", ("model.decoder.style=luong",)),
    "model.decoder.attentional_bias": Example("true", ("model.decoder.style=luong",)),
    "model.decoder.readout": Example("maxout"),
    "model.decoder.readout_hidden": Example("7"),
    "model.decoder.readout_state": Example("previous"),
    "model.tie": Example("target-output"),
    "model.dropout_mask": Example("sentence"),
    "model.initialisation": Example("uniform"),
    "model.word_deviation": Example("0.7"),
    "model.initial_range": Example("7", ("model.initialisation=uniform",)),
    "training.init_from": Example("runs/base"),
    "training.freeze": Example("[encoder]"),
    "training.batch_tokens": Example("7"),
    "training.accumulate_batches": Example("7"),
    "training.short_first_epochs": Example("2"),
    "training.epochs": Example("7"),
    "training.updates": Example("7"),
    "training.minutes": Example("7"),
    "training.loss_per": Example("sentence"),
    "training.optimizer": Example("sgd"),
    "training.learning_rate": Example("7"),
    "training.betas": Example("[0.5, 0.6]"),
    "training.rho": Example("0.5", ("training.optimizer=adadelta",)),
    "training.epsilon": Example("1e-3"),
    "training.weight_decay": Example("0.5"),
    "training.schedule": Example("plateau"),
    "training.warmup_updates": Example("7"),
    "training.halve_after_epochs": Example("7", ("training.schedule=halving",)),
    "training.decay_after": Example("0.7", ("training.schedule=step-halving",)),
    "training.decay_times": Example("7", ("training.schedule=step-halving",)),
    "training.decay_factor": Example("0.7", ("training.schedule=plateau",)),
    "training.decay_patience": Example("7", ("training.schedule=plateau",)),
    "training.minimum_rate": Example("1e-5"),
    "training.clip_norm": Example("null"),
    "training.ema": Example("0.99"),
    "training.cuda_graphs": Example("true"),
    "training.label_smoothing": Example("0.2"),
    "training.word_dropout.source": Example("0.1"),
    "training.word_dropout.target": Example("0.1"),
    "training.subword_sampling.alpha": Example("0.1", ("tokenizer.kind=sentencepiece",)),
    "training.subword_sampling.nbest": Example(
        "64", ("tokenizer.kind=sentencepiece", "training.subword_sampling.alpha=0.1")
    ),
    "training.guided_attention.weight": Example("0.5", ("data.alignments=builtin",)),
    "training.guided_attention.decay": Example("linear", ("data.alignments=builtin",)),
    "training.guided_attention.updates": Example(
        "7", ("data.alignments=builtin", "training.guided_attention.decay=linear")
    ),
    "training.scheduled_sampling.rate": Example("0.1"),
    "training.scheduled_sampling.decay": Example("linear", ("training.scheduled_sampling.rate=0.5",)),
    "training.scheduled_sampling.updates": Example("7", ("training.scheduled_sampling.rate=0.5",)),
    "training.scheduled_sampling.choice": Example("sample", ("training.scheduled_sampling.rate=0.5",)),
    "training.risk.method": Example("mrt", RISK),
    "training.risk.metrics": Example("[exact, chrf]", (*RISK, "training.risk.method=mrt")),
    "training.risk.weights": Example("[2]", (*RISK, "training.risk.method=mrt")),
    "training.risk.samples": Example("7", (*RISK, "training.risk.method=mrt")),
    "training.risk.temperature": Example("0.5", (*RISK, "training.risk.method=mrt")),
    "training.risk.alpha": Example("0.5", (*RISK, "training.risk.method=mrt")),
    "training.risk.likelihood": Example("0.5", (*RISK, "training.risk.method=mrt")),
    "training.validate_updates": Example("7"),
    "training.validate_epochs": Example("3"),
    "training.validate_translation": Example("false"),
    "training.alignment_picture": Example("false"),
    "training.metric": Example("bleu"),
    "training.patience": Example("7"),
    "training.checkpoint_updates": Example("7"),
    "training.keep_last": Example("7"),
    "training.keep_best": Example("7"),
    "search.beam": Example("7"),
    "search.groups": Example("5"),
    "search.group_penalty": Example("0.2", ("search.groups=5",)),
    "search.batch_sentences": Example("7"),
    "search.precision": Example("int8"),
    "search.max_length": Example("7"),
    "search.max_length_factor": Example("7"),
    "search.language_model": Example("x.arpa"),
    "search.language_model_weight": Example("0.5", ("search.language_model=x.arpa",)),
    "search.mbr": Example("chrf"),
    "search.mbr_samples": Example("7", ("search.mbr=chrf",)),
    "search.length_penalty": Example("gnmt"),
    "search.alpha": Example("0.5", ("search.length_penalty=gnmt",)),
    "search.stop": Example("early"),
    "search.coverage_penalty": Example("0.2"),
    "search.min_length": Example("3"),
    "search.min_length_factor": Example("0.5"),
    "search.forbid_unknown": Example("true"),
    "search.no_repeat_ngram": Example("3"),
    "search.repetition_penalty": Example("1.2"),
    "evaluate.length_buckets": Example("[7]"),
    "evaluate.metrics": Example("[chrf]"),
    "evaluate.separator": Example("+"),
    "evaluate.tables": Example("[errors]"),
    "evaluate.top": Example("3"),
    "evaluate.join_sources": Example("true"),
    "evaluate.tokenize": Example("none"),
    "evaluate.lowercase": Example("true"),
}


def test_every_key_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(LEAVES)


@pytest.mark.parametrize("key", LEAVES)
def test_every_key_can_be_changed_where_it_has_a_meaning(key: str) -> None:
    example = EXAMPLES[key]
    config = parse_config("", [*example.companions, f"{key}={example.value}"], "f.yaml")
    assert not is_default(config, key)


@pytest.mark.parametrize("key", [key for key in LEAVES if EXAMPLES[key].companions])
def test_a_key_without_its_companions_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(key)):
        parse_config("", [f"{key}={EXAMPLES[key].value}"], "f.yaml")


@given(st.sets(st.sampled_from(LEAVES), min_size=2, max_size=12))
@settings(max_examples=100, deadline=None)
def test_whatever_is_refused_is_refused_in_one_form_that_names_both_keys(keys: set[str]) -> None:
    try:
        parse_config("", [f"{key}={EXAMPLES[key].value}" for key in sorted(keys)], "f.yaml")
    except ConfigError as error:
        for message in str(error).split("\n"):
            form = re.fullmatch(r"([\w.]+): expected (.+), got (.+)", message)
            assert form
            assert form[1] in LEAVES
            assert len([key for key in LEAVES if re.search(rf"\b{re.escape(key)}\b", message)]) >= 2
