# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
"""Triton: one step of a cell and of Luong's h~, forward and backward (defined in nmt_attn/fast/gpu/steps.py).

A program has a row and a block of units. Arguments bear no annotations: Triton would look the names up in the kernel.
"""

import triton
import triton.language as tl


@triton.jit
def tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def _place(size, block: tl.constexpr):
    unit = tl.program_id(1) * block + tl.arange(0, block)
    return tl.program_id(0).to(tl.int64), unit, unit < size


@triton.jit
def _read(part, place, inside):
    """In float32; 0 where there is no such part."""
    if part is None:
        return 0.0
    else:  # noqa: RET505, Triton would compile what stands after the return too
        return tl.load(part + place, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def _write(part, place, value, inside):
    if part is not None:
        tl.store(part + place, value, mask=inside)


@triton.jit
def _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, gate, size):
    """x of one gate."""
    at = gate * size + unit
    return _read(inputs, n * inputs_row + at, inside) + _read(entering, n * entering_row + at, inside)


@triton.jit
def _grad(first, second, third, first_row, second_row, third_row, n, unit, inside):
    """A gradient from its parts."""
    total = _read(first, n * first_row + unit, inside) + _read(second, n * second_row + unit, inside)
    return total + _read(third, n * third_row + unit, inside)


@triton.jit
def lstm_step(
    gates, inputs, entering, product, before, cell, hidden, low,
    inputs_row, entering_row, product_row, low_row, size, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    own, at = n * size + unit, n * product_row + unit
    i = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 0, size) + _read(product, at, inside)
    f = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 1, size) + _read(product, at + size, inside)
    g = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 2, size)
    g += _read(product, at + 2 * size, inside)
    o = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 3, size)
    o += _read(product, at + 3 * size, inside)
    i, f, g, o = tl.sigmoid(i), tl.sigmoid(f), tanh(g), tl.sigmoid(o)
    row = n * 4 * size + unit
    tl.store(gates + row, i, mask=inside)
    tl.store(gates + row + size, f, mask=inside)
    tl.store(gates + row + 2 * size, g, mask=inside)
    tl.store(gates + row + 3 * size, o, mask=inside)
    c = f * tl.load(before + own, mask=inside, other=0.0) + i * g
    h = o * tanh(c)
    tl.store(cell + own, c, mask=inside)
    tl.store(hidden + own, h, mask=inside)
    _write(low, n * low_row + unit, h, inside)


@triton.jit
def lstm_back(
    grad_gates, gates, before, cell, first, second, third, grad_cell,
    grad_row, first_row, second_row, third_row, size, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    own, row = n * size + unit, n * 4 * size + unit
    i, f = _read(gates, row, inside), _read(gates, row + size, inside)
    g, o = _read(gates, row + 2 * size, inside), _read(gates, row + 3 * size, inside)
    grad = _grad(first, second, third, first_row, second_row, third_row, n, unit, inside)
    c = tanh(_read(cell, own, inside))
    of_cell = _read(grad_cell, own, inside) + grad * o * (1 - c * c)
    out = n * grad_row + unit
    tl.store(grad_gates + out, of_cell * g * i * (1 - i), mask=inside)
    tl.store(grad_gates + out + size, of_cell * _read(before, own, inside) * f * (1 - f), mask=inside)
    tl.store(grad_gates + out + 2 * size, of_cell * i * (1 - g * g), mask=inside)
    tl.store(grad_gates + out + 3 * size, grad * c * o * (1 - o), mask=inside)
    tl.store(grad_cell + own, of_cell * f, mask=inside)


@triton.jit
def gru_step(
    gates, inputs, entering, product, bias, before, recurrent, hidden, low,
    inputs_row, entering_row, product_row, low_row, size, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    own, row, at = n * size + unit, n * 3 * size + unit, n * product_row + unit
    r = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 0, size)
    r = tl.sigmoid(r + _read(product, at, inside) + _read(bias, unit, inside))
    z = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 1, size)
    z = tl.sigmoid(z + _read(product, at + size, inside) + _read(bias, unit + size, inside))
    inner = _read(product, at + 2 * size, inside) + _read(bias, unit + 2 * size, inside)
    c = tanh(_gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 2, size) + r * inner)
    h = c + z * (_read(before, own, inside) - c)
    tl.store(gates + row, r, mask=inside)
    tl.store(gates + row + size, z, mask=inside)
    tl.store(gates + row + 2 * size, c, mask=inside)
    tl.store(recurrent + own, inner, mask=inside)
    tl.store(hidden + own, h, mask=inside)
    _write(low, n * low_row + unit, h, inside)


