"""Steps of the loops, defined: cells, attention and Luong's h~, forward and backward, each writing into its operands.

Letters of shapes: nmt_attn/types.py; N = B rows, G gates. Numbers come in two formats: `exact` (float32, or float64 in
tests) for what is carried over steps and summed, `low` for factors of products: bf16, fp16, or the exact one. Every
operation computes in the exact format, whatever it reads and writes.

    lstm      c' = f c + i g;  h' = o tanh c'                    nmt_attn/model/cells.py
    gru       n = tanh(x_n + r (U h + b)_n);  h' = (1 - z) n + z h
    gru-cho   n = tanh(x_n + U_n (r h));      h' = (1 - z) n + z h
    attention a = softmax(v . tanh(q + k)) or softmax(q . k);  c = a . states
    h~        f(W_c [c ; s] + b)

A gradient that reaches a step comes in up to three parts, which are added up here.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nmt_attn.fast.attention import KEY_POSITIONS
from nmt_attn.fast.gpu.operation import operation
from nmt_attn.fast.gpu.sizes import Part


def _sum(parts: tuple[Part, ...], like: Tensor) -> Tensor:
    """In the number format of `like`."""
    total: Tensor | None = None
    for part in parts:
        if part is not None:
            total = part.to(like.dtype) if total is None else total + part.to(like.dtype)
    return torch.zeros_like(like) if total is None else total


def _write(hidden: Tensor, value: Tensor, low: Part) -> None:
    hidden.copy_(value)
    if low is not None:
        low.copy_(value)


@operation
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
    """inputs, what enters beside it or None, U h [N, 4H], last cell state [N, H].

    Writes the activated gates [N, 4H], cell and hidden state [N, H], the latter in the low format too.
    """
    total = _sum((inputs, entering, product), gates)
    for part, activate in zip(
        total.chunk(4, -1), (torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid), strict=True
    ):
        part.copy_(activate(part))
    gates.copy_(total)
    input_gate, forget, candidate, output = total.chunk(4, -1)
    cell.copy_(forget * before + input_gate * candidate)
    _write(hidden, output * torch.tanh(cell), low)


@operation
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
    """Activated gates, cell states before and after; gradients of the hidden state in parts, of the cell state [N, H].

    Writes the gradient of the gate inputs [N, 4H]; that of the cell state becomes that of the one before.
    """
    input_gate, forget, candidate, output = gates.chunk(4, -1)
    grad, tanh = _sum((first, second, third), cell), torch.tanh(cell)
    of_cell = grad_cell + grad * output * (1 - tanh * tanh)
    parts = (
        of_cell * candidate * input_gate * (1 - input_gate),
        of_cell * before * forget * (1 - forget),
        of_cell * input_gate * (1 - candidate * candidate),
        grad * tanh * output * (1 - output),
    )
    grad_gates.copy_(torch.cat(parts, -1))
    grad_cell.copy_(of_cell * forget)


@operation
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
    """inputs, what enters beside it or None, U h [N, 3H], b [3H], last state [N, H].

    Writes the activated gates [N, 3H], (U h + b)_n [N, H] and the state [N, H], in the low format too.
    """
    size = before.shape[1]
    inner, outer = product.to(gates.dtype) + bias.to(gates.dtype), _sum((inputs, entering), gates)
    reset, update = torch.sigmoid(outer[:, : 2 * size] + inner[:, : 2 * size]).chunk(2, -1)
    candidate = torch.tanh(outer[:, 2 * size :] + reset * inner[:, 2 * size :])
    gates.copy_(torch.cat([reset, update, candidate], -1))
    recurrent.copy_(inner[:, 2 * size :])
    _write(hidden, candidate + update * (before - candidate), low)


@operation
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
    """What the step wrote, the state before it, gradients of the state [N, H] in parts, of which one may be `carry`.

    Writes the gradients of the gate inputs and of U h [N, 3H]; `carry` [N, H] becomes that of the state before, without
    what goes through U.
    """
    reset, update, candidate = gates.chunk(3, -1)
    grad = _sum((first, second, third), before)
    of_candidate = grad * (1 - update) * (1 - candidate * candidate)
    of_update = grad * (before - candidate) * update * (1 - update)
    of_reset = of_candidate * recurrent * reset * (1 - reset)
    grad_gates.copy_(torch.cat([of_reset, of_update, of_candidate], -1))
    grad_product.copy_(torch.cat([of_reset, of_update, of_candidate * reset], -1))
    carry.copy_(grad * update)


@operation
def cho_gates(
    gates: Tensor, inputs: Tensor, entering: Part, product: Tensor, before: Tensor, reset_state: Tensor
) -> None:
    """inputs, what enters or None [N, 3H], U_rz h [N, 2H], last state [N, H] -> r and z in gates, r h [N, H] low."""
    size = before.shape[1]
    total = _sum((inputs, entering), gates)[:, : 2 * size] + product.to(gates.dtype)
    gates[:, : 2 * size] = torch.sigmoid(total)
    reset_state.copy_(gates[:, :size] * before)


@operation
def cho_step(
    gates: Tensor, inputs: Tensor, entering: Part, product: Tensor, before: Tensor, hidden: Tensor, low: Part
) -> None:
    """The same, with r and z in gates, and U_n (r h) [N, H] -> n in gates, and the state [N, H], in `low` too."""
    size = before.shape[1]
    candidate = torch.tanh(_sum((inputs, entering), gates)[:, 2 * size :] + product.to(gates.dtype))
    gates[:, 2 * size :] = candidate
    _write(hidden, candidate + gates[:, size : 2 * size] * (before - candidate), low)


@operation
def cho_back(
    grad_gates: Tensor, gates: Tensor, before: Tensor, first: Part, second: Part, third: Part, carry: Tensor
) -> None:
    """Gradients of the state [N, H] in parts -> of z and n in grad_gates [N, 3H]; `carry` as in `gru_back`."""
    size = before.shape[1]
    _, update, candidate = gates.chunk(3, -1)
    grad = _sum((first, second, third), before)
    grad_gates[:, size : 2 * size] = (grad * (before - candidate) * update * (1 - update)).to(grad_gates.dtype)
    grad_gates[:, 2 * size :] = (grad * (1 - update) * (1 - candidate * candidate)).to(grad_gates.dtype)
    carry.copy_(grad * update)


@operation
def cho_gates_back(grad_gates: Tensor, gates: Tensor, before: Tensor, grad_reset_state: Tensor, carry: Tensor) -> None:
    """Gradient of r h [N, H] -> of r in grad_gates [N, 3H]; `carry` grows by what goes through r h."""
    size = before.shape[1]
    reset, grad = gates[:, :size], grad_reset_state.to(gates.dtype)
    grad_gates[:, :size] = (grad * before * reset * (1 - reset)).to(grad_gates.dtype)
    carry.add_(grad * reset)


@operation
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
    """W q [N, A], b [A] or None, keys [B, S, A], v [A] or None for a dot product, states [B, S, M], mask [B, S] bool.

    Writes weights [N, S] and context [N, M]; N = B x K, the K queries of a sentence adjacent. A sentence without any
    position that may be seen has weights 0.
    """
    repeat = len(query) // len(keys)
    projected = _projected(query, bias, weights)
    seen_keys = keys.to(weights.dtype).repeat_interleave(repeat, 0)
    if vector is None:
        scores = (seen_keys * projected.unsqueeze(1)).sum(2)
    else:
        scores = torch.tanh(seen_keys + projected.unsqueeze(1)) @ vector.to(weights.dtype)
    hidden = ~mask.repeat_interleave(repeat, 0)
    chances = torch.softmax(scores.masked_fill(hidden, torch.finfo(scores.dtype).min), -1).masked_fill(hidden, 0.0)
    weights.copy_(chances)
    context.copy_((chances.unsqueeze(1) @ states.to(weights.dtype).repeat_interleave(repeat, 0)).squeeze(1))


@operation
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
    """Gradients of the context [N, M] in parts and of the weights [N, S] or None; N = B x K as in `attend`.

    Writes their sum [N, M], the gradients of the scores [N, S] and of the query [N, A].
    """
    exact, repeat = weights.dtype, len(weights) // len(keys)
    seen_keys, seen_states = (part.to(exact).repeat_interleave(repeat, 0) for part in (keys, states))
    of_context = _sum((first, second), seen_states[:, 0])
    grad_context.copy_(of_context)
    of_weights = (seen_states @ of_context.unsqueeze(2)).squeeze(2)
    if grad_weights is not None:
        of_weights = of_weights + grad_weights.to(exact)
    of_scores = weights * (of_weights - (weights * of_weights).sum(1, keepdim=True))
    slope.copy_(of_scores)
    if vector is None:
        grad_query.copy_((of_scores.unsqueeze(1) @ seen_keys).squeeze(1))
        return
    tanh = torch.tanh(seen_keys + _projected(query, bias, weights).unsqueeze(1))
    grad_query.copy_((of_scores.unsqueeze(1) @ (1 - tanh * tanh)).squeeze(1) * vector.to(exact))


@operation
def key_gradients(
    of_keys: Tensor, of_vector: Tensor, queries: Tensor, bias: Part, keys: Tensor, vector: Tensor, slope: Tensor
) -> None:
    """All steps: W q [T, B, A], the gradients of the scores [T, B, S] -> of keys [B, S, A] and, in parts, of v [P, A].

    There is one part for each sentence and `KEY_POSITIONS` of its source positions; they add up to the gradient of v.
    """
    exact, sources = slope.dtype, keys.shape[1]
    tanh = torch.tanh(_projected(queries, bias, slope).unsqueeze(2) + keys.to(exact))  # [T, B, S, A]
    of_keys.copy_(((1 - tanh * tanh) * slope.unsqueeze(3)).sum(0) * vector.to(exact))
    tanhs = pad((tanh * slope.unsqueeze(3)).sum(0), (0, 0, 0, -sources % KEY_POSITIONS))  # [B, whole parts, A]
    of_vector.copy_(tanhs.unflatten(1, (-1, KEY_POSITIONS)).sum(2).flatten(0, 1))


@operation
def attentional_step(output: Tensor, fed: Part, product: Tensor, bias: Part, noise: Part, has_tanh: bool) -> None:
    """W_c [c ; s] [N, H], b or None -> h~ [N, H] and, where it is fed, h~ with noise [N, H] or None."""
    exact = torch.promote_types(output.dtype, torch.float32)
    total = _projected(product, bias, product.to(exact))
    if has_tanh:
        total = torch.tanh(total)
    output.copy_(total)
    if fed is not None:
        fed.copy_(total if noise is None else total * noise)


@operation
def attentional_back(grad_product: Tensor, output: Tensor, outer: Part, fed: Part, noise: Part, has_tanh: bool) -> None:
    """Gradients of h~ [N, H] from outside and of what was fed, each may be None -> of W_c [c ; s] + b [N, H]."""
    exact = output.to(torch.promote_types(output.dtype, torch.float32))
    total = torch.zeros_like(exact) if outer is None else outer.to(exact.dtype)
    if fed is not None:
        total = total + (fed.to(exact.dtype) if noise is None else fed.to(exact.dtype) * noise)
    grad_product.copy_(total * (1 - exact * exact) if has_tanh else total)


@operation
def loss_rows(
    scores: Tensor, sums: Tensor, bias: Tensor, targets: Tensor, smoothing: float, padding: int, keeps_slope: bool
) -> None:
    """scores [n, V + unused] without the bias [V], targets [n] int64 -> loss and negative log-likelihood [n, 2].

    With label smoothing e the loss is (1 - e) (norm - wanted score) + e (norm - mean score). A row whose target is
    `padding` counts 0. With `keeps_slope` the scores become d loss / d scores = softmax - (1 - e) onehot - e / V, and 0
    in the columns that are not used.
    """
    words = len(bias)
    total = scores[:, :words].to(sums.dtype) + bias.to(sums.dtype)
    is_real = (targets != padding).to(sums.dtype)
    norm, wanted = total.logsumexp(1), total.gather(1, targets.unsqueeze(1)).squeeze(1)
    likelihood = (norm - wanted) * is_real
    spread = (norm - total.mean(1)) * is_real
    sums[:, 0] = (1 - smoothing) * likelihood + smoothing * spread
    sums[:, 1] = likelihood
    if keeps_slope:
        slope = torch.exp(total - norm.unsqueeze(1)) - smoothing / words
        slope.scatter_add_(1, targets.unsqueeze(1), slope.new_full((len(slope), 1), smoothing - 1))
        scores[:, :words] = (slope * is_real.unsqueeze(1)).to(scores.dtype)
        scores[:, words:] = 0


def _projected(query: Tensor, bias: Part, like: Tensor) -> Tensor:
    return query.to(like.dtype) if bias is None else query.to(like.dtype) + bias.to(like.dtype)
