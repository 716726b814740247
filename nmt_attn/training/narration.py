"""Narration: what a training says on standard error, beside its bar and its validations."""

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

import torch
import typer
from tqdm import tqdm

from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SIDES
from nmt_attn.data.corpus import has_test
from nmt_attn.data.prepare import PreparedData
from nmt_attn.errors import ConfigError
from nmt_attn.processes import Processes
from nmt_attn.screen import fold, width_of
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.run_folder import RunFolder
from nmt_attn.training.trainer import Trainer


def say(text: str) -> None:
    """A line."""
    typer.echo(text, err=True)


def voice_of(processes: Processes) -> Callable[[str], None]:
    """What says a line; of the first process alone."""
    return say if processes.is_first else lambda text: None


def say_corpus(path: Path, config: Config) -> None:
    """That no corpus is named, and which one is trained on."""
    if not config.names_corpus:
        say(f"{path} names no corpus (data.train): this trains on the built-in one, English to Hindi")


def say_data(config: Config, data: PreparedData) -> None:
    """What was read, how large the vocabularies are, and what is missing."""
    for report in (data.train_report, data.valid_report):
        say(fold(report.text(), width_of(sys.stderr)))
    say(f"vocabulary: {_vocabulary(config, data)}")
    mosts = [config.tokenizer.side(side).vocab_size for side in SIDES]
    sides = zip(data.codecs, mosts, strict=True)
    small = {codec.size: most for codec, most in sides if codec.tokenizer.has_model and codec.size < most}
    if small:
        most, found = max(small.values()), " and ".join(f"{size:,}" for size in sorted(small))
        say(f"note: tokenizer.vocab_size {most:,} is more than data.train can teach, which is {found} pieces")
    if config.model.has_source and not has_test(config):
        say("note: no test set (data.test, data.held_out.test); `nmt-attn eval` takes the validation set")


def _vocabulary(config: Config, data: PreparedData) -> str:
    if not config.model.has_source:
        return f"{data.target.size:,} tokens, of a language model (no source is read: model.encoder.layers 0)"
    factors = "".join(f", {size:,} of {name}" for name, size in data.source.vocabulary.factor_sizes.items())
    return f"{data.source.size:,} source and {data.target.size:,} target tokens{factors}"


def say_folder(folder: RunFolder, changed: Sequence[str], *, is_fresh: bool) -> None:
    """What has become of the run that was in the folder."""
    if changed:
        say(f"new data since the last checkpoint: {', '.join(changed)}; the best value so far is forgotten")
    elif folder.has_checkpoints() and not folder.has_data():
        say(f"{folder.path}: an earlier version kept no fingerprints of the data; whether it has changed is unknown")
    if is_fresh and folder.previous.is_dir() and any(folder.previous.iterdir()):
        say(f"the run before is in {folder.previous} until the first checkpoint")


def say_start(folder: RunFolder, trainer: Trainer) -> None:
    """The model, its batches, and where training begins."""
    progress = trainer.progress
    count = sum(parameter.numel() for parameter in trainer.model.parameters())
    shared = f" in {trainer.processes.count} processes" if trainer.processes.count > 1 else ""
    say(f"{folder.path}: {count:,} parameters on {trainer.device}{shared}, products in {name_of(trainer.dtype)}")
    say(f"{trainer.epoch_batches:,} batches an epoch, {trainer.padding_share:.1%} of their positions are padding")
    if trainer.model.normaliser.is_sparse:
        say(
            "note: as words can have the probability 0 (model.decoder.normalise), the loss is the Fenchel-Young loss, "
            "0 where a word is certain, and what stands as perplexity is no more than its exponential"
        )
    if trainer.update_batches > 1:
        say(f"{trainer.update_batches} batches to an update, {trainer.epoch_updates:,} updates an epoch")
    if not trainer.progress.update and find_spec("tensorboard") is None:
        say("note: TensorBoard is not installed, so events/ stays empty (pip install 'nmt-attn[tensorboard]')")
    if trainer.is_at_its_end():
        say(f"this run is finished, after {progress.update:,} updates; larger limits let it go on, --fresh starts over")
    elif progress.update:
        say(f"going on after update {progress.update:,} (epoch {progress.epoch}, batch {progress.batch:,})")


def say_end(folder: RunFolder, config: Config, progress: Progress) -> None:
    """How it ended. Raises KeyboardInterrupt if it was stopped, ConfigError if nothing was learned."""
    if not progress.is_finished:
        say(f"stopped after update {progress.update:,}, saved; the same command goes on from there")
        raise KeyboardInterrupt
    patience = config.training.patience
    if patience is not None and progress.misses >= patience:
        say(f"stopped early: {progress.misses} validations without an improvement (training.patience)")
    say(f"{progress.update:,} updates in {tqdm.format_interval(progress.seconds)}")
    if progress.skipped:
        say(f"{progress.skipped:,} of them were skipped: loss or gradient was not finite")
    if not progress.update:
        raise ConfigError(f"training.minutes: expected time for one update, got {config.training.minutes}")
    if progress.skipped == progress.update:
        raise ConfigError(
            "training.learning_rate: expected a rate at which loss and gradient stay finite, got "
            f"{config.training.learning_rate}: every update was skipped, nothing has been learned "
            "(--fresh starts over; a smaller rate, or run.precision: fp32)"
        )
    if progress.best is None:
        raise ConfigError(
            "training.learning_rate: expected a rate at which validation is finite, got "
            f"{config.training.learning_rate}: no model was kept (start over with a smaller one)"
        )
    metric = config.training.metric
    value = abs(progress.best)  # where greater is better the sign is turned
    of = "" if config.training.ema is None else " of the weights' average"
    say(f"best validation {metric} {value:.4g}{of}, at update {progress.best_update:,}\nmodel: {folder.best}")
    place = quote(str(folder.path))
    if len(progress.kept) > 1:
        say(f"the {len(progress.kept)} best: {folder.models} (nmt-attn average {place} --output DIR)")
    if config.model.has_source:
        say(f"translate: nmt-attn translate --model {place} --beam 5 < FILE")
        say(f"evaluate:  nmt-attn eval --model {place}")
    else:
        say(f"translate with it: nmt-attn translate --model TRANSLATOR --set search.language_model={place} < FILE")


def name_of(dtype: torch.dtype) -> str:
    """`bfloat16`, `float32`."""
    return str(dtype).removeprefix("torch.")
