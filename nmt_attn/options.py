"""Options: what each command can be asked for. Declared here and nowhere else: name, type, default, range and help.

A record has a field for each option, of the same name (`--batch-size` is `batch_size`); an argument is one too. The
command line is made from the records (cli.py), every command takes its own, and `Translator.translate` takes the
fields of `SearchOptions` as keywords. A record is checked when it is made. Light: nothing here imports torch.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from typer import Argument, Option
from typer.models import OptionInfo

from nmt_attn.bounds import LARGEST, LARGEST_SEED, MOST_SEEDS, MOST_THREADS, WIDEST, told
from nmt_attn.errors import ConfigError
from nmt_attn.registries import SYMMETRISATIONS

Device = Annotated[Literal["auto", "cpu", "cuda"], Option(help="auto takes a GPU if there is one.")]
Model = Annotated[Path | None, Option(help="Folder of a run, or of a model. Default: the newest run under runs/.")]
Beam = Annotated[
    int | None, Option(min=1, max=WIDEST, help="Hypotheses kept at each step; 1 is greedy. Default: search.beam.")
]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "int8"] | None,
    Option(help="Number format of the products in search; auto is the fastest. Default: search.precision."),
]
Overrides = Annotated[
    tuple[str, ...], Option(metavar="KEY=VALUE", help="Set one key, such as model.attention.score=dot. Repeatable.")
]
SourceText = Annotated[Path, Option(help="Text, one sentence a line (compressed too).")]
TargetText = Annotated[Path, Option(help="Its translations.")]
Shift = Annotated[
    int,
    Option(min=0, max=1, help="A target word's weights are those of the step that predicts it (0) or reads it (1)."),
]
Reverse = Annotated[Path | None, Option(help="A model of the other direction: the links of both are symmetrised.")]
LinkThreshold = Annotated[
    float | None, Option(help="Link every pair with at least this weight. Default: only the best source word of each.")
]
GoldFormat = Annotated[
    Literal["pharaoh", "naacl"] | None,
    Option(help="Format of --gold: `i-j` (sure), `ipj` a sentence; or `sentence i j [S|P]` a link. Default: pharaoh."),
]
GoldBase = Annotated[
    int | None, Option(min=0, max=1, help="Number of a sentence's first word in --gold. Default: pharaoh 0, naacl 1.")
]
GoldSwapped = Annotated[bool, Option(help="In --gold the target's position comes first.")]


def check_whole(name: str, value: object, least: int, most: int = LARGEST) -> None:
    """Raises ConfigError unless `value` is None or a whole number from `least` to `most`."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{name}: expected a whole number, got {value!r}")
    if value < least:
        raise ConfigError(f"{name}: expected at least {least}, got {told(value)}")
    if value > most:
        raise ConfigError(f"{name}: expected at most {most}, got {told(value)}")


