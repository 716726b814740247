"""The configuration: every key, its default, its range and one line of explanation.

Sections are frozen; unknown keys are refused. How a file becomes a `Config`: nmt_attn/config/file.py.
Which keys contradict each other: nmt_attn/config/rules.py. Only model/build.py reads `Config.model`.
"""

from typing import Annotated, Literal

from pydantic import Field

from nmt_attn.bounds import LARGEST, LONGEST, MOST_THREADS
from nmt_attn.config.base import (
    Column,
    Count,
    ExpectedMetric,
    Fraction,
    Length,
    MetricName,
    OptimizerName,
    RankingName,
    ScheduleName,
    Section,
    Seed,
    ValidationMetric,
    Whole,
    Width,
)
from nmt_attn.config.columns_section import ColumnsConfig
from nmt_attn.config.model_section import ModelConfig
from nmt_attn.config.regularisation import (
    GuidedAttentionConfig,
    HeldOutConfig,
    ScheduledSamplingConfig,
    SubwordSamplingConfig,
    VectorsConfig,
    WordDropoutConfig,
)
from nmt_attn.config.risk_section import RiskConfig
from nmt_attn.config.tokenizer_section import TokenizerConfig

BadLine = Literal["drop", "error"]
NAME_PATTERN = r"^\w[\w.-]*$"


DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


class RunConfig(Section):
    """Where the run lives and what it runs on."""

    name: str = Field("run", pattern=NAME_PATTERN, description="name of the run's folder inside `dir`")
    dir: str = Field("runs", description="folder that holds all runs")
    seed: Seed = Field(1, description="seed of every random choice")
    device: str = Field(
        "auto", pattern=DEVICE_PATTERN, description="auto (a GPU if there is one), cpu, cuda or one GPU, such as cuda:1"
    )
    precision: Literal["auto", "fp32", "tf32", "bf16"] = Field(
        "auto", description="of the products in training; auto is bf16 on a GPU or CPU that has it; tf32 is for a GPU"
    )
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=MOST_THREADS)] = Field(
        "auto", description="that share a product on the CPU; by default one a core, but one for states below 256 units"
    )


class CorpusConfig(Section):
    """One parallel corpus: two files, or one tsv, jsonl, dataset or built-in corpus."""

    source: str | Column | None = Field(
        None, description="source file; with tsv a column from 1, with jsonl or dataset a field name"
    )
    target: str | Column | None = Field(None, description="target file, column or field name, likewise")
    tsv: str | None = Field(None, description="file of tab-separated columns (source: 1, target: 2)")
    jsonl: str | None = Field(None, description="file with one JSON object a line (fields source, target)")
    dataset: str | None = Field(None, description="folder or hub name for the `datasets` library")
    subset: str | None = Field(None, description="configuration name of that dataset, such as de-en")
    revision: str | None = Field(
        None, description="commit, tag or branch of that dataset on the hub; by default what is newest at first use"
    )
    builtin: Literal["demo"] | None = Field(None, description="corpus that the package makes itself")
    split: str | None = Field(None, description="split of the dataset or built-in corpus")
    limit: Count | None = Field(None, description="use only the first N pairs")

    @property
    def is_named(self) -> bool:
        """Whether it says where its text is."""
        places = (self.source, self.target, self.tsv, self.jsonl, self.dataset, self.builtin)
        return any(place is not None for place in places)


