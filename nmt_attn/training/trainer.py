"""Trainer: teacher forcing, one epoch after another, until a limit is reached or the metric stands still.

    batch -> readouts -> loss per target token -> gradients -> clip -> optimizer -> schedule
    every so often: validation, best model, checkpoint

It knows no search: BLEU and chrF of the validation corpus come in as a callable. Every random choice follows from
the seed and the position in the checkpoint, so a run that was interrupted ends like one that was not.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch
from torch.optim import Optimizer

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.data.batching import Plan, batches, padding_share, plan_epoch, plan_evaluation
from nmt_attn.data.encoded import EncodedCorpus
from nmt_attn.data.prefetch import prefetched
from nmt_attn.errors import ConfigError
from nmt_attn.fast.graphs import CudaRecorder
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.processes import Processes
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.events import Observer, TextScores, UpdateReport, ValidationReport
from nmt_attn.training.gradient import Gradients, Loaded
from nmt_attn.training.moving_average import AveragedWeights
from nmt_attn.training.objective import Objective
from nmt_attn.training.schedule import Moment, learning_rate
from nmt_attn.training.selection import badness, judge, rank

MOST_SKIPPED = 20
"""Updates in a row that may be skipped before training gives up."""

UPDATES_AHEAD = 2
"""Updates whose batches are made while a GPU works; on a CPU that would only take its time (0.2% of an update)."""


class Trainer:
    """Trains `model` on `train`, from wherever `progress` stands."""

    def __init__(
        self,
        model: Seq2Seq,
        optimizer: Optimizer,
        config: TrainingConfig,
        train: EncodedCorpus,
        valid: EncodedCorpus,
        *,
        seed: int,
        dtype: torch.dtype,
        progress: Progress,
        processes: Processes,
        score: Callable[[], TextScores] | None,
        averaged: AveragedWeights | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.config = config
        self.train_corpus = train
        self.valid_corpus = valid
        self.seed = seed
        self.dtype = dtype
        self.progress = progress
        self._objective = Objective(model, config, dtype)
        self.score = score
        self.averaged = averaged
        self.device = next(model.parameters()).device
        self.updates_ahead = 0 if self.device.type == "cpu" else UPDATES_AHEAD
        self.must_stop = False
        self.processes = processes
        self._gradients = Gradients(
            self._objective,
            train,
            processes,
            seed=seed,
            loss_per=config.loss_per,
            clip_norm=config.clip_norm,
            recorder=CudaRecorder(self.device) if config.cuda_graphs else None,
        )
        self.update_batches = processes.count * config.accumulate_batches
        progress.update_batches = self.update_batches
        self._clock = time.monotonic()
        first = self.plan(progress.epoch)
        self.epoch_batches = len(first)  # of this epoch; where a corpus has several windows others may differ a little
        self.padding_share = padding_share(first, train.source_lengths, train.target_lengths)  # 0 to 1

    def run(self, observer: Observer) -> Progress:
        """Trains to the end, or until `must_stop` is set; then the state is saved and `is_finished` tells which.

        A run that was finished goes on if its limits have been moved, and is left alone if not. Raises ConfigError
        if loss or gradient stay infinite or undefined.
        """
        before = replace(self.progress)
        self._observer = observer
        self._clock = time.monotonic()
        while not self._must_end():
            self._run_epoch()
        self.progress.is_finished = self.is_at_its_end()
        if self.progress.is_finished and self.progress.validated_update < self.progress.update:
            self._validate()
        if self.progress != replace(before, seconds=self.progress.seconds):
            self._save()
        return self.progress

    def is_at_its_end(self) -> bool:
        """Whether a limit is reached, or validation has stood still for too long."""
        patience = self.config.patience
        return self._share_done() >= 1 or (patience is not None and self.progress.misses >= patience)

    @property
    def epoch_updates(self) -> int:
        """Of this epoch; the last one has what batches are left."""
        return math.ceil(self.epoch_batches / self.update_batches)

    def plan(self, epoch: int) -> Plan:
        """The batches of `epoch`, the same whenever it is asked."""
        lengths = self.train_corpus.source_lengths, self.train_corpus.target_lengths
        return plan_epoch(*lengths, batch_tokens=self.config.batch_tokens, seed=self.seed, epoch=epoch)

    def validation_loss(self) -> float:
        """Nats per target token of the validation corpus, `</s>` counted, with the model in the mode it is in."""
        lengths = self.valid_corpus.source_lengths, self.valid_corpus.target_lengths
        plan = plan_evaluation(*lengths, batch_tokens=self.config.batch_tokens)
        sums, tokens = torch.zeros((), dtype=torch.float64, device=self.device), 0
        with torch.no_grad():
            for batch in batches(self.valid_corpus, self.processes.share(plan)):
                tokens += int(batch.tgt_lengths.sum())
                sums += self._objective.plain(batch.to(self.device)).negative_log_likelihood
        total, all_tokens = self.processes.sum([sums.item(), tokens])
        return total / all_tokens

    def _run_epoch(self) -> None:
        """What is left of the epoch, unless training ends before."""
        progress = self.progress
        plan, epoch = self.plan(progress.epoch), progress.epoch
        self.epoch_batches = len(plan)
        self.model.train()
        starts = range(progress.batch, len(plan), self.update_batches)
        loading = (self._gradients.load(plan[first : first + self.update_batches], epoch) for first in starts)
        with prefetched(loading, self.updates_ahead) as updates:
            for _ in starts:
                self._update(updates)
                if progress.batch == len(plan):
                    progress.epoch, progress.batch = progress.epoch + 1, 0
                if self._validation_is_due():
                    self._validate()
                if self._must_end():
                    return
                if progress.update % self.config.checkpoint_updates == 0:
                    self._save()

    def _update(self, updates: Iterator[Loaded]) -> None:
        """One step of the optimizer, by the gradient of the next one's batches as if they were one."""
        progress, started = self.progress, time.monotonic()
        loaded = next(updates)
        moment = Moment(progress.update + 1, progress.epoch, min(1.0, self._share_done()), progress.stalls)
        rate = learning_rate(moment, self.config)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        loss = self._gradients.make(loaded, progress)
        is_finite = math.isfinite(loss.total) and math.isfinite(loss.gradient_norm)
        if is_finite:
            self.optimizer.step()
            if self.averaged is not None:
                self.averaged.update(progress.update + 1 - progress.skipped)
        progress.update += 1
        progress.batch += loaded.all_batches
        value, sizes = loss.negative_log_likelihood, loss.sizes
        if is_finite:
            progress.sum_loss += value
            progress.sum_tokens += sizes.target_tokens
        self._observer.updated(
            UpdateReport(
                update=progress.update,
                epoch=progress.epoch,
                loss=value / sizes.target_tokens,
                alignment_loss=None if loss.alignment is None else loss.alignment / sizes.target_tokens,
                gradient_norm=loss.gradient_norm,
                learning_rate=rate,
                sentences=sizes.sentences,
                source_tokens=sizes.source_tokens,
                target_tokens=sizes.target_tokens,
                padding_share=1 - (sizes.source_tokens + sizes.target_tokens) / sizes.positions,
                seconds=time.monotonic() - started,
                share_done=min(1.0, self._share_done()),
                is_skipped=not is_finite,
            )
        )
        self._count_skipped(loss.gradient_norm, is_finite=is_finite)

    def _count_skipped(self, norm: float, *, is_finite: bool) -> None:
        """Too many skipped updates in a row end the training."""
        progress = self.progress
        progress.skipped += not is_finite
        progress.skipped_in_a_row = 0 if is_finite else progress.skipped_in_a_row + 1
        if progress.skipped_in_a_row == MOST_SKIPPED:
            raise ConfigError(
                f"training.learning_rate: expected a rate at which loss and gradient stay finite, got "
                f"{self.config.learning_rate}: {MOST_SKIPPED} updates in a row were skipped up to {progress.update}, "
                f"the last with a gradient of norm {norm} "
                "(start over with a smaller rate, a smaller training.clip_norm, a warm-up or run.precision: fp32)"
            )

    def _validation_is_due(self) -> bool:
        progress, config = self.progress, self.config
        if config.validate_updates is None:
            return progress.batch == 0 and (progress.epoch - 1) % config.validate_epochs == 0
        return progress.update % config.validate_updates == 0

    def _validate(self) -> None:
        progress, config = self.progress, self.config
        with self._evaluating():
            loss = self.validation_loss()
            scores = self.score() if self.score is not None and math.isfinite(loss) else None  # else no word is best
            self._tick()
            value = badness(config.metric, loss, scores)
            is_best = judge(progress, value, config)
            report = ValidationReport(
                update=progress.update,
                epoch=progress.epoch - (progress.batch == 0),
                training_loss=progress.sum_loss / max(progress.sum_tokens, 1),
                loss=loss,
                bleu=scores and scores.bleu,
                chrf=scores and scores.chrf,
                seconds=progress.seconds,
                is_best=is_best,
                misses=progress.misses,
            )
            progress.sum_loss, progress.sum_tokens = 0.0, 0
            progress.validated_update = progress.update
            if is_best:
                self._observer.best(progress)
            if rank(progress, value, config.keep_best):
                self._observer.kept(progress)
            self._observer.validated(report)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """A block in which the model is what is validated and kept: without dropout, with the averaged weights."""
        self.model.eval()
        try:
            with self.averaged.in_place() if self.averaged is not None else nullcontext():
                yield
        finally:
            self.model.train()

    def _share_done(self) -> float:
        """The largest of updates, epochs and minutes over their limits; may exceed 1."""
        progress, config = self.progress, self.config
        epochs = progress.epoch - 1 + progress.batch / self.epoch_batches
        minutes = progress.seconds / 60
        limits = [(progress.update, config.updates), (epochs, config.epochs), (minutes, config.minutes)]
        return max(done / limit for done, limit in limits if limit is not None)

    def _must_end(self) -> bool:
        """Whether a limit is reached or one of the processes was told to stop, by the first one's clock."""
        self._tick()
        seconds = self.progress.seconds if self.processes.is_first else 0.0
        stops, self.progress.seconds = self.processes.sum([float(self.must_stop), seconds])
        return stops > 0 or self.is_at_its_end()

    def _save(self) -> None:
        self._tick()
        self._observer.checkpoint(self.progress)
        self.processes.wait()

    def _tick(self) -> None:
        """Moves the seconds since the last tick into the progress."""
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        self._clock = now
