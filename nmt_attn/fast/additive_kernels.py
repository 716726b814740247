"""Kernels of v . tanh(q + k) for a GPU, in Triton: the [B, T, S, A] of all tanh never exists.

    scores[b, t, s] = sum_a v_a tanh(q_bta + k_bsa)
    dq[b, t, a]     = v_a sum_s g_bts (1 - tanh^2)
    dk[b, s, a]     = v_a sum_t g_bts (1 - tanh^2)
    dv[a]           = sum_bts g_bts tanh

Every number is summed by one program in one order, so a run can be repeated. Imported where triton is there alone
(nmt_attn/model/fused.py). On a CPU triton runs them under TRITON_INTERPRET=1.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

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
