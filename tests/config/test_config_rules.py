"""Keys that contradict each other are refused, both named; every option is accepted somewhere."""

import pytest

from nmt_attn.config.file import parse_config
from nmt_attn.config.key_paths import all_keys, locate
from nmt_attn.config.options import readers_of
from nmt_attn.config.rules import contradictions
from nmt_attn.config.schema import Config
from nmt_attn.errors import ConfigError
from nmt_attn.registries import REGISTRIES
from nmt_attn.registry import Registry, options_of

LEAVES = [".".join(keys) for keys in all_keys() if locate(keys).section is None]
NO_DEMO = tuple(f"data.{name}={{source: {name}.a, target: {name}.b}}" for name in ("train", "valid", "test"))
BOTTOM = ("model.encoder.layers=2", "model.encoder.bidirectional=bottom")
BPE = ("tokenizer.kind=sentencepiece", "tokenizer.algorithm=bpe")
DEEP = ("model.encoder.layers=2", "model.decoder.layers=2")
NO_SOURCE = (
    "model.encoder.layers=0",
    "model.attention.score=none",
    "model.decoder.init=learned",
    "training.validate_translation=false",
)
DOT = ("model.attention.score=dot", "model.decoder.hidden=512")


def mistakes(*overrides: str) -> list[str]:
    """The lines of the error that the overrides raise, on top of the defaults."""
    with pytest.raises(ConfigError) as caught:
        parse_config("", overrides, "f.yaml")
    return str(caught.value).split("\n")


