"""Every name of the package that the configuration accepts for a part, and where that part lives.

The modules of the parts give each registry its type: `from nmt_attn.model.scores import SCORES`. A test imports every
place (tests/test_registries.py).
"""

from typing import Any

from nmt_attn.registry import Registry

SCORES: Registry[Any] = Registry(
    ("model.attention.score",),
    {
        "additive": "nmt_attn.model.scores:Additive",
        "normed-additive": "nmt_attn.model.scores:NormedAdditive",
        "dot": "nmt_attn.model.scores:Dot",
        "scaled-dot": "nmt_attn.model.scores:ScaledDot",
        "general": "nmt_attn.model.scores:General",
        "scaled-general": "nmt_attn.model.scores:ScaledGeneral",
        "concat": "nmt_attn.model.scores:Concat",
        "location": "nmt_attn.model.scores:Location",
    },
)

WINDOWS: Registry[Any] = Registry(
    ("model.attention.window",),
    {
        "global": "nmt_attn.model.windows:Global",
        "local-m": "nmt_attn.model.windows:LocalM",
        "local-p": "nmt_attn.model.windows:LocalP",
    },
)

TRANSITIONS: Registry[Any] = Registry(
    ("model.attention.alignment",),
    {
        "hard": "nmt_attn.model.transitions:Independent",
        "hard-first-order": "nmt_attn.model.transitions:FirstOrder",
        "monotonic": "nmt_attn.model.transitions:Monotonic",
        "monotonic-first-order": "nmt_attn.model.transitions:MonotonicFirstOrder",
    },
)

NORMALISERS: Registry[Any] = Registry(
    ("model.attention.normalise", "model.decoder.normalise"),
    {
        "softmax": "nmt_attn.model.normalise:Softmax",
        "sparsemax": "nmt_attn.model.normalise:Sparsemax",
        "entmax-1.5": "nmt_attn.model.normalise:Entmax15",
    },
)

COVERAGES: Registry[Any] = Registry(
    ("model.attention.coverage",),
    {
        "sum": "nmt_attn.model.coverage:Sum",
        "linguistic": "nmt_attn.model.coverage:Linguistic",
        "neural": "nmt_attn.model.coverage:Neural",
    },
)

COPYINGS: Registry[Any] = Registry(
    ("model.decoder.copying",),
    {
        "pointer-generator": "nmt_attn.model.copying:PointerGenerator",
    },
)

CONTEXT_GATES: Registry[Any] = Registry(
    ("model.decoder.context_gate",),
    {
        "source": "nmt_attn.model.context_gate:Source",
        "target": "nmt_attn.model.context_gate:Target",
        "both": "nmt_attn.model.context_gate:Both",
    },
)

DECODERS: Registry[Any] = Registry(
    ("model.decoder.style",),
    {
        "bahdanau": "nmt_attn.model.build:build_bahdanau",
        "luong": "nmt_attn.model.build:build_luong",
        "conditional": "nmt_attn.model.build:build_conditional",
    },
)

CELLS: Registry[Any] = Registry(
    ("model.encoder.cell", "model.decoder.cell"),
    {
        "gru": "nmt_attn.model.cells:GRU",
        "gru-cho": "nmt_attn.model.cells:ChoGRU",
        "lstm": "nmt_attn.model.cells:LSTM",
        "rnn": "nmt_attn.model.cells:TanhRNN",
        "gru-layernorm": "nmt_attn.model.layer_norm:LayerNormGRU",
        "gru-layernorm-joint": "nmt_attn.model.layer_norm:JointLayerNormGRU",
        "lstm-layernorm": "nmt_attn.model.layer_norm:LayerNormLSTM",
    },
)

INITIAL_STATES: Registry[Any] = Registry(
    ("model.decoder.init",),
    {
        "zero": "nmt_attn.model.initial_state:Zero",
        "learned": "nmt_attn.model.initial_state:Learned",
        "last": "nmt_attn.model.initial_state:Last",
        "last-forward": "nmt_attn.model.initial_state:LastForward",
        "mean": "nmt_attn.model.initial_state:Mean",
        "bridge": "nmt_attn.model.initial_state:Bridge",
        "backward-first": "nmt_attn.model.initial_state:BackwardFirst",
    },
)

INITIAL_CELL_STATES: Registry[Any] = Registry(
    ("model.decoder.init_cell",),
    {
        "zero": "nmt_attn.model.initial_state:Zero",
        "learned": "nmt_attn.model.initial_state:Learned",
        "last": "nmt_attn.model.initial_state:Last",
        "mean": "nmt_attn.model.initial_state:Mean",
        "bridge": "nmt_attn.model.initial_state:Bridge",
    },
)

READOUTS: Registry[Any] = Registry(
    ("model.decoder.readout",),
    {
        "linear": "nmt_attn.model.readout:Linear",
        "deep": "nmt_attn.model.readout:Deep",
        "maxout": "nmt_attn.model.readout:Maxout",
        "state": "nmt_attn.model.readout:State",
        "state-linear": "nmt_attn.model.readout:StateLinear",
        "state-deep": "nmt_attn.model.readout:StateDeep",
    },
)

INITIALISATIONS: Registry[Any] = Registry(
    ("model.initialisation",),
    {
        "xavier": "nmt_attn.model.initialise:Xavier",
        "orthogonal": "nmt_attn.model.initialise:Orthogonal",
        "uniform": "nmt_attn.model.initialise:Uniform",
        "bahdanau": "nmt_attn.model.initialise:Bahdanau",
    },
)

