"""`nmt-attn average`: the mean of the weights of several models of one training becomes a model of its own.

Such models lie close together, so their mean is a model too, often a better one. Models of different trainings do
not: they search together (`translate --model A --model B`).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import torch
import typer
from torch import Tensor

from nmt_attn.config.file import load_resolved
from nmt_attn.config.schema import Config
from nmt_attn.data.codec import load_codecs
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.files import check_inside, replacing_folder, write_text
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import (
    CONFIG,
    VOCAB,
    check_finite,
    check_output,
    check_own,
    load_model,
    model_folder,
    model_from_config,
    save_model,
)
from nmt_attn.options.models import AverageOptions
from nmt_attn.training.checkpoint import checkpoint_paths, read_newest, read_weights
from nmt_attn.training.moving_average import mean_weights
from nmt_attn.training.run_folder import CHECKPOINTS, learned_differences, model_path

RECORD = "average.json"
"""Which models a folder is the mean of. Only a folder with it is replaced."""

StateDict = Mapping[str, Tensor]


class Member(NamedTuple):
    """One of the models; its weights are read when they are asked for."""

    path: Path
    config: Config
    vocabulary: Path
    read: Callable[[], StateDict]


def average(options: AverageOptions) -> None:
    """Writes the mean of the models to `options.output`. Raises UserError; nothing is left behind then."""
    check_output(options.output, RECORD)
    parts = [_part(path) for path in _paths(options)]
    _check_alike(parts)
    codecs = load_codecs(parts[0].vocabulary)
    factors = codecs.source.vocabulary.factor_sizes
    model = model_from_config(parts[0].config, codecs.source.size, codecs.target.size, factors)
    _put(model, mean_weights(_checked_weights(parts, model)))
    with replacing_folder(options.output) as folder:
        save_model(model, parts[0].config, folder, vocabulary=codecs.digest())
        codecs.save(folder / VOCAB)
        write_text(folder / RECORD, json.dumps({"mean_of": [str(part.path) for part in parts]}, indent=2) + "\n")
    names = "".join(f"\n  {part.path}" for part in parts)
    typer.echo(f"mean of {len(parts)} models:{names}\nmodel: {options.output}", err=True)
    typer.echo(f"translate: nmt-attn translate --model {quote(str(options.output))} --beam 5 < FILE", err=True)


def _paths(options: AverageOptions) -> list[Path]:
    """Model folders and checkpoint files."""
    if options.last is not None and options.best is not None:
        raise ConfigError(f"--best: expected none beside --last {options.last}, got {options.best}")
    choice = {"--last": options.last, "--best": options.best}
    given = next((name for name, value in choice.items() if value is not None), None)
    if len(options.models) > 1:
        if given is not None:
            raise ConfigError(f"{given}: expected one run, got {len(options.models)} models")
        return list(options.models)
    [run] = options.models
    if not (run / CHECKPOINTS).is_dir():
        raise CheckpointError(f"{run}: expected a run, or at least 2 models to average, got one path that is no run")
    if options.last is not None:
        return _newest(run, options.last)
    if options.best is None and (states := _states_instead(run)):
        return states
    return _best(run, options.best)


def _states_instead(run: Path) -> list[Path]:
    """The newest states of training of a run that has kept one best model alone, as by default; else none."""
    progress = read_newest(run / CHECKPOINTS, lambda line: typer.echo(line, err=True))
    paths = checkpoint_paths(run / CHECKPOINTS)
    if progress is None or len(progress.kept) > 1 or len(paths) < 2:
        return []
    typer.echo(
        f"note: {run} keeps one best model (training.keep_best), so this averages its {len(paths)} newest states of "
        f"training, as --last {len(paths)}",
        err=True,
    )
    return paths


def _newest(run: Path, count: int) -> list[Path]:
    paths = checkpoint_paths(run / CHECKPOINTS)
    if len(paths) < count:
        raise CheckpointError(
            f"{run}: expected at least {count} states of training, got {len(paths)} (training.keep_last keeps more)"
        )
    return paths[:count]


def _best(run: Path, count: int | None) -> list[Path]:
    """All that were kept if there is no count."""
    progress = read_newest(run / CHECKPOINTS, lambda line: typer.echo(line, err=True))
    kept = progress.kept if progress is not None else []
    if len(kept) < (count or 2):
        states = len(checkpoint_paths(run / CHECKPOINTS))
        raise CheckpointError(
            f"{run}: expected at least {count or 2} of its best models, got {len(kept)} "
            f"(training.keep_best keeps more; --last N takes states of training, of which it has {states})"
        )
    return [model_path(run, model.update) for model in kept[:count]]


def _part(path: Path) -> Member:
    if path.is_file():
        run = path.parent.parent
        check_own(run)
        return Member(path, load_resolved(run / CONFIG), run / VOCAB, lambda: read_weights(path))
    folder = model_folder(path)
    return Member(
        folder, load_resolved(folder / CONFIG), folder / VOCAB, lambda: dict(load_model(folder).named_parameters())
    )


def _check_alike(parts: Sequence[Member]) -> None:
    """Raises CheckpointError unless all models were trained with one configuration and one vocabulary."""
    first = parts[0]
    words = _vocabulary(first.vocabulary)
    for part in parts[1:]:
        if differences := learned_differences(first.config, part.config):
            raise CheckpointError(
                f"{part.path}: expected the configuration of {first.path}, got another: {'; '.join(differences)} "
                "(models of different trainings search together: nmt-attn translate --model A --model B)"
            )
        others = _vocabulary(part.vocabulary)
        names = sorted(name for name in words.keys() | others.keys() if words.get(name) != others.get(name))
        if names:
            own, other = part.vocabulary / names[0], first.vocabulary / names[0]
            raise CheckpointError(f"{own}: expected what {other} holds, got another vocabulary")


def _vocabulary(folder: Path) -> dict[str, bytes]:
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in paths:
        check_inside(path, folder.parent)
    return {path.name: path.read_bytes() for path in paths}


def _checked_weights(parts: Sequence[Member], model: Seq2Seq) -> Iterator[StateDict]:
    expected = {name: weight.shape for name, weight in model.named_parameters()}
    for part in parts:
        weights = part.read()
        check_finite(part.path, weights)
        found = {name: weight.shape for name, weight in weights.items()}
        if found != expected:
            name = min(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
            shapes = [None if shape is None else list(shape) for shape in (expected.get(name), found.get(name))]
            raise CheckpointError(f"{part.path}: expected {name} of shape {shapes[0]}, got {shapes[1]}")
        yield weights


def _put(model: Seq2Seq, weights: StateDict) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
