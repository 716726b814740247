"""What the records of options share: options of several commands, and checks.

A command's options are declared in its record in this package and nowhere else: name, type, default, range and help.
A record has a field for each option, of the same name (`--batch-size` is `batch_size`); an argument is one too. The
command line is made from the records (cli.py), and every command takes its own. A record is checked when it is made.
Light: nothing here imports torch.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

from typer import Option
from typer.models import OptionInfo

from nmt_attn.bounds import LARGEST, WIDEST, told
from nmt_attn.errors import ConfigError

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
WeightsShift = Annotated[
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


def check_threshold(threshold: float | None, weights_path: Path | None) -> None:
    """Raises ConfigError for one that no weight reaches or every weight does, and if a file gets weights, not links."""
    if threshold is not None and not 0 < threshold <= 1:
        raise ConfigError(f"--threshold: expected a weight above 0 and up to 1, got {threshold:g}")
    if threshold is not None and weights_path is not None:
        raise ConfigError(f"--threshold: expected links as output (.pharaoh), got {weights_path} for weights")
