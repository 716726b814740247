"""Schedules: the learning rate's factor, as pure functions of how far training has come.

    constant       1
    plateau        factor^(times that validation stood still), kept in the training state
    halving        1/2 at the start of every epoch after epoch k             Luong et al. 2015, 4.1
    step-halving   n halvings, evenly over what remains after a share        tensorflow/nmt: luong5 1/2, 5; luong10
                                                                             1/2, 10; luong234 2/3, 4
    inverse-sqrt   sqrt(warm-up / update) once warmed up                     Vaswani et al. 2017, 5.3
    cosine         (1 + cos(pi x progress)) / 2
    linear         1 - progress

`progress` is the share of the training that is done, from 0 to 1: the largest of updates, epochs and minutes over
their limits. No schedule falls below `minimum_rate`. A warm-up multiplies what comes out by update / warm-up until
it is reached.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from nmt_attn import registries
from nmt_attn.config.schema import TrainingConfig
from nmt_attn.registry import Registry, reads


class Moment(NamedTuple):
    """Where training stands when an update is made."""

    update: int  # from 1
    epoch: int  # from 1
    progress: float  # 0 to 1
    stalls: int  # how often `plateau` has cut the rate


Schedule = Callable[[Moment, TrainingConfig], float]


def learning_rate(moment: Moment, config: TrainingConfig) -> float:
    """The rate of this update."""
    rate = config.learning_rate * SCHEDULES[config.schedule](moment, config)
    return max(rate, config.minimum_rate) * min(1.0, moment.update / max(1, config.warmup_updates))


def constant(moment: Moment, config: TrainingConfig) -> float:
    """1."""
    return 1.0


@reads("decay_factor", "decay_patience", "minimum_rate")
def plateau(moment: Moment, config: TrainingConfig) -> float:
    """The factor to the power of the cuts so far."""
    return config.decay_factor**moment.stalls


@reads("halve_after_epochs", "minimum_rate")
def halving(moment: Moment, config: TrainingConfig) -> float:
    """1/2 for each epoch begun after `halve_after_epochs`."""
    return 0.5 ** max(0, moment.epoch - config.halve_after_epochs)


@reads("decay_after", "decay_times", "minimum_rate")
def step_halving(moment: Moment, config: TrainingConfig) -> float:
    """1/2 for each of `decay_times` equal parts of what follows `decay_after` that has been completed."""
    done = (moment.progress - config.decay_after) / (1 - config.decay_after)
    # A hair is added so that 1/5 of the way is the first halving in floating point too.
    return 0.5 ** max(0, math.floor(done * config.decay_times + 1e-9))


@reads("minimum_rate")
def inverse_sqrt(moment: Moment, config: TrainingConfig) -> float:
    """sqrt(warm-up / update), at most 1."""
    return min(1.0, math.sqrt(max(1, config.warmup_updates) / moment.update))


@reads("minimum_rate")
def cosine(moment: Moment, config: TrainingConfig) -> float:
    """Half a wave from 1 to 0."""
    return (1 + math.cos(math.pi * moment.progress)) / 2


@reads("minimum_rate")
def linear(moment: Moment, config: TrainingConfig) -> float:
    """A straight line from 1 to 0."""
    return 1 - moment.progress


SCHEDULES: Registry[Schedule] = registries.SCHEDULES
