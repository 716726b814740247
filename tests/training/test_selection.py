"""Which validation is a gain, which models are kept, by hand."""

import math

import pytest

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.training.checkpoint import Progress
from nmt_attn.training.events import TextScore
from nmt_attn.training.selection import count_validation, keep_among_best, metric_value

SCORES = {"bleu": TextScore("BLEU", 30.0, is_error=False), "wer": TextScore("WER", 55.0, is_error=True)}


@pytest.mark.parametrize(("metric", "expected"), [("loss", 2.5), ("bleu", -30.0), ("wer", 55.0)])
def test_smaller_is_better_for_every_metric(metric: str, expected: float) -> None:
    assert metric_value(metric, 2.5, SCORES) == expected


@pytest.mark.parametrize(("metric", "is_known"), [("loss", True), ("bleu", False), ("wer", False)])
def test_without_translations_only_the_loss_is_known(metric: str, is_known: bool) -> None:
    assert math.isfinite(metric_value(metric, 2.5, {})) == is_known


def test_gains_and_misses_are_counted() -> None:
    progress, found = Progress(), []
    for update, value in enumerate([3.0, math.nan, 3.0, 2.0, math.inf, 4.0], start=1):
        progress.update = update
        found.append((count_validation(progress, value, TrainingConfig()), progress.misses))
    assert found == [(True, 0), (False, 1), (False, 2), (True, 0), (False, 1), (False, 2)]
    assert (progress.best, progress.best_update) == (2.0, 4)


def kept_after(values: list[float], keep: int) -> tuple[list[bool], list[int]]:
    """Whether each validation's model was kept at once, and whose models are kept in the end."""
    progress, found = Progress(), []
    for update, value in enumerate(values, start=1):
        progress.update = update
        found.append(keep_among_best(progress, value, keep))
    return found, [model.update for model in progress.kept]


@pytest.mark.parametrize(
    ("keep", "is_kept", "kept"),
    [
        (1, [False] * 6, []),  # best/ is enough
        (2, [True, True, True, False, False, True], [6, 3]),
        (3, [True, True, True, False, True, True], [6, 3, 1]),  # 5 is as good as 1, and later
        (9, [True, True, True, False, True, True], [6, 3, 1, 5, 2]),
    ],
)
def test_the_best_models_are_kept(keep: int, is_kept: list[bool], kept: list[int]) -> None:
    # Of updates 1 to 6.
    assert kept_after([5.0, 7.0, 4.0, math.nan, 5.0, 3.0], keep) == (is_kept, kept)


def test_a_validation_that_is_made_again_counts_once() -> None:
    progress = Progress(update=5)
    assert keep_among_best(progress, 3.0, 2) and keep_among_best(progress, 3.0, 2)
    assert [model.update for model in progress.kept] == [5]
