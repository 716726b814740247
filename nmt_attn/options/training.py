"""Options of the commands around training: a corpus, a configuration, runs and what became of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from nmt_attn.bounds import LARGEST, MOST_SEEDS, MOST_THREADS
from nmt_attn.errors import ConfigError
from nmt_attn.options.shared import Overrides


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
class DemoCorpusOptions:
    """Of `nmt-attn demo-corpus`."""

    folder: Annotated[Path, Argument(help="Folder for the files.")]


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
class PlotOptions:
    """Of `nmt-attn plot`."""

    runs: Annotated[tuple[Path, ...], Argument(help="Folders of runs.")]
    output: Annotated[Path, Option(help="File that ends in .png, .svg or .pdf.")] = Path("training-curves.png")
    across: Annotated[Literal["updates", "seconds"], Option(help="Horizontal axis of the curves.")] = "updates"


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
