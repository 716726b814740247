"""Cells over T steps on a GPU: products by cuBLAS, all else of a step one operation (nmt_attn/fast/gpu/steps.py).

U h is a product that the loop's owner takes, so that it can be one with another product of h, such as a query's:

    for each t:        product = low state t @ (U ...)^T;   step(t, entering, product)
    back, for each t:  back(t, gradients of state t + 1 in parts);  gradients of the product @ (U ...) is part of that
                       of state t, and `carry` is the rest

`gru-cho` has a second product U_n (r h) inside of its step. States are carried in float32 at least.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.fast.gpu.sizes import Part
from nmt_attn.fast.gpu.steps import (
    cho_back,
    cho_gates,
    cho_gates_back,
    cho_step,
    gru_back,
    gru_step,
    lstm_back,
    lstm_step,
)


class States(NamedTuple):
    """Where T steps read and write their states [T, N, H]; rows of `low` may have gaps."""

    before: Tensor  # exact
    after: Tensor  # exact
    low: Tensor | None  # the states after in the format of products; None where that is the exact one
    cell_before: Tensor | None  # LSTM
    cell_after: Tensor | None


class Start(NamedTuple):
    """A cell before its first step."""

    inputs: Tensor  # W x + b [T, N, G x H]
    weight: Tensor  # U [G x H, H], low; or one for each of D groups of rows [D, G x H, H]
    bias: Tensor | None  # of U h [G x H], exact


class CellSteps:
    """Contract: T steps of a cell, rows [N], gates G."""

    def __init__(self, start: Start, states: States) -> None:
        self.inputs, self.weight, self.bias = start  # `weight`: what h is multiplied with, U or its rows [R, H]
        self.states = states
        self.low_dtype = self.weight.dtype
        self.gates = torch.empty(start.inputs.shape, dtype=states.before.dtype, device=start.inputs.device)
        self.carry: Tensor | None = None  # [N, H] exact: what `back` passes on beside the product

    def step(self, t: int, entering: Part, product: Tensor) -> None:
        """What enters beside the inputs [N, G x H] or None, and h @ weight^T [N, R] -> state after t."""
        raise NotImplementedError

    def prepare_back(self, grads: Tensor) -> None:
        """Once. `grads` [T, N, G x H] low, whose first R columns become the gradients of the products."""
        raise NotImplementedError

    def back(self, t: int, *parts: Part) -> None:
        """Gradient of the state after t [N, H] in up to three parts -> of inputs and products; and `carry`."""
        raise NotImplementedError

    def weight_gradient(self, of_products: Tensor) -> Tensor:
        """Of U, from that of `weight` [R, H]."""
        return of_products

    def bias_gradient(self) -> Part:
        """Of the bias of U h [G x H]."""
        return None

    @property
    def grad_inputs(self) -> Tensor:
        """[T, N, G x H] low, after the last `back`."""
        return self.grads

    grads: Tensor

    def _low(self, t: int) -> Part:
        return None if self.states.low is None else self.states.low[t]


class LSTMSteps(CellSteps):
    """i, f, g, o. Gradients of the inputs are those of the products too."""

    grad_cell: Tensor  # [N, H] exact, of the cell state before the last step that `back` has done

    def step(self, t: int, entering: Part, product: Tensor) -> None:
        _, after, _, cell_before, cell_after = self.states
        assert cell_before is not None and cell_after is not None
        cells = cell_before[t], cell_after[t]
        lstm_step(self.gates[t], self.inputs[t], entering, product, *cells, after[t], self._low(t))

    def prepare_back(self, grads: Tensor) -> None:
        self.grads = grads
        self.grad_cell = torch.zeros_like(self.states.before[0])

    def back(self, t: int, *parts: Part) -> None:
        first, second, third = _three(parts)
        _, _, _, cell_before, cell_after = self.states
        assert cell_before is not None and cell_after is not None
        cells = cell_before[t], cell_after[t]
        lstm_back(self.grads[t], self.gates[t], *cells, first, second, third, self.grad_cell)


class GRUSteps(CellSteps):
    """r, z, n."""

    def __init__(self, start: Start, states: States) -> None:
        super().__init__(start, states)
        self.recurrent = torch.empty_like(states.before)  # (U h + b)_n

    def step(self, t: int, entering: Part, product: Tensor) -> None:
        assert self.bias is not None
        states = self.states.before[t], self.recurrent[t], self.states.after[t], self._low(t)
        gru_step(self.gates[t], self.inputs[t], entering, product, self.bias, *states)

    def prepare_back(self, grads: Tensor) -> None:
        self.grads = grads
        self.carry = torch.zeros_like(self.states.before[0])
        self._grad_inputs = torch.empty_like(self.gates, dtype=self.low_dtype)

    def back(self, t: int, *parts: Part) -> None:
        first, second, third = _three(parts)
        assert self.carry is not None
        kept = self.gates[t], self.recurrent[t], self.states.before[t]
        gru_back(self._grad_inputs[t], self.grads[t], *kept, first, second, third, self.carry)

    def bias_gradient(self) -> Part:
        return self.grads.sum((0, 1), dtype=self.gates.dtype)

    @property
    def grad_inputs(self) -> Tensor:
        return self._grad_inputs


class ChoGRUSteps(CellSteps):
    """r, z, n; `weight` is U_rz."""

    def __init__(self, start: Start, states: States) -> None:
        size = states.before.shape[2]
        of_gates, self.weight_n = start.weight.split([2 * size, size], -2)
        super().__init__(start._replace(weight=of_gates), states)
        self.reset_states = torch.empty_like(states.before, dtype=self.low_dtype)  # r h
        self.product_n = torch.empty_like(self.reset_states[0])

    def step(self, t: int, entering: Part, product: Tensor) -> None:
        gates, inputs, before = self.gates[t], self.inputs[t], self.states.before[t]
        cho_gates(gates, inputs, entering, product, before, self.reset_states[t])
        multiply(self.reset_states[t], self.weight_n.mT, self.product_n)
        cho_step(gates, inputs, entering, self.product_n, before, self.states.after[t], self._low(t))

    def prepare_back(self, grads: Tensor) -> None:
        self.grads = grads
        self.carry = torch.zeros_like(self.states.before[0])

    def back(self, t: int, *parts: Part) -> None:
        first, second, third = _three(parts)
        assert self.carry is not None
        grad, gates, before = self.grads[t], self.gates[t], self.states.before[t]
        cho_back(grad, gates, before, first, second, third, self.carry)
        multiply(grad[:, 2 * before.shape[1] :], self.weight_n, self.product_n)
        cho_gates_back(grad, gates, before, self.product_n, self.carry)

    def weight_gradient(self, of_products: Tensor) -> Tensor:
        of_n = product_gradient(self.grads[..., 2 * self.gates.shape[2] // 3 :], self.reset_states, self.weight_n)
        return torch.cat([of_products, of_n], -2)


def multiply(inputs: Tensor, weight: Tensor, out: Tensor) -> None:
    """x [N, in] @ W [in, out], or x in D groups of rows by one W each [D, in, out] -> out [N, out]."""
    if weight.dim() == 2:
        torch.mm(inputs, weight, out=out)
    else:
        groups = len(weight)
        torch.bmm(inputs.unflatten(0, (groups, -1)), weight, out=out.unflatten(0, (groups, -1)))


def product_gradient(gradients: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    """Of W [out, in] or [D, out, in], from all steps' W x: g [T, N, out], x [T, N, in], low."""
    if weight.dim() == 2:
        return gradients.flatten(0, 1).T @ inputs.flatten(0, 1)
    groups = len(weight)
    left, right = (part.unflatten(1, (groups, -1)).transpose(0, 1).flatten(1, 2) for part in (gradients, inputs))
    return left.mT @ right


def first_state(start: Tensor, steps: int) -> Tensor:
    """start [N, H] -> states [T + 1, N, H], of which only the first is set."""
    states = start.new_empty(steps + 1, *start.shape)
    states[0] = start
    return states


def _three(parts: tuple[Part, ...]) -> tuple[Part, Part, Part]:
    first, second, third = (*(part for part in parts if part is not None), None, None, None)[:3]
    return first, second, third