@cache
def ranges(record: type) -> dict[str, tuple[int, int]]:
    """The least and the greatest value of each option of a record that takes a whole number."""
    found = {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        kind, declared = [*get_args(hint), None, None][:2]
        if int in (kind, *get_args(kind)) and isinstance(declared, OptionInfo):
            found[name] = (int(declared.min or 0), int(declared.max or 0))
    return found


@dataclass(frozen=True)
class InitOptions:
    """Of `nmt-attn init`: one corpus, in one of four forms."""

    tsv: Annotated[
        Path | None, Option(help="File of columns: tabs, commas, semicolons or ` ||| ` between source and target.")
    ] = None
    source: Annotated[Path | None, Option(help="Text, one sentence a line (compressed too).")] = None
    target: Annotated[Path | None, Option(help="Its translations.")] = None
    jsonl: Annotated[Path | None, Option(help="File with one JSON object a line.")] = None
    dataset: Annotated[str | None, Option(help="Folder or hub name for the `datasets` library.")] = None
    columns: Annotated[
        str | None,
        Option(metavar="SOURCE,TARGET", help="Columns from 1, or fields. Default: found by what is in them."),
    ] = None
    name: Annotated[str | None, Option(help="Name of the run. Default: from the file's name.")] = None
    output: Annotated[Path | None, Option(help="Configuration to write. Default: NAME.yaml.")] = None
    force: Annotated[bool, Option(help="Replace files that are there.")] = False


@dataclass(frozen=True)
class TrainOptions:
    """Of `nmt-attn train`."""

    config: Annotated[
        Path | None,
        Argument(help="YAML file, or a shipped one by name, such as demo. Without it: says what can be trained."),
    ] = None
    set: Overrides = ()
    name: Annotated[str | None, Option(help="Name of the run's folder. Short for --set run.name=NAME.")] = None
    minutes: Annotated[float | None, Option(help="Train for at most N minutes: training.minutes.")] = None
    epochs: Annotated[
        int | None, Option(min=1, max=LARGEST, help="Train for at most N passes over the corpus: training.epochs.")
    ] = None
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None, Option(help="auto takes a GPU if there is one: run.device.")
    ] = None
    threads: Annotated[
        int | None, Option(min=1, max=MOST_THREADS, help="CPU threads to compute with: run.threads.")
    ] = None
    seeds: Annotated[
        int | None,
        Option(
            min=1,
            max=MOST_SEEDS,
            help="Train N runs, NAME-seed-1 and so on, with run.seed and the seeds after it; one CPU thread each.",
        ),
    ] = None
    jobs: Annotated[
        int | None,
        Option(min=1, max=MOST_THREADS, help="Of --seeds, runs side by side. Default: one a GPU, or one a CPU core."),
    ] = None
    fresh: Annotated[bool, Option(help="Start over instead of going on with the run.")] = False
    accept_new_data: Annotated[
        bool, Option(help="Go on although files of the data have changed; the best value so far is forgotten.")
    ] = False

    def __post_init__(self) -> None:
        """Raises ConfigError for a key that is given in both ways, and for --jobs that would change nothing."""
        if self.jobs is not None and self.seeds is None:
            raise ConfigError(f"--jobs: expected --seeds beside it, got {self.jobs} alone")
        given = {override.partition("=")[0].strip() for override in self.set}
        for key, option in self.names().items():
            if key in given:
                raise ConfigError(f"{option}: expected it once, got --set {key} too")

    def overrides(self) -> tuple[str, ...]:
        """`set`, and what the shorter options say, in the same form."""
        return (*self.set, *(f"{key}={json.dumps(value)}" for key, value in self._short().items()))

    def names(self) -> dict[str, str]:
        """The shorter options that are given, by the keys that they stand for."""
        return {key: f"--{key.rpartition('.')[2]}" for key in self._short()}

    def _short(self) -> dict[str, str | float]:
        keys = {
            "run.name": self.name,
            "run.device": self.device,
            "run.threads": self.threads,
            "training.minutes": self.minutes,
            "training.epochs": self.epochs,
        }
        return {key: value for key, value in keys.items() if value is not None}


@dataclass(frozen=True)
class SweepOptions:
    """Of `nmt-attn sweep`."""

    sweep: Annotated[Path, Argument(help="YAML file of a sweep: config, grid or random, seeds, ...")]
    jobs: Annotated[
        int | None, Option(min=1, max=MOST_THREADS, help="Runs side by side. Default: one a GPU, or one a CPU core.")
    ] = None
    threads: Annotated[
        int, Option(min=1, max=MOST_THREADS, help="CPU threads of each run; the last digits follow from them.")
    ] = 1
    dry_run: Annotated[bool, Option(help="Only list the runs, and how far each is.")] = False


@dataclass(frozen=True)
class RunsOptions:
    """Of `nmt-attn runs`."""

    folder: Annotated[
        Path | None, Argument(help="Where to look: a folder of runs, a sweep's, or a run. Default: runs.")
    ] = None
    where: Annotated[
        tuple[str, ...],
        Option(
            metavar="KEY=VALUE",
            help="Only such runs: of a column, such as state=finished, or a key, such as score=general; also "
            "!=, <, <=, >, >=, and * in text. Repeatable: all must hold.",
        ),
    ] = ()
    sort: Annotated[
        str | None,
        Option(metavar="KEY", help="best or newest first; or from small to large by a column or key. Default: run."),
    ] = None
    against: Annotated[
        Literal["runs", "defaults"],
        Option(help="Show the keys in which the runs differ from each other, or from the defaults."),
    ] = "runs"
    csv: Annotated[Path | None, Option(help="Write the list to this file; - is standard output, without a table.")] = (
        None
    )
    json: Annotated[Path | None, Option(help="Likewise as JSON.")] = None


