"""`nmt-attn train`: from a configuration to a trained model, or on from where a run stopped."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
import typer

from nmt_attn.config import Config
from nmt_attn.config_file import load_config
from nmt_attn.data.codec import load_codecs
from nmt_attn.data.prepare import PreparedData, prepare_training
from nmt_attn.errors import CheckpointError
from nmt_attn.evaluation.metrics import bleu
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import model_from_config, save_model
from nmt_attn.runtime import choose_device, choose_precision, prepare_runtime
from nmt_attn.search.translator import Translator
from nmt_attn.training.checkpoint import Progress, load_newest, save_checkpoint
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.recorder import Recorder
from nmt_attn.training.run_folder import RunFolder
from nmt_attn.training.trainer import Trainer

KEPT_CHECKPOINTS = 2
"""The newest, and the one before it in case the newest is damaged."""


def train(path: Path, overrides: Sequence[str], *, is_fresh: bool) -> None:
    """Trains the run that the configuration describes, to its end or until it is interrupted.

    Raises UserError for a mistake in the configuration, the data or the run's folder; KeyboardInterrupt once the
    state of an interrupted run has been saved.
    """
    config = load_config(path, overrides)
    device = choose_device(config.run.device)
    folder = RunFolder(config)
    is_known = folder.open(config, is_fresh=is_fresh)
    prepare_runtime(config.run.seed)
    data = prepare_training(config)
    _say_data(data)
    _keep_vocabulary(folder, data, is_known=is_known)
    model = model_from_config(config, data.codecs.source.size, data.codecs.target.size).to(device)
    optimizer = build_optimizer(model.parameters(), config.training)
    progress = load_newest(folder.checkpoints, model, optimizer, _note) or Progress()
    _say_start(folder, model, device, progress)
    progress = _run(config, folder, data, model, optimizer, progress)
    _say_end(folder, config, progress)


def _run(
    config: Config,
    folder: RunFolder,
    data: PreparedData,
    model: Seq2Seq,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> Progress:
    """Trains with everything around it: log, bar, checkpoints, best model, signals."""

    def save_best(_: Progress) -> None:
        save_model(model, config, folder.best)
        data.codecs.save(folder.best / "vocab")

    def save_state(progress: Progress) -> None:
        save_checkpoint(folder.checkpoints, model, optimizer, progress, KEPT_CHECKPOINTS)

    device = next(model.parameters()).device
    limits = config.training
    trainer = Trainer(
        model,
        optimizer,
        limits,
        data.train,
        data.valid,
        seed=config.run.seed,
        dtype=choose_precision(config.run.precision, device),
        progress=progress,
        bleu=_bleu_of(config, data, model) if limits.validate_bleu else None,
    )
    epoch_batches = len(trainer.plan(1))
    with Recorder(folder.log, limits, epoch_batches, progress, best=save_best, checkpoint=save_state) as recorder:
        recorder.say(f"{epoch_batches} batches an epoch, {trainer.padding_share():.1%} of their positions are padding")
        with _signals(trainer):
            return trainer.run(recorder)


def _bleu_of(config: Config, data: PreparedData, model: Seq2Seq) -> Callable[[], float]:
    """Greedy BLEU of the validation corpus with the model as it is when called."""
    texts = data.valid.texts()
    sources, references = [text.source for text in texts], [text.target for text in texts]
    scorer = config.evaluate

    def score() -> float:
        translator = Translator(model, data.codecs, config.search)
        hypotheses = [translation.text for translation in translator.translate(sources, beam=1)]
        return bleu(hypotheses, references, tokenize=scorer.tokenize, lowercase=scorer.lowercase).value

    return score


@contextmanager
def _signals(trainer: Trainer) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends training after the update; the second does what it always did."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        trainer.must_stop = True
        _note(f"{signal.Signals(number).name}: finishing the update and saving; once more ends at once")
        _restore_signals()

    def _restore_signals() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        _restore_signals()


def _keep_vocabulary(folder: RunFolder, data: PreparedData, *, is_known: bool) -> None:
    """Saves the vocabularies with a new run; refuses data whose vocabularies are not those the run began with."""
    if is_known and folder.vocab.is_dir():
        saved = load_codecs(folder.vocab)
        for side in ("source", "target"):
            if getattr(saved, side).vocabulary.tokens != getattr(data.codecs, side).vocabulary.tokens:
                raise CheckpointError(
                    f"{folder.path}: expected the {side} vocabulary that the run began with, got another: "
                    "data.train has changed since (--fresh starts over)"
                )
    data.codecs.save(folder.vocab)


def _say_data(data: PreparedData) -> None:
    for report in (data.train_report, data.valid_report):
        _note(report.text())
    _note(f"vocabulary: {data.codecs.source.size:,} source and {data.codecs.target.size:,} target tokens")


def _say_start(folder: RunFolder, model: Seq2Seq, device: torch.device, progress: Progress) -> None:
    count = sum(parameter.numel() for parameter in model.parameters())
    _note(f"{folder.path}: {count:,} parameters on {device}")
    if progress.is_finished:
        _note(f"this run was finished after {progress.update} updates; new limits let it go on, --fresh starts over")
    elif progress.update:
        _note(f"going on after update {progress.update} (epoch {progress.epoch}, batch {progress.batch})")


def _say_end(folder: RunFolder, config: Config, progress: Progress) -> None:
    if not progress.is_finished:
        _note(f"stopped after update {progress.update}, saved; the same command goes on from there")
        raise KeyboardInterrupt
    if progress.best is not None:
        metric = config.training.metric
        value = abs(progress.best)  # BLEU is kept with its sign turned, so that smaller is better
        _note(
            f"best validation {metric} {value:.4g} at update {progress.best_update}; "
            f"{progress.seconds:.0f} s of training"
        )
    _note(f"model: {folder.best}\ntranslate: nmt-attn translate --model {folder.path} --beam 5 < FILE")
    _note(f"evaluate:  nmt-attn eval --model {folder.path}")


def _note(text: str) -> None:
    typer.echo(text, err=True)
