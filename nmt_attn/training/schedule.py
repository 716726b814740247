"""Schedules: the learning rate by the progress of training, and decays of other quantities by updates.

Learning rate factors:

    constant       1
    plateau        factor^(number of cuts so far), which the training state counts
    halving        1/2 at the start of every epoch after epoch k             Luong et al. 2015, 4.1
    step-halving   n halvings, evenly over what remains after a share        tensorflow/nmt: luong5 1/2, 5; luong10
                                                                             1/2, 10; luong234 2/3, 4
    inverse-sqrt   sqrt(warm-up / update) after the warm-up                  Vaswani et al. 2017, 5.3
    cosine         (1 + cos(pi x progress)) / 2
    linear         1 - progress

`progress` is the share of training that is done, from 0 to 1: the largest of updates, epochs and minutes over their
limits. The rate never falls below `minimum_rate`. During warm-up it is multiplied by update / warm-up.

Decays from 1 towards 0 after i updates, for scheduled sampling and guided attention:

    linear            1 - i / k, at least 0
    exponential       exp(-i / k)
    inverse-sigmoid   k / (k + exp(i / k))

Bengio et al. 2015 (arXiv 1506.03099), 2.4; their slope and base are expressed by the one number k, in updates.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from nmt_attn import registries
from nmt_attn.config.schema import TrainingConfig
from nmt_attn.registry import Registry, reads

_LARGEST_EXPONENT = 700.0
"""exp of slightly more overflows."""


class Moment(NamedTuple):
    """The progress of training at an update."""

    update: int  # from 1
    epoch: int  # from 1
    progress: float  # 0 to 1
    stalls: int  # how many times `plateau` has cut the rate


Schedule = Callable[[Moment, TrainingConfig], float]


def learning_rate(moment: Moment, config: TrainingConfig) -> float:
    """The learning rate of this update."""
    rate = config.learning_rate * SCHEDULES[config.schedule](moment, config)
    return max(rate, config.minimum_rate) * min(1.0, moment.update / max(1, config.warmup_updates))


def constant(moment: Moment, config: TrainingConfig) -> float:
    """1."""
    return 1.0


@reads("decay_factor", "decay_patience", "minimum_rate")
def plateau(moment: Moment, config: TrainingConfig) -> float:
    """`decay_factor` to the power of the number of cuts."""
    return config.decay_factor**moment.stalls


@reads("halve_after_epochs", "minimum_rate")
def halving(moment: Moment, config: TrainingConfig) -> float:
    """1/2 for each epoch started after `halve_after_epochs`."""
    return 0.5 ** max(0, moment.epoch - config.halve_after_epochs)


@reads("decay_after", "decay_times", "minimum_rate")
def step_halving(moment: Moment, config: TrainingConfig) -> float:
    """1/2 for each completed one of `decay_times` equal parts of the training after `decay_after`."""
    done = (moment.progress - config.decay_after) / (1 - config.decay_after)
    # A small number is added so that, in floating point too, the first halving is at exactly 1/5 of the way.
    return 0.5 ** max(0, math.floor(done * config.decay_times + 1e-9))


@reads("minimum_rate")
def inverse_sqrt(moment: Moment, config: TrainingConfig) -> float:
    """sqrt(warm-up / update), at most 1."""
    return min(1.0, math.sqrt(max(1, config.warmup_updates) / moment.update))


@reads("minimum_rate")
def cosine(moment: Moment, config: TrainingConfig) -> float:
    """Half a cosine wave from 1 to 0."""
    return (1 + math.cos(math.pi * moment.progress)) / 2


@reads("minimum_rate")
def linear(moment: Moment, config: TrainingConfig) -> float:
    """Linear from 1 to 0."""
    return 1 - moment.progress


SCHEDULES: Registry[Schedule] = registries.SCHEDULES


def linear_decay(update: int, scale: int) -> float:
    """Linear, 0 from k on."""
    return max(0.0, 1 - update / scale)


def exponential_decay(update: int, scale: int) -> float:
    """1 / e at k."""
    return math.exp(-update / scale)


def inverse_sigmoid_decay(update: int, scale: int) -> float:
    """Nearly 1 at first; 1/2 at k log k."""
    return scale / (scale + math.exp(min(update / scale, _LARGEST_EXPONENT)))


DECAYS: Registry[Callable[[int, int], float]] = registries.DECAYS