@dataclass(frozen=True)
class ConfigOptions:
    """Of `nmt-attn config`."""

    config: Annotated[
        Path | None,
        Argument(help="YAML file, run, or a shipped file by name. Default: the reference of every key."),
    ] = None
    set: Overrides = ()
    schema: Annotated[bool, Option(help="Print the JSON schema for editors instead.")] = False
    diff: Annotated[
        Path | None, Option(help="Show only the keys that differ between this file or run and the other: --diff A B.")
    ] = None

    def __post_init__(self) -> None:
        """Raises ConfigError for two things to print."""
        if self.schema and self.diff is not None:
            raise ConfigError(f"--schema: expected no --diff beside it, got {self.diff}")


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How to search, on the command line and from Python. None: as the model's configuration says."""

    beam: Beam = None
    nbest: Annotated[
        int | None,
        Option(min=1, max=WIDEST, help="Write the N best, or N samples, as `line ||| text ||| log p ||| rank`."),
    ] = None
    sample: Annotated[bool, Option(help="Draw translations instead of searching for the best.")] = False
    temperature: Annotated[float | None, Option(help="For samples: below 1, closer to the likeliest. Default: 1.")] = (
        None
    )
    top_k: Annotated[
        int | None, Option(min=1, max=LARGEST, help="For samples: only the K likeliest tokens of each step.")
    ] = None
    top_p: Annotated[
        float | None, Option(help="For samples: only the likeliest tokens that together hold this probability.")
    ] = None
    seed: Annotated[int | None, Option(min=0, max=LARGEST_SEED, help="For samples. Default: 1.")] = None
    replace_unknown: Annotated[bool, Option(help="Replace <unk> by the source word with the greatest weight.")] = False
    batch_size: Annotated[
        int | None, Option(min=1, max=LARGEST, help="Sentences decoded together. Default: search.batch_sentences.")
    ] = None

    def __post_init__(self) -> None:
        """Raises ConfigError for numbers that no search has, and for what is no number."""
        record: Any = type(self)
        for name, (least, most) in ranges(record).items():
            check_whole(name, getattr(self, name), least, most)
        for name in ("temperature", "top_p"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and math.isfinite(value)):
                raise ConfigError(f"{name}: expected a number, got {value!r}")
        for name in ("temperature", "top_k", "top_p", "seed"):
            if getattr(self, name) is not None and not self.sample:
                option = name.replace("_", "-")
                raise ConfigError(f"--{option}: expected --sample beside it, got {getattr(self, name)} alone")
        if self.sample and self.beam is not None and self.beam > 1:
            raise ConfigError(
                f"beam: expected none or 1 with sampling, which draws and does not search, got {self.beam}"
            )


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(SearchOptions):
    """Of `nmt-attn translate`. None: the newest run, standard input and output, the configuration's numbers."""

    model: Annotated[
        tuple[Path, ...],
        Option(help="Folder of a run, or of a model. Repeatable: they search as one. Default: the newest run."),
    ] = ()
    seeds: Annotated[
        int | None,
        Option(min=1, max=MOST_SEEDS, help="Each --model stands for the N runs of train --seeds: they search as one."),
    ] = None
    ensemble: Annotated[
        Literal["linear", "log-linear"] | None,
        Option(help="How several models are combined: the mean of p, or of log p. Default: linear."),
    ] = None
    input: Annotated[
        Path | None, Option(help="Text, one sentence a line (compressed too). Default: standard input.")
    ] = None
    columns: Annotated[
        bool, Option(help="A line has the columns of data.columns: cells with tabs between them, or JSON.")
    ] = False
    tag: Annotated[
        str | None, Option(help="Of lines that have none of a column `as: tag` in data.columns, such as a language.")
    ] = None
    output: Annotated[Path | None, Option(help="Default: standard output.")] = None
    reference: Annotated[
        tuple[Path, ...], Option(help="Translations by people: BLEU goes to the screen. Repeatable.")
    ] = ()
    alignments: Annotated[
        Path | None,
        Option(
            help="Attention between words, in a file that ends in .jsonl, .npz or .pharaoh. For links symmetrised "
            "from models of both directions: nmt-attn align --reverse, on what was written."
        ),
    ] = None
    threshold: LinkThreshold = None
    details: Annotated[
        Path | None, Option(help="Every hypothesis with scores, tokens and alignment, in this .jsonl.")
    ] = None
    prefix: Annotated[Path | None, Option(help="How each translation begins, one line each.")] = None
    constraints: Annotated[
        Path | None, Option(help="Phrases that each translation must have, one line each, tabs between them.")
    ] = None
    dictionary: Annotated[
        Path | None,
        Option(help="Lines `source word TAB translation`: replace <unk> by the translation of its source word."),
    ] = None
    shortlist: Annotated[bool, Option(help="Score only likely words, faster; `nmt-attn shortlist` learns which.")] = (
        False
    )
    device: Device = "auto"
    precision: Precision = None
    set: Annotated[
        tuple[str, ...], Option(metavar="KEY=VALUE", help="A key of search, such as search.min_length=3. Repeatable.")
    ] = ()

    def __post_init__(self) -> None:
        """Raises ConfigError, also for options that would change nothing."""
        super().__post_init__()
        if self.threshold is not None and self.alignments is None:
            raise ConfigError(
                f"--threshold: expected --alignments FILE.pharaoh beside it, got {self.threshold:g} alone"
            )
        has_links = self.alignments is None or self.alignments.suffix == ".pharaoh"
        _check_threshold(self.threshold, None if has_links else self.alignments)
        if self.ensemble is not None and max(1, len(self.model)) * (self.seeds or 1) < 2:
            raise ConfigError("--ensemble: expected two models or more (--model A --model B, or --seeds N), got 1")


