"""The NumPy reference itself: against torch.nn where torch has the cell, against numbers by hand elsewhere."""

import math

import numpy as np
import pytest
import torch
from reference.attention import Attended, AttentionSettings, attend, fixed_vector
from reference.cells import CELLS, gru_cho
from reference.decoder import DecoderSettings, Step, decode, start, summed_loss
from reference.encoder import Encoded, encode
from torch import nn

GATES = {"gru": "rzn", "lstm": "ifgo", "rnn": "n"}
TORCH = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
NUMBER = np.random.default_rng(1)


def from_torch(name: str, network: nn.Module, suffix: str) -> dict[str, np.ndarray]:
    """The papers' letters for the parameters of one layer and direction of a torch network."""
    w, u, b, d = (getattr(network, f"{kind}_{suffix}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    gates = GATES[name]
    cell = {}
    for k, gate in enumerate(gates):
        rows = slice(k * u.shape[1], (k + 1) * u.shape[1])
        cell[f"W_{gate}"], cell[f"U_{gate}"] = w[rows].detach().numpy(), u[rows].detach().numpy()
        apart = name == "gru" and gate == "n"
        cell[f"b_{gate}"] = (b[rows] if apart else b[rows] + d[rows]).detach().numpy()
        if apart:
            cell["d_n"] = d[rows].detach().numpy()
    return cell


def one_number(**values: float) -> dict[str, np.ndarray]:
    """Parameters of size 1: matrices [1, 1] for capital letters, vectors [1] for small ones."""
    return {name: np.full((1, 1) if name[0].isupper() else (1,), value) for name, value in values.items()}


def vector(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("reverse_source", [False, True])
def test_encoder_is_torch_s_stacked_network(name: str, bidirectional: bool, reverse_source: bool) -> None:
    network = TORCH[name](2, 3, num_layers=2, bidirectional=bidirectional, batch_first=True).double()
    embedding = NUMBER.normal(size=(7, 2))
    layers = [{"forward": from_torch(name, network, f"l{layer}")} for layer in range(2)]
    if bidirectional:
        for layer in range(2):
            layers[layer]["backward"] = from_torch(name, network, f"l{layer}_reverse")
    ids = [4, 6, 5, 3]
    read = [5, 6, 4, 3] if reverse_source else ids
    order = [2, 1, 0, 3] if reverse_source else [0, 1, 2, 3]
    outputs, ends = network(torch.tensor(embedding[read]).unsqueeze(0))
    encoded = encode({"E": embedding, "layers": layers}, name, ids, reverse_source=reverse_source, residual=False)
    np.testing.assert_allclose(encoded.states, outputs[0].detach().numpy()[order], atol=1e-12)
    directions = 2 if bidirectional else 1
    for part, end in enumerate(ends if name == "lstm" else [ends]):
        by_layer = end.detach().numpy().reshape(2, directions * 3)  # [layer, forward then backward]
        np.testing.assert_allclose([state[part] for state in encoded.last], by_layer, atol=1e-12)
    if bidirectional:  # the backward network of the top layer ends where reading began
        np.testing.assert_allclose(encoded.backward_first, encoded.states[order.index(0)][3:], atol=1e-12)


def test_bottom_only_has_one_wide_layer() -> None:
    below = nn.GRU(2, 3, bidirectional=True, batch_first=True).double()
    above = nn.GRU(6, 5, batch_first=True).double()
    embedding = NUMBER.normal(size=(7, 2))
    layers = [
        {"forward": from_torch("gru", below, "l0"), "backward": from_torch("gru", below, "l0_reverse")},
        {"forward": from_torch("gru", above, "l0")},
    ]
    encoded = encode({"E": embedding, "layers": layers}, "gru", [4, 6, 3], reverse_source=False, residual=False)
    outputs, _ = above(below(torch.tensor(embedding[[4, 6, 3]]).unsqueeze(0))[0])
    np.testing.assert_allclose(encoded.states, outputs[0].detach().numpy(), atol=1e-12)
    assert [state[0].shape for state in encoded.last] == [(6,), (5,)]
    assert encoded.backward_first is None


def test_residual_adds_what_came_in_but_not_to_what_goes_on_in_time() -> None:
    p = {"E": vector(0, 1, 2)[:, None], "layers": [{"forward": one_number(W_n=1, U_n=1, b_n=0)}]}
    encoded = encode(p, "rnn", [1, 2], reverse_source=False, residual=True)
    first = math.tanh(1)
    second = math.tanh(2 + first)
    np.testing.assert_allclose(encoded.states, [[first + 1], [second + 2]])
    np.testing.assert_allclose(encoded.last[0][0], [second])


def test_reset_gate_of_gru_cho_acts_on_the_state() -> None:
    # Two units, U_n swaps them; r = (sigmoid(0), 1) = (1/2, 1) as b_r = (0, 40); z = 1/2; so n = tanh(swap(r * h)).
    p = {name: np.zeros((2, 1)) for name in ("W_r", "W_z", "W_n")}
    p |= {"U_r": np.zeros((2, 2)), "U_z": np.zeros((2, 2)), "U_n": vector([0, 1], [1, 0])}
    p |= {"b_r": vector(0, 40), "b_z": vector(0, 0), "b_n": vector(0, 0), "d_n": vector(0, 0)}
    h, x = vector(0.6, 0.2), {"W": vector(1)}
    expected = [0.5 * math.tanh(0.2) + 0.3, 0.5 * math.tanh(0.3) + 0.1]
    np.testing.assert_allclose(gru_cho(p, x, (h,))[0], expected)
    after = [0.5 * math.tanh(0.5 * 0.2) + 0.3, 0.5 * math.tanh(0.6) + 0.1]  # r * swap(h) instead
    np.testing.assert_allclose(CELLS["gru"](p, x, (h,))[0], after)


# v = (1, 2), s = (1, 0), h_0 = (0, 1), h_1 = (1, 1); W turns s into (0, 1); U = 2.
S, H = vector(1, 0), [vector(0, 1), vector(1, 1)]
TURN, V = vector([0, 1], [1, 0]), vector(1, 2)
EXPECTED = {
    # tanh(W s + U h): (0, 3) and (2, 3)
    "additive": ({"v": V, "W": TURN, "U": 2 * np.eye(2)}, [2 * math.tanh(3), math.tanh(2) + 2 * math.tanh(3)]),
    # tanh(. + b) with b = (-2, -3): (-2, 0) and (0, 0); g / |v| = 5 / sqrt 5 = sqrt 5
    "normed-additive": (
        {"v": V, "W": TURN, "U": 2 * np.eye(2), "b": vector(-2, -3), "g": np.array(5.0)},
        [math.sqrt(5) * math.tanh(-2), 0],
    ),
    "dot": ({}, [0, 1]),
    "scaled-dot": ({}, [0, 1 / math.sqrt(2)]),
    # W h = (1, 0) and (1, 1)
    "general": ({"W": TURN}, [1, 1]),
    "scaled-general": ({"W": TURN, "g": np.array(3.0)}, [3, 3]),
    # W [s; h] with W = [TURN, 2 I] as additive
    "concat": (
        {"v": V, "W": np.hstack([TURN, 2 * np.eye(2)])},
        [2 * math.tanh(3), math.tanh(2) + 2 * math.tanh(3)],
    ),
    "location": ({"W": vector([4, 0], [7, 0], [9, 9])}, [4, 7]),
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_score_by_hand(name: str) -> None:
    p, scores = EXPECTED[name]
    weights, context = attend(p, AttentionSettings(score=name), S, H, 0)
    second = 1 / (1 + math.exp(scores[0] - scores[1]))
    np.testing.assert_allclose(weights, [1 - second, second])
    np.testing.assert_allclose(context, [second, 1])


def test_concat_identity_leaves_the_source_state_as_it_is() -> None:
    settings = AttentionSettings(score="concat", concat_identity=True)
    weights, _ = attend({"v": V, "W": TURN}, settings, S, H, 0)
    # tanh(W s + h): (0, 2) and (1, 2): the scores differ by tanh(1)
    np.testing.assert_allclose(weights[1], 1 / (1 + math.exp(-math.tanh(1))))


# Equal scores at 6 positions (S = 6), D = 1: inside the window all weights are equal.
EVEN = [vector(1.0)] * 6


@pytest.mark.parametrize(
    ("t", "attend_eos", "expected"),
    [
        (0, True, [1 / 2, 1 / 2, 0, 0, 0, 0]),
        (2, True, [0, 1 / 3, 1 / 3, 1 / 3, 0, 0]),
        (5, True, [0, 0, 0, 0, 1 / 2, 1 / 2]),
        (9, True, [0, 0, 0, 0, 1 / 2, 1 / 2]),
        (9, False, [0, 0, 0, 1 / 2, 1 / 2, 0]),
    ],
)
def test_local_m_by_hand(t: int, attend_eos: bool, expected: list[float]) -> None:
    settings = AttentionSettings(score="dot", window="local-m", half_width=1, attend_eos=attend_eos)
    np.testing.assert_allclose(attend({}, settings, vector(1), EVEN, t).weights, expected)


def bell(distance: float, sigma: float) -> float:
    return math.exp(-(distance**2) / (2 * sigma**2))


@pytest.mark.parametrize("renormalise", [False, True])
def test_local_p_by_hand(renormalise: bool) -> None:
    # s = 1, W_p = 1, v_p tanh(1) = ln(13/12): sigmoid = 13/25; L - 1 = 5, p_t = 2.6; D = 2: positions 0..4, sigma = 1
    p = {"W_p": np.eye(1), "v_p": vector(math.log(13 / 12) / math.tanh(1))}
    settings = AttentionSettings(score="dot", window="local-p", half_width=2, renormalise=renormalise)
    expected = vector(*[bell(j - 2.6, 1) / 5 for j in range(5)], 0)
    if renormalise:
        expected = expected / expected.sum()
    np.testing.assert_allclose(attend(p, settings, vector(1), EVEN, 7).weights, expected)


@pytest.mark.parametrize(("v_p", "first"), [(-1e4, [1.0, bell(1, 3)]), (1e4, [0, 0])])
def test_local_p_at_both_ends(v_p: float, first: list[float]) -> None:
    p = {"W_p": np.eye(1), "v_p": vector(v_p)}
    settings = AttentionSettings(score="dot", window="local-p", half_width=1, sigma=3)
    with np.errstate(over="ignore"):  # exp(7616) in the sigmoid of the left end
        weights = attend(p, settings, vector(1), EVEN, 0).weights
    np.testing.assert_allclose(weights[:2], vector(*first) / 2)
    assert np.count_nonzero(weights) == 2


def test_nothing_to_see_gives_zeros() -> None:
    settings = AttentionSettings(score="dot", attend_eos=False)
    weights, context = attend({}, settings, vector(1), [vector(3)], 0)
    assert weights.tolist() == [0] and context.tolist() == [0]


@pytest.mark.parametrize(("fixed_context", "later"), [(False, 0), (True, 5)])
def test_fixed_vector_enters_once_or_always(fixed_context: bool, later: float) -> None:
    settings = AttentionSettings(score="none", fixed_context=fixed_context)
    assert [fixed_vector(settings, vector(5), 2, t).context.item() for t in range(3)] == [5, later, later]


# Decoders of size 1 whose cell is a plain tanh network, on one source position h = 2: the context is always 2.
ONE = Encoded([vector(2)], [(vector(0.5),)], None)
WORDS = vector(0.1, 0.2, 0.3)[:, None]


def tiny_decoder(settings: DecoderSettings, **more: object) -> list[Step]:
    p = {
        "E": WORDS,
        "cells": [one_number(W_n=1, U_n=2, C_n=3, b_n=0.4)],
        "attention": {},
        "readout": one_number(U=1, V=2, C=3, b=4),
        "output": {"W": vector(1, 2)[:, None], "b": vector(0, 5)},
    }
    return decode(p | more, settings, ONE, [1, 2])


def of(score: str = "dot", **values: str) -> DecoderSettings:
    return DecoderSettings(AttentionSettings(score=score), cell="rnn", init="last", **values)


@pytest.mark.parametrize("readout_state", ["current", "previous"])
def test_bahdanau_order_by_hand(readout_state: str) -> None:
    s_1 = math.tanh(1 * 0.2 + 2 * 0.5 + 3 * 2 + 0.4)
    s_2 = math.tanh(1 * 0.3 + 2 * s_1 + 3 * 2 + 0.4)
    steps = tiny_decoder(of(readout_state=readout_state))
    np.testing.assert_allclose([step.states[0][0].item() for step in steps], [s_1, s_2])
    read = (s_1, s_2) if readout_state == "current" else (0.5, s_1)
    t_1, t_2 = read[0] + 2 * 0.2 + 3 * 2 + 4, read[1] + 2 * 0.3 + 3 * 2 + 4
    np.testing.assert_allclose([step.logits for step in steps], [[t_1, 2 * t_1 + 5], [t_2, 2 * t_2 + 5]])


def test_bahdanau_looks_with_the_state_before_the_update_and_luong_with_the_one_after() -> None:
    # Two positions 0 and 1; s . h = s at position 1: its weight is sigmoid(query).
    pair = Encoded([vector(0), vector(1)], [(vector(0.5),)], None)
    p = {"E": WORDS, "cells": [one_number(W_n=1, U_n=2, C_n=3, b_n=0.4)], "attention": {}}
    p |= {"readout": one_number(U=1, V=2, C=3, b=4), "output": one_number(W=1, b=0)}
    p |= {"attentional": {"W_c": vector([1.0, 1.0])}, "first": one_number(W_n=7, U_n=1, b_n=0)}
    queries = {"bahdanau": 0.5, "conditional": math.tanh(7 * 0.2 + 0.5), "luong": math.tanh(0.2 + 1 + 0.4)}
    for style, query in queries.items():
        step = decode(p, of(style=style), pair, [1])[0]
        np.testing.assert_allclose(step.attended.weights[1], 1 / (1 + math.exp(-query)), err_msg=style)


def test_conditional_by_hand() -> None:
    first = one_number(W_n=7, U_n=1, b_n=0)
    cells = [one_number(C_n=3, U_n=2, b_n=-6)]
    step = tiny_decoder(of(style="conditional", readout="deep"), first=first, cells=cells)[0]
    s = math.tanh(3 * 2 + 2 * math.tanh(7 * 0.2 + 0.5) - 6)
    np.testing.assert_allclose(step.states[0][0], [s])
    np.testing.assert_allclose(step.readout, [math.tanh(s + 2 * 0.2 + 3 * 2 + 4)])


@pytest.mark.parametrize(("feeding", "fed"), [("none", 0.0), ("attentional", None), ("context", 2.0)])
def test_luong_by_hand(feeding: str, fed: float | None) -> None:
    cells = [one_number(W_n=1, U_n=2, F_n=0.3, b_n=0.4)]
    s_1 = math.tanh(0.2 + 2 * 0.5 + 0.4)  # nothing is fed at the first step
    h_1 = math.tanh(0.1 * 2 + 0.7 * s_1 + 0.05)  # W_c = (0.1, 0.7) on [c; s]
    s_2 = math.tanh(0.3 + 2 * s_1 + 0.3 * (h_1 if fed is None else fed) + 0.4)
    more = {"attentional": {"W_c": vector([0.1, 0.7]), "b": vector(0.05)}}
    steps = tiny_decoder(of(style="luong", input_feeding=feeding), cells=cells, **more)
    np.testing.assert_allclose([step.states[0][0].item() for step in steps], [s_1, s_2])
    np.testing.assert_allclose(steps[0].logits, [h_1, 2 * h_1 + 5])
    plain = tiny_decoder(of(style="luong", attentional_activation="none", readout="deep"), cells=cells, **more)[0]
    inside = 0.1 * 2 + 0.7 * s_1 + 0.05
    np.testing.assert_allclose(plain.readout, [math.tanh(inside + 2 * 0.2 + 3 * 2 + 4)])


def test_maxout_takes_the_larger_of_each_pair() -> None:
    readout = {"U": np.zeros((4, 1)), "V": np.zeros((4, 1)), "C": np.zeros((4, 1)), "b": vector(1, 5, -2, -3)}
    output = {"W": np.eye(2), "b": np.zeros(2)}
    steps = tiny_decoder(of(readout="maxout"), readout=readout, output=output)
    np.testing.assert_allclose(steps[1].logits, [5, -2])


def test_upper_layers_take_the_output_below_and_may_add_it() -> None:
    upper = one_number(W_n=0.5, U_n=0.25, b_n=0)
    two = ONE._replace(last=[(vector(0.5),), (vector(-1.0),)])
    p = {"E": WORDS, "cells": [one_number(W_n=1, U_n=2, C_n=3, b_n=-6), upper], "attention": {}}
    p |= {"readout": one_number(U=1, V=0, C=0, b=0), "output": one_number(W=1, b=0)}
    low = math.tanh(0.2 + 2 * 0.5 + 3 * 2 - 6)
    high = math.tanh(0.5 * low + 0.25 * -1)
    for residual, output in ((False, high), (True, high + low)):
        settings = DecoderSettings(AttentionSettings(score="dot"), cell="rnn", init="last", residual=residual)
        step = decode(p, settings, two, [1])[0]
        np.testing.assert_allclose([state[0].item() for state in step.states], [low, high])
        np.testing.assert_allclose(step.logits, [output])


def test_first_states_by_hand() -> None:
    # Two encoder layers, three decoder layers: the third gets the top one's. Mean of the states: (1 + 3) / 2 = 2.
    encoded = Encoded([vector(1), vector(3)], [(vector(0.1), vector(0.2)), (vector(0.3), vector(0.4))], vector(0.7))
    maps = [one_number(W=k, b=0.5) for k in (1, 2, 3)]
    p = {"cells": [one_number(U_i=1)] * 3, "init": maps, "init_cell": maps}
    hidden = {
        "zero": [0, 0, 0],
        "last": [0.1, 0.3, 0.3],
        "mean": [math.tanh(k * 2 + 0.5) for k in (1, 2, 3)],
        "bridge": [math.tanh(0.1 + 0.5), math.tanh(0.6 + 0.5), math.tanh(0.9 + 0.5)],
        "backward-first": [math.tanh(k * 0.7 + 0.5) for k in (1, 2, 3)],
    }
    cells = {
        "zero": [0, 0, 0],
        "last": [0.2, 0.4, 0.4],
        "bridge": [math.tanh(0.2 + 0.5), math.tanh(0.8 + 0.5), math.tanh(1.2 + 0.5)],
    }
    attention = AttentionSettings()
    for init, expected in hidden.items():
        for init_cell, cell in {**cells, "copy": expected}.items():
            states = start(p, DecoderSettings(attention, cell="lstm", init=init, init_cell=init_cell), encoded)
            np.testing.assert_allclose([state[0].item() for state in states], expected, err_msg=init)
            np.testing.assert_allclose([state[1].item() for state in states], cell, err_msg=init_cell)


def test_loss_of_even_logits_is_log_v_a_word() -> None:
    steps = [Step([], Attended(vector(1), vector(1)), None, vector(0), np.zeros(7))] * 3
    np.testing.assert_allclose(summed_loss(steps, [1, 2, 3]), 3 * math.log(7))


def test_complex_step_is_the_central_difference() -> None:
    readout = {name: matrix.astype(complex) for name, matrix in one_number(U=1, V=2, C=3, b=4).items()}
    settings = of(readout="deep")

    def loss(bias: complex) -> np.ndarray:
        return summed_loss(tiny_decoder(settings, readout={**readout, "b": np.array([bias])}), [0, 1])

    step, tiny = 1e-4, 1e-30
    central = (loss(-9 + step) - loss(-9 - step)).real / (2 * step)
    np.testing.assert_allclose(loss(-9 + tiny * 1j).imag / tiny, central, rtol=1e-6)
    assert abs(central) > 0.1
