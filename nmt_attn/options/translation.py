"""Options of the commands that translate.

`Translator.translate` takes the fields of `SearchOptions` as keywords.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from nmt_attn.bounds import LARGEST, LARGEST_SEED, MOST_SEEDS, WIDEST
from nmt_attn.errors import ConfigError
from nmt_attn.options.shared import Beam, Device, LinkThreshold, Model, Precision, check_threshold, check_whole, ranges


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
        check_threshold(self.threshold, None if has_links else self.alignments)
        if self.ensemble is not None and max(1, len(self.model)) * (self.seeds or 1) < 2:
            raise ConfigError("--ensemble: expected two models or more (--model A --model B, or --seeds N), got 1")


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
