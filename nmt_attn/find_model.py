"""Finding a model: which folder a command or `Translator.load` means."""

from pathlib import Path

import typer

from nmt_attn.errors import CheckpointError
from nmt_attn.model.store import BEST, WEIGHTS

RUNS = Path("runs")
"""Where runs are looked for."""


def find_model(folder: Path | None) -> Path:
    """The model folder of `folder` (a run or a model), or of the newest run, which is then named on standard error.

    The newest run is the one whose best model was written last. Raises CheckpointError if there is no model.
    """
    if folder is not None:
        return model_folder(folder)
    weights = [path for path in RUNS.glob(f"*/{BEST}/{WEIGHTS}") if path.is_file()]
    if not weights:
        raise CheckpointError(
            f"{RUNS}: expected a run with a trained model, got none "
            "(train one: nmt-attn train configs/demo.yaml; or name one: --model FOLDER)"
        )
    newest = max(weights, key=lambda path: (path.stat().st_mtime_ns, path))
    typer.echo(f"model: {newest.parent} (the newest; --model FOLDER takes another)", err=True)
    return newest.parent


def model_folder(folder: Path) -> Path:
    """The folder that holds the weights: `folder` itself, or its best/. Raises CheckpointError."""
    for candidate in (folder, folder / BEST):
        if (candidate / WEIGHTS).is_file():
            return candidate
    found = "a folder without a model" if folder.is_dir() else "a file" if folder.exists() else "nothing there"
    raise CheckpointError(f"{folder}: expected a run or a model folder (with {WEIGHTS}), got {found}")


def precision_override(precision: str | None) -> tuple[str, ...]:
    """What `--precision` sets: `search.precision` of every model that searches; nothing where it is not given."""
    return () if precision is None else (f"search.precision={precision}",)
