"""`nmt-attn train`: from a configuration to a trained model, or on from where a run stopped."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import NoReturn

import torch

from nmt_attn.config.data_paths import require_files
from nmt_attn.config.extends import find_config, own_names, shipped_names
from nmt_attn.config.file import dump_config, load_config
from nmt_attn.config.schema import Config
from nmt_attn.data.codec import load_codecs
from nmt_attn.data.corpus_tokenizer import chosen_values
from nmt_attn.data.corpus_warnings import corpus_warnings
from nmt_attn.data.prepare import PreparedData, prepare_training
from nmt_attn.errors import CheckpointError, ConfigError, ProcessError
from nmt_attn.evaluation.metrics import measure
from nmt_attn.evaluation.references import references_of
from nmt_attn.evaluation.rewards import Rewards
from nmt_attn.evaluation.system_outputs import validation_picture
from nmt_attn.experiments.seeds import train_seeds
from nmt_attn.fast.graphs import check_graphs
from nmt_attn.files import replacing_folder
from nmt_attn.interruption import heed
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import VOCAB, model_from_config, save_model
from nmt_attn.options.training import TrainOptions
from nmt_attn.processes import Processes, joined
from nmt_attn.runtime import choose_device, choose_precision, prepare_runtime, use_tf32
from nmt_attn.search.training_samples import Sampler
from nmt_attn.search.translator import Translator
from nmt_attn.threads import choose_threads
from nmt_attn.training import from_corpus
from nmt_attn.training.checkpoint import Progress, load_newest, save_checkpoint
from nmt_attn.training.events import Observer, TextScore, TextScores
from nmt_attn.training.freezing import freeze
from nmt_attn.training.moving_average import MovingAverage
from nmt_attn.training.narration import name_of, say, say_corpus, say_data, say_end, say_folder, say_start, voice_of
from nmt_attn.training.optimizer import build_optimizer
from nmt_attn.training.recorder import RunRecorder, Saves
from nmt_attn.training.risk import RiskLoss
from nmt_attn.training.run_folder import RunFolder
from nmt_attn.training.trainer import Trainer
from nmt_attn.training.warm_start import warm_start
from nmt_attn.training.word_vectors import start_embeddings

STANDARD_ERROR = 2
"""As the operating system knows it."""


def train(options: TrainOptions) -> None:
    """Trains the run that the configuration describes, to its end or until it is interrupted.

    Nothing is written, but for the cache, until configuration and data are known to be good. Raises UserError for a
    mistake in them or in the run's folder; KeyboardInterrupt once the state of an interrupted run has been saved. Where
    torchrun has started several processes, the first one alone writes and speaks.
    """
    path = options.config or _no_config()
    config = load_config(path, options.overrides(), options.names())
    if options.seeds is not None:
        train_seeds(path, config, options)
        return
    with joined() as processes:
        is_fresh = options.fresh and not processes.is_restart()  # else each lost process would cost the whole run
        device = processes.device(choose_device(config.run.device))
        _set_threads(config, device, voice_of(processes))
        if config.training.cuda_graphs is True:
            check_graphs(device, processes)
        dtype = choose_precision(config.run.precision, device)
        processes.require_same("run.device and run.precision", f"{device.type} with {name_of(dtype)}")
        use_tf32(config.run.precision)
        folder = RunFolder(config)
        if not is_fresh:
            folder.complete(config := folder.with_settled(config))
        if processes.is_first:
            folder.check(is_fresh=is_fresh, accepts_new_data=options.accept_new_data)
            require_files(config, find_config(path), is_new=is_fresh or not folder.has_checkpoints())
            say_corpus(path, config)
        with processes.first_alone():
            data = prepare_training(config)
        config = _complete(config, data, voice_of(processes))
        folder.complete(config)
        if processes.is_first:
            folder.check(is_fresh=is_fresh, accepts_new_data=options.accept_new_data)  # again, with all its keys
        prepare_runtime(config.run.seed)
        factors = data.source.vocabulary.factor_sizes
        model = model_from_config(config, data.source.size, data.target.size, factors).to(device)
        is_new = is_fresh or not folder.has_checkpoints()
        changed = [] if is_new else folder.changed_data()
        start_embeddings(config, data.codecs, model, is_new=is_new, note=voice_of(processes))
        if is_new:
            warm_start(config, data.codecs, model, voice_of(processes))
        freeze(config.training.freeze, model, voice_of(processes))
        with folder.locked(is_fresh=is_fresh) if processes.is_first else nullcontext():
            if processes.is_first:
                _say_data(config, data)
                _keep_vocabulary(folder, data)
            processes.wait()
            trainer = _trainer(config, folder, data, model, processes)
            if changed:
                trainer.take_new_data()
            if processes.is_first:
                say_folder(folder, changed, is_fresh=is_fresh)
                say_start(folder, trainer)
            if not (trainer.progress.is_finished and trainer.is_at_its_end()):
                _run(config, folder, data, trainer)
    if processes.is_first:
        say_end(folder, config, trainer.progress)


def _say_data(config: Config, data: PreparedData) -> None:
    """What was read; what is doubtful in it, the first time."""
    say_data(config, data)
    if not data.is_cached:
        for warning in corpus_warnings(config, data):
            say(f"warning: {warning}")


def _complete(config: Config, data: PreparedData, note: Callable[[str], None]) -> Config:
    """The configuration with the values that it leaves to the corpus, which are said once."""
    tokenizer = chosen_values(config.tokenizer, data.config.tokenizer)
    if tokenizer:
        note(f"{', '.join(tokenizer)}: chosen by what data.train is made of")
    is_open = config.training.label_smoothing is None
    trigrams = from_corpus.different_trigrams(data.train) if is_open else 1.0  # not read then
    complete = from_corpus.complete(data.config, from_corpus.longer_side_tokens(data.train), trigrams)
    chosen = from_corpus.chosen_values(config, complete)
    if chosen:
        note(f"{', '.join(chosen)}: chosen by the corpus's size")
    if is_open and complete.training.label_smoothing == 0:
        note(f"training.label_smoothing 0: data.train repeats itself ({trigrams:.0%} of its word trigrams differ)")
    return complete


def _trainer(config: Config, folder: RunFolder, data: PreparedData, model: Seq2Seq, processes: Processes) -> Trainer:
    """The trainer, where the newest checkpoint left it."""
    optimizer = build_optimizer(model.parameters(), config.training)
    decay = config.training.ema
    averaged = None if decay is None else MovingAverage(model, decay)
    progress = load_newest(folder.checkpoints, model, optimizer, voice_of(processes), averaged) or Progress()
    _require_same_updates(folder, config, progress, processes)
    _require_same_start(config, data, progress, processes)
    return Trainer(
        model,
        optimizer,
        config.training,
        data.train,
        data.valid,
        seed=config.run.seed,
        dtype=choose_precision(config.run.precision, model.output.weight.device),
        progress=progress,
        processes=processes,
        score=_scores_of(config, data, model, processes) if config.validation_metrics else None,
        averaged=averaged,
        risk=_risk(config, data, model) if config.training.risk.method != "none" else None,
    )


def _risk(config: Config, data: PreparedData, model: Seq2Seq) -> RiskLoss:
    """Samples by the search, judged by the metrics."""
    risk = config.training.risk
    sampler = Sampler(model, config.search, risk.samples, risk.temperature)
    return RiskLoss(risk, sampler, Rewards(data.codecs.target, risk, config.evaluate))


def _run(config: Config, folder: RunFolder, data: PreparedData, trainer: Trainer) -> None:
    """Trains with everything around it: log, bar, checkpoints, best model, signals."""
    if not trainer.processes.is_first:
        with _signals(trainer):
            trainer.run(Observer())
        return

    def save(place: Path) -> None:
        save_model(trainer.model, config, place, vocabulary=data.codecs.digest())
        data.codecs.save(place / VOCAB)

    def save_best(_: Progress) -> None:
        save(folder.best)

    def save_kept(progress: Progress) -> None:
        with replacing_folder(folder.model(progress.update)) as place:
            save(place)

    def save_state(progress: Progress) -> None:
        keep = config.training.keep_last
        save_checkpoint(folder.checkpoints, trainer.model, trainer.optimizer, progress, keep, trainer.averaged)
        folder.checkpoint_saved()
        folder.remove_models_but(model.update for model in progress.kept)

    saves = Saves(save_best, save_kept, save_state)
    draw = validation_picture(data, trainer.model) if config.training.alignment_picture else None
    with (
        RunRecorder(folder, config.training, trainer.progress, saves, draw) as recorder,
        _signals(trainer),
    ):
        trainer.run(recorder)


def _scores_of(config: Config, data: PreparedData, model: Seq2Seq, processes: Processes) -> Callable[[], TextScores]:
    """The metrics of greedy translations of the validation corpus with the model as it is when called."""
    texts = data.valid.texts()
    right = references_of([text.source for text in texts], [text.target for text in texts], config.evaluate)
    precision = "tf32" if config.run.precision == "tf32" else "fp32"  # which is set for the whole process
    greedy = config.search.model_copy(
        update={"groups": 1, "mbr": "none", "language_model": None, "precision": precision}
    )  # of one hypothesis

    def score() -> TextScores:
        translator = Translator(model, data.codecs, greedy)
        mine = translator.translate(processes.share(right.sources), beam=1, with_alignments=False)
        hypotheses = processes.gather([translation.text for translation in mine])
        found = {
            name: measure(name, hypotheses, right.first, config.evaluation, right.further)
            for name in config.validation_metrics
        }
        return {name: TextScore(each.name, each.result().value, each.is_error) for name, each in found.items()}

    return score


@contextmanager
def _signals(trainer: Trainer) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends training after the update; the second does what it always did.

    One that was ignored before (nohup) stays ignored.
    """
    both = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in both.items() if handler != signal.SIG_IGN}

    def stop(number: int, frame: FrameType | None) -> None:
        trainer.must_stop = True
        heed(number)
        restore()
        if not trainer.processes.is_first:
            return
        name = signal.Signals(number).name
        # Not through sys.stderr: a handler may interrupt a line that is being written there.
        line = f"{name}: finishing the update and saving; once more ends at once\n"
        os.write(STANDARD_ERROR, ("\n" * sys.stderr.isatty() + line).encode())

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


