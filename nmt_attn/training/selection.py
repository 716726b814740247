"""Model selection: whether a validation improves the metric, and which models are kept."""

import math

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.training.checkpoint import KeptModel, Progress
from nmt_attn.training.events import TextScores


def metric_value(metric: str, loss: float, scores: TextScores) -> float:
    """The value of the metric, negated if greater is better; NaN if nothing was translated."""
    if metric == "loss":
        return loss
    if metric not in scores:
        return math.nan
    score = scores[metric]
    return score.value if score.is_error else -score.value


def count_validation(progress: Progress, value: float, config: TrainingConfig) -> bool:
    """Counts the validation at `progress.update` as an improvement or a miss; True if it is the best so far.

    Smaller is better, ties go to the earlier update, and a value that is not finite is never an improvement.
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


def keep_among_best(progress: Progress, value: float, keep: int) -> bool:
    """Updates `progress.kept`, the best `keep` models; True if the model of `progress.update` is one of them.

    With `keep` 1 the list is empty: best/ is enough.
    """
    models = [model for model in progress.kept if model.update != progress.update]
    if math.isfinite(value):
        models.append(KeptModel(value, progress.update))
    progress.kept = sorted(models)[:keep] if keep > 1 else []
    return any(model.update == progress.update for model in progress.kept)
