"""The operations of nmt_attn/fast/gpu/steps.py as Triton kernels, one launch each; there each is defined.

Imported where Triton is installed alone. Every number is summed by one program in one order, so that a run can be
repeated. On a CPU Triton interprets the kernels under TRITON_INTERPRET=1 (tests/fast/test_kernels.py), which does not
show what does not compile (tests/fast/test_kernels_compile.py).
"""

import triton
from torch import Tensor

from nmt_attn.fast.attention import KEY_POSITIONS
from nmt_attn.fast.gpu import attention_kernels as attention
from nmt_attn.fast.gpu import beam_kernels as beams
from nmt_attn.fast.gpu import cell_kernels as cells
from nmt_attn.fast.gpu import loss_kernels as losses
from nmt_attn.fast.gpu.sizes import PART, DoesNotFit, Part, parts_of
from nmt_attn.types import BOS, EOS, PAD, UNK

UNITS = 256
"""Units of a row that one program of a cell holds."""
TILE = 4096
"""Numbers of a [S, A] that one program of attention holds."""
WIDEST_BEAM = 32
"""Hypotheses of a sentence that one program can hold."""
MOST_SOURCES = 1024
"""Source positions that one program of attention can hold."""


def lstm_step(
    gates: Tensor,
    inputs: Tensor,
    entering: Part,
    product: Tensor,
    before: Tensor,
    cell: Tensor,
    hidden: Tensor,
    low: Part,
) -> None:
    cells.lstm_step[_units(before)](
        gates, inputs, entering, product, before, cell, hidden, low,
        _row(inputs), _row(entering), _row(product), _row(low), before.shape[1], UNITS,
    )  # fmt: skip


def lstm_back(
    grad_gates: Tensor,
    gates: Tensor,
    before: Tensor,
    cell: Tensor,
    first: Part,
    second: Part,
    third: Part,
    grad_cell: Tensor,
) -> None:
    cells.lstm_back[_units(before)](
        grad_gates, gates, before, cell, first, second, third, grad_cell,
        _row(grad_gates), _row(first), _row(second), _row(third), before.shape[1], UNITS,
    )  # fmt: skip


def gru_step(
    gates: Tensor,
    inputs: Tensor,
    entering: Part,
    product: Tensor,
    bias: Tensor,
    before: Tensor,
    recurrent: Tensor,
    hidden: Tensor,
    low: Part,
) -> None:
    cells.gru_step[_units(before)](
        gates, inputs, entering, product, bias, before, recurrent, hidden, low,
        _row(inputs), _row(entering), _row(product), _row(low), before.shape[1], UNITS,
    )  # fmt: skip


def gru_back(
    grad_gates: Tensor,
    grad_product: Tensor,
    gates: Tensor,
    recurrent: Tensor,
    before: Tensor,
    first: Part,
    second: Part,
    third: Part,
    carry: Tensor,
) -> None:
    cells.gru_back[_units(before)](
        grad_gates, grad_product, gates, recurrent, before, first, second, third, carry,
        _row(grad_gates), _row(grad_product), _row(first), _row(second), _row(third), before.shape[1], UNITS,
    )  # fmt: skip


def cho_gates(
    gates: Tensor, inputs: Tensor, entering: Part, product: Tensor, before: Tensor, reset_state: Tensor
) -> None:
    cells.cho_gates[_units(before)](
        gates, inputs, entering, product, before, reset_state,
        _row(inputs), _row(entering), _row(product), _row(reset_state), before.shape[1], UNITS,
    )  # fmt: skip


def cho_step(
    gates: Tensor, inputs: Tensor, entering: Part, product: Tensor, before: Tensor, hidden: Tensor, low: Part
) -> None:
    cells.cho_step[_units(before)](
        gates, inputs, entering, product, before, hidden, low,
        _row(inputs), _row(entering), _row(product), _row(low), before.shape[1], UNITS,
    )  # fmt: skip


def cho_back(
    grad_gates: Tensor, gates: Tensor, before: Tensor, first: Part, second: Part, third: Part, carry: Tensor
) -> None:
    cells.cho_back[_units(before)](
        grad_gates, gates, before, first, second, third, carry,
        _row(grad_gates), _row(first), _row(second), _row(third), before.shape[1], UNITS,
    )  # fmt: skip


def cho_gates_back(grad_gates: Tensor, gates: Tensor, before: Tensor, grad_reset_state: Tensor, carry: Tensor) -> None:
    cells.cho_gates_back[_units(before)](
        grad_gates, gates, before, grad_reset_state, carry,
        _row(grad_gates), _row(grad_reset_state), before.shape[1], UNITS,
    )  # fmt: skip


def attend(
    weights: Tensor,
    context: Tensor,
    query: Tensor,
    bias: Part,
    keys: Tensor,
    vector: Part,
    states: Tensor,
    mask: Tensor,
) -> None:
    repeat = len(query) // len(keys)
    attention.attend[(len(query),)](
        weights, context, query, bias, keys, vector, states, mask,
        _row(weights), _row(context), _row(query), repeat, *keys.shape[1:], states.shape[2], *_tile(keys),
        num_warps=8,
    )  # fmt: skip


