"""Options that several commands share, and those of `nmt-attn translate`, with their help."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigFile = Annotated[
    Path,
    typer.Argument(help="YAML file, or the name of a shipped one, such as demo. `nmt-attn config` shows every key."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one key, such as model.attention.score=dot. Repeatable."),
]
Model = Annotated[
    Path | None,
    typer.Option(help="Folder of a run, or of a model. Default: the newest run under runs/."),
]
Beam = Annotated[int | None, typer.Option(help="Hypotheses kept at each step; 1 is greedy. Default: search.beam.")]
Shift = Annotated[
    int,
    typer.Option(
        min=0,
        max=1,
        help="Which step's weights belong to a target word: 0 the step that predicts it, 1 the step that consumes it.",
    ),
]
SourceText = Annotated[Path, typer.Option(help="Text, one sentence a line (.gz too).")]
TargetText = Annotated[Path, typer.Option(help="Its translations.")]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "int8"] | None,
    typer.Option(help="Of the products in search; auto is the fastest. Default: search.precision."),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto takes a GPU if there is one.")]
LinkFormat = Annotated[
    Literal["pharaoh", "naacl"] | None,
    typer.Option("--format", help="`i-j` (sure), `ipj` a sentence; or `sentence i j [S|P]` a link. Default: pharaoh."),
]
LinkBase = Annotated[
    int | None, typer.Option(min=0, max=1, help="Number of a sentence's first word. Default: pharaoh 0, naacl 1.")
]
GoldFormat = Annotated[
    Literal["pharaoh", "naacl"] | None,
    typer.Option(help="Of --gold: `i-j` (sure), `ipj` a sentence; or `sentence i j [S|P]` a link. Default: pharaoh."),
]
GoldBase = Annotated[
    int | None,
    typer.Option(min=0, max=1, help="Number of a sentence's first word in --gold. Default: pharaoh 0, naacl 1."),
]
GoldSwapped = Annotated[bool, typer.Option("--gold-swapped", help="In --gold the target's position comes first.")]

Models = Annotated[
    list[Path] | None,
    typer.Option(help="Folder of a run, or of a model. Repeatable: they search as one. Default: the newest run."),
]
Ensemble = Annotated[
    Literal["linear", "log-linear"] | None,
    typer.Option(help="Of several models: the mean of p, or of log p. Default: linear."),
]
InputFile = Annotated[
    Path | None, typer.Option("--input", help="Text, one sentence a line (.gz too). Default: standard input.")
]
OutputFile = Annotated[Path | None, typer.Option(help="Default: standard output.")]
Reference = Annotated[Path | None, typer.Option(help="Translations by people: BLEU goes to the screen.")]
Alignments = Annotated[
    Path | None,
    typer.Option(
        help="Attention between words, in a file that ends in .jsonl, .npz or .pharaoh. Links made one from two "
        "models of both directions: nmt-attn align --reverse, on what was written."
    ),
]
Details = Annotated[
    Path | None, typer.Option(help="Every hypothesis with scores, tokens and alignment, in this .jsonl.")
]
NBest = Annotated[
    int | None, typer.Option(help="Write the N best, or N samples, as `line ||| text ||| log p ||| rank`.")
]
Sample = Annotated[bool, typer.Option("--sample", help="Draw translations instead of searching for the best.")]
Temperature = Annotated[float | None, typer.Option(help="Of samples: below 1 closer to the likeliest. Default: 1.")]
TopK = Annotated[int | None, typer.Option(help="Of samples: only the K likeliest tokens of each step.")]
TopP = Annotated[float | None, typer.Option(help="Of samples: only the likeliest tokens that hold this p.")]
Seed = Annotated[int | None, typer.Option(help="Of samples. Default: 1.")]
Prefix = Annotated[Path | None, typer.Option(help="How each translation begins, one line each.")]
Constraints = Annotated[
    Path | None, typer.Option(help="Phrases that each translation must have, one line each, tabs between them.")
]
ReplaceUnknown = Annotated[
    bool, typer.Option("--replace-unknown", help="Write for <unk> the source word that was looked at most.")
]
Dictionary = Annotated[
    Path | None,
    typer.Option(help="Lines `source word TAB translation`: write the translation of that source word instead."),
]
UseShortlist = Annotated[
    bool, typer.Option("--shortlist", help="Score only likely words, faster; `nmt-attn shortlist` learns which.")
]
BatchSize = Annotated[int | None, typer.Option(help="Sentences decoded together.")]
SearchKeys = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A key of search, such as search.min_length=3. Repeatable."),
]
LinkThreshold = Annotated[
    float | None,
    typer.Option(help="Link every pair with at least this weight (.pharaoh). Default: only the best source word."),
]
Reverse = Annotated[Path | None, typer.Option(help="A model of the other direction: links symmetrised from both.")]
Symmetrise = Annotated[
    Literal["intersection", "union", "grow-diag-final", "grow-diag-final-and"] | None,
    typer.Option(help="How to combine the links of both directions. Default: grow-diag-final."),
]
EndOfSentence = Annotated[
    Literal["kept", "dropped"] | None,
    typer.Option("--eos", help="Row and column of </s> in .jsonl and .npz. Default: kept."),
]

ServedModels = Annotated[
    list[Path] | None,
    typer.Option(
        "--model", help="Folder of a run, or of a model. Repeatable. Default: the tiny models of the package."
    ),
]
Host = Annotated[str, typer.Option(help="Address to serve on; one that others can reach needs --token.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]
Token = Annotated[str | None, typer.Option(help="Secret that every request must carry; the printed address has it.")]
OpenBrowser = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]
Watch = Annotated[Path | None, typer.Option(help="Run that is training: show its curves and one matrix as they grow.")]
SavePage = Annotated[
    Path | None, typer.Option(help="Write the page for --sentence to this .html and stop; it works without a server.")
]
PageSentence = Annotated[str | None, typer.Option(help="Sentence of --save and --watch. Default: the first example.")]
