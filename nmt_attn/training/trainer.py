"""Trainer: teacher forcing, epoch by epoch, until a limit is reached or the metric stops improving.

    batch -> readouts -> loss per target token -> gradients -> clip -> optimizer -> schedule
    at intervals: validation, best model, checkpoint

It does not depend on search: metrics of the validation corpus are computed by a callable. All randomness follows
from the seed and the position in the checkpoint, so a resumed run ends like an uninterrupted one.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

import torch
from torch.optim import Optimizer

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.data.batching import Plan, batches, padding_share, plan_epoch, plan_evaluation
from nmt_attn.data.encoded import EncodedCorpus
from nmt_attn.data.prefetch import prefetched
from nmt_attn.errors import ConfigError
from nmt_attn.fast.graphs import CudaRecorder, uses_graphs
from nmt_attn.memory_lack import explained
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.processes import Processes
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.events import Observer, TextScores, UpdateEvent, ValidationEvent
from nmt_attn.training.gradient import Gradients, Loaded, SentUpdate, UpdateLoss, too_large
from nmt_attn.training.late_step import skips_by_itself
from nmt_attn.training.moving_average import MovingAverage
from nmt_attn.training.objective import Objective
from nmt_attn.training.risk import RiskLoss
from nmt_attn.training.schedule import Moment, learning_rate
from nmt_attn.training.selection import count_validation, keep_among_best, metric_value

MOST_SKIPPED = 20
"""Number of consecutive skipped updates that ends training with an error."""

UPDATES_AHEAD = 2
"""Updates whose batches are prepared while a GPU computes. On a CPU this would only compete for time."""


class _Update(NamedTuple):
    """An update whose numbers may not have been read yet."""

    sent: SentUpdate
    number: int
    epoch: int
    rate: float
    started: float  # by the clock


def _is_finite(loss: UpdateLoss) -> bool:
    return math.isfinite(loss.total) and math.isfinite(loss.gradient_norm)


class Trainer:
    """Trains `model` on `train`, starting from `progress`."""

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
        averaged: MovingAverage | None = None,
        risk: RiskLoss | None = None,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.config = config
        self.train_corpus, self.valid_corpus = train, valid
        self.seed = seed
        self.dtype = dtype
        self.progress = progress
        assert config.batch_tokens is not None, "complete"
        self._batch_tokens = config.batch_tokens
        self._objective = Objective(model, config, dtype, risk)
        self.score = score
        self.averaged = averaged
        self.device = next(model.parameters()).device
        self.updates_ahead = 0 if self.device.type == "cpu" else UPDATES_AHEAD
        self.must_stop = False
        self.processes = processes
        # A GPU that can skip a step by itself needs no sync before the next update.
        can_skip = skips_by_itself(optimizer) and averaged is None and processes.count == 1
        self._reads_late = self.device.type != "cpu" and can_skip
        is_odd = train.has_links or not self._objective.is_recordable
        has_graphs = uses_graphs(config, self.device, processes, is_odd=is_odd)
        self._gradients = Gradients(
            self._objective,
            train,
            processes,
            seed=seed,
            loss_per=config.loss_per,
            clip_norm=config.clip_norm,
            recorder=CudaRecorder(self.device) if has_graphs else None,
            steps_late=optimizer if self._reads_late else None,
        )
        self._unsettled: _Update | None = None
        self._loaded: Loaded | None = None  # of the last update; None while it validates
        self._saved_update = progress.update
        self.update_batches = processes.count * config.accumulate_batches
        progress.update_batches = self.update_batches
        self._clock = time.monotonic()
        first = self.plan(progress.epoch)
        self.epoch_batches = len(first)  # of this epoch; with several windows, epochs may differ slightly
        self.padding_share = padding_share(first, train.source_lengths, train.target_lengths)  # 0 to 1

    def run(self, observer: Observer) -> Progress:
        """Trains until a limit is reached or `must_stop` is set, then saves the state; `is_finished` says which.

        A finished run continues if its limits have been raised, else it is left unchanged. Raises ConfigError if loss
        or gradient stay infinite or NaN, or the memory is too small.
        """
        before, self._observer, self._clock = replace(self.progress), observer, time.monotonic()
        with explained(lambda: too_large(self._loaded, self.device, self.progress.update, self._saved_update)):
            while not self._must_end():
                self._run_epoch()
            self._settle()
            self.progress.is_finished = self.is_at_its_end()
            if self.progress.is_finished and self.progress.validated_update < self.progress.update:
                self._validate()
            if self.progress != replace(before, seconds=self.progress.seconds):
                self._save()
        return self.progress

    def is_at_its_end(self) -> bool:
        """True if a limit is reached, or validation has not improved for `patience` times."""
        patience = self.config.patience
        return self._share_done() >= 1 or (patience is not None and self.progress.misses >= patience)

    def take_new_data(self) -> None:
        """Goes on with data that has changed since the checkpoint; a run that has reached a limit stays as it is."""
        if self._share_done() < 1:
            self.progress.forget_values()

    @property
    def epoch_updates(self) -> int:
        """Updates of this epoch; the last one may have fewer batches."""
        return math.ceil(self.epoch_batches / self.update_batches)

    def plan(self, epoch: int) -> Plan:
        """The batches of `epoch`; the same at every call."""
        lengths = self.train_corpus.source_lengths, self.train_corpus.target_lengths
        return plan_epoch(
            *lengths,
            batch_tokens=self._batch_tokens,
            seed=self.seed,
            epoch=epoch,
            short_first=epoch <= self.config.short_first_epochs,
        )

    def validation_loss(self) -> float:
        """Nats per target token of the validation corpus, `</s>` counted. Does not change the mode of the model."""
        lengths = self.valid_corpus.source_lengths, self.valid_corpus.target_lengths
        plan = plan_evaluation(*lengths, batch_tokens=self._batch_tokens)
        sums, tokens = torch.zeros((), dtype=torch.float64, device=self.device), 0
        with torch.no_grad():
            for batch in batches(self.valid_corpus, self.processes.share(plan)):
                tokens += int(batch.tgt_lengths.sum())
                sums += self._objective.plain(batch.to(self.device)).negative_log_likelihood
        total, all_tokens = self.processes.sum([sums.item(), tokens])
        return total / all_tokens

    def _run_epoch(self) -> None:
        """Trains the rest of the epoch, unless training ends before."""
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
        """One optimizer step with the gradient of the next update's batches, accumulated as if they were one batch."""
        progress, started = self.progress, time.monotonic()
        loaded = next(updates)
        moment = Moment(progress.update + 1, progress.epoch, min(1.0, self._share_done()), progress.stalls)
        rate = learning_rate(moment, self.config)
        self._loaded = loaded
        sent = self._gradients.send(loaded, progress, rate)
        progress.update += 1
        progress.batch += loaded.all_batches
        update = _Update(sent, progress.update, progress.epoch, rate, started)
        if self._reads_late:
            self._settle()
            self._unsettled = update
            return
        loss = self._gradients.read(sent)
        if _is_finite(loss):
            for parameters in self.optimizer.param_groups:
                parameters["lr"] = rate
            self.optimizer.step()
            if self.averaged is not None:
                self.averaged.update(progress.update - progress.skipped)
        self._report(update, loss)

    def _settle(self) -> None:
        """Reads what the last update has to tell, if it is still on the device."""
        update, self._unsettled = self._unsettled, None
        if update is not None:
            self._report(update, self._gradients.read(update.sent))

    def _report(self, update: _Update, loss: UpdateLoss) -> None:
        value, sizes, is_finite = loss.negative_log_likelihood, loss.sizes, _is_finite(loss)
        if is_finite:
            self.progress.sum_loss += value
            self.progress.sum_tokens += sizes.target_tokens
        self._observer.updated(
            UpdateEvent(
                update=update.number,
                epoch=update.epoch,
                loss=value / sizes.target_tokens,
                alignment_loss=None if loss.alignment is None else loss.alignment / sizes.target_tokens,
                gradient_norm=loss.gradient_norm,
                learning_rate=update.rate,
                sentences=sizes.sentences,
                source_tokens=sizes.source_tokens,
                target_tokens=sizes.target_tokens,
                padding_share=1 - (sizes.source_tokens + sizes.target_tokens) / sizes.positions,
                seconds=time.monotonic() - update.started,
                share_done=min(1.0, self._share_done()),
                is_skipped=not is_finite,
            )
        )
        self._count_skipped(loss.gradient_norm, is_finite=is_finite)

    def _count_skipped(self, norm: float, *, is_finite: bool) -> None:
        """Counts skipped updates and raises ConfigError after too many in a row."""
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
        self._settle()
        self._loaded = None
        with self._evaluation_mode():
            loss = self.validation_loss()
            scores: TextScores = {}
            if self.score is not None and math.isfinite(loss):  # with a NaN loss no word has the highest score
                scores = self.score()
            self._tick()
            value = metric_value(config.metric, loss, scores)
            is_best = count_validation(progress, value, config)
            report = ValidationEvent(
                update=progress.update,
                epoch=progress.epoch - (progress.batch == 0),
                training_loss=progress.sum_loss / progress.sum_tokens if progress.sum_tokens else math.nan,
                loss=loss,
                scores=scores,
                seconds=progress.seconds,
                is_best=is_best,
                misses=progress.misses,
            )
            progress.sum_loss, progress.sum_tokens = 0.0, 0
            progress.validated_update = progress.update
            if is_best:
                self._observer.best(progress)
            if keep_among_best(progress, value, config.keep_best):
                self._observer.kept(progress)
            self._observer.validated(report)

    @contextmanager
    def _evaluation_mode(self) -> Iterator[None]:
        """Context in which the model is in evaluation mode and has the averaged weights, if there are any."""
        self.model.eval()
        try:
            with self.averaged.in_place() if self.averaged is not None else nullcontext():
                yield
        finally:
            self.model.train()

    def _share_done(self) -> float:
        """The largest of updates, epochs and minutes, each over its limit; may exceed 1."""
        progress, config = self.progress, self.config
        epochs = progress.epoch - 1 + progress.batch / self.epoch_batches
        minutes = progress.seconds / 60
        limits = [(progress.update, config.updates), (epochs, config.epochs), (minutes, config.minutes)]
        return max(done / limit for done, limit in limits if limit is not None)

    def _must_end(self) -> bool:
        """True if a limit is reached, by the clock of the first process, or any process must stop."""
        self._tick()
        seconds = self.progress.seconds if self.processes.is_first else 0.0
        stops, self.progress.seconds = self.processes.sum([float(self.must_stop), seconds])
        return stops > 0 or self.is_at_its_end()

    def _save(self) -> None:
        self._settle()
        self._tick()
        self._observer.checkpoint(self.progress)
        self._saved_update = self.progress.update
        self.processes.wait()

    def _tick(self) -> None:
        """Adds the seconds since the last tick to the progress."""
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        self._clock = now
