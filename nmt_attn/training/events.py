"""Events: the records that the trainer passes to its observer."""

from collections.abc import Mapping
from typing import NamedTuple

from nmt_attn.training.checkpoint import Progress


class UpdateEvent(NamedTuple):
    """One update."""

    update: int
    epoch: int
    loss: float  # nats per target token, without smoothing
    gradient_norm: float  # before clipping
    learning_rate: float
    sentences: int
    source_tokens: int
    target_tokens: int
    padding_share: float  # of the positions of both sides, 0 to 1
    seconds: float
    share_done: float  # share of training done, 0 to 1
    is_skipped: bool  # its loss or gradient was not finite
    alignment_loss: float | None = None  # of guided attention, nats per target token, unweighted


class TextScore(NamedTuple):
    """A metric of greedy translations of the validation corpus."""

    title: str  # as a reader knows it: BLEU, chrF2
    value: float  # 0 to 100
    is_error: bool  # less is better


TextScores = Mapping[str, TextScore]
"""By the metrics' names, in the order in which they are reported."""


class ValidationEvent(NamedTuple):
    """One validation."""

    update: int
    epoch: int  # of that update
    training_loss: float  # nats per target token since the last validation; NaN if all updates were skipped
    loss: float  # nats per target token of the validation corpus
    scores: TextScores  # empty if nothing was translated
    seconds: float  # training time so far
    is_best: bool
    misses: int  # validations since the last improvement


class Observer:
    """Contract: receives events, to write logs, show progress, save models. By default every event is ignored.

    The trainer itself writes no file.
    """

    def updated(self, report: UpdateEvent) -> None: ...
    def checkpoint(self, progress: Progress) -> None: ...

    # During these three calls the model is in evaluation mode and has the validated weights.
    def best(self, progress: Progress) -> None: ...
    def kept(self, progress: Progress) -> None: ...
    def validated(self, report: ValidationEvent) -> None: ...
