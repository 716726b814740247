"""Selection: which validation is a gain, and which models are kept, by the metric that the configuration names."""

import math

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.training.checkpoint import KeptModel, Progress
from nmt_attn.training.events import TextScores


def badness(metric: str, loss: float, scores: TextScores | None) -> float:
    """The metric's value, turned so that smaller is better; not a number if nothing was translated."""
    if metric == "loss":
        return loss
    return math.nan if scores is None else -getattr(scores, metric)


def judge(progress: Progress, value: float, config: TrainingConfig) -> bool:
    """Counts a gain or a miss of the validation at `progress.update`; gives whether it is the best so far.

    Smaller is better, the earlier of equals wins, and what is not finite is never a gain.
    """
    if math.isfinite(value) and (progress.best is None or value < progress.best):
        progress.best, progress.best_update = value, progress.update
        progress.misses = progress.decay_misses = 0
        return True
    progress.misses += 1
    progress.decay_misses += 1
    if progress.decay_misses > config.decay_patience:
        progress.stalls, progress.decay_misses = progress.stalls + 1, 0
    return False


def rank(progress: Progress, value: float, keep: int) -> bool:
    """Whether the model of `progress.update` is one of the best `keep` so far, which `progress.kept` then names.

    With `keep` 1 none is named: best/ is enough.
    """
    models = [model for model in progress.kept if model.update != progress.update]
    if math.isfinite(value):
        models.append(KeptModel(value, progress.update))
    progress.kept = sorted(models)[:keep] if keep > 1 else []
    return any(model.update == progress.update for model in progress.kept)
