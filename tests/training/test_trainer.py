"""The trainer: exact resume, when it validates and ends, and what it does when numbers go wrong.

An epoch of the tiny corpus has EPOCH = 5 batches.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import EPOCH, Session, Watcher, start

from nmt_attn.data.batching import batches
from nmt_attn.errors import ConfigError
from nmt_attn.runtime import seed_batch
from nmt_attn.training import trainer as module
from nmt_attn.training.events import TextScore, TextScores, UpdateEvent
from nmt_attn.training.optimizer import OPTIMIZERS
from nmt_attn.training.schedule import SCHEDULES

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def without_time(reports: Sequence[Any]) -> list[Any]:
    return [report._replace(seconds=0.0) for report in reports]


def rates(session: Session) -> list[float]:
    return [report.learning_rate for report in session.watcher.updates]


def validated_at(session: Session) -> list[int]:
    return [report.update for report in session.watcher.validations]


def stop_after(update: int, session: Session) -> None:
    """As a signal does in the middle of that update."""

    def watch(report: UpdateEvent) -> None:
        session.trainer.must_stop = report.update >= update

    session.watcher._on_update = watch


def die_after(update: int, session: Session) -> None:
    """As a kill does: nothing more is saved."""

    def watch(report: UpdateEvent) -> None:
        if report.update == update:
            raise SystemExit

    session.watcher._on_update = watch


# Exact resume


def check_resume(folder: Path, dtype: torch.dtype, **keys: Any) -> None:
    """12 updates are 7 (in the middle of the second epoch), a stop, and 5 by another process."""
    whole = start(dtype=dtype, updates=12, validate_updates=3, **keys)
    whole.run()
    first = start(folder, dtype=dtype, updates=12, validate_updates=3, **keys)
    stop_after(7, first)
    assert not first.run().is_finished
    torch.manual_seed(99)
    second = start(folder, dtype=dtype, updates=12, validate_updates=3, **keys)
    assert (second.trainer.progress.epoch, second.trainer.progress.batch) == (2, 2)
    assert second.run().is_finished
    for name, weight in second.weights().items():
        assert torch.equal(weight, whole.weights()[name]), name
    if (averaged := second.trainer.averaged) is not None:
        assert whole.trainer.averaged is not None
        assert all(torch.equal(value, whole.trainer.averaged.values[name]) for name, value in averaged.values.items())
    updates, validations = ([*getattr(first.watcher, kind), *getattr(second.watcher, kind)] for kind in KINDS)
    assert without_time(updates) == without_time(whole.watcher.updates)
    assert without_time(validations) == without_time(whole.watcher.validations)
    assert [report.update for report in updates] == list(range(1, 13))


KINDS = ("updates", "validations")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_stop_changes_nothing_with_any_optimizer(optimizer: str, precision: str, tmp_path: Path) -> None:
    check_resume(tmp_path, PRECISIONS[precision], optimizer=optimizer, schedule="cosine")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_a_stop_changes_nothing_with_any_schedule(schedule: str, precision: str, tmp_path: Path) -> None:
    # A rate that is far too large lets validation miss, so that plateau has something to remember.
    rate = 0.3 if schedule == "plateau" else 0.01
    check_resume(tmp_path, PRECISIONS[precision], schedule=schedule, learning_rate=rate, warmup_updates=2)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_stop_changes_nothing_with_averaged_weights(precision: str, tmp_path: Path) -> None:
    check_resume(tmp_path, PRECISIONS[precision], ema=0.5)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "aid",
    [
        {"word_dropout": {"source": 0.2, "target": 0.3}},
        {"scheduled_sampling": {"rate": 0.9, "decay": "linear", "updates": 10, "choice": "sample"}},
    ],
    ids=lambda aid: next(iter(aid)),
)
def test_a_stop_changes_nothing_with_any_aid_to_learning(aid: dict[str, Any], precision: str, tmp_path: Path) -> None:
    check_resume(tmp_path, PRECISIONS[precision], **aid)


def test_updates_after_the_last_checkpoint_are_made_again(tmp_path: Path) -> None:
    whole = start(epochs=3)
    whole.run()
    killed = start(tmp_path, epochs=3, checkpoint_updates=3)
    die_after(8, killed)
    with pytest.raises(SystemExit):
        killed.run()
    second = start(tmp_path, epochs=3, checkpoint_updates=3)
    second.run()
    assert without_time(second.watcher.updates) == without_time(whole.watcher.updates[6:])
    for name, weight in second.weights().items():
        assert torch.equal(weight, whole.weights()[name]), name


def test_dropout_follows_from_the_seed_and_the_position_alone() -> None:
    undisturbed, disturbed, other = start(updates=7), start(updates=7), start(updates=7)
    disturbed.watcher._on_update = lambda report: torch.set_rng_state(torch.Generator().get_state())
    other.trainer._gradients._seed = 2  # of dropout alone: the batches are the same
    for session in (undisturbed, disturbed, other):
        session.run()
    losses = [[report.loss for report in session.watcher.updates] for session in (undisturbed, disturbed, other)]
    assert losses[0] == losses[1]
    assert all(loss != otherwise for loss, otherwise in zip(losses[0], losses[2], strict=True))


def test_every_batch_has_masks_of_its_own() -> None:
    drawn = []
    for place in [(1, 1, 0), (1, 1, 1), (1, 2, 0), (2, 1, 0), (1, 1, 0)]:
        seed_batch(torch.device("cpu"), *place)
        drawn.append(torch.rand(()).item())
    assert len(set(drawn)) == 4 and drawn[0] == drawn[4]


def test_the_early_stopping_state_survives_a_stop(tmp_path: Path) -> None:
    values = [7.0, 6.0, 5.0, 4.0]
    first = start(tmp_path, bleu=iter(values).__next__, metric="bleu", patience=3)
    stop_after(2 * EPOCH, first)
    assert first.run().misses == 1
    second = start(tmp_path, bleu=iter(values[2:]).__next__, metric="bleu", patience=3)
    progress = second.run()
    assert (progress.update, progress.misses, progress.best_update) == (4 * EPOCH, 3, EPOCH)


# The plan


def test_the_plan_is_the_same_whenever_it_is_asked_for() -> None:
    trainer, other = start().trainer, start().trainer
    for epoch in (3, 1, 2):
        other.plan(epoch)
    trainer.run(Watcher())
    for epoch in (1, 2, 3):
        assert [rows.tolist() for rows in trainer.plan(epoch)] == [rows.tolist() for rows in other.plan(epoch)]


def test_the_first_epochs_go_from_short_pairs_to_long_ones() -> None:
    trainer = start(pairs=90, short_first_epochs=2).trainer
    lengths = np.maximum(trainer.train_corpus.source_lengths, trainer.train_corpus.target_lengths)
    longest = [[int(lengths[rows].max()) for rows in trainer.plan(epoch)] for epoch in range(1, 6)]
    assert [each == sorted(each) for each in longest] == [True, True, False, False, False]


def test_every_epoch_has_each_pair_once_in_as_many_batches() -> None:
    trainer = start(pairs=37).trainer
    plans = [trainer.plan(epoch) for epoch in range(1, 9)]
    assert {len(plan) for plan in plans} == {trainer.epoch_batches}
    assert all(sorted(np.concatenate(plan).tolist()) == list(range(37)) for plan in plans)
    assert len({str(plan) for plan in plans}) == len(plans)


# One update


def test_reports_say_what_was_done() -> None:
    session = start(epochs=2)
    session.run()
    updates = session.watcher.updates
    assert [(report.update, report.epoch) for report in updates] == [
        (update, 1 + (update > EPOCH)) for update in range(1, 2 * EPOCH + 1)
    ]
    assert [report.share_done for report in updates] == pytest.approx([update / 10 for update in range(1, 11)])
    for epoch in (updates[:EPOCH], updates[EPOCH:]):
        assert sum(report.sentences for report in epoch) == len(session.trainer.train_corpus)
        assert sum(report.source_tokens for report in epoch) == session.trainer.train_corpus.source_lengths.sum()
        assert sum(report.target_tokens for report in epoch) == session.trainer.train_corpus.target_lengths.sum()


def test_the_padding_share_of_an_update_is_that_of_its_batch() -> None:
    session = start(epochs=1)
    session.run()
    corpus, expected = session.trainer.train_corpus, []
    for rows in session.trainer.plan(1):
        sides = [corpus.source_lengths[rows], corpus.target_lengths[rows]]
        padding = sum(int((side.max() - side).sum()) for side in sides)
        expected.append(padding / sum(int(side.max()) * len(side) for side in sides))
    assert max(expected) > 0
    assert [report.padding_share for report in session.watcher.updates] == pytest.approx(expected)


def test_the_rate_is_the_schedules() -> None:
    session = start(epochs=3, schedule="halving", halve_after_epochs=1, learning_rate=0.4)
    session.run()
    assert rates(session) == pytest.approx([0.4] * EPOCH + [0.2] * EPOCH + [0.1] * EPOCH)
    assert session.trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


@pytest.mark.parametrize("clip_norm", [0.01, None])
def test_a_step_is_as_long_as_the_clipped_gradient(clip_norm: float | None) -> None:
    session = start(updates=1, optimizer="sgd", learning_rate=1.0, clip_norm=clip_norm)
    before = session.weights()
    session.run()
    after, norm = session.weights(), session.watcher.updates[0].gradient_norm
    moved = math.sqrt(sum((after[name] - before[name]).square().sum().item() for name in before))
    assert norm > 0.01  # so that clipping has something to do
    assert moved == pytest.approx(norm if clip_norm is None else clip_norm, rel=1e-3)


def test_bf16_learns_as_fp32_does() -> None:
    found = {}
    for name, dtype in PRECISIONS.items():
        session = start(updates=12, dtype=dtype, learning_rate=0.01)
        session.run()
        found[name] = [report.loss for report in session.watcher.updates]
        assert {parameter.dtype for parameter in session.trainer.model.parameters()} == {torch.float32}
    assert found["bf16"] != found["fp32"]
    assert found["bf16"] == pytest.approx(found["fp32"], abs=0.02)


# Validation


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"epochs": 3}, [5, 10, 15]),
        ({"updates": 8}, [5, 8]),
        ({"updates": 10, "validate_updates": 4}, [4, 8, 10]),
        ({"updates": 8, "validate_updates": 4}, [4, 8]),  # at the end once, not twice
        ({"updates": 3, "validate_updates": 100}, [3]),
        ({"epochs": 2, "updates": 7}, [5, 7]),
        ({"epochs": 7, "validate_epochs": 3}, [15, 30, 35]),
    ],
)
def test_validation_comes_as_configured_and_at_the_end(keys: dict[str, int], expected: list[int]) -> None:
    session = start(**keys)
    session.run()
    assert validated_at(session) == expected


def test_a_validation_names_the_epoch_of_its_update() -> None:
    session = start(updates=12, validate_updates=5)
    session.run()
    assert [(report.update, report.epoch) for report in session.watcher.validations] == [(5, 1), (10, 2), (12, 3)]


def test_training_loss_is_the_mean_over_tokens_since_the_last_validation() -> None:
    session = start(updates=10, validate_updates=4)
    session.run()
    for report, first in zip(session.watcher.validations, (0, 4, 8), strict=True):
        updates = session.watcher.updates[first : report.update]
        total = sum(update.loss * update.target_tokens for update in updates)
        assert report.training_loss == pytest.approx(total / sum(update.target_tokens for update in updates))


def test_validation_loss_is_that_of_torch_without_dropout_or_smoothing() -> None:
    trainer = start(label_smoothing=0.2).trainer
    trainer.model.eval()
    total = tokens = 0.0
    for batch in batches(trainer.valid_corpus, [np.array([row]) for row in range(len(trainer.valid_corpus))]):
        scores = trainer.model.output(trainer.model(batch)[0])
        total += torch.nn.functional.cross_entropy(scores[0], batch.tgt_out[0], reduction="sum").item()
        tokens += len(batch.tgt_out[0])
    assert trainer.validation_loss() == pytest.approx(total / tokens, rel=1e-5)


def test_search_sees_the_model_in_evaluation_mode() -> None:
    modes = []

    def bleu() -> float:
        modes.append(session.trainer.model.training)
        return 1.0

    session = start(epochs=2, bleu=bleu)
    session.run()
    assert modes == [False, False]
    assert session.trainer.model.training
    assert [report.scores["bleu"].value for report in session.watcher.validations] == [1.0, 1.0]


def test_the_best_by_loss_is_the_smallest() -> None:
    session = start(epochs=4)
    session.trainer.validation_loss = iter([3.0, 2.0, 2.0, 2.5]).__next__  # type: ignore[method-assign]
    progress = session.run()
    assert session.watcher.bests == [5, 10]
    assert (progress.best, progress.best_update) == (2.0, 10)
    assert [report.is_best for report in session.watcher.validations] == [True, True, False, False]


def test_the_best_by_bleu_is_the_largest() -> None:
    session = start(epochs=4, bleu=iter([0.0, 30.0, 29.0, 31.0]).__next__, metric="bleu")
    session.run()
    assert session.watcher.bests == [5, 10, 20]


def scores_of(title: str, *values: float, is_error: bool) -> Callable[[], TextScores]:
    """Of one validation after the other."""
    return iter([{title.lower(): TextScore(title, value, is_error)} for value in values]).__next__


def test_the_best_by_exact_match_is_the_largest_and_the_best_two_are_kept() -> None:
    session = start(epochs=4, metric="exact", keep_best=2)
    session.trainer.score = scores_of("exact", 20.0, 30.0, 10.0, 25.0, is_error=False)
    progress = session.run()
    assert session.watcher.bests == [5, 10]
    assert session.watcher.kept_models == [5, 10, 20]
    assert progress.kept == [(-30.0, 10), (-25.0, 20)]
    assert [report.scores["exact"].value for report in session.watcher.validations] == [20.0, 30.0, 10.0, 25.0]
    assert [report.misses for report in session.watcher.validations] == [0, 0, 1, 2]


def test_the_best_by_an_error_rate_is_the_smallest_and_patience_waits_for_less() -> None:
    session = start(epochs=9, metric="wer", patience=2)
    session.trainer.score = scores_of("WER", 20.0, 10.0, 30.0, 10.0, is_error=True)
    progress = session.run()
    assert (progress.best, progress.best_update, progress.is_finished) == (10.0, 10, True)
    assert session.watcher.bests == [5, 10]
    assert validated_at(session) == [5, 10, 15, 20]


def test_what_is_not_a_number_is_never_the_best() -> None:
    session = start(epochs=3)
    session.trainer.validation_loss = iter([math.nan, 3.0, math.inf]).__next__  # type: ignore[method-assign]
    assert session.run().best == 3.0
    assert session.watcher.bests == [10]


def test_a_model_without_probabilities_is_not_searched() -> None:
    def bleu() -> float:
        raise AssertionError("no word is the best")

    session = start(epochs=1, bleu=bleu, metric="bleu")
    session.trainer.validation_loss = lambda: math.nan  # type: ignore[method-assign]
    assert session.run().best is None
    assert session.watcher.validations[0].scores == {}


def test_training_stops_after_a_number_of_validations_without_a_gain() -> None:
    session = start(epochs=9, bleu=iter([5.0, 7.0, 6.0, 6.5]).__next__, metric="bleu", patience=2)
    progress = session.run()
    assert progress.is_finished
    assert validated_at(session) == [5, 10, 15, 20]
    assert progress.best_update == 10


@pytest.mark.parametrize(
    ("patience", "values", "halvings"),
    [
        (0, [5, 4, 5, 6, 6, 6], [0, 0, 1, 2, 2, 3]),  # gain, miss, miss, gain, miss: each miss cuts the next epoch's
        (1, [5, 4, 5, 6, 6, 6], [0, 0, 0, 1, 1, 1]),  # two misses in a row cut it once
        (1, [5, 4, 6, 5, 5, 5], [0, 0, 0, 0, 0, 1]),  # a gain between two misses forgives the first
    ],
)
def test_plateau_cuts_the_rate_when_validation_stands_still(
    patience: int, values: list[float], halvings: list[int]
) -> None:
    plateau = {"schedule": "plateau", "decay_patience": patience, "learning_rate": 0.8}
    session = start(epochs=6, bleu=iter(values).__next__, metric="bleu", **plateau)
    session.run()
    assert rates(session)[::EPOCH] == pytest.approx([0.8 / 2**cuts for cuts in halvings])


# Limits


def test_the_first_limit_ends_training() -> None:
    assert start(epochs=2, updates=7).run().update == 7
    assert start(epochs=2, updates=70).run().update == 2 * EPOCH


def test_minutes_are_a_limit_over_all_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))  # one second a look
    first = start(tmp_path, epochs=None, minutes=2)
    stop_after(2, first)
    begun = first.run()
    assert not begun.is_finished and 0 < begun.seconds < 60
    second = start(tmp_path, epochs=None, minutes=2)
    assert second.trainer.progress.seconds == begun.seconds
    ended = second.run()
    assert ended.is_finished and 120 <= ended.seconds < 150
    assert second.watcher.updates[-1].share_done <= 1


def test_checkpoints_come_as_configured_and_at_the_end() -> None:
    session = start(updates=10, checkpoint_updates=4)
    session.run()
    assert [(progress.update, progress.is_finished) for progress in session.watcher.checkpoints] == [
        (4, False),
        (8, False),
        (10, True),
    ]


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    start(tmp_path, epochs=2).run()
    again = start(tmp_path, epochs=2)
    assert again.trainer.is_at_its_end()
    assert again.run().is_finished
    assert again.watcher.updates == again.watcher.validations == again.watcher.checkpoints == []


def test_a_finished_run_goes_on_when_its_limit_moves(tmp_path: Path) -> None:
    whole = start(epochs=3)
    whole.run()
    start(tmp_path, epochs=2).run()
    longer = start(tmp_path, epochs=3)
    assert longer.run().update == 3 * EPOCH
    assert without_time(longer.watcher.updates) == without_time(whole.watcher.updates[2 * EPOCH :])


def test_a_limit_that_moves_back_ends_with_a_validation(tmp_path: Path) -> None:
    first = start(tmp_path, epochs=3)
    stop_after(7, first)
    first.run()
    shorter = start(tmp_path, epochs=3, updates=7)
    progress = shorter.run()
    assert progress.is_finished and progress.update == 7
    assert validated_at(shorter) == [7] and shorter.watcher.updates == []


def test_a_stop_at_the_last_update_is_the_end() -> None:
    session = start(updates=7)
    stop_after(7, session)
    assert session.run().is_finished
    assert validated_at(session) == [5, 7]


def test_a_stop_before_the_first_update_leaves_nothing() -> None:
    session = start(updates=7)
    session.trainer.must_stop = True
    assert not session.run().is_finished
    assert session.watcher.updates == session.watcher.checkpoints == []


# Numbers that go wrong


def spoil_gradients(session: Session, updates: Iterator[bool]) -> None:
    """Makes a gradient infinite whenever the next of `updates` is true."""
    weight = session.trainer.model.output.weight
    weight.register_hook(lambda grad: grad / 0 if next(updates) else grad)


def test_an_update_with_an_infinite_gradient_is_skipped_and_counted() -> None:
    session = start(updates=4)
    spoil_gradients(session, iter([False, True, False, False]))
    seen = []
    session.watcher._on_update = lambda report: seen.append(session.weights())
    progress = session.run()
    assert [report.is_skipped for report in session.watcher.updates] == [False, True, False, False]
    assert all(torch.equal(seen[1][name], seen[0][name]) for name in seen[0])
    assert not torch.equal(seen[2]["output.weight"], seen[1]["output.weight"])
    assert (progress.skipped, progress.skipped_in_a_row, progress.update) == (1, 0, 4)
    assert all(weight.isfinite().all() for weight in session.weights().values())


def test_a_skipped_update_does_not_count_in_the_training_loss() -> None:
    session = start(updates=3, validate_updates=3)
    session.watcher._on_update = lambda report: spoil_model(session) if report.update == 2 else None
    session.run()
    first, second, third = session.watcher.updates
    assert third.is_skipped and math.isnan(third.loss)
    total = first.loss * first.target_tokens + second.loss * second.target_tokens
    tokens = first.target_tokens + second.target_tokens
    assert session.watcher.validations[0].training_loss == pytest.approx(total / tokens)


def spoil_model(session: Session) -> None:
    session.trainer.model.output.bias.data[4] = math.nan


def test_training_gives_up_with_advice_when_every_update_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SKIPPED", 3)
    session = start(epochs=9, learning_rate=0.25)
    spoil_gradients(session, itertools.chain([False, True, True, False], itertools.repeat(True)))
    with pytest.raises(
        ConfigError, match=r"learning_rate: .* got 0\.25: 3 updates in a row were skipped up to 7.*fp32"
    ):
        session.run()
    assert session.trainer.progress.skipped == 5
