"""Optimizers by name: torch's own, each with the keys of `config.training` that it uses.

They run as one kernel for all weights (`fused`) where torch supports that on CPU and GPU; elsewhere torch uses a few
kernels (`foreach`) on a GPU. None of them imports torch's compiler, which would take 70 MiB and more than a second.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer

from nmt_attn.config.schema import TrainingConfig

Parameters = Iterable[nn.Parameter]
OptimizerType = TypeVar("OptimizerType", bound=Optimizer)

_COMPILER_DISABLED = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")


def build_optimizer(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """The optimizer that the configuration names."""
    return OPTIMIZERS[config.optimizer](parameters, config)


def _sgd(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    return _without_compiler(SGD)(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def _adam(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-8
    return _without_compiler(Adam)(
        parameters, config.learning_rate, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True
    )


def _adamw(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-8
    return _without_compiler(AdamW)(
        parameters, config.learning_rate, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True
    )


def _adadelta(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-6
    return _without_compiler(Adadelta)(
        parameters, config.learning_rate, rho=config.rho, eps=eps, weight_decay=config.weight_decay
    )


def _adagrad(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    eps = config.epsilon or 1e-10
    return _without_compiler(Adagrad)(parameters, config.learning_rate, weight_decay=config.weight_decay, eps=eps)


def _without_compiler(kind: type[OptimizerType]) -> type[OptimizerType]:
    """The same optimizer without the wrappers that import torch's compiler in order to disable it for these methods."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _COMPILER_DISABLED}
    methods["step"] = torch.no_grad()(methods["step"])  # as the wrapper did
    return type(kind.__name__, (kind,), methods)


OPTIMIZERS: dict[str, Callable[[Parameters, TrainingConfig], Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "adadelta": _adadelta,
    "adagrad": _adagrad,
}