class DataConfig(Section):
    """The corpora and what to do with lines that cannot be used."""

    root: str | None = Field(None, description="joined to relative file names below")
    train: CorpusConfig = Field(CorpusConfig(builtin="demo", split="train"), description="corpus to learn from")
    valid: CorpusConfig = Field(CorpusConfig(builtin="demo", split="valid"), description="corpus to choose by")
    test: CorpusConfig = Field(CorpusConfig(builtin="demo", split="test"), description="default of translate and eval")
    columns: ColumnsConfig = Field(ColumnsConfig(), description="where the texts of all three corpora are; tags too")
    held_out: HeldOutConfig = Field(HeldOutConfig(), description="pairs of data.train to choose and to test by")
    alignments: str | None = Field(
        None, description="file of word alignments of data.train (Pharaoh: 0-0 1-2), or builtin: the built-in corpus's"
    )
    vectors: VectorsConfig = Field(VectorsConfig(), description="pretrained word vectors, read at a fresh start")
    max_length: Length = Field(100, description="tokens a side; longer training pairs are over-long")
    over_long: BadLine = Field("drop", description="over-long training pairs: drop (and count) or error")
    blank: BadLine = Field("drop", description="training pairs with an empty side: drop (and count) or error")
    undecodable: Literal["drop", "replace", "error"] = Field(
        "drop", description="lines that are not UTF-8: drop, replace (by U+FFFD; both count) or error"
    )
    cache: str | None = Field(None, description="folder of tokenised corpora; by default `cache` inside run.dir")


class TrainingConfig(Section):
    """How the network learns."""

    init_from: str | None = Field(
        None, description="run or model folder whose weights a new run begins with, as far as names and words agree"
    )
    freeze: tuple[str, ...] = Field(
        (),
        description="parts that do not learn, as weights' names begin: [encoder, decoder.attention]",
    )
    batch_tokens: Count | None = Field(
        None, description="tokens of the longer side in one batch, padding included; by default from the corpus's size"
    )
    accumulate_batches: Count = Field(
        1, description="batches whose gradients are added up to one update, by each process where there are several"
    )
    short_first_epochs: Whole = Field(
        0, description="the first N epochs go from short pairs to long ones; later ones are in random order"
    )
    epochs: Count | None = Field(
        None, description="stop after N passes over the corpus; without any limit, from the corpus's size"
    )
    updates: Count | None = Field(None, description="stop after N updates")
    minutes: float | None = Field(None, gt=0, description="stop after N minutes of training, validation included")
    loss_per: Literal["token", "sentence"] = Field(
        "token",
        description="unit of the mean whose gradient is taken: target tokens, or sentences (papers)",
    )
    optimizer: OptimizerName = Field("adam", description="update rule")
    learning_rate: float = Field(2e-3, gt=0, description="before the schedule")
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.999), description="adam, adamw: decay of the two moments")
    rho: Fraction = Field(0.95, description="adadelta: decay of the averages")
    epsilon: float | None = Field(None, gt=0, description="of the optimizer; by default torch's")
    weight_decay: float = Field(0.0, ge=0, description="L2 term; decoupled with adamw")
    schedule: ScheduleName = Field("cosine", description="of the learning rate over the updates")
    warmup_updates: Whole = Field(0, description="linear warm-up from 0, with every schedule")
    halve_after_epochs: Count = Field(5, description="halving: the rate halves at the start of each later epoch")
    decay_after: Fraction = Field(0.5, description="step-halving: share of the training before the first halving")
    decay_times: Count = Field(4, description="step-halving: how often the rate is halved until the end")
    decay_factor: Fraction = Field(0.5, description="plateau: factor when validation has not improved")
    decay_patience: Whole = Field(0, description="plateau: validations without an improvement to tolerate")
    minimum_rate: float = Field(0.0, ge=0, description="the rate never falls below; not with constant")
    clip_norm: float | None = Field(1.0, gt=0, description="largest norm of the whole gradient")
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="decay of a moving average of the weights, which is validated and saved in their place",
    )
    cuda_graphs: bool | Literal["auto"] = Field(
        "auto", description="GPU: record the kernels of each batch shape once and launch them as one graph"
    )
    coverage_loss: float = Field(
        0.0, ge=0, le=1000, description="weight of the loss for looking twice at a position (See et al. 2017)"
    )
    label_smoothing: Fraction | None = Field(
        None,
        description="share of the target spread over the vocabulary; by default 0.1, 0 where the text repeats itself",
    )
    word_dropout: WordDropoutConfig = Field(WordDropoutConfig(), description="words replaced by <unk> in the input")
    subword_sampling: SubwordSamplingConfig = Field(
        SubwordSamplingConfig(), description="sentencepiece: segment the text anew in every epoch"
    )
    guided_attention: GuidedAttentionConfig = Field(
        GuidedAttentionConfig(), description="with data.alignments: they supervise attention"
    )
    scheduled_sampling: ScheduledSamplingConfig = Field(
        ScheduledSamplingConfig(), description="the model's own previous word in place of the reference's"
    )
    risk: RiskConfig = Field(RiskConfig(), description="samples of the model itself, judged by metrics")
    validate_updates: Count | None = Field(None, description="validate every N updates; by default by validate_epochs")
    validate_epochs: Count = Field(1, description="validate every N epochs")
    validate_translation: bool = Field(
        True, description="validate by evaluate.metrics beside the loss; translates the corpus greedily each time"
    )
    alignment_picture: bool = Field(
        True, description="a picture of one sentence's alignment at each validation, for TensorBoard"
    )
    metric: ValidationMetric = Field("loss", description="metric that chooses best/")
    patience: Count | None = Field(10, description="stop after N validations without an improvement; null: never")
    checkpoint_updates: Count = Field(500, description="save the state of training every N updates")
    keep_last: int = Field(
        2, ge=2, le=LARGEST, description="number of newest training states to keep, in case the newest is damaged"
    )
    keep_best: Count = Field(1, description="number of best models to keep; more than one go to models/, beside best/")


