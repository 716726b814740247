# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
"""Triton: one step of attention, and the gradients of keys and v of all steps (defined in nmt_attn/fast/gpu/steps.py).

A program has one query and holds the scores of all its source positions, so that score, softmax and context are one
launch and the [S, A] of all tanh never leaves it.
"""

import triton
import triton.language as tl

from nmt_attn.fast.gpu.cell_kernels import tanh

UNITS = 64
"""Units that a program of `key_gradients` holds."""


@triton.jit
def _query(query, bias, a, known):
    """q + b of units a, in float32."""
    value = tl.load(query + a, mask=known, other=0.0).to(tl.float32)
    if bias is not None:
        value += tl.load(bias + a, mask=known, other=0.0).to(tl.float32)
    return value


@triton.jit
def attend(
    weights, context, query, bias, keys, vector, states, mask,
    weights_row, context_row, query_row, repeat, sources, inner: tl.constexpr, size: tl.constexpr,
    block_s: tl.constexpr, block_a: tl.constexpr, block_m: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    b, s = n // repeat, tl.arange(0, block_s)
    is_source = s < sources
    firsts = (b * sources + s)[:, None]
    total = tl.zeros([block_s, block_a], dtype=tl.float32)
    for start in range(0, inner, block_a):
        a = start + tl.arange(0, block_a)
        known = a < inner
        q = _query(query + n * query_row, bias, a, known)
        inside = is_source[:, None] & known[None, :]
        key = tl.load(keys + firsts * inner + a[None, :], mask=inside, other=0.0).to(tl.float32)
        if vector is None:
            total += q[None, :] * key
        else:
            v = tl.load(vector + a, mask=known, other=0.0).to(tl.float32)
            total += tanh(q[None, :] + key) * v[None, :]
    is_seen = tl.load(mask + b * sources + s, mask=is_source, other=0) != 0
    scores = tl.where(is_seen, tl.sum(total, axis=1), -3.0e38)
    exponential = tl.where(is_source, tl.exp(scores - tl.max(scores, axis=0)), 0.0)
    w = tl.where(is_seen, exponential / tl.sum(exponential, axis=0), 0.0)
    tl.store(weights + n * weights_row + s, w, mask=is_source)
    for start in range(0, size, block_m):
        m = start + tl.arange(0, block_m)
        inside = is_source[:, None] & (m < size)[None, :]
        state = tl.load(states + firsts * size + m[None, :], mask=inside, other=0.0).to(tl.float32)
        tl.store(context + n * context_row + m, tl.sum(w[:, None] * state, axis=0), mask=m < size)


@triton.jit
def attend_back(
    slope, grad_query, grad_context, weights, query, bias, keys, vector, states, first, second, grad_weights,
    slope_row, grad_query_row, grad_context_row, weights_row, query_row, first_row, second_row, grad_weights_row,
    repeat, sources, inner: tl.constexpr, size: tl.constexpr,
    block_s: tl.constexpr, block_a: tl.constexpr, block_m: tl.constexpr,
):  # fmt: skip
    n, s = tl.program_id(0).to(tl.int64), tl.arange(0, block_s)
    is_source = s < sources
    firsts = (n // repeat * sources + s)[:, None]
    total = tl.zeros([block_s, block_m], dtype=tl.float32)
    for start in range(0, size, block_m):
        m = start + tl.arange(0, block_m)
        known = m < size
        grad = tl.zeros([block_m], dtype=tl.float32)
        if first is not None:
            grad += tl.load(first + n * first_row + m, mask=known, other=0.0).to(tl.float32)
        if second is not None:
            grad += tl.load(second + n * second_row + m, mask=known, other=0.0).to(tl.float32)
        tl.store(grad_context + n * grad_context_row + m, grad, mask=known)
        inside = is_source[:, None] & known[None, :]
        total += grad[None, :] * tl.load(states + firsts * size + m[None, :], mask=inside, other=0.0).to(tl.float32)
    of_weights = tl.sum(total, axis=1)
    if grad_weights is not None:
        of_weights += tl.load(grad_weights + n * grad_weights_row + s, mask=is_source, other=0.0).to(tl.float32)
    w = tl.load(weights + n * weights_row + s, mask=is_source, other=0.0)
    of_scores = w * (of_weights - tl.sum(w * of_weights, axis=0))
    tl.store(slope + n * slope_row + s, of_scores, mask=is_source)
    for start in range(0, inner, block_a):
        a = start + tl.arange(0, block_a)
        known = a < inner
        inside = is_source[:, None] & known[None, :]
        key = tl.load(keys + firsts * inner + a[None, :], mask=inside, other=0.0).to(tl.float32)
        if vector is None:
            grad = tl.sum(of_scores[:, None] * key, axis=0)
        else:
            t = tanh(_query(query + n * query_row, bias, a, known)[None, :] + key)
            v = tl.load(vector + a, mask=known, other=0.0).to(tl.float32)
            grad = tl.sum(of_scores[:, None] * (1 - t * t), axis=0) * v
        tl.store(grad_query + n * grad_query_row + a, grad, mask=known)


@triton.jit
def key_gradients(
    of_keys, of_vector, queries, bias, keys, vector, slope,
    query_step, query_row, slope_step, slope_row, steps, sources, inner, parts,
    block_s: tl.constexpr, block_a: tl.constexpr,
):  # fmt: skip
    """One program: a block of source positions of a sentence, and a block of units."""
    program = tl.program_id(0).to(tl.int64)
    b, part = program // parts, program % parts
    s = part * block_s + tl.arange(0, block_s)
    a = tl.program_id(1) * block_a + tl.arange(0, block_a)
    is_source, known = s < sources, a < inner
    inside = is_source[:, None] & known[None, :]
    places = (b * sources + s)[:, None] * inner + a[None, :]
    key = tl.load(keys + places, mask=inside, other=0.0).to(tl.float32)
    total = tl.zeros([block_s, block_a], dtype=tl.float32)
    tanhs = tl.zeros([block_s, block_a], dtype=tl.float32)
    for step in range(steps):
        q = _query(queries + step * query_step + b * query_row, bias, a, known)
        grad = tl.load(slope + step * slope_step + b * slope_row + s, mask=is_source, other=0.0)
        t = tanh(q[None, :] + key)
        total += grad[:, None] * (1 - t * t)
        tanhs += grad[:, None] * t
    v = tl.load(vector + a, mask=known, other=0.0).to(tl.float32)
    tl.store(of_keys + places, total * v[None, :], mask=inside)
    tl.store(of_vector + program * inner + a, tl.sum(tanhs, axis=0), mask=known)
