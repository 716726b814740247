"""Reports: what the trainer tells those who watch, and who they are."""

from typing import NamedTuple, Protocol

from nmt_attn.training.checkpoint import Progress


class UpdateReport(NamedTuple):
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
    share_done: float  # of the training, 0 to 1
    is_skipped: bool  # as its loss or gradient was not finite
    alignment_loss: float | None = None  # of guided attention, nats per target token, before its weight


class TextScores(NamedTuple):
    """What greedy translations of the validation corpus are worth, 0 to 100."""

    bleu: float
    chrf: float


class ValidationReport(NamedTuple):
    """One validation."""

    update: int
    epoch: int  # of that update
    training_loss: float  # nats per target token since the last validation
    loss: float  # nats per target token of the validation corpus
    bleu: float | None  # greedy, 0 to 100; None if nothing was translated
    chrf: float | None
    seconds: float  # of training so far
    is_best: bool
    misses: int  # validations since the last gain


class Observer(Protocol):
    """Who is told; writes logs, shows progress, keeps models. The trainer itself touches no file."""

    def updated(self, report: UpdateReport) -> None: ...
    def checkpoint(self, progress: Progress) -> None: ...

    # While these three are told, the model is what was validated, in evaluation mode.
    def best(self, progress: Progress) -> None: ...
    def kept(self, progress: Progress) -> None: ...
    def validated(self, report: ValidationReport) -> None: ...


class Silent:
    """An observer of those processes that are not the first: it writes and says nothing."""

    def updated(self, report: UpdateReport) -> None: ...
    def checkpoint(self, progress: Progress) -> None: ...
    def best(self, progress: Progress) -> None: ...
    def kept(self, progress: Progress) -> None: ...
    def validated(self, report: ValidationReport) -> None: ...
