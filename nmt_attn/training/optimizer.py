"""Optimizers by name, torch's own, with the keys of `config.training` that each knows.

Each is one kernel for all weights (`fused`) where torch has that on CPU and GPU alike; by itself torch takes a few
kernels for all weights together (`foreach`) on a GPU.
"""

from collections.abc import Callable, Iterable

from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer

from nmt_attn.config.sections import TrainingConfig

Parameters = Iterable[nn.Parameter]


def build_optimizer(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """The optimizer that the configuration names."""
    return OPTIMIZERS[config.optimizer](parameters, config)


def _sgd(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    return SGD(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def _adam(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-8
    return Adam(
        parameters, config.learning_rate, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True
    )


def _adamw(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-8
    return AdamW(
        parameters, config.learning_rate, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True
    )


def _adadelta(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-6
    return Adadelta(parameters, config.learning_rate, rho=config.rho, eps=eps, weight_decay=config.weight_decay)


def _adagrad(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-10
    return Adagrad(parameters, config.learning_rate, weight_decay=config.weight_decay, eps=eps)


OPTIMIZERS: dict[str, Callable[[Parameters, TrainingConfig], Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "adadelta": _adadelta,
    "adagrad": _adagrad,
}
