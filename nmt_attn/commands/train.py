"""`nmt-attn train`: from a configuration to a trained model, or on from where a run stopped."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer
from tqdm import tqdm

from nmt_attn.commands.validation_picture import validation_picture
from nmt_attn.commands.vectors import start_embeddings
from nmt_attn.config.file import load_config
from nmt_attn.config.sections import Config
from nmt_attn.data.codec import load_codecs
from nmt_attn.data.prepare import PreparedData, prepare_training
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.evaluation.metrics import measure
from nmt_attn.files import replacing_folder
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import VOCAB, model_from_config, save_model
from nmt_attn.runtime import choose_device, choose_precision, prepare_runtime
from nmt_attn.search.translator import Translator
from nmt_attn.training.averaged import AveragedWeights
from nmt_attn.training.checkpoint import Progress, load_newest, save_checkpoint
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.recorder import Recorder, Saves, planned_updates
from nmt_attn.training.reports import TextScores
from nmt_attn.training.run_folder import RunFolder
from nmt_attn.training.trainer import Trainer

STANDARD_ERROR = 2
"""As the operating system knows it."""


def train(path: Path, overrides: Sequence[str], *, is_fresh: bool) -> None:
    """Trains the run that the configuration describes, to its end or until it is interrupted.

    Nothing is written, but for the cache, until configuration and data are known to be good. Raises UserError for a
    mistake in them or in the run's folder; KeyboardInterrupt once the state of an interrupted run has been saved.
    """
    config = load_config(path, overrides)
    device = choose_device(config.run.device)
    folder = RunFolder(config)
    folder.check(is_fresh=is_fresh)
    if not config.names_corpus:
        _note(f"{path} names no corpus (data.train): this trains on the built-in one, English to Hindi")
    data = prepare_training(config)
    _say_data(data)
    prepare_runtime(config.run.seed)
    model = model_from_config(config, data.source.size, data.target.size).to(device)
    start_embeddings(config, data.codecs, model, is_new=is_fresh or not folder.has_checkpoints(), note=_note)
    with folder.taken(is_fresh=is_fresh):
        _keep_vocabulary(folder, data)
        trainer = _trainer(config, folder, data, model)
        _say_start(folder, trainer)
        if not (trainer.progress.is_finished and trainer.is_at_its_end()):
            _run(config, folder, data, trainer)
    _say_end(folder, config, trainer.progress)


def _trainer(config: Config, folder: RunFolder, data: PreparedData, model: Seq2Seq) -> Trainer:
    """The trainer, where the newest checkpoint left it."""
    optimizer = build_optimizer(model.parameters(), config.training)
    decay = config.training.ema
    averaged = None if decay is None else AveragedWeights(model, decay)
    progress = load_newest(folder.checkpoints, model, optimizer, _note, averaged) or Progress()
    _require_same_updates(folder, config, progress)
    return Trainer(
        model,
        optimizer,
        config.training,
        data.train,
        data.valid,
        seed=config.run.seed,
        dtype=choose_precision(config.run.precision, model.output.weight.device),
        progress=progress,
        score=_scores_of(config, data, model) if config.training.validate_translation else None,
        averaged=averaged,
    )


def _run(config: Config, folder: RunFolder, data: PreparedData, trainer: Trainer) -> None:
    """Trains with everything around it: log, bar, checkpoints, best model, signals."""

    def save(place: Path) -> None:
        save_model(trainer.model, config, place)
        data.codecs.save(place / VOCAB)

    def save_best(_: Progress) -> None:
        save(folder.best)

    def save_kept(progress: Progress) -> None:
        with replacing_folder(folder.model(progress.update)) as place:
            save(place)

    def save_state(progress: Progress) -> None:
        keep = config.training.keep_last
        save_checkpoint(folder.checkpoints, trainer.model, trainer.optimizer, progress, keep, trainer.averaged)
        folder.remove_models_but(model.update for model in progress.kept)

    planned = planned_updates(config.training, trainer.epoch_updates)
    saves = Saves(save_best, save_kept, save_state)
    draw = validation_picture(data, trainer.model) if config.training.alignment_picture else None
    with (
        Recorder(folder, planned, trainer.progress, saves, draw) as recorder,
        _signals(trainer),
    ):
        trainer.run(recorder)


def _scores_of(config: Config, data: PreparedData, model: Seq2Seq) -> Callable[[], TextScores]:
    """Greedy BLEU and chrF of the validation corpus with the model as it is when called."""
    texts = data.valid.texts()
    sources, references = [text.source for text in texts], [text.target for text in texts]

    greedy = config.search.model_copy(update={"groups": 1, "precision": "fp32"})  # one hypothesis has no groups

    def score() -> TextScores:
        translator = Translator(model, data.codecs, greedy)
        hypotheses = [translation.text for translation in translator.translate(sources, beam=1, with_alignments=False)]
        values = (measure(name, hypotheses, references, config.evaluate) for name in TextScores._fields)
        return TextScores(*(value.result().value for value in values))

    return score


@contextmanager
def _signals(trainer: Trainer) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends training after the update; the second does what it always did."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        trainer.must_stop = True
        name = signal.Signals(number).name
        # Not through sys.stderr: a handler may interrupt a line that is being written there.
        line = f"{name}: finishing the update and saving; once more ends at once\n"
        os.write(STANDARD_ERROR, ("\n" * sys.stderr.isatty() + line).encode())
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


def _keep_vocabulary(folder: RunFolder, data: PreparedData) -> None:
    """Saves the vocabularies; refuses data whose vocabularies are not those that the run has been trained with."""
    if folder.has_checkpoints():
        saved = load_codecs(folder.vocab)
        for side, before, now in (
            ("source", saved.source, data.source),
            ("target", saved.target, data.target),
        ):
            if before.vocabulary.tokens != now.vocabulary.tokens:
                raise CheckpointError(
                    f"{folder.path}: expected the {side} vocabulary that the run began with, got another: "
                    "data.train has changed since (--fresh starts over)"
                )
    data.codecs.save(folder.vocab)


def _require_same_updates(folder: RunFolder, config: Config, progress: Progress) -> None:
    """Refuses to go on with larger or smaller updates than those before."""
    now = config.training.accumulate_batches
    if progress.update and now != progress.update_batches:
        raise CheckpointError(
            f"{folder.path}: expected {progress.update_batches} batches to an update, as the run was begun with, got "
            f"training.accumulate_batches {now} (--fresh starts over)"
        )


def _say_data(data: PreparedData) -> None:
    for report in (data.train_report, data.valid_report):
        _note(report.text())
    _note(f"vocabulary: {data.source.size:,} source and {data.target.size:,} target tokens")


def _say_start(folder: RunFolder, trainer: Trainer) -> None:
    progress = trainer.progress
    count = sum(parameter.numel() for parameter in trainer.model.parameters())
    precision = str(trainer.dtype).removeprefix("torch.")
    _note(f"{folder.path}: {count:,} parameters on {trainer.device}, products in {precision}")
    _note(f"{trainer.epoch_batches:,} batches an epoch, {trainer.padding_share:.1%} of their positions are padding")
    if trainer.update_batches > 1:
        _note(f"{trainer.update_batches} batches to an update, {trainer.epoch_updates:,} updates an epoch")
    if trainer.is_at_its_end():
        _note(
            f"this run is finished, after {progress.update:,} updates; larger limits let it go on, --fresh starts over"
        )
    elif progress.update:
        _note(f"going on after update {progress.update:,} (epoch {progress.epoch}, batch {progress.batch:,})")


def _say_end(folder: RunFolder, config: Config, progress: Progress) -> None:
    if not progress.is_finished:
        _note(f"stopped after update {progress.update:,}, saved; the same command goes on from there")
        raise KeyboardInterrupt
    patience = config.training.patience
    if patience is not None and progress.misses >= patience:
        _note(f"stopped early: {progress.misses} validations without a gain (training.patience)")
    _note(f"{progress.update:,} updates in {tqdm.format_interval(progress.seconds)}")
    if progress.skipped:
        _note(f"{progress.skipped:,} of them were skipped: loss or gradient was not finite")
    if progress.best is None:
        raise ConfigError(
            "training.learning_rate: expected a rate at which validation is finite, got "
            f"{config.training.learning_rate}: no model was kept (start over with a smaller one)"
        )
    metric = config.training.metric
    value = abs(progress.best)  # BLEU and chrF are kept with their signs turned, so that smaller is better
    of = "the weights' average " if config.training.ema is not None else ""
    _note(f"best validation {metric} {value:.4g}, {of}at update {progress.best_update:,}\nmodel: {folder.best}")
    if len(progress.kept) > 1:
        _note(f"the {len(progress.kept)} best: {folder.models} (nmt-attn average {folder.path} --output DIR)")
    _note(f"translate: nmt-attn translate --model {folder.path} --beam 5 < FILE")
    _note(f"evaluate:  nmt-attn eval --model {folder.path}")


def _note(text: str) -> None:
    typer.echo(text, err=True)