def test_the_defaults_contradict_nothing() -> None:
    assert contradictions(Config()) == []


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.config_keys[0])
def test_every_option_of_a_part_is_a_key_of_its_section(registry: Registry[object]) -> None:
    for section in {key.rpartition(".")[0] for key in registry.config_keys}:
        for name in registry:
            assert {f"{section}.{option}" for option in options_of(registry[name])} <= set(LEAVES), name


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.config_keys[0])
def test_only_parts_whose_options_are_checked_have_any(registry: Registry[object]) -> None:
    sections = {key.rpartition(".")[0] for key in registry.config_keys}
    for option in {option for name in registry for option in options_of(registry[name])}:
        assert all(readers_of(section, option) for section in sections), option


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model.attention.half_width=5"],
            "model.attention.half_width: expected 10, as any other value has no effect with "
            "model.attention.window 'global', got 5 (it is for 'local-m' or 'local-p')",
        ),
        (
            ["model.attention.score=none", "model.attention.window=local-m"],
            "model.attention.window: expected 'global', as any other value has no effect with "
            "model.attention.score 'none', got 'local-m' (it is for 'additive', 'normed-additive', 'dot', "
            "'scaled-dot', 'general', 'scaled-general', 'concat' or 'location')",
        ),
        (
            ["model.attention.score=dot"],
            "model.decoder.hidden: expected 512 with model.attention.score 'dot' and model.encoder.hidden 256 x 2 "
            "directions, got 256 (or take model.attention.score: general, or model.attention.project: true)",
        ),
        (
            ["model.attention.score=scaled-dot", *BOTTOM, "model.decoder.hidden=7"],
            "model.decoder.hidden: expected 256 with model.attention.score 'scaled-dot' and model.encoder.hidden 256, "
            "got 7 (or take model.attention.score: general, or model.attention.project: true)",
        ),
        (
            [*DOT, "model.attention.hidden=7"],
            "model.attention.hidden: expected null, as any other value has no effect with model.attention.score 'dot', "
            "got 7 (it is for 'additive', 'normed-additive' or 'concat' and for model.attention.window 'local-p')",
        ),
        (
            ["model.attention.score=concat", "model.attention.concat_keys=identity", "model.attention.hidden=7"],
            "model.attention.hidden: expected null, as any other value has no effect with "
            "model.attention.concat_keys 'identity', got 7 "
            "(it is for 'additive', 'normed-additive' or 'concat' and for model.attention.window 'local-p')",
        ),
        (
            ["model.encoder.bidirectional=bottom"],
            "model.encoder.bidirectional: expected true or false with model.encoder.layers 1, got 'bottom' "
            "(true is the same here)",
        ),
        (
            ["model.encoder.layers=2", "model.encoder.transition_depth=[4]"],
            "model.encoder.transition_depth: expected as many numbers as model.encoder.layers 2, or one, got [4]",
        ),
        (
            ["model.encoder.bidirectional=alternating"],
            "model.encoder.bidirectional: expected true or false with model.encoder.layers 1, got 'alternating' "
            "(true is the same here)",
        ),
        (
            ["model.encoder.residual=true"],
            "model.encoder.residual: expected false, as any other value has no effect with model.encoder.layers 1 "
            "and model.encoder.embedding 256, got true (no layer's input is as large as its output: 256, 512)",
        ),
        (
            ["model.decoder.residual=true"],
            "model.decoder.residual: expected false, as any other value has no effect with model.decoder.layers 1, "
            "got true",
        ),
        (
            ["model.decoder.init=last"],
            "model.decoder.hidden: expected 512 with model.decoder.init 'last', the size of layer 1 of the encoder "
            "(model.encoder.hidden 256 x 2 directions), got 256 (or take model.decoder.init: bridge)",
        ),
        (
            ["model.decoder.init=last", "model.decoder.layers=2", "model.decoder.hidden=512", *BOTTOM],
            "model.decoder.hidden: expected 256 with model.decoder.init 'last', the size of layer 2 of the encoder "
            "(model.encoder.hidden 256), got 512 (or take model.decoder.init: bridge)",
        ),
        (
            ["model.encoder.reads_eos=false"],
            "model.attention.attend_eos: expected false with model.encoder.reads_eos false, as </s> has no state, "
            "got true",
        ),
        (
            ["model.decoder.init=last-forward", "model.decoder.hidden=512"],
            "model.decoder.hidden: expected 256 with model.decoder.init 'last-forward', the size of layer 1 of the "
            "encoder (model.encoder.hidden 256, of one direction), got 512 (or take model.decoder.init: bridge)",
        ),
        (
            [*DEEP, "model.decoder.hidden=512", "model.decoder.init=last", "model.decoder.init_reads=all"],
            "model.decoder.init_reads: expected another than 'all' with model.decoder.init 'last', which takes one "
            "state as it is, got 'all' (or take model.decoder.init: bridge)",
        ),
        (
            ["model.encoder.layers=2", "model.decoder.init_reads=top"],
            "model.decoder.init_reads: expected 'layers', as any other value has no effect with model.decoder.layers "
            "1, got 'top' (one layer starts from the top one)",
        ),
        (
            ["model.decoder.layers=2", "model.decoder.init_reads=all"],
            "model.decoder.init_reads: expected 'layers', as any other value has no effect with model.encoder.layers "
            "1, got 'all'",
        ),
        (
            [*DEEP, "model.encoder.bidirectional=bottom", "model.decoder.init_shared=true"],
            "model.decoder.init_shared: expected false with model.decoder.init 'bridge', which reads states of 512, "
            "256 units, got true (or take model.decoder.init_reads: top)",
        ),
        (
            ["model.decoder.init=zero", "model.decoder.init_activation=relu"],
            "model.decoder.init_activation: expected 'tanh', as any other value has no effect with model.decoder.init "
            "'zero', got 'relu' (it is for 'mean', 'bridge' or 'backward-first' and for model.decoder.init_cell 'mean' "
            "or 'bridge')",
        ),
        (
            ["model.encoder.dropout=0.2", "model.encoder.embedding_dropout=0.1"],
            "model.encoder.dropout: expected 0.3, as any other value has no effect with "
            "model.encoder.embedding_dropout 0.1, got 0.2",
        ),
        (
            ["tokenizer.factors.separator=x"],
            "tokenizer.factors.separator: expected '|', as any other value has no effect with tokenizer.factors.names "
            "[], got 'x'",
        ),
        (
            ["model.encoder.factors=[3]"],
            "model.encoder.factors: expected 'sum', as any other value has no effect with tokenizer.factors.names [], "
            "got [3]",
        ),
        (
            ["tokenizer.factors.names=[a]", "model.encoder.factors=[3,4]"],
            'model.encoder.factors: expected sum or a size for each of tokenizer.factors.names ["a"], got [3, 4]',
        ),
        (["tokenizer.factors.names=[a,a]"], 'tokenizer.factors.names: expected each name once, got ["a", "a"]'),
        (
            ["tokenizer.factors.names=[a]", "tokenizer.shared=true"],
            'tokenizer.shared: expected false with tokenizer.factors.names ["a"], as the target has no factors, '
            "got true",
        ),
        (
            ["tokenizer.factors.names=[a]", "tokenizer.source.kind=symbols", "tokenizer.source.separator='|'"],
            "tokenizer.factors.separator: expected another than in tokenizer.source.separator '|', got '|'",
        ),
        (
            ["training.scheduled_sampling.updates=7"],
            "training.scheduled_sampling.updates: expected 1000, as any other value has no effect with "
            "training.scheduled_sampling.rate 0.0, got 7",
        ),
        (
            ["data.vectors.source=s", "data.vectors.target=t", "model.tie=source-target", "tokenizer.shared=true"],
            "data.vectors.target: expected null beside data.vectors.source with model.tie 'source-target', as both "
            "sides have one matrix, got 't'",
        ),
        (
            ["data.vectors.target=t", "data.vectors.freeze=true", "model.tie=target-output"],
            "data.vectors.freeze: expected false with model.tie 'target-output', as the output layer would not learn "
            "either, got true",
        ),
        (
            ["data.vectors.freeze=true"],
            "data.vectors.freeze: expected false, as any other value has no effect with data.vectors.source null and "
            "data.vectors.target null, got true",
        ),
        (
            ["training.guided_attention.weight=2"],
            "training.guided_attention.weight: expected 1.0, as any other value has no effect with data.alignments "
            "null, got 2.0",
        ),
        (
            ["data.alignments=builtin", "model.attention.score=none"],
            "data.alignments: expected null with model.attention.score 'none', as there are no weights to guide, "
            "got 'builtin'",
        ),
        (
            ["data.alignments=builtin", "model.attention.normalise=sparsemax"],
            "data.alignments: expected null with model.attention.normalise 'sparsemax', whose weights of 0 cannot "
            "learn from them, got 'builtin'",
        ),
        (
            ["data.alignments=train.links"],
            "data.alignments: expected builtin with data.train.builtin 'demo', got 'train.links'",
        ),
        (
            [*NO_DEMO, "data.alignments=builtin"],
            "data.alignments: expected a file with data.train.builtin null, got 'builtin'",
        ),
        (
            ["training.subword_sampling.alpha=0.1"],
            "training.subword_sampling.alpha: expected null with tokenizer.kind null, which cuts a text in one way "
            "alone, got 0.1",
        ),
        (
            [*BPE, "training.subword_sampling.alpha=1"],
            "training.subword_sampling.alpha: expected between 0 and 1, both left out, with tokenizer.algorithm 'bpe', "
            "got 1.0 (the share of merges that are left out)",
        ),
        (
            [*BPE, "training.subword_sampling.alpha=0.1", "training.subword_sampling.nbest=5"],
            "training.subword_sampling.nbest: expected null, as any other value has no effect with "
            "tokenizer.algorithm 'bpe', got 5",
        ),
        (
            ["model.encoder.layer_dropout=0.1"],
            "model.encoder.layer_dropout: expected null, as any other value has no effect with model.encoder.layers 1, "
            "got 0.1",
        ),
        (
            ["model.dropout_mask=sentence", "model.encoder.dropout=0", "model.decoder.dropout=0"],
            "model.dropout_mask: expected 'step', as any other value has no effect with model.encoder.dropout 0.0 and "
            "model.decoder.dropout 0.0, got 'sentence'",
        ),
        (
            ["model.decoder.cell=lstm", "model.encoder.cell=lstm", "model.decoder.init_cell=last"],
            "model.decoder.hidden: expected 512 with model.decoder.init_cell 'last', the size of layer 1 of the "
            "encoder (model.encoder.hidden 256 x 2 directions), got 256 (or take model.decoder.init_cell: bridge)",
        ),
        (
            ["model.decoder.cell=lstm", "model.decoder.init_cell=bridge"],
            "model.encoder.cell: expected 'lstm' or 'lstm-layernorm' with model.decoder.init_cell 'bridge', got 'gru' "
            "(or take model.decoder.init_cell: zero or copy)",
        ),
        (
            ["model.decoder.cell=lstm", "model.decoder.init_cell=copy", "model.decoder.init=zero"],
            "model.decoder.init_cell: expected 'zero', as any other value has no effect with model.decoder.init "
            "'zero', got 'copy'",
        ),
        (
            ["model.decoder.init=backward-first", *BOTTOM],
            "model.encoder.bidirectional: expected true with model.decoder.init 'backward-first', which reads the "
            "backward direction of the top layer, got 'bottom'",
        ),
        (
            [*NO_SOURCE, "model.attention.score=additive"],
            "model.attention.score: expected 'none' with model.encoder.layers 0, as there is nothing to attend to, got "
            "'additive'",
        ),
        (
            [*NO_SOURCE, "model.decoder.init=mean"],
            "model.decoder.init: expected 'zero' or 'learned' with model.encoder.layers 0, as no source is seen, got "
            "'mean'",
        ),
        (
            [*NO_SOURCE, "model.decoder.cell=lstm", "model.decoder.init_cell=bridge"],
            "model.decoder.init_cell: expected 'zero', 'learned' or 'copy' with model.encoder.layers 0, as no source "
            "is seen, got 'bridge'",
        ),
        (
            [*NO_SOURCE, "model.encoder.hidden=7"],
            "model.encoder.hidden: expected 256, as any other value has no effect with model.encoder.layers 0, got 7",
        ),
        (
            [*NO_SOURCE, "tokenizer.source.kind=char"],
            "tokenizer.source.kind: expected null, as any other value has no effect with model.encoder.layers 0, got "
            "'char'",
        ),
        (
            [*NO_SOURCE, "model.tie=source-target"],
            "model.tie: expected 'none' or 'target-output' with model.encoder.layers 0, as there is no source "
            "embedding, got 'source-target'",
        ),
        (
            [*NO_SOURCE, "training.validate_translation=true"],
            "training.validate_translation: expected false with model.encoder.layers 0, as nothing is translated, got "
            "true",
        ),
        (
            [*NO_SOURCE, "data.train={source: a, target: b}", "data.valid={target: b}", "data.test=null"],
            "data.train.source: expected null, as any other value has no effect with model.encoder.layers 0, got 'a'",
        ),
        (
            [*NO_SOURCE, "tokenizer.like=runs/base", "tokenizer.lowercase=true"],
            "tokenizer.lowercase: expected false, as any other value has no effect with tokenizer.like 'runs/base', "
            "got true",
        ),
        (
            ["tokenizer.like=runs/base"],
            "tokenizer.like: expected null with model.encoder.layers 1, as it is for language models, got 'runs/base'",
        ),
        (
            ["model.attention.score=none", "model.decoder.init=zero"],
            "model.decoder.init: expected another than 'zero' with model.attention.score 'none', as nothing of the "
            "source is seen, got 'zero' (or take model.attention.fixed_context: true)",
        ),
        (
            [
                "model.attention.score=none",
                "model.attention.fixed_context=projected",
                "model.decoder.init=backward-first",
            ],
            "model.attention.fixed_context: expected false or true with model.decoder.init 'backward-first', which "
            "reads the state of one direction, got 'projected' (or take model.decoder.init: bridge)",
        ),
        (
            ["model.attention.fixed_context=projected"],
            "model.attention.fixed_context: expected false, as any other value has no effect with "
            "model.attention.score 'additive', got 'projected' (it is for 'none')",
        ),
        (
            ["model.attention.score=none", "model.decoder.style=luong", "model.decoder.input_feeding=context"],
            "model.decoder.input_feeding: expected 'none', as any other value has no effect with "
            "model.attention.score 'none' and model.attention.fixed_context false, got 'context'",
        ),
        (
            ["model.attention.score=none", "model.encoder.residual=true", "model.encoder.bidirectional=false"],
            "model.encoder.residual: expected false, as any other value has no effect with model.attention.score "
            "'none' and model.decoder.init 'bridge', got true "
            "(final states are read before the top layer's input is added)",
        ),
        (
            ["model.attention.score=normed-additive", "model.initialisation=bahdanau"],
            "model.initialisation: expected another than 'bahdanau' with model.attention.score 'normed-additive', "
            "whose v_a would begin at 0 and have no direction, got 'bahdanau'",
        ),
        (
            ["model.decoder.style=luong", "model.decoder.readout_hidden=7"],
            "model.decoder.readout_hidden: expected null, as any other value has no effect with model.decoder.style "
            "'luong' and model.decoder.readout 'linear', got 7 (the attentional state is read as it is; or take "
            "model.decoder.readout: state-linear)",
        ),
        (
            ["model.decoder.style=luong", "model.decoder.attentional_state=false"],
            "model.decoder.attentional_state: expected true, as the words would not depend on the context, got false "
            "(or take model.decoder.input_feeding: context, or a readout of context and state)",
        ),
        (
            ["model.decoder.readout=state", "model.decoder.readout_hidden=7"],
            "model.decoder.readout_hidden: expected null, as any other value has no effect with model.decoder.readout "
            "'state', got 7 (it is for 'linear', 'deep', 'maxout', 'state-linear' or 'state-deep')",
        ),
        (
            ["model.decoder.deep_context=true"],
            "model.decoder.deep_context: expected false, as any other value has no effect with model.decoder.layers 1, "
            "got true",
        ),
        (
            ["model.tie=target-output", "model.decoder.hidden=7"],
            "model.decoder.embedding: expected 7 with model.tie 'target-output', as model.decoder.hidden 7, got 256",
        ),
        (
            ["model.tie=all", "tokenizer.shared=true", "model.decoder.readout_hidden=7"],
            "model.decoder.embedding: expected 7 with model.tie 'all', as model.decoder.readout_hidden 7, got 256",
        ),
        (["model.tie=source-target"], "tokenizer.shared: expected true with model.tie 'source-target', got false"),
        (
            ["model.tie=source-target", "tokenizer.shared=true", "model.encoder.embedding=7"],
            "model.encoder.embedding: expected 256 with model.tie 'source-target', as model.decoder.embedding 256, "
            "got 7",
        ),
        (
            ["tokenizer.kind=sentencepiece", "tokenizer.min_frequency=2"],
            "tokenizer.min_frequency: expected 1, as any other value has no effect with tokenizer.kind "
            "'sentencepiece', got 2 (it is for 'word', 'symbols' or 'char')",
        ),
        (
            ["training.optimizer=sgd", "training.betas=[0.5, 0.6]"],
            "training.betas: expected [0.9, 0.999], as any other value has no effect with training.optimizer 'sgd', "
            "got [0.5, 0.6] (it is for 'adam' or 'adamw')",
        ),
        (
            ["training.metric=bleu", "training.validate_translation=false"],
            "training.validate_translation: expected true with training.metric 'bleu', got false",
        ),
        (
            ["tokenizer.shared=true", "tokenizer.source.kind=char"],
            "tokenizer.source.kind: expected null beside tokenizer.shared true, got 'char'",
        ),
        (
            ["tokenizer.source.kind=char", "tokenizer.target.kind=symbols", "tokenizer.kind=sentencepiece"],
            "tokenizer.kind: expected null, as any other value has no effect with tokenizer.source.kind 'char' and "
            "tokenizer.target.kind 'symbols', got 'sentencepiece'",
        ),
        (
            ["tokenizer.source.kind=char", "tokenizer.target.units=graphemes"],
            "tokenizer.target.units: expected null, as any other value has no effect with tokenizer.kind null, got "
            "'graphemes' (it is for 'char')",
        ),
        (
            ["tokenizer.kind=sentencepiece", "tokenizer.target.kind=char", "training.subword_sampling.alpha=0.1"],
            "training.subword_sampling.alpha: expected null with tokenizer.target.kind 'char', which cuts a text in "
            "one way alone, got 0.1",
        ),
        (
            ["search.beam=4", "evaluate.top=5"],
            "evaluate.top: expected at most search.beam 4, got 5",
        ),
        (
            ["evaluate.separator='|'", "tokenizer.target={kind: symbols, separator: +}"],
            "evaluate.separator: expected '+' or null with tokenizer.target.separator '+', got '|'",
        ),
        (
            ["training.metric=chrf", "training.validate_translation=false"],
            "training.validate_translation: expected true with training.metric 'chrf', got false",
        ),
        (
            ["training.validate_updates=100", "training.validate_epochs=2"],
            "training.validate_epochs: expected 1, as any other value has no effect with "
            "training.validate_updates 100, got 2",
        ),
        (
            ["training.updates=5", "training.warmup_updates=5"],
            "training.warmup_updates: expected fewer than training.updates 5, got 5",
        ),
        (
            ["training.cuda_graphs=true", "run.device=cpu"],
            "training.cuda_graphs: expected false with run.device 'cpu', as graphs are for a GPU, got true",
        ),
        (
            ["training.cuda_graphs=true", "training.scheduled_sampling.rate=0.5"],
            "training.cuda_graphs: expected false with training.scheduled_sampling.rate 0.5, which changes from update "
            "to update, got true",
        ),
        (
            ["training.cuda_graphs=true", "data.alignments=builtin"],
            "training.cuda_graphs: expected false with data.alignments 'builtin', whose weights have the shape of no "
            "bucket, got true",
        ),
        (
            ["training.schedule=linear", "training.minimum_rate=0.5"],
            "training.minimum_rate: expected less than training.learning_rate 0.002, got 0.5",
        ),
        (
            ["search.beam=1", "search.length_penalty=gnmt"],
            "search.length_penalty: expected 'average', as any other value has no effect with search.beam 1, "
            "got 'gnmt' (one hypothesis has no rivals)",
        ),
        (
            ["search.beam=1", "search.coverage_penalty=0.2"],
            "search.coverage_penalty: expected 0.0, as any other value has no effect with search.beam 1, "
            "got 0.2 (one hypothesis has no rivals)",
        ),
        (
            ["search.groups=3"],
            "search.groups: expected a divisor of search.beam 5, got 3",
        ),
        (
            ["search.group_penalty=0.2"],
            "search.group_penalty: expected 0.5, as any other value has no effect with search.groups 1, got 0.2",
        ),
        (
            ["search.max_length=5", "search.min_length=6"],
            "search.min_length: expected at most search.max_length 5, got 6",
        ),
        (
            ["search.min_length_factor=2.5"],
            "search.min_length_factor: expected at most search.max_length_factor 2.0, got 2.5",
        ),
        (
            ["evaluate.length_buckets=[10, 20, 20]"],
            "evaluate.length_buckets: expected bounds that rise, got [10, 20, 20]",
        ),
    ],
)
def test_a_contradiction_is_explained_in_one_line(overrides: list[str], message: str) -> None:
    assert mistakes(*overrides) == [message]


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (
            "{tsv: f, jsonl: g}",
            "data.valid.jsonl: expected null beside data.valid.tsv 'f', as a corpus has one place, got 'g'",
        ),
        ("{source: a}", "data.valid.target: expected a value like that of data.valid.source 'a', got null"),
        (
            "{source: 1, target: b}",
            "data.valid.source: expected a file, as there is no data.valid.tsv, got 1",
        ),
        (
            "{source: null}",
            "data.valid.source: expected a file (and one in data.valid.target) where there is no data.valid.tsv, "
            "data.valid.jsonl, data.valid.dataset or data.valid.builtin, got null",
        ),
        (
            "{tsv: f, source: a, target: 2}",
            "data.valid.source: expected the number of a column of data.valid.tsv, from 1, got 'a'",
        ),
        (
            "{tsv: f, source: 1, target: 0}",
            "data.valid.target: expected the number of a column of data.valid.tsv, from 1, got 0",
        ),
        (
            "{jsonl: f, source: 1, target: b}",
            "data.valid.source: expected the name of a field of data.valid.jsonl, got 1",
        ),
        (
            "{dataset: f, source: 1, target: b}",
            "data.valid.source: expected the name of a field of data.valid.dataset, got 1",
        ),
        (
            "{jsonl: f, split: x}",
            "data.valid.split: expected null without data.valid.dataset or data.valid.builtin, got 'x'",
        ),
        ("{jsonl: f, revision: x}", "data.valid.revision: expected null without data.valid.dataset, got 'x'"),
        ("{jsonl: f, subset: x}", "data.valid.subset: expected null without data.valid.dataset, got 'x'"),
        (
            "{builtin: demo, split: valid}",
            "data.valid.builtin: expected null beside data.train.source 'train.a', as a built-in corpus goes with no "
            "other, got 'demo' (name the places of all three corpora)",
        ),
    ],
)
def test_a_corpus_has_one_place_and_only_keys_that_belong_to_it(corpus: str, message: str) -> None:
    assert mistakes(*NO_DEMO, f"data.valid={corpus}") == [message]