@dataclass(frozen=True)
class EvalOptions:
    """Of `nmt-attn eval`. None: the newest run, its own test set, its own search, its own folder."""

    model: Annotated[
        tuple[Path, ...],
        Option(help="Folder of a run, or of a model. Repeatable. Default: the newest run under runs/."),
    ] = ()
    seeds: Annotated[
        int | None,
        Option(
            min=1,
            max=MOST_SEEDS,
            help="Each --model stands for the N runs of train --seeds: means, deviations, intervals.",
        ),
    ] = None
    ensemble: Annotated[
        Literal["linear", "log-linear"] | None,
        Option(help="Also as one: the models, or the seeds of each, by the mean of p or of log p."),
    ] = None
    hypothesis: Annotated[
        tuple[Path, ...], Option(help="Translations that some system made, one a line. Repeatable.")
    ] = ()
    source: Annotated[Path | None, Option(help="Default: the test set of the first model's run.")] = None
    reference: Annotated[
        tuple[Path, ...],
        Option(help="Translations of --source by people. Repeatable; links and perplexity are those of the first."),
    ] = ()
    beam: Beam = None
    report: Annotated[Path | None, Option(help="Folder for all files. Default: eval/ in the run.")] = None
    json: Annotated[Path | None, Option(help="Write the figures to this file too.")] = None
    plot: Annotated[
        Path | None, Option(help="Draw BLEU by length in this file too; it ends in .png, .svg or .pdf.")
    ] = None
    cumulative: Annotated[bool, Option(help="BLEU of all sentences up to a length too.")] = False
    gold: Annotated[Path | None, Option(help="Gold word alignments of the test set.")] = None
    gold_format: GoldFormat = None
    gold_base: GoldBase = None
    gold_swapped: GoldSwapped = False
    reverse: Reverse = None
    shift: Shift = 0
    threshold: Annotated[float, Option(help="Threshold links: every pair with at least this weight.")] = 0.3
    set: Annotated[
        tuple[str, ...],
        Option(metavar="KEY=VALUE", help="A key of evaluate, such as evaluate.tokenize=none. Repeatable."),
    ] = ()
    device: Device = "auto"
    precision: Precision = None


