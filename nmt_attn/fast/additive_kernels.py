"""Kernels of v . tanh(q + k) for a GPU, in Triton: the [B, T, S, A] of all tanh never exists.

    scores[b, t, s] = sum_a v_a tanh(q_bta + k_bsa)
    dq[b, t, a]     = v_a sum_s g_bts (1 - tanh^2)
    dk[b, s, a]     = v_a sum_t g_bts (1 - tanh^2)
    dv[a]           = sum_bts g_bts tanh

Every number is summed by one program in one order, so a run can be repeated. Imported only where triton is
installed (nmt_attn/fast/attention.py). Covers float32. On a CPU triton runs them under TRITON_INTERPRET=1.
"""

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

BLOCK_S, BLOCK_A = 16, 64
"""Source positions and units that a program holds at a time."""


def scores(queries: Tensor, keys: Tensor, vector: Tensor, out: Tensor) -> None:
    """q [T, B, A], k [B, S, A], v [A] -> out [T, B, S]. The last axes lie without gaps, keys and v as a whole."""
    steps, rows, hidden = queries.shape
    sources = keys.shape[1]
    grid = (steps * rows, triton.cdiv(sources, BLOCK_S))
    sizes = (rows, sources, hidden)
    _scores[grid](queries, keys, vector, out, *sizes, *_strides(queries), *_strides(out), BLOCK_S, BLOCK_A)


def query_gradient(queries: Tensor, keys: Tensor, vector: Tensor, slope: Tensor, out: Tensor) -> None:
    """The same and d loss / d scores [T, B, S] -> out [T, B, A]."""
    steps, rows, hidden = queries.shape
    grid = (steps * rows, triton.cdiv(hidden, BLOCK_A))
    sizes = (rows, keys.shape[1], hidden)
    strides = (*_strides(queries), *_strides(slope), *_strides(out))
    _query_gradient[grid](queries, keys, vector, slope, out, *sizes, *strides, BLOCK_S, BLOCK_A)


