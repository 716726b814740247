"""Loops without autograd: a forward and a backward pass that are written out, as one operation of autograd's graph.

A loop takes one record of tensors, and its backward gives the gradients back in a record of the same kind. Records may
hold records; `leaves` is the one order in which autograd sees their tensors.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.runtime import at_least_float32

Record = TypeVar("Record", bound=tuple[Any, ...])


class Loop(Protocol):
    """What `by_hand` runs; made from a record of inputs."""

    def run(self) -> tuple[Tensor | None, ...]:
        """All steps -> the results, none of which may be a buffer that the loop itself keeps."""

    def back(self, *grads: Tensor | None) -> tuple[Any, ...]:
        """d loss / d each result, None for 0 -> d loss / d each input, in a record like that of the inputs."""


def by_hand(make: Callable[[Any], Loop], inputs: tuple[Any, ...], device: torch.device) -> tuple[Any, ...]:
    """The results of `make(inputs)`, with gradients to the tensors of `inputs`. Autocast is off inside."""
    with torch.autocast(device.type, enabled=False):
        results: tuple[Any, ...] = _ByHand.apply(make, inputs, *leaves(inputs))  # type: ignore[no-untyped-call]
    return results


def leaves(record: tuple[Any, ...]) -> Iterator[Tensor | None]:
    """The tensors of a record and of the records in it, in order; None where there is none."""
    for part in record:
        if isinstance(part, tuple):
            yield from leaves(part)
        else:
            yield part


def exact(record: Record) -> Record:
    """The record with every tensor of it in at least float32."""
    parts: list[Any] = [None if part is None else at_least_float32(part) for part in record]
    return type(record)(*parts)


class _ByHand(Function):
    @staticmethod
    def forward(ctx: Any, make: Callable[[Any], Loop], inputs: tuple[Any, ...], *_: Tensor | None) -> Any:
        """The leaves come beside their record so that autograd sees them."""
        ctx.loop = make(inputs)
        ctx.set_materialize_grads(False)
        return ctx.loop.run()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        loop, ctx.loop = ctx.loop, None  # else its buffers live as long as the whole graph
        return None, None, *leaves(loop.back(*grads))