class SearchConfig(Section):
    """How translations are searched for."""

    beam: Width = Field(5, description="hypotheses kept at each step; 1 is greedy search")
    groups: Width = Field(
        1, description="parts of the beam that search separately; each avoids the words of the parts before it"
    )
    group_penalty: float = Field(
        0.5, gt=0, description="log p that a token costs a group for each use by the groups before it at this step"
    )
    batch_sentences: Count = Field(64, description="sentences decoded together")
    precision: Literal["fp32", "auto", "tf32", "bf16", "int8"] = Field(
        "fp32", description="of the products; auto is int8 on a CPU that has it, else bf16 if it has that, else fp32"
    )
    max_length: Length | None = Field(None, description="maximum length of a translation in tokens")
    max_length_factor: float = Field(
        2.0, gt=0, le=100, description="maximum length: this times the source's tokens, plus 10"
    )
    language_model: str | None = Field(
        None,
        description="n-gram model of the target (ARPA file) or run without a source, whose log p joins the model's",
    )
    language_model_weight: float = Field(0.2, gt=0, le=100, description="of the language model's log p")
    mbr: ExpectedMetric = Field(
        "none",
        description="choose, of the beam's translations or of samples, the one that is most like all of them by a "
        "metric (minimum Bayes risk); none: the best rank",
    )
    mbr_samples: Width = Field(32, description="mbr: with sampling, how many are drawn to choose from")
    length_penalty: RankingName = Field(
        "average", description="ranking: log p, log p / length, log p / GNMT's lp(length), log p + alpha * length"
    )
    alpha: float = Field(1.0, ge=0, description="strength of gnmt and reward")
    stop: Literal["exact", "near", "early"] = Field(
        "near",
        description="exact: stop once no open hypothesis can rank higher; near: once none would with 2 more tokens at "
        "no cost; early: once none ranks higher as it stands",
    )
    coverage_penalty: float = Field(
        0.0, ge=0, description="GNMT's beta: ranks a translation lower for source words that it does not cover; 0: off"
    )
    min_length: int = Field(
        0, ge=0, le=LONGEST, description="minimum length of a translation in tokens; the maximum length wins"
    )
    min_length_factor: float = Field(0.0, ge=0, le=100, description="minimum length: this times the source's tokens")
    forbid_unknown: bool = Field(False, description="never write <unk>")
    no_repeat_ngram: Length | None = Field(None, description="no sequence of N tokens occurs twice")
    repetition_penalty: float = Field(
        1.0, ge=1, description="log p of a token that occurred before is multiplied by this"
    )


