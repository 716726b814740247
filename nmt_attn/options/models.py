"""Options of the commands that make something of trained models: a mean, an import, a shortlist, an index."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from nmt_attn.bounds import LARGEST
from nmt_attn.errors import ConfigError
from nmt_attn.options.shared import Device, Model


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
class IndexOptions:
    """Of `nmt-attn index`."""

    run: Annotated[Path, Argument(help="Folder of a run, or of a model.")]
    limit: Annotated[int, Option(min=1, max=LARGEST, help="Read at most N pairs.")] = 10_000
