"""Options of the commands that measure translations, or align and score given ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from nmt_attn.bounds import MOST_SEEDS
from nmt_attn.errors import ConfigError
from nmt_attn.options.shared import (
    Beam,
    Device,
    GoldBase,
    GoldFormat,
    GoldSwapped,
    LinkThreshold,
    Model,
    Precision,
    Reverse,
    SourceText,
    TargetText,
    WeightsShift,
    check_threshold,
)
from nmt_attn.registries import SYMMETRISATIONS


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
    shift: WeightsShift = 0
    threshold: Annotated[float, Option(help="Threshold links: every pair with at least this weight.")] = 0.3
    set: Annotated[
        tuple[str, ...],
        Option(
            metavar="KEY=VALUE",
            help="A key of evaluate or search, such as evaluate.tokenize=none or search.mbr=bleu. Repeatable.",
        ),
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
    shift: WeightsShift = 0
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
        check_threshold(self.threshold, self.weights_path)
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