TableName = Literal["tag", "frequency", "errors", "words", "ngrams"]
SYMBOL_TABLES: tuple[TableName, ...] = ("tag", "frequency", "errors")
WORD_TABLES: tuple[TableName, ...] = ("words", "ngrams")
SYMBOL_METRICS = {"exact", "wer", "per", "cer", "ned"}
"""Those that count lines or symbols that are wrong, not words of a translation."""


class EvaluateConfig(Section):
    """What `nmt-attn eval` reports."""

    length_buckets: tuple[Length, ...] | None = Field(
        None, description="upper bounds of source length in words, [10, 20]; null: round ones that suit the test set"
    )
    metrics: tuple[MetricName, ...] = Field(
        ("bleu", "chrf"),
        description="corpus metrics; exact: whole lines, wer: 100 - exact, the words-to-phones meaning; edits per "
        "symbol: per, per character: cer, ned",
    )
    separator: str | None = Field(
        None,
        description="per, errors: what stands between two symbols; ' ' is any white space, '' nothing: each character "
        "is one; null: as tokenizer.target has it",
    )
    tables: tuple[TableName, ...] | None = Field(
        None,
        description="tables beside the one by source length; null: tag, frequency, errors with exact, wer, per, cer "
        "or ned among the metrics; else, of two systems, words (F1 by frequency in training) and ngrams",
    )
    top: Count = Field(1, description="accuracy of the best, of the two best, up to this many; at most search.beam")
    join_sources: bool = Field(
        False, description="lines with the same source are one, and each of their targets is right, as in a lexicon"
    )
    tokenize: Literal["13a", "none", "intl", "char", "zh", "flores200"] = Field(
        "13a", description="sacreBLEU's tokenizer; none for text that is tokenised already"
    )
    lowercase: bool = Field(False, description="BLEU ignores case")

    @property
    def symbol_separator(self) -> str:
        """What stands between two symbols; white space where nothing says."""
        return " " if self.separator is None else self.separator

    def chosen_tables(self, systems: int) -> tuple[TableName, ...]:
        """The tables to show of this number of systems, beside the one by length."""
        if self.tables is not None:
            return self.tables
        if set(self.metrics) & SYMBOL_METRICS:
            return SYMBOL_TABLES
        return WORD_TABLES if systems == 2 else ()


class Config(Section):
    """Everything."""

    run: RunConfig = Field(RunConfig(), description="where the run lives and what it runs on")
    data: DataConfig = Field(DataConfig(), description="the corpora")
    tokenizer: TokenizerConfig = Field(TokenizerConfig(), description="how text becomes tokens")
    model: ModelConfig = Field(ModelConfig(), description="the network")
    training: TrainingConfig = Field(TrainingConfig(), description="how the network learns")
    search: SearchConfig = Field(SearchConfig(), description="how translations are searched for")
    evaluate: EvaluateConfig = Field(EvaluateConfig(), description="what eval reports")

    @property
    def validation_metrics(self) -> tuple[str, ...]:
        """What is measured of greedy translations at each validation: evaluate.metrics and training.metric."""
        if not self.training.validate_translation:
            return ()
        own = () if self.training.metric == "loss" else (self.training.metric,)
        return tuple(dict.fromkeys((*self.evaluate.metrics, *own)))

    @property
    def evaluation(self) -> EvaluateConfig:
        """`evaluate`, with the separator of the target's symbols where it says none."""
        target = self.tokenizer.side("target")
        own = {"symbols": target.separator, "char": ""}.get(target.known_kind, " ")
        return (
            self.evaluate
            if self.evaluate.separator is not None
            else self.evaluate.model_copy(update={"separator": own})
        )

    @property
    def names_corpus(self) -> bool:
        """Whether data.train was said, and is not the built-in corpus by default."""
        return "data" in self.model_fields_set and "train" in self.data.model_fields_set