@triton.jit
def gru_back(
    grad_gates, grad_product, gates, recurrent, before, first, second, third, carry,
    grad_row, product_row, first_row, second_row, third_row, size, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    own, row = n * size + unit, n * 3 * size + unit
    r, z, c = _read(gates, row, inside), _read(gates, row + size, inside), _read(gates, row + 2 * size, inside)
    grad = _grad(first, second, third, first_row, second_row, third_row, n, unit, inside)
    of_c = grad * (1 - z) * (1 - c * c)
    of_z = grad * (_read(before, own, inside) - c) * z * (1 - z)
    of_r = of_c * _read(recurrent, own, inside) * r * (1 - r)
    out, inner = n * grad_row + unit, n * product_row + unit
    tl.store(grad_gates + out, of_r, mask=inside)
    tl.store(grad_gates + out + size, of_z, mask=inside)
    tl.store(grad_gates + out + 2 * size, of_c, mask=inside)
    tl.store(grad_product + inner, of_r, mask=inside)
    tl.store(grad_product + inner + size, of_z, mask=inside)
    tl.store(grad_product + inner + 2 * size, of_c * r, mask=inside)
    tl.store(carry + own, grad * z, mask=inside)


@triton.jit
def cho_gates(
    gates, inputs, entering, product, before, reset_state,
    inputs_row, entering_row, product_row, reset_row, size, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    row, at = n * 3 * size + unit, n * product_row + unit
    r = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 0, size)
    r = tl.sigmoid(r + _read(product, at, inside))
    z = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 1, size)
    z = tl.sigmoid(z + _read(product, at + size, inside))
    tl.store(gates + row, r, mask=inside)
    tl.store(gates + row + size, z, mask=inside)
    tl.store(reset_state + n * reset_row + unit, r * _read(before, n * size + unit, inside), mask=inside)


@triton.jit
def cho_step(
    gates, inputs, entering, product, before, hidden, low,
    inputs_row, entering_row, product_row, low_row, size, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    own, row = n * size + unit, n * 3 * size + unit
    c = _gate(inputs, entering, inputs_row, entering_row, n, unit, inside, 2, size)
    c = tanh(c + _read(product, n * product_row + unit, inside))
    h = c + _read(gates, row + size, inside) * (_read(before, own, inside) - c)
    tl.store(gates + row + 2 * size, c, mask=inside)
    tl.store(hidden + own, h, mask=inside)
    _write(low, n * low_row + unit, h, inside)


@triton.jit
def cho_back(
    grad_gates, gates, before, first, second, third, carry,
    grad_row, first_row, second_row, third_row, size, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    own, row, out = n * size + unit, n * 3 * size + unit, n * grad_row + unit
    z, c = _read(gates, row + size, inside), _read(gates, row + 2 * size, inside)
    grad = _grad(first, second, third, first_row, second_row, third_row, n, unit, inside)
    tl.store(grad_gates + out + size, grad * (_read(before, own, inside) - c) * z * (1 - z), mask=inside)
    tl.store(grad_gates + out + 2 * size, grad * (1 - z) * (1 - c * c), mask=inside)
    tl.store(carry + own, grad * z, mask=inside)


@triton.jit
def cho_gates_back(
    grad_gates, gates, before, grad_reset_state, carry, grad_row, reset_row, size, block: tl.constexpr
):  # fmt: skip
    n, unit, inside = _place(size, block)
    own = n * size + unit
    r, grad = _read(gates, n * 3 * size + unit, inside), _read(grad_reset_state, n * reset_row + unit, inside)
    of_r = grad * _read(before, own, inside) * r * (1 - r)
    tl.store(grad_gates + n * grad_row + unit, of_r, mask=inside)
    tl.store(carry + own, _read(carry, own, inside) + grad * r, mask=inside)


@triton.jit
def attentional_step(
    output, fed, product, bias, noise,
    output_row, fed_row, product_row, noise_row, size, has_tanh: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    total = _read(product, n * product_row + unit, inside) + _read(bias, unit, inside)
    if has_tanh:
        total = tanh(total)
    tl.store(output + n * output_row + unit, total, mask=inside)
    if noise is not None:
        total *= _read(noise, n * noise_row + unit, inside)
    _write(fed, n * fed_row + unit, total, inside)


@triton.jit
def attentional_back(
    grad_product, output, outer, fed, noise,
    grad_row, output_row, outer_row, fed_row, noise_row, size, has_tanh: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    n, unit, inside = _place(size, block)
    total = _read(fed, n * fed_row + unit, inside)
    if noise is not None:
        total *= _read(noise, n * noise_row + unit, inside)
    total += _read(outer, n * outer_row + unit, inside)
    if has_tanh:
        value = _read(output, n * output_row + unit, inside)
        total *= 1 - value * value
    tl.store(grad_product + n * grad_row + unit, total + tl.zeros([block], tl.float32), mask=inside)
