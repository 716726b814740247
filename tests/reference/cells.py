"""Reference: one step of a recurrent cell for one sentence, in plain NumPy, as the papers write it.

A state is a tuple of vectors whose first is the hidden state; an LSTM has its cell beside it. The inputs of a
cell are named by the letter of their matrices: {"W": y, "C": c} adds W_g y + C_g c to every gate g.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Vector = np.ndarray
State = tuple[Vector, ...]
Inputs = Mapping[str, Vector]
Parameters = Mapping[str, Any]


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + e^-x), for complex numbers too: derivatives are taken by a complex step."""
    return 1 / (1 + np.exp(-x))


def from_below(p: Parameters, gate: str, inputs: Inputs) -> Vector:
    """What all inputs together give to a gate: W_g x + ... + b_g."""
    total = p[f"b_{gate}"]
    for letter, vector in inputs.items():
        total = total + p[f"{letter}_{gate}"] @ vector
    return total


def gru(p: Parameters, inputs: Inputs, state: State) -> State:
    """GRU as cuDNN computes it: the reset gate acts after the product with U_n, on its bias d_n too."""
    (h,) = state
    r = sigmoid(from_below(p, "r", inputs) + p["U_r"] @ h)
    z = sigmoid(from_below(p, "z", inputs) + p["U_z"] @ h)
    n = np.tanh(from_below(p, "n", inputs) + r * (p["U_n"] @ h + p["d_n"]))
    return ((1 - z) * n + z * h,)


def gru_cho(p: Parameters, inputs: Inputs, state: State) -> State:
    """GRU of Cho et al. 2014 and of Bahdanau et al. 2015, A.1.1: the reset gate acts on the state itself.

    z keeps the old state, as in Cho et al. eq. 7; Bahdanau et al. swap the roles of z and 1 - z.
    """
    (h,) = state
    r = sigmoid(from_below(p, "r", inputs) + p["U_r"] @ h)
    z = sigmoid(from_below(p, "z", inputs) + p["U_z"] @ h)
    n = np.tanh(from_below(p, "n", inputs) + p["U_n"] @ (r * h))
    return ((1 - z) * n + z * h,)


def lstm(p: Parameters, inputs: Inputs, state: State) -> State:
    """LSTM with input gate i, forget gate f, candidate g, output gate o and no peepholes."""
    h, cell = state
    i = sigmoid(from_below(p, "i", inputs) + p["U_i"] @ h)
    f = sigmoid(from_below(p, "f", inputs) + p["U_f"] @ h)
    g = np.tanh(from_below(p, "g", inputs) + p["U_g"] @ h)
    o = sigmoid(from_below(p, "o", inputs) + p["U_o"] @ h)
    cell = f * cell + i * g
    return (o * np.tanh(cell), cell)


def rnn(p: Parameters, inputs: Inputs, state: State) -> State:
    """Plain recurrent network: tanh(W x + U h + b)."""
    (h,) = state
    return (np.tanh(from_below(p, "n", inputs) + p["U_n"] @ h),)


def normed(
    gates: Sequence[Vector], norm: Mapping[str, Vector] | None, groups: Sequence[int], eps: float
) -> list[Vector]:
    """Gates after layer normalisation, some together; without a norm as they are. Analytic, for complex numbers."""
    if norm is None:
        return list(gates)
    size, made, first = len(gates[0]), [], 0
    for group in groups:
        a = np.concatenate(gates[first : first + group])
        a = (a - a.mean()) / np.sqrt(((a - a.mean()) ** 2).mean() + eps)
        made += np.split(a, group)
        first += group
    return [norm["g"][i * size : (i + 1) * size] * a + norm["s"][i * size : (i + 1) * size] for i, a in enumerate(made)]


def both_parts(
    p: Parameters, gates: str, inputs: Inputs, h: Vector, groups: Sequence[int], eps: float
) -> tuple[list[Vector], list[Vector]]:
    """W x + b and U h [+ d] of all gates, each with its own normalisation."""
    outside = normed([from_below(p, gate, inputs) for gate in gates], p.get("norm_input"), groups, eps)
    inside = [p[f"U_{gate}"] @ h + p.get(f"d_{gate}", 0) for gate in gates]
    return outside, normed(inside, p["norm_recurrent"], groups, eps)


def gru_layernorm(
    p: Parameters, inputs: Inputs, state: State, groups: Sequence[int] = (2, 1), eps: float = 1e-5
) -> State:
    """GRU of nematus with layer normalisation: r and z together, n alone."""
    (h,) = state
    (x_r, x_z, x_n), (u_r, u_z, u_n) = both_parts(p, "rzn", inputs, h, groups, eps)
    z = sigmoid(x_z + u_z)
    return ((1 - z) * np.tanh(x_n + sigmoid(x_r + u_r) * u_n) + z * h,)


def gru_layernorm_joint(p: Parameters, inputs: Inputs, state: State) -> State:
    """GRU of Marian with layer normalisation: all gates together."""
    return gru_layernorm(p, inputs, state, (3,), 1e-9)


def lstm_layernorm(p: Parameters, inputs: Inputs, state: State) -> State:
    """LSTM of Marian with layer normalisation: all gates together, the cell state as it is."""
    h, cell = state
    i, f, g, o = (x + u for x, u in zip(*both_parts(p, "ifgo", inputs, h, (4,), 1e-9), strict=True))
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return (sigmoid(o) * np.tanh(cell), cell)


CELLS = {
    "gru": gru,
    "gru-cho": gru_cho,
    "lstm": lstm,
    "rnn": rnn,
    "gru-layernorm": gru_layernorm,
    "gru-layernorm-joint": gru_layernorm_joint,
    "lstm-layernorm": lstm_layernorm,
}
WITH_CELL = ("lstm", "lstm-layernorm")


def advance(name: str, p: Parameters, inputs: Inputs, state: State) -> State:
    """One step of a layer: its cell, and then those of "transitions", whose gates see a bias in place of inputs."""
    state = CELLS[name](p, inputs, state)
    for transition in p.get("transitions", []):
        state = CELLS[name](transition, {}, state)
    return state


def zero_state(name: str, hidden: int) -> State:
    """The state before the first word."""
    if name in WITH_CELL:
        return (np.zeros(hidden), np.zeros(hidden))
    return (np.zeros(hidden),)