@dataclass(frozen=True)
class AerOptions:
    """Of `nmt-attn aer`. With both texts, links that point outside the sentences are reported."""

    found: Annotated[tuple[Path, ...], Argument(help="Word alignments that some aligner made.")]
    gold: Annotated[Path, Option(help="Gold word alignments of the same sentences.")]
    gold_format: GoldFormat = None
    gold_base: GoldBase = None
    gold_swapped: GoldSwapped = False
    format: Annotated[
        Literal["pharaoh", "naacl"] | None,
        Option(help="`i-j` (sure), `ipj` a sentence; or `sentence i j [S|P]` a link. Default: pharaoh."),
    ] = None
    base: Annotated[
        int | None, Option(min=0, max=1, help="Number of a sentence's first word. Default: pharaoh 0, naacl 1.")
    ] = None
    source: Annotated[Path | None, Option(help="The sentences: links that point outside them are reported.")] = None
    target: Annotated[Path | None, Option(help="Their translations.")] = None


@dataclass(frozen=True)
class AlignOptions:
    """Of `nmt-attn align`. None: the newest run, standard output."""

    source: SourceText
    target: TargetText
    model: Model = None
    output: Annotated[
        Path | None, Option(help="File that ends in .jsonl, .npz or .pharaoh. Default: standard output.")
    ] = None
    shift: Shift = 0
    threshold: LinkThreshold = None
    reverse: Reverse = None
    symmetrise: Annotated[
        str | None,
        Option(
            metavar="METHOD",
            help=f"How the links of both directions become one set: {', '.join(SYMMETRISATIONS)}. "
            "Default: grow-diag-final.",
        ),
    ] = None
    eos: Annotated[
        Literal["kept", "dropped"] | None, Option(help="Row and column of </s> in .jsonl and .npz. Default: kept.")
    ] = None
    device: Device = "auto"

    @property
    def weights_path(self) -> Path | None:
        """The output, if it holds weights; None if it holds links."""
        is_links = self.output in (None, Path("-")) or self.output.suffix == ".pharaoh"
        return None if is_links else self.output

    def __post_init__(self) -> None:
        """Raises ConfigError for an option that would change nothing."""
        if self.symmetrise is not None and self.reverse is None:
            raise ConfigError(f"--symmetrise: expected --reverse MODEL beside it, got {self.symmetrise} alone")
        _check_threshold(self.threshold, self.weights_path)
        if self.weights_path is None and self.eos is not None:
            raise ConfigError(
                f"--eos: expected --output with weights (.jsonl, .npz) beside it, got {self.eos} for links"
            )
        if self.weights_path is not None and self.reverse is not None:
            raise ConfigError(f"--reverse: expected links as output (.pharaoh), got {self.weights_path} for weights")


@dataclass(frozen=True)
class ScoreOptions:
    """Of `nmt-attn score`. None: the newest run, standard output."""

    source: SourceText
    target: TargetText
    model: Model = None
    output: Annotated[
        Path | None, Option(help="A .jsonl has every token's log-probability. Default: standard output.")
    ] = None
    device: Device = "auto"


@dataclass(frozen=True)
class ShortlistOptions:
    """Of `nmt-attn shortlist`. None: the newest run, its data.train, all of it."""

    model: Model = None
    source: Annotated[Path | None, Option(help="Text, one sentence a line. Default: the run's data.train.")] = None
    target: Annotated[Path | None, Option(help="Its translations.")] = None
    frequent: Annotated[
        int, Option(min=0, max=LARGEST, help="Words that every sentence may have: the N most frequent.")
    ] = 1000
    candidates: Annotated[int, Option(min=1, max=LARGEST, help="Words for each source word: the N likeliest.")] = 50
    limit: Annotated[int | None, Option(min=1, max=LARGEST, help="Read at most N pairs.")] = None
    device: Device = "auto"


@dataclass(frozen=True)
class ExplainOptions:
    """Of `nmt-attn explain`. None: the newest run, the configuration's beam, no page."""

    sentence: Annotated[str, Argument(help="In the source language.")]
    model: Model = None
    beam: Beam = None
    html: Annotated[Path | None, Option(help="Write a page with the interactive alignment too.")] = None
    device: Device = "auto"