def attend_back(
    slope: Tensor,
    grad_query: Tensor,
    grad_context: Tensor,
    weights: Tensor,
    query: Tensor,
    bias: Part,
    keys: Tensor,
    vector: Part,
    states: Tensor,
    first: Part,
    second: Part,
    grad_weights: Part,
) -> None:
    repeat = len(query) // len(keys)
    attention.attend_back[(len(query),)](
        slope, grad_query, grad_context, weights, query, bias, keys, vector, states, first, second, grad_weights,
        *map(_row, (slope, grad_query, grad_context, weights, query, first, second, grad_weights)),
        repeat, *keys.shape[1:], states.shape[2], *_tile(keys), num_warps=8,
    )  # fmt: skip


def key_gradients(
    of_keys: Tensor, of_vector: Tensor, queries: Tensor, bias: Part, keys: Tensor, vector: Tensor, slope: Tensor
) -> None:
    sources, inner = keys.shape[1:]
    parts = triton.cdiv(sources, KEY_POSITIONS)
    if len(of_vector) != len(keys) * parts:
        raise ValueError(f"expected {len(keys) * parts} parts, got {len(of_vector)}")
    attention.key_gradients[(len(keys) * parts, triton.cdiv(inner, attention.UNITS))](
        of_keys, of_vector, queries, bias, keys, vector, slope,
        queries.stride(0), queries.stride(1), slope.stride(0), slope.stride(1), len(queries), sources, inner, parts,
        KEY_POSITIONS, attention.UNITS,
    )  # fmt: skip


def attentional_step(output: Tensor, fed: Part, product: Tensor, bias: Part, noise: Part, has_tanh: bool) -> None:
    cells.attentional_step[_units(output)](
        output, fed, product, bias, noise,
        _row(output), _row(fed), _row(product), _row(noise), output.shape[1], has_tanh, UNITS,
    )  # fmt: skip


def attentional_back(grad_product: Tensor, output: Tensor, outer: Part, fed: Part, noise: Part, has_tanh: bool) -> None:
    cells.attentional_back[_units(output)](
        grad_product, output, outer, fed, noise,
        _row(grad_product), _row(output), _row(outer), _row(fed), _row(noise), output.shape[1], has_tanh, UNITS,
    )  # fmt: skip


def loss_rows(
    scores: Tensor, sums: Tensor, bias: Tensor, targets: Tensor, smoothing: float, padding: int, keeps_slope: bool
) -> None:
    (rows, columns), words = scores.shape, len(bias)
    losses.loss_rows[(rows,)](
        scores, sums, bias, targets, smoothing, smoothing / words, words, columns, _row(scores), padding, keeps_slope,
        losses.WORDS, num_warps=8,
    )  # fmt: skip


def best_words(values: Tensor, ids: Tensor, sums: Tensor, scores: Tensor, bias: Part, forbids_unknown: bool) -> None:
    parts, size = parts_of(scores.shape[1])
    _check_beam(values.shape[2])
    beams.best_words[(len(scores), parts)](
        values, ids, sums, scores, bias, _row(scores), scores.shape[1], forbids_unknown, values.shape[2], size,
        PAD, UNK, BOS, EOS, num_warps=4 if size == PART else 8,
    )  # fmt: skip


def advance(
    values: Tensor,
    ids: Tensor,
    sums: Tensor,
    scores: Tensor,
    bias: Part,
    totals: Tensor,
    last_ids: Tensor,
    rows: Tensor,
    best_ranks: Tensor,
    lengths: Tensor,
    is_done: Tensor,
    trace: Tensor,
    shortest: Tensor,
    longest: Tensor,
    terms: Tensor,
    lookahead: int,
) -> None:
    (batch, beam), (_, parts, count), wanted = totals.shape, values.shape, best_ranks.shape[1]
    _check_beam(beam)
    block_r, block_p, block_c, block_w = map(triton.next_power_of_2, (beam, parts, parts * count, wanted))
    beams.advance[(batch,)](
        values, ids, sums, scores, bias, totals, last_ids, rows, best_ranks, lengths, is_done, trace, shortest, longest,
        terms, _row(scores), scores.shape[1], parts, wanted, len(trace), terms.shape[1] - 1, lookahead, beam, count,
        trace.shape[1], block_r, block_p, block_c, block_w, PAD, EOS, num_warps=4,
    )  # fmt: skip


def _check_beam(beam: int) -> None:
    if beam > WIDEST_BEAM:
        raise DoesNotFit(f"expected a beam of at most {WIDEST_BEAM}, got {beam}")


def _units(rows: Tensor) -> tuple[int, int]:
    return len(rows), triton.cdiv(rows.shape[1], UNITS)


def _row(part: Part) -> int:
    """Numbers from one row to the next; those of a row lie together."""
    if part is None:
        return 0
    if part.stride(-1) != 1 and part.shape[-1] > 1:
        raise ValueError(f"expected rows without gaps, got strides {part.stride()}")
    return part.stride(0)


def _tile(keys: Tensor) -> tuple[int, int, int]:
    """Source positions, units of keys and units of states that one program holds at a time."""
    if keys.shape[1] > MOST_SOURCES:
        raise DoesNotFit(f"expected at most {MOST_SOURCES} source positions, got {keys.shape[1]}")
    positions = max(16, triton.next_power_of_2(keys.shape[1]))
    units = max(16, min(128, TILE // positions))
    return positions, units, units
