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

from nmt_attn import registries
from nmt_attn.config.schema import TrainingConfig
from nmt_attn.registry import Registry, reads

Parameters = Iterable[nn.Parameter]
OptimizerType = TypeVar("OptimizerType", bound=Optimizer)

_COMPILER_DISABLED = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")


def build_optimizer(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """The optimizer that the configuration names."""
    return OPTIMIZERS[config.optimizer](parameters, config)


def sgd(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """Stochastic gradient descent, without momentum."""
    return _without_compiler(SGD)(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


@reads("betas", "epsilon")
def adam(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """Kingma and Ba 2015."""
    eps = config.epsilon or 1e-8
    return _without_compiler(Adam)(
        parameters, config.learning_rate, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True
    )


@reads("betas", "epsilon")
def adamw(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """Adam with decoupled weight decay: Loshchilov and Hutter 2019."""
    eps = config.epsilon or 1e-8
    return _without_compiler(AdamW)(
        parameters, config.learning_rate, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True
    )


@reads("rho", "epsilon")
def adadelta(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """Zeiler 2012."""
    eps = config.epsilon or 1e-6
    return _without_compiler(Adadelta)(
        parameters, config.learning_rate, rho=config.rho, eps=eps, weight_decay=config.weight_decay
    )


@reads("epsilon")
def adagrad(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """Duchi et al. 2011."""
    eps = config.epsilon or 1e-10
    return _without_compiler(Adagrad)(parameters, config.learning_rate, weight_decay=config.weight_decay, eps=eps)


def _without_compiler(kind: type[OptimizerType]) -> type[OptimizerType]:
    """The same optimizer without the wrappers that import torch's compiler in order to disable it for these methods."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _COMPILER_DISABLED}
    methods["step"] = torch.no_grad()(methods["step"])  # as the wrapper did
    return type(kind.__name__, (kind,), methods)


OPTIMIZERS: Registry[Callable[[Parameters, TrainingConfig], Optimizer]] = registries.OPTIMIZERS