def _require_same_updates(folder: RunFolder, config: Config, progress: Progress, processes: Processes) -> None:
    """Refuses to go on with larger or smaller updates than those before."""
    now = config.training.accumulate_batches
    if progress.update and processes.count * now != progress.update_batches:
        times = f"{processes.count} processes with " if processes.count > 1 else ""
        raise CheckpointError(
            f"{folder.path}: expected {progress.update_batches} batches to an update, over all processes, as the run "
            f"was begun with, got {times}training.accumulate_batches {now} (--fresh starts over)"
        )


def _require_same_start(config: Config, data: PreparedData, progress: Progress, processes: Processes) -> None:
    """Refuses to train where processes have found other things, as on machines that do not share their files."""
    corpora = (data.train, data.valid)
    tokens = [int(side.sum()) for corpus in corpora for side in (corpus.source_lengths, corpus.target_lengths)]
    found = {
        "configuration": dump_config(config),
        "data": str([data.source.size, data.target.size, *map(len, corpora), *tokens]),
        "checkpoint": str(progress.update),
    }
    for what, mine in found.items():
        others = processes.gather([mine])
        if mine != others[0]:
            raise ProcessError(
                f"process {processes.rank} of {processes.count}: expected the {what} that the first process has found, "
                "got another (all machines need the same command, and a folder in common for run.dir and data)"
            )


def _set_threads(config: Config, device: torch.device, note: Callable[[str], None]) -> None:
    """Threads that compute, where the CPU does; says so where a small model takes fewer than there are cores."""
    if device.type != "cpu":
        return
    hidden = max(config.model.encoder.hidden, config.model.decoder.hidden)
    asked = config.run.threads
    chosen = choose_threads(asked, hidden, torch.get_num_threads())
    if asked == "auto" and chosen < torch.get_num_threads():
        note("one thread: the products of this model are too small to share (--threads N for more)")
    if asked not in ("auto", chosen):
        note(f"run.threads {asked}: this machine has {chosen} cores, so {chosen} threads compute")
    torch.set_num_threads(chosen)


def _no_config() -> NoReturn:
    """Raises ConfigError with all that can be trained."""
    own = own_names(Path())
    here = f"\n  in this folder: {', '.join(own)}" if own else ""
    raise ConfigError(
        "config: expected a YAML file or the name of a shipped configuration, got none (nmt-attn train demo; for a "
        f"corpus of your own: nmt-attn init --help){here}\n  shipped: {', '.join(shipped_names())}"
    )