OPTIMIZERS: Registry[Any] = Registry(
    ("training.optimizer",),
    {
        "sgd": "nmt_attn.training.optimizer:sgd",
        "adam": "nmt_attn.training.optimizer:adam",
        "adamw": "nmt_attn.training.optimizer:adamw",
        "adadelta": "nmt_attn.training.optimizer:adadelta",
        "adagrad": "nmt_attn.training.optimizer:adagrad",
    },
)

SCHEDULES: Registry[Any] = Registry(
    ("training.schedule",),
    {
        "constant": "nmt_attn.training.schedule:constant",
        "plateau": "nmt_attn.training.schedule:plateau",
        "halving": "nmt_attn.training.schedule:halving",
        "step-halving": "nmt_attn.training.schedule:step_halving",
        "inverse-sqrt": "nmt_attn.training.schedule:inverse_sqrt",
        "cosine": "nmt_attn.training.schedule:cosine",
        "linear": "nmt_attn.training.schedule:linear",
    },
)

DECAYS: Registry[Any] = Registry(
    ("training.scheduled_sampling.decay", "training.guided_attention.decay"),
    {
        "linear": "nmt_attn.training.schedule:linear_decay",
        "exponential": "nmt_attn.training.schedule:exponential_decay",
        "inverse-sigmoid": "nmt_attn.training.schedule:inverse_sigmoid_decay",
    },
)

RISKS: Registry[Any] = Registry(
    ("training.risk.method",),
    {
        "mrt": "nmt_attn.training.risk:MinimumRisk",
        "reinforce": "nmt_attn.training.risk:Reinforce",
    },
)

TOKENIZERS: Registry[Any] = Registry(
    ("tokenizer.kind", "tokenizer.source.kind", "tokenizer.target.kind"),
    {
        "word": "nmt_attn.data.tokenizer:Word",
        "symbols": "nmt_attn.data.tokenizer:Symbols",
        "char": "nmt_attn.data.tokenizer:Character",
        "sentencepiece": "nmt_attn.data.tokenizer:SentencePiece",
    },
)

RANKINGS: Registry[Any] = Registry(
    ("search.length_penalty",),
    {
        "none": "nmt_attn.search.ranking:LogProb",
        "average": "nmt_attn.search.ranking:Average",
        "gnmt": "nmt_attn.search.ranking:LengthPenalty",
        "reward": "nmt_attn.search.ranking:Reward",
    },
)

METRICS: Registry[Any] = Registry(
    ("evaluate.metrics", "training.metric", "training.risk.metrics", "search.mbr"),
    {
        "bleu": "nmt_attn.evaluation.metrics:bleu_rows",
        "chrf": "nmt_attn.evaluation.metrics:chrf_rows",
        "ter": "nmt_attn.evaluation.metrics:ter_rows",
        "exact": "nmt_attn.evaluation.metrics:exact_rows",
        "wer": "nmt_attn.evaluation.metrics:word_error_rows",
        "per": "nmt_attn.evaluation.metrics:phone_error_rows",
        "cer": "nmt_attn.evaluation.metrics:character_error_rows",
        "ned": "nmt_attn.evaluation.metrics:normalised_edit_rows",
    },
)

ALIGNMENT_FORMATS: Registry[Any] = Registry(
    (),
    {
        "jsonl": "nmt_attn.alignment.formats:JSONL",
        "npz": "nmt_attn.alignment.formats:NPZ",
        "pharaoh": "nmt_attn.alignment.formats:PHARAOH",
        "naacl": "nmt_attn.alignment.formats:NAACL",
    },
)
"""Of `--gold-format` and `--format`, if a format can be read; of a file's ending, if it can be written."""

SYMMETRISATIONS: Registry[Any] = Registry(
    (),
    {
        "intersection": "nmt_attn.alignment.symmetrise:intersection",
        "union": "nmt_attn.alignment.symmetrise:union",
        "grow-diag-final": "nmt_attn.alignment.symmetrise:grow_diag_final",
        "grow-diag-final-and": "nmt_attn.alignment.symmetrise:grow_diag_final_and",
    },
)
"""Of `--symmetrise`."""

CORPUS_FORMS: Registry[Any] = Registry(
    (),
    {
        "tsv": "nmt_attn.data.corpus:tsv_pairs",
        "jsonl": "nmt_attn.data.corpus:jsonl_pairs",
        "dataset": "nmt_attn.data.corpus:dataset_pairs",
        "builtin": "nmt_attn.data.corpus:builtin_pairs",
    },
)
"""Keys of a corpus that say where its text is; a corpus with none of them has two text files."""

REGISTRIES = (
    SCORES,
    WINDOWS,
    TRANSITIONS,
    NORMALISERS,
    COVERAGES,
    COPYINGS,
    CONTEXT_GATES,
    DECODERS,
    CELLS,
    INITIAL_STATES,
    INITIAL_CELL_STATES,
    READOUTS,
    INITIALISATIONS,
    OPTIMIZERS,
    SCHEDULES,
    DECAYS,
    RISKS,
    TOKENIZERS,
    RANKINGS,
    METRICS,
)
"""Those whose names are values of a key."""