def test_the_built_in_corpus_needs_no_files() -> None:
    assert mistakes("data.train={builtin: demo, split: train, source: a}", "data.root=x") == [
        "data.train.source: expected null beside data.train.builtin 'demo', got 'a'",
        "data.root: expected null, as any other value has no effect with data.train.builtin 'demo', got 'x'",
    ]


def test_the_built_in_corpus_has_three_splits() -> None:
    expected = "data.test.split: expected one of 'train', 'valid', 'test' with data.test.builtin 'demo', got "
    assert mistakes("data.test={builtin: demo}") == [f"{expected}null"]
    assert mistakes("data.test.split=dev") == [f"{expected}'dev'"]


def test_all_contradictions_come_together() -> None:
    found = mistakes("search.alpha=0.5", "model.attention.sigma=2", "training.rho=0.5")
    assert [message.split(":")[0] for message in found] == [
        "model.attention.sigma",
        "training.rho",
        "search.alpha",
    ]


def test_contradictions_are_reported_beside_other_mistakes() -> None:
    found = mistakes("search.beam=0", "model.attention.sigma=2")
    assert [message.split(":")[0] for message in found] == ["search.beam", "model.attention.sigma"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.attention.window=local", "model.attention.sigma=2"],
        ["model.attention.windw=local-p", "model.attention.sigma=2"],
        ["attention.window=local-p", "model.attention.sigma=2"],
        ["data.train={tsvv: f, source: 1, target: 2}"],
        ["data.train.tsv=3"],
    ],
)
def test_a_mistake_brings_no_contradictions_that_vanish_with_it(overrides: list[str]) -> None:
    assert len(mistakes(*overrides)) == 1