@dataclass(frozen=True)
class ServeOptions:
    """Of `nmt-attn serve`. No model: those that ship with the package."""

    model: Annotated[
        tuple[Path, ...],
        Option(help="Folder of a run, or of a model. Repeatable. Default: the tiny models of the package."),
    ] = ()
    host: Annotated[str, Option(help="Address to serve on; one that others can reach needs --token.")] = "127.0.0.1"
    port: Annotated[int, Option(min=0, max=65535, help="0 takes a free one.")] = 8000
    token: Annotated[str | None, Option(help="Secret that each request must carry; the printed address has it.")] = None
    open: Annotated[bool, Option(help="Open the page in the browser.")] = False
    watch: Annotated[Path | None, Option(help="Run that is training: show its curves and one matrix as they grow.")] = (
        None
    )
    save: Annotated[
        Path | None, Option(help="Write the page for --sentence to this .html and stop; it works without a server.")
    ] = None
    sentence: Annotated[str | None, Option(help="Sentence of --save and --watch. Default: the first example.")] = None


@dataclass(frozen=True)
class IndexOptions:
    """Of `nmt-attn index`."""

    run: Annotated[Path, Argument(help="Folder of a run, or of a model.")]
    limit: Annotated[int, Option(min=1, max=LARGEST, help="Read at most N pairs.")] = 10_000


@dataclass(frozen=True)
class AverageOptions:
    """Of `nmt-attn average`: one run, or several models; `last` and `best` are of one run, and never both."""

    models: Annotated[
        tuple[Path, ...], Argument(help="One run; or several models: runs (their best), model folders, checkpoints.")
    ]
    output: Annotated[Path, Option(help="Folder for the model; never one of something else.")]
    last: Annotated[
        int | None,
        Option(min=2, max=LARGEST, metavar="N", help="Of a run, its newest states (see training.keep_last)."),
    ] = None
    best: Annotated[
        int | None,
        Option(min=2, max=LARGEST, metavar="N", help="Of a run, its best models. Default: all of training.keep_best."),
    ] = None


@dataclass(frozen=True)
class ImportOptions:
    """Of `nmt-attn import`."""

    file: Annotated[
        Path,
        Argument(
            help="Checkpoint of OpenNMT-py or fairseq lstm (.pt), joeynmt (.ckpt beside its config.yaml), Marian s2s "
            "or nematus (.npz), or a folder of eole."
        ),
    ]
    output: Annotated[Path, Option(help="Folder of the model to write.")]
    vocab: Annotated[
        tuple[Path, ...], Option(help="Vocabulary file, twice for source and target. Default: those beside FILE.")
    ] = ()
    subwords: Annotated[
        tuple[Path, ...], Option(help="Model of SentencePiece that the text is cut by, twice for source and target.")
    ] = ()

    def __post_init__(self) -> None:
        """Raises ConfigError for a file too many."""
        for name, files in (("vocab", self.vocab), ("subwords", self.subwords)):
            if len(files) > 2:
                raise ConfigError(f"--{name}: expected at most 2 files, for source and target, got {len(files)}")


@dataclass(frozen=True)
class PlotOptions:
    """Of `nmt-attn plot`."""

    runs: Annotated[tuple[Path, ...], Argument(help="Folders of runs.")]
    output: Annotated[Path, Option(help="File that ends in .png, .svg or .pdf.")] = Path("training-curves.png")
    across: Annotated[Literal["updates", "seconds"], Option(help="Horizontal axis of the curves.")] = "updates"


@dataclass(frozen=True)
class DemoCorpusOptions:
    """Of `nmt-attn demo-corpus`."""

    folder: Annotated[Path, Argument(help="Folder for the files.")]


def _check_threshold(threshold: float | None, weights_path: Path | None) -> None:
    """Raises ConfigError for one that no weight reaches or every weight does, and if a file gets weights, not links."""
    if threshold is not None and not 0 < threshold <= 1:
        raise ConfigError(f"--threshold: expected a weight above 0 and up to 1, got {threshold:g}")
    if threshold is not None and weights_path is not None:
        raise ConfigError(f"--threshold: expected links as output (.pharaoh), got {weights_path} for weights")
