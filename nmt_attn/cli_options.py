"""Options that several commands share, with their help."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigFile = Annotated[Path, typer.Argument(help="YAML file; configs/reference.yaml shows every key.")]
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
        help="Whose weights are a word's: 0, those that predicted it; 1, those there when it had been read.",
    ),
]
SourceText = Annotated[Path, typer.Option(help="Text, one sentence a line (.gz too).")]
TargetText = Annotated[Path, typer.Option(help="Its translations.")]
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
