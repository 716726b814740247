"""What loops over steps on a GPU are made of: records, attention over all steps, and small helpers."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from nmt_attn.fast.attention import KEY_POSITIONS, LoopForm
from nmt_attn.fast.gpu.cell_loops import CellSteps, States, first_state, product_gradient
from nmt_attn.fast.gpu.sizes import Part
from nmt_attn.fast.gpu.steps import attend, attend_back, key_gradients


class LoopCell(NamedTuple):
    """A cell before its first step."""

    kind: type[CellSteps]
    inputs: Tensor  # W x + b [T, B, G x H]
    hidden: Tensor  # [B, H]
    cell: Tensor | None  # [B, H]
    weight: Tensor  # U [G x H, H]
    bias: Tensor | None  # of U h [G x H]


class Looped(NamedTuple):
    """All steps."""

    outputs: Tensor  # s_t or Luong's h~_t [B, T, H], in the format of products
    contexts: Tensor  # [B, T, M], likewise
    weights: Tensor  # [B, T, S] exact


class LoopAttention:
    """Attention over T steps, one query a sentence."""

    def __init__(self, score: LoopForm, states: Tensor, mask: Tensor, steps: int, low: torch.dtype) -> None:
        weight, bias, keys, vector = score
        self.exact = torch.promote_types(states.dtype, torch.float32)
        self.weight = None if weight is None else weight.to(low)
        self.bias, self.vector = bias, vector
        self.keys, self.states, self.mask = keys.to(low).contiguous(), states.to(low).contiguous(), mask.contiguous()
        self.weights = states.new_empty(steps, *mask.shape, dtype=self.exact)

    @property
    def size(self) -> int:
        """Columns that the query has in a product with the state; 0 where the query is the state."""
        return 0 if self.weight is None else len(self.weight)

    def joined(self, weight: Tensor) -> Tensor:
        """U [R, H] -> [W ; U]."""
        return weight if self.weight is None else torch.cat([self.weight, weight])

    def step(self, t: int, query: Tensor, context: Tensor) -> None:
        """W q or q [B, A] -> weights t and the context [B, M]."""
        attend(self.weights[t], context, query, self.bias, self.keys, self.vector, self.states, self.mask)

    def prepare_back(self) -> None:
        steps, rows, _ = self.weights.shape
        self.grad_contexts = self.states.new_empty(steps, rows, self.states.shape[2])
        self.slopes = torch.empty_like(self.weights)

    def back(self, t: int, query: Tensor, grad_query: Tensor, first: Part, second: Part, grad_weights: Part) -> None:
        """Gradient of the context in two parts, and of the weights -> of the query."""
        of = self.weights[t], query, self.bias, self.keys, self.vector, self.states
        attend_back(self.slopes[t], grad_query, self.grad_contexts[t], *of, first, second, grad_weights)

    def gradients(self, queries: Tensor, grad_queries: Tensor, states: Tensor) -> list[Part]:
        """queries, their gradients [T, B, A], decoder states [T, B, H] -> of W, b, keys, v, encoder states."""
        weight = None if self.weight is None else product_gradient(grad_queries, states, self.weight)
        bias = None if self.bias is None else grad_queries.sum((0, 1), dtype=self.exact)
        form = LoopForm(None, self.bias, self.keys, self.vector)
        rest = score_gradients(form, queries, self.slopes, self.weights, self.grad_contexts)
        return [weight, bias, *rest]


def score_gradients(
    form: LoopForm, queries: Tensor, slopes: Tensor, weights: Tensor, grad_contexts: Tensor
) -> tuple[Tensor, Part, Tensor]:
    """Of all steps: W q [T, B, A], gradients of the scores [T, B, S], weights, gradients of the contexts [T, B, M].

    -> gradients of keys [B, S, A], v [A] or None, and encoder states [B, S, M].
    """
    _, bias, keys, vector = form
    of_states = weights.permute(1, 2, 0).to(grad_contexts.dtype) @ grad_contexts.transpose(0, 1)
    if vector is None:
        full = queries if bias is None else (queries + bias).to(queries.dtype)
        return slopes.permute(1, 2, 0).to(queries.dtype) @ full.transpose(0, 1), None, of_states
    rows, sources, inner = keys.shape
    of_keys = torch.empty_like(keys)
    parts = slopes.new_empty(rows * -(-sources // KEY_POSITIONS), inner)
    key_gradients(of_keys, parts, queries, bias, keys, vector, slopes)
    return of_keys, parts.sum(0), of_states


def exact_states(parts: list[Any]) -> list[Any]:
    """Inputs as they are; states and the bias of U h in float32 at least; U as it is."""
    inputs, hidden, cell, weight, bias = parts
    exact = torch.promote_types(hidden.dtype, torch.float32)
    return [inputs, hidden.to(exact), None if cell is None else cell.to(exact), weight, bias]


def loop_states(
    start: Tensor, start_cell: Part, steps: int, low: torch.dtype, lows: Tensor | None = None
) -> tuple[States, Tensor, Tensor, Part]:
    """-> where the steps' states lie; states [T + 1, N, H] in the format of products, exact, and of an LSTM's cell.

    `lows`, if given, is where the first of these are to lie.
    """
    hidden = first_state(start, steps)
    if lows is None and low == start.dtype:
        lows = hidden
    elif lows is None:
        lows = torch.empty_like(hidden, dtype=low)
    if lows is not hidden:
        lows[0] = start
    cells = None if start_cell is None else first_state(start_cell, steps)
    around = (None, None) if cells is None else (cells[:-1], cells[1:])
    return States(hidden[:-1], hidden[1:], None if lows is hidden else lows[1:], *around), lows, hidden, cells


def times(gradients: Tensor, weight: Tensor, out: Tensor, beside: Part) -> None:
    """g [N, R] @ W [R, H], plus what else reaches the state [N, H]."""
    if beside is None:
        torch.mm(gradients, weight, out=out)
    else:
        torch.addmm(beside, gradients, weight, out=out)


def at(part: Part, t: int) -> Part:
    return None if part is None else part[t]


def dense(part: Part) -> Part:
    """With rows without gaps."""
    return part if part is None or part.stride(-1) == 1 else part.contiguous()


def plus(through: Tensor, carry: Part) -> Tensor:
    return through if carry is None else through.to(carry.dtype) + carry