def key_gradients(queries: Tensor, keys: Tensor, vector: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """The same -> d loss / d k [B, S, A], d loss / d v [A]."""
    steps, rows, hidden = queries.shape
    blocks = triton.cdiv(keys.shape[1], BLOCK_S)
    of_keys = torch.empty_like(keys)
    of_vector = torch.empty(rows * blocks, hidden, dtype=vector.dtype, device=vector.device)
    sizes = (steps, keys.shape[1], hidden, blocks)
    grid = (rows * blocks, triton.cdiv(hidden, BLOCK_A))
    strides = (*_strides(queries), *_strides(slope))
    _key_gradients[grid](queries, keys, vector, slope, of_keys, of_vector, *sizes, *strides, BLOCK_S, BLOCK_A)
    return of_keys, of_vector.sum(0)


def kernel_scores(queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """q [B, T, A], k [B, S, A], v [A], float32 -> v . tanh(q + k) [B, T, S] by the kernels, with a gradient."""
    made: Tensor = _KernelScores.apply(queries.transpose(0, 1), keys, vector)  # type: ignore[no-untyped-call]
    return made.transpose(0, 1)


def errors_on(device: torch.device) -> list[float]:
    """The largest of the scores and of the gradients of q, k and v, on numbers of size 1 in several blocks."""
    steps, rows, sources, hidden = 2, 3, 21, 70
    shapes = ((steps, rows, hidden), (rows, sources, hidden), (hidden,), (steps, rows, sources))
    here = [torch.linspace(-7, 9, math.prod(shape)).sin().view(shape) for shape in shapes]
    queries, keys, vector, slope = here
    tanh = torch.tanh(queries.unsqueeze(2) + keys)  # [T, B, S, A]
    inner = slope.unsqueeze(3) * (1 - tanh * tanh) * vector
    wanted = [tanh @ vector, inner.sum(2), inner.sum(0), (slope.unsqueeze(3) * tanh).sum((0, 1, 2))]
    queries, keys, vector, slope = (part.to(device) for part in here)
    found = [torch.empty_like(slope), torch.empty_like(queries)]
    scores(queries, keys, vector, found[0])
    query_gradient(queries, keys, vector, slope, found[1])
    found += key_gradients(queries, keys, vector, slope)
    return [float((mine.cpu() - other).abs().max()) for mine, other in zip(found, wanted, strict=True)]


def _strides(tensor: Tensor) -> tuple[int, int]:
    return tensor.stride(0), tensor.stride(1)


@triton.jit  # type: ignore[untyped-decorator]
def _tanh(x: Any) -> Any:
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit  # type: ignore[untyped-decorator]
def _scores(
    queries: Any,
    keys: Any,
    vector: Any,
    out: Any,
    rows: Any,
    sources: Any,
    hidden: Any,
    query_step: Any,
    query_row: Any,
    out_step: Any,
    out_row: Any,
    block_s: tl.constexpr,
    block_a: tl.constexpr,
) -> None:
    """One program: a step of a sentence, and a block of source positions."""
    step, row = tl.program_id(0) // rows, tl.program_id(0) % rows
    s = tl.program_id(1) * block_s + tl.arange(0, block_s)
    total = tl.zeros([block_s], dtype=tl.float32)
    for start in range(0, hidden, block_a):
        a = start + tl.arange(0, block_a)
        query = tl.load(queries + step * query_step + row * query_row + a, mask=a < hidden, other=0.0)
        weight = tl.load(vector + a, mask=a < hidden, other=0.0)
        inside = (s < sources)[:, None] & (a < hidden)[None, :]
        key = tl.load(keys + (row * sources + s)[:, None] * hidden + a[None, :], mask=inside, other=0.0)
        total += tl.sum(_tanh(query[None, :] + key) * weight[None, :], axis=1)
    tl.store(out + step * out_step + row * out_row + s, total, mask=s < sources)


@triton.jit  # type: ignore[untyped-decorator]
def _query_gradient(
    queries: Any,
    keys: Any,
    vector: Any,
    slope: Any,
    out: Any,
    rows: Any,
    sources: Any,
    hidden: Any,
    query_step: Any,
    query_row: Any,
    slope_step: Any,
    slope_row: Any,
    out_step: Any,
    out_row: Any,
    block_s: tl.constexpr,
    block_a: tl.constexpr,
) -> None:
    """One program: a step of a sentence, and a block of units."""
    step, row = tl.program_id(0) // rows, tl.program_id(0) % rows
    a = tl.program_id(1) * block_a + tl.arange(0, block_a)
    query = tl.load(queries + step * query_step + row * query_row + a, mask=a < hidden, other=0.0)
    weight = tl.load(vector + a, mask=a < hidden, other=0.0)
    total = tl.zeros([block_a], dtype=tl.float32)
    for start in range(0, sources, block_s):
        s = start + tl.arange(0, block_s)
        inside = (s < sources)[:, None] & (a < hidden)[None, :]
        key = tl.load(keys + (row * sources + s)[:, None] * hidden + a[None, :], mask=inside, other=0.0)
        grad = tl.load(slope + step * slope_step + row * slope_row + s, mask=s < sources, other=0.0)
        tanh = _tanh(query[None, :] + key)
        total += tl.sum(grad[:, None] * (1 - tanh * tanh), axis=0)
    tl.store(out + step * out_step + row * out_row + a, total * weight, mask=a < hidden)


@triton.jit  # type: ignore[untyped-decorator]
def _key_gradients(
    queries: Any,
    keys: Any,
    vector: Any,
    slope: Any,
    of_keys: Any,
    of_vector: Any,
    steps: Any,
    sources: Any,
    hidden: Any,
    blocks: Any,
    query_step: Any,
    query_row: Any,
    slope_step: Any,
    slope_row: Any,
    block_s: tl.constexpr,
    block_a: tl.constexpr,
) -> None:
    """One program: a block of source positions of a sentence, and a block of units."""
    row, block = tl.program_id(0) // blocks, tl.program_id(0) % blocks
    s = block * block_s + tl.arange(0, block_s)
    a = tl.program_id(1) * block_a + tl.arange(0, block_a)
    inside = (s < sources)[:, None] & (a < hidden)[None, :]
    places = (row * sources + s)[:, None] * hidden + a[None, :]
    key = tl.load(keys + places, mask=inside, other=0.0)
    weight = tl.load(vector + a, mask=a < hidden, other=0.0)
    total = tl.zeros([block_s, block_a], dtype=tl.float32)
    tanhs = tl.zeros([block_s, block_a], dtype=tl.float32)
    for step in range(steps):
        query = tl.load(queries + step * query_step + row * query_row + a, mask=a < hidden, other=0.0)
        grad = tl.load(slope + step * slope_step + row * slope_row + s, mask=s < sources, other=0.0)
        tanh = _tanh(query[None, :] + key)
        total += grad[:, None] * (1 - tanh * tanh)
        tanhs += grad[:, None] * tanh
    tl.store(of_keys + places, total * weight[None, :], mask=inside)
    tl.store(of_vector + tl.program_id(0) * hidden + a, tl.sum(tanhs, axis=0), mask=a < hidden)


class _KernelScores(Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
        queries, keys, vector = _dense(queries), keys.contiguous(), vector.contiguous()
        ctx.save_for_backward(queries, keys, vector)
        out = queries.new_empty(*queries.shape[:2], keys.shape[1])
        scores(queries, keys, vector, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, vector = ctx.saved_tensors
        slope = _dense(slope)
        of_queries = torch.empty_like(queries)
        query_gradient(queries, keys, vector, slope, of_queries)
        return of_queries, *key_gradients(queries, keys, vector, slope)


def _dense(tensor: Tensor) -> Tensor:
    """The tensor, or a copy if its last axis has gaps."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()
