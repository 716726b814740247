"""`nmt-attn plot`: the training curves of runs in one picture."""

from pathlib import Path

import typer

from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.evaluation.pictures import FORMATS
from nmt_attn.evaluation.training_curves import TrainingLog, draw_training, read_training_log
from nmt_attn.options.training import PlotOptions
from nmt_attn.text_io import read_lines

LOG = "log.jsonl"


def plot(options: PlotOptions) -> None:
    """Draws loss, BLEU and learning rate of the runs. Raises UserError."""
    runs, output = options.runs, options.output
    if output.suffix not in FORMATS:
        raise ConfigError(f"--output: expected a name that ends in {', '.join(FORMATS)}, got {output}")
    names = [run.resolve().name for run in runs]
    logs = [_read(run, name if names.count(name) == 1 else str(run)) for run, name in zip(runs, names, strict=True)]
    note = draw_training(logs, output, options.across)
    typer.echo(f"wrote {output}", err=True)
    if note is not None:
        typer.echo(f"{output.name}: {note}", err=True)


def _read(run: Path, name: str) -> TrainingLog:
    path = run / LOG
    if not path.is_file():
        raise CheckpointError(f"{run}: expected a run's folder with {LOG}, got none")
    log = read_training_log(read_lines(path), name)
    if not len(log.training_loss.values):
        raise CheckpointError(f"{path}: expected at least one update, got none")
    return log
